package checker

import (
	"net/netip"

	"github.com/lvsd/lvsd/config"
)

// Status is a check and how it stands.
type Status struct {
	Service config.ServiceKey
	Server  netip.AddrPort
	Check   config.CheckID
	Up      bool
	Ran     bool   // it has had a result
	Idle    bool   // it does not run: ha_suspend
	Unsure  string // why nobody knows whether it holds; empty: that is known
}

// Snapshot is the status of every check, in no order.
func (s *Scheduler) Snapshot() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.jobs))
	for key, j := range s.jobs {
		all = append(all, Status{
			Service: key.service, Server: key.server, Check: key.check,
			Up: j.policy.Up(), Ran: j.policy.ran, Idle: s.idle[key.service], Unsure: j.unsure,
		})
	}
	return all
}
