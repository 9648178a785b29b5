package supervisor

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// sweep removes addresses that a crash left behind and the configuration does
// not name. Those that it names are the instances' own affair.
func (s *Supervisor) sweep(ctx context.Context, left []entry, next *config.Config) {
	named := make(map[entry]bool)
	for i := range next.Instances {
		for _, a := range next.Instances[i].Addresses() {
			named[addressEntry(a)] = true
		}
	}
	var stale []config.Address
	var entries []entry
	for _, e := range left {
		if e.dev == "" {
			continue
		}
		entries = append(entries, e)
		if !named[e] {
			s.log.Info(fmt.Sprintf("removing %s of %s, which a predecessor left behind", e.prefix, e.dev))
			stale = append(stale, config.Address{Dev: e.dev, Prefix: e.prefix})
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
		if e.dev == "" {
			keys[e.service] = true
		}
	}
	return keys
}

func serviceEntries(services []config.Service) []entry {
	entries := make([]entry, len(services))
	for i := range services {
		entries[i].service = services[i].Key
	}
	return entries
}
