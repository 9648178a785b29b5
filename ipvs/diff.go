package ipvs

import "net/netip"

// Diff is what leads from one state of a service to another; nil means that
// the service is absent. Destinations are added before any is removed or gets
// weight 0, so that a service whose real servers are all replaced is never empty
// in between.
func Diff(have, want *Service) []Op { return appendDiff(nil, have, want) }

// appendDiff adds the operations to others.
func appendDiff(ops []Op, have, want *Service) []Op {
	switch {
	case want == nil && have == nil:
		return ops
	case want == nil:
		return append(ops, Op{Verb: DeleteService, Key: have.Key})
	case have == nil:
		ops = append(ops, Op{Verb: AddService, Key: want.Key, Attrs: want.Attrs})
		for _, d := range want.Dests {
			ops = append(ops, Op{Verb: AddDest, Key: want.Key, Dest: d})
		}
		return ops
	case have.equal(want):
		return ops
	case have.Attrs != want.Attrs:
		ops = append(ops, Op{Verb: EditService, Key: want.Key, Attrs: want.Attrs})
	}
	var edits, last []Op
	old := make(map[netip.AddrPort]Dest, len(have.Dests))
	for _, d := range have.Dests {
		old[d.Addr] = d
	}
	for _, d := range want.Dests {
		was, ok := old[d.Addr]
		delete(old, d.Addr)
		switch {
		case !ok:
			ops = append(ops, Op{Verb: AddDest, Key: want.Key, Dest: d})
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
	return append(append(ops, edits...), last...)
}
