package checker

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Handover is what a program that takes the place of this one has to know of a
// check: its [Policy], and when it is due, counted from the moment of the
// handover.
type Handover struct {
	Service config.ServiceKey
	Server  netip.AddrPort
	Check   config.CheckID
	Due     time.Duration
	Probe   int
	Failed  bool
	Ran, Up bool
	Retries int
	Weight  config.WeightChange
	Unsure  string
}

// Taking are the checks of a predecessor, at a moment.
type Taking struct {
	Checks []Handover
	At     time.Time
}

// freezeLimit bounds the end of the probes that are under way: a script has
// two seconds.
const (
	freezeLimit = 3 * time.Second
	freezeLook  = time.Millisecond
)

// Freeze begins no probe any more, until [Scheduler.Thaw], and ends those that
// run: they are due again. What was found out before has been told when it
// returns.
func (s *Scheduler) Freeze() {
	s.mu.Lock()
	s.frozen = true
	for j := range s.all() {
		if j.busy && j.cancel != nil {
			j.cancel()
		}
	}
	s.mu.Unlock()
	for end := time.Now().Add(freezeLimit); s.stirs() && time.Now().Before(end); {
		time.Sleep(freezeLook)
	}
}

// stirs says that a result is being told, or that a probe has not ended.
func (s *Scheduler) stirs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.telling+s.probing > 0
}

// Handover are all checks, after [Scheduler.Freeze], at a moment.
func (s *Scheduler) Handover(now time.Time) (all []Handover) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.all() {
		p := &j.policy
		due := j.due - s.moment(now)
		if j.busy {
			due = 0
		}
		all = append(all, Handover{
			Service: j.service.key, Server: j.server.Addr, Check: j.checkID(), Due: due,
			Probe: p.Probe(), Failed: p.failed, Ran: p.ran, Up: p.up, Retries: int(p.retries), Weight: p.weight, Unsure: j.unsure,
		})
	}
	return all
}

// Thaw undoes [Scheduler.Freeze].
func (s *Scheduler) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen, s.queue = false, nil
	for j := range s.all() {
		if j.busy {
			j.busy, j.due = false, s.moment(time.Now())
		}
		s.arm(j, s.born.Add(j.due))
	}
}

// place is a check among those of all services.
type place struct {
	service config.ServiceKey
	id      jobID
}

// expected are the checks of a predecessor, at the first Apply alone.
func (s *Scheduler) expected() map[place]*Handover {
	t := s.opts.Taking
	s.opts.Taking = nil
	if t == nil {
		return nil
	}
	was := make(map[place]*Handover, len(t.Checks))
	for i := range t.Checks {
		h := &t.Checks[i]
		h.Due += time.Until(t.At) // from now
		was[place{h.Service, jobID{h.Server, h.Check}}] = h
	}
	return was
}

// takeOver makes a new check what it was. Nothing else is to know of it.
func (j *job) takeOver(was *Handover, now time.Duration) {
	p := &j.policy
	p.failed, p.ran, p.up, p.retries, p.weight = was.Failed, was.Ran, was.Up, uint32(was.Retries), was.Weight
	if was.Probe < int(p.Probes) {
		p.probe = int32(was.Probe)
	}
	j.unsure, j.due = was.Unsure, now+was.Due
}
