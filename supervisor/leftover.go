package supervisor

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// sweep removes what a crash left behind and the configuration does not name. Those that it names are the instances' own affair.
func (s *Supervisor) sweep(ctx context.Context, left []entry, next *config.Config) {
	named := make(map[entry]bool)
	for _, e := range claimEntries(next.Standing()) {
		named[e] = true
	}
	for i := range next.Instances {
		for _, e := range claimEntries(next.Instances[i].Claims()) {
			named[e] = true
		}
	}
	var stale config.Claims
	var entries []entry
	for _, e := range left {
		if e.isService() {
			continue
		}
		entries = append(entries, e)
		if !named[e] {
			s.log.Info(fmt.Sprintf("removing %s, which a predecessor left behind", e))
			e.claim(&stale)
		}
	}
	if err := s.host.Sweep(ctx, stale); err != nil {
		s.log.Warn("what a predecessor left behind is still there", zap.Error(err))
		return
	}
	s.ledger.cross(entries...)
}

// servicesOf are the services among what was left behind.
func servicesOf(left []entry) map[config.ServiceKey]bool {
	keys := make(map[config.ServiceKey]bool)
	for _, e := range left {
		if e.isService() {
			keys[e.service] = true
		}
	}
	return keys
}

// serviceEntries are the kernel's services that services run as.
func serviceEntries(services []config.Service) []entry {
	entries := make([]entry, 0, len(services))
	for i := range services {
		for key := range services[i].KernelKeys() {
			entries = append(entries, entry{service: key})
		}
	}
	return entries
}
