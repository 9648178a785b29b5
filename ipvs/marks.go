package ipvs

import (
	"slices"

	"github.com/lvsd/lvsd/config"
)

// Marker gives packets firewall marks: nftables_ipvs.
type Marker interface {
	// Mark makes these all that get one, and reports whether something else had
	// to be changed for it.
	Mark([]config.Marked) (changed bool, err error)
}

// Marks gives the services of virtual_server_groups the firewall marks that
// stand for their addresses, nftables_ipvs. A service that stays keeps its mark:
// with another one the kernel would lose its connections. The zero value has
// given none.
type Marks struct {
	first uint32 // nftables_ipvs_start_fwmark
	next  uint32
	given map[config.ServiceKey]uint32
}

// Give sets the mark of each service that may have one: those of groups without
// a mark of their own. New ones have the mark that their addresses have already,
// of a predecessor, or the next from first on that nothing else uses.
func (m *Marks) Give(services []config.Service, first uint32, there []config.Marked) {
	if m.first != first {
		m.first, m.next = first, first
	}
	used := make(map[uint32]bool)
	for i := range services {
		used[services[i].Key.FWMark] = true // 0 is none
		for k := range services[i].Entries {
			used[services[i].Entries[k].FWMark] = true
		}
	}
	before := m.given
	m.given = make(map[config.ServiceKey]uint32)
	var rest []*config.Service
	for i := range services {
		s := &services[i]
		if !markable(s) {
			continue
		}
		mark := before[s.Key]
		if mark == 0 {
			mark = markOf(s, there)
		}
		if used[mark] {
			rest = append(rest, s)
			continue
		}
		m.give(s, mark, used)
	}
	for _, s := range rest {
		for used[m.next] {
			m.next++
		}
		m.give(s, m.next, used)
	}
}

func (m *Marks) give(s *config.Service, mark uint32, used map[uint32]bool) {
	s.Mark, used[mark], m.given[s.Key] = mark, true, mark
	if mark >= m.next {
		m.next = mark + 1 // one that has been used is not used again so soon
	}
}

// markable: where a mark is configured, it and the addresses are services of
// their own.
func markable(s *config.Service) bool {
	return len(s.Entries) > 0 && !slices.ContainsFunc(s.Entries, func(e config.GroupEntry) bool { return e.IsMark() })
}

// markOf is the mark that one of the addresses of a service has; 0: none.
func markOf(s *config.Service, there []config.Marked) uint32 {
	for i := range s.Entries {
		e := &s.Entries[i]
		for _, t := range there {
			if t.Protocol == s.Key.Protocol && t.FirstPort <= e.Port && e.Port <= t.LastPort && t.First.Compare(e.Last) <= 0 && e.First.Compare(t.Last) <= 0 {
				return t.Mark
			}
		}
	}
	return 0
}
