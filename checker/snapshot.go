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
	var all []Status
	for j := range s.all() {
		all = append(all, Status{
			Service: j.service.key, Server: j.server.Addr, Check: j.checkID(),
			Up: j.policy.Up(), Ran: j.policy.ran, Idle: s.idle[j.service.key], Unsure: j.unsure,
		})
	}
	return all
}
