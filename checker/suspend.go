package checker

import (
	"slices"

	"github.com/lvsd/lvsd/config"
)

// Suspend names the services whose checks are not run from now on, as
// ha_suspend asks for while their address is on another host; those of all
// other services are. A suspended check keeps what it knows, and its turn every
// delay_loop.
func (s *Scheduler) Suspend(services map[config.ServiceKey]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.idle
	s.idle = services
	var lines []string
	for j := range s.all() {
		if before[j.service.key] != services[j.service.key] {
			lines = append(lines, s.activation(j, "Suspending"))
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		s.opts.Log.Info(line)
	}
}

// activation is what keepalived says of a check that begins or ends to run.
func (s *Scheduler) activation(j *job, ending string) string {
	verb := "Activating"
	if s.idle[j.service.key] {
		verb = ending
	}
	return verb + " healthchecker for service " + j.name() + " for VS " + j.service.key.String()
}
