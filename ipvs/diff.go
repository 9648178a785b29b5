package ipvs

import (
	"net/netip"
	"slices"
)

// Diff is what leads from one state of a service to another; nil means that
// the service is absent. Destinations are added before any is removed, so that
// a service whose real servers are all replaced is never empty in between.
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

// after is the service once the kernel has done op.
func after(have *Service, op Op) *Service {
	at := func(d Dest) bool { return d.Addr == op.Dest.Addr }
	switch op.Verb {
	case AddService:
		return &Service{Key: op.Key, Attrs: op.Attrs}
	case EditService:
		have.Attrs = op.Attrs
	case DeleteService:
		return nil
	case AddDest:
		have.Dests = append(have.Dests, op.Dest)
	case EditDest:
		have.Dests[slices.IndexFunc(have.Dests, at)] = op.Dest
	case DeleteDest:
		have.Dests = slices.DeleteFunc(have.Dests, at)
	}
	return have
}
