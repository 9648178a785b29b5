package ipvs

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Handover is what a program that takes the place of this one has to know of
// the services: how they stand. What is in the kernel it finds there.
type Handover struct {
	Services []ServiceHandover
	Timeouts *Timeouts // of connections, before they were changed; nil: they were not
}

// ServiceHandover is a [Pool].
type ServiceHandover struct {
	Key     config.ServiceKey
	Quorum  bool // it is held
	Servers []ServerHandover
	Drains  []DrainHandover
	Left    *config.Service // as it was configured, without servers; nil: it is still
}

// DrainHandover is a server that leaves.
type DrainHandover struct {
	Dest Dest
	For  time.Duration // from the handover on
}

// ServerHandover is what a pool knows about a real server.
type ServerHandover struct {
	Addr   netip.AddrPort
	Quiet  bool // nobody was told of it yet
	Checks []CheckHandover
}

// CheckHandover is the verdict of a check.
type CheckHandover struct {
	Check  config.CheckID
	Up     bool
	Weight config.WeightChange
}

func (p *Pool) handover(now time.Time) ServiceHandover {
	s := ServiceHandover{Key: p.service.Key, Quorum: p.up}
	for _, l := range p.leavers {
		s.Drains = append(s.Drains, DrainHandover{l.Dest, l.until.Sub(now)})
	}
	if p.servers == nil {
		s.Left = &config.Service{
			Key: p.service.Key, Entries: p.service.Entries, Mark: p.service.Mark, Scheduler: p.service.Scheduler, SchedFlags: p.service.SchedFlags,
			PersistenceEngine: p.service.PersistenceEngine, PersistenceTimeout: p.service.PersistenceTimeout,
			PersistenceMask: p.service.PersistenceMask, PersistenceNetmask: p.service.PersistenceNetmask, OPS: p.service.OPS,
		}
	}
	for i := range p.servers.list() {
		h := &p.servers.all[i]
		one := ServerHandover{Addr: h.server.Addr, Quiet: h.quiet}
		for k, v := range h.checks {
			one.Checks = append(one.Checks, CheckHandover{h.server.Checks[k].ID(), v.up, v.weight})
		}
		s.Servers = append(s.Servers, one)
	}
	return s
}

// takeOver makes the pool what it was, before its first [Reconfigured]: of the
// servers of a configuration it has those that were there.
func (p *Pool) takeOver(was *ServiceHandover, next config.Service, now time.Time) {
	known := make(map[netip.AddrPort]*ServerHandover, len(was.Servers))
	for i := range was.Servers {
		known[was.Servers[i].Addr] = &was.Servers[i]
	}
	servers := next.Servers
	next.Servers = nil
	all := make([]health, 0, len(servers))
	for i := range servers {
		s := &servers[i]
		old := known[s.Addr]
		if old == nil {
			continue
		}
		next.Servers = append(next.Servers, *s)
		all = append(all, old.health(s))
	}
	p.service, p.servers, p.up, p.leavers = next, indexed(all), was.Quorum, was.leavers(now)
}

// health is that of the server in the configuration: of a check that it did not
// have it is as [health.begin] has it.
func (was *ServerHandover) health(s *config.Server) health {
	alive := !slices.ContainsFunc(was.Checks, func(c CheckHandover) bool { return !c.Up })
	h := health{server: s, quiet: was.Quiet, checks: make([]verdict, len(s.Checks))}
	for i := range s.Checks {
		c := &s.Checks[i]
		h.checks[i].up = alive || !c.Timing.Alpha.Value
		if at := slices.IndexFunc(was.Checks, func(old CheckHandover) bool { return c.Is(old.Check) }); at >= 0 {
			h.checks[i] = verdict{was.Checks[at].Up, was.Checks[at].Weight}
		}
	}
	h.alive = alive
	return h
}

// leaving is the pool of a service that has left the configuration.
func (s *ServiceHandover) leaving(now time.Time) *Pool {
	return &Pool{service: *s.Left, leavers: s.leavers(now)}
}

func (s *ServiceHandover) leavers(now time.Time) (all []leaver) {
	for _, d := range s.Drains {
		all = append(all, leaver{d.Dest, now.Add(d.For)})
	}
	return all
}

// Freeze ends what the Manager does, after the verdicts that have come, until
// thaw. The handover is of that moment.
func (m *Manager) Freeze() (h Handover, thaw func()) {
	frozen, again := make(chan struct{}), make(chan struct{})
	go m.call(func() {
		m.hear()
		m.complain(m.settle())
		now := time.Now()
		for _, key := range m.order {
			h.Services = append(h.Services, m.services[key].pool.handover(now))
		}
		for _, e := range m.leaving {
			h.Services = append(h.Services, e.pool.handover(now))
		}
		h.Timeouts = m.found
		close(frozen)
		<-again
	})
	select {
	case <-frozen:
	case <-m.done:
	}
	return h, func() { close(again) }
}

// expected are the services of a predecessor, at the first Apply alone.
func (m *Manager) expected() map[config.ServiceKey]*ServiceHandover {
	t := m.opts.Taking
	m.opts.Taking = nil
	if t == nil {
		return nil
	}
	m.found = t.Timeouts
	was := make(map[config.ServiceKey]*ServiceHandover, len(t.Services))
	for i := range t.Services {
		was[t.Services[i].Key] = &t.Services[i]
	}
	return was
}

// Handover are the daemons that run, as they were started.
func (s *SyncDaemons) Handover() Sync {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

// TakeOver says that these run already. It is called before Run.
func (s *SyncDaemons) TakeOver(runs Sync) { s.have, s.runs = runs, runs }
