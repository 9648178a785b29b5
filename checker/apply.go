package checker

import (
	"errors"
	"fmt"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Apply makes these the services whose servers are checked, at start and at
// every reload. An unchanged check is not touched: it keeps its state, its
// retries and its timer. One of which only the timing changed keeps its state.
// Any other is new: it runs after one second and a random part of its warmup.
// The error names checks that cannot be run; all others are.
func (s *Scheduler) Apply(services []config.Service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied++
	defer clear(s.patterns) // the checks have them
	gone, expected := s.services, s.expected()
	s.services = make(map[config.ServiceKey]*service, len(services))
	var failed []error
	for i := range services {
		key := services[i].Key
		v, ok := gone[key]
		if !ok {
			v = &service{key: key}
		}
		delete(gone, key)
		s.services[key] = v
		failed = append(failed, s.applyTo(v, services[i].Servers, expected)...)
	}
	for _, v := range gone {
		for _, j := range v.jobs {
			s.remove(j)
		}
	}
	return errors.Join(failed...)
}

// applyTo makes these the servers of a service.
func (s *Scheduler) applyTo(v *service, servers []config.Server, expected map[place]*Handover) (failed []error) {
	had := matcher{jobs: v.jobs}
	v.jobs = make([]*job, 0, len(had.jobs))
	for i := range servers {
		for k := range servers[i].Checks {
			check := &servers[i].Checks[k]
			if check.Kind.Told() {
				continue // Watch has it
			}
			id := jobID{servers[i].Addr, check.ID()}
			j := had.find(id)
			if j != nil && j.seen == s.applied {
				continue // the same check twice
			}
			j, err := s.applyCheck(v, j, id, &servers[i], check, expected[place{v.key, id}])
			if err != nil {
				failed = append(failed, fmt.Errorf("check %s: %w", id.server, err))
			}
			if j != nil {
				j.seen = s.applied
				v.jobs = append(v.jobs, j)
				had.know(j)
			}
		}
	}
	for _, j := range had.jobs {
		if j.seen != s.applied {
			s.remove(j)
		}
	}
	return failed
}

// applyCheck makes a check run as configured, and gives its job; j is what it
// was before, was what a predecessor knew of it.
func (s *Scheduler) applyCheck(v *service, j *job, id jobID, server *config.Server, check *config.Check, was *Handover) (*job, error) {
	if j != nil && *j.policy.Timing == *check.Timing {
		j.server, j.check, j.policy.Timing = server, check, check.Timing // so that those of before can go
		return j, nil
	}
	how, err := s.build(check)
	if err != nil {
		return j, err
	}
	if j != nil {
		j.server, j.check, j.recipe, j.policy.Timing = server, check, how, check.Timing
		if soon := time.Now().Add(check.Timing.DelayLoop.Value); !j.busy && s.moment(soon) < j.due && s.running() {
			s.arm(j, soon)
		}
		return j, nil
	}
	policy := Policy{Timing: check.Timing, Kind: check.Kind, Probes: int32(len(how.probes)), FastRecovery: how.fastRecovery}
	j = &job{service: v, server: server, check: check, params: id.check.Params, recipe: how, policy: policy}
	if was != nil {
		j.takeOver(was, s.moment(time.Now()))
	}
	s.opts.Log.Info(s.activation(j, "Deactivating"))
	if s.running() {
		s.start(j)
	}
	return j, nil
}

// matcher finds the checks that a service had. Mostly they come in the same
// order again, which costs a comparison; the index is for when they do not.
type matcher struct {
	jobs  []*job
	at    int // the one that is expected next
	index map[jobID]*job
}

func (m *matcher) find(id jobID) *job {
	if m.at < len(m.jobs) && m.jobs[m.at].id() == id {
		m.at++
		return m.jobs[m.at-1]
	}
	if m.index == nil {
		m.index = make(map[jobID]*job, len(m.jobs))
		for _, j := range m.jobs {
			m.index[j.id()] = j
		}
	}
	return m.index[id]
}

// know notes a check that is new, so that it is found the second time.
func (m *matcher) know(j *job) {
	if m.index != nil {
		m.index[j.id()] = j
	}
}
