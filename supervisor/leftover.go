package supervisor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
)

// sweep removes what a crash left behind and the configuration does not name.
// What it names is the instances' own affair; it is returned, and stays in the
// ledger until they have seen to it: this start may be killed before.
func (s *Supervisor) sweep(ctx context.Context, left []entry, next *config.Config) (named []entry) {
	known := make(map[entry]bool)
	static := next.Standing()
	for _, e := range claimEntries(static) {
		known[e] = true
	}
	for i := range next.Instances {
		for _, e := range claimEntries(next.Instances[i].Claims()) {
			known[e] = true
		}
	}
	var stale config.Claims
	var settings []kernel.Setting
	var gone []entry
	var errs []error
	for _, e := range left {
		switch {
		case e.isService() || (e.setting != "" || e.table != "") && s.taking != nil: // taken over, to be set back one day
		case e.table == cmp.Or(next.Global.Firewall.NFTables, config.DefaultTable): // goes with what is in it
		case e.table != "":
			s.log.Info(fmt.Sprintf("removing the nftables table %s, which a predecessor left behind", e.table))
			errs, gone = append(errs, s.host.DropTable(e.table)), append(gone, e)
		case e.setting != "":
			settings, gone = append(settings, e.set()), append(gone, e)
		case known[e]:
			named = append(named, e)
		default:
			s.log.Info(fmt.Sprintf("removing %s, which a predecessor left behind", e.said()))
			e.claim(&stale)
			gone = append(gone, e)
		}
	}
	errs = append(errs, s.host.Firewall(next.Global.Firewall)) // it has the name of the table
	if err := errors.Join(append(errs, s.host.Sweep(ctx, stale), s.host.Restore(settings))...); err != nil {
		s.log.Warn("what a predecessor left behind is still there", zap.Error(err))
		return named
	}
	s.ledger.cross(gone...)
	for _, a := range static.Addresses {
		if e := claimEntries(config.Claims{Addresses: []config.Address{a}}); slices.Contains(named, e[0]) {
			s.static = append(s.static, a)
		}
	}
	return named
}

// Setting implements [kernel.Journal].
func (l *ledger) Setting(s kernel.Setting) { l.enter(entry{setting: written(s)}) }

// Restored implements [kernel.Journal].
func (l *ledger) Restored(s kernel.Setting) { l.cross(entry{setting: written(s)}) }

// Table implements [kernel.Journal].
func (l *ledger) Table(name string) { l.enter(entry{table: name}) }

// Dropped implements [kernel.Journal].
func (l *ledger) Dropped(name string) { l.cross(entry{table: name}) }

// set is the sysctl of an entry that is one.
func (e entry) set() (s kernel.Setting) {
	_ = json.Unmarshal([]byte(e.setting), &s) // parseEntry has looked
	return s
}

// servicesOf are the services among what was left behind.
func servicesOf(left []entry) map[config.ServiceKey]bool {
	keys := make(map[config.ServiceKey]bool)
	for _, e := range left {
		if e.isService() && e.marks == "" {
			keys[e.service] = true
		}
	}
	return keys
}

// marksOf are the tables of marks among what was left behind.
func marksOf(left []entry) (names []string) {
	for _, e := range left {
		if e.marks != "" {
			names = append(names, e.marks)
		}
	}
	return names
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
