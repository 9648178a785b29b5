package ipvs

import (
	"net/netip"
	"slices"
)

// Diff is what leads from one state of a service to another; nil means that
// the service is absent. Destinations are added before any is removed or gets
// weight 0, so that a service whose real servers are all replaced is never empty
// in between.
func Diff(have, want *Service) []Op {
	switch {
	case want == nil && have == nil:
		return nil
	case want == nil:
		return []Op{{Verb: DeleteService, Key: have.Key}}
	}
	var first, edits, last []Op
	old := make(map[netip.AddrPort]Dest)
	if have == nil {
		first = append(first, Op{Verb: AddService, Key: want.Key, Attrs: want.Attrs})
	} else {
		if have.Attrs != want.Attrs {
			first = append(first, Op{Verb: EditService, Key: want.Key, Attrs: want.Attrs})
		}
		for _, d := range have.Dests {
			old[d.Addr] = d
		}
	}
	for _, d := range want.Dests {
		was, ok := old[d.Addr]
		delete(old, d.Addr)
		switch {
		case !ok:
			first = append(first, Op{Verb: AddDest, Key: want.Key, Dest: d})
		case was != d && d.Weight == 0:
			last = append(last, Op{Verb: EditDest, Key: want.Key, Dest: d})
		case was != d:
			edits = append(edits, Op{Verb: EditDest, Key: want.Key, Dest: d})
		}
	}
	if len(old) > 0 {
		for _, d := range have.Dests {
			if _, gone := old[d.Addr]; gone {
				last = append(last, Op{Verb: DeleteDest, Key: want.Key, Dest: Dest{Addr: d.Addr}})
			}
		}
	}
	return slices.Concat(first, edits, last)
}
