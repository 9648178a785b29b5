package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// row is one service of the kernel: what should be and what is.
type row struct {
	key   config.ServiceKey
	owner *entry // nil once it has left the configuration
	have  *Service
	known bool // have is the truth

	dirty bool             // in Manager.dirty, for some of its destinations or
	whole bool             // for everything about it
	some  []netip.AddrPort // as the owner has them

	places map[netip.AddrPort]int // in have.Dests, of more than a few; nil: not known
}

// leaves says that the service is not to be there any more.
func (r *row) leaves() bool { return r.owner == nil || r.owner.pool.absent() }

func (r *row) want() *Service {
	if r.owner == nil {
		return nil
	}
	want := r.owner.pool.wish()
	if want == nil {
		return nil
	}
	return want.As(r.key)
}

// change is what has to become of a row: all of the service, or some of its
// destinations and nothing else about it.
type change struct {
	have, want *Service
	part       bool
}

// change is a pass over the destinations of a row only if it is touched as a
// whole: one server of ten thousand costs what it costs among two.
func (r *row) change() change {
	if r.owner == nil || r.whole || r.have == nil {
		return change{have: r.have, want: r.want()}
	}
	c := change{&Service{Key: r.key, Attrs: r.have.Attrs}, &Service{Key: r.key, Attrs: r.have.Attrs}, true}
	seen := make(map[netip.AddrPort]bool, len(r.some))
	for _, addr := range r.some {
		d, wanted := r.owner.pool.wishFor(addr)
		d.Addr = r.address(d)
		if seen[d.Addr] {
			continue
		}
		seen[d.Addr] = true
		if at, there := r.find(d.Addr); there {
			c.have.Dests = append(c.have.Dests, r.have.Dests[at])
		}
		if wanted {
			c.want.Dests = append(c.want.Dests, d)
		}
	}
	return c
}

// address is the one that a destination of the owner's has here.
func (r *row) address(d Dest) netip.AddrPort {
	if r.key == r.owner.pool.service.Key {
		return d.Addr
	}
	return addressAs(d.Addr, d.Method, r.key)
}

// done notes what has become of the operations of a change.
func (r *row) done(c change, ops []Op, errs []error) error {
	var failures []error
	for k, err := range errs {
		op := ops[k]
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist) && (op.Verb == DeleteDest || op.Verb == DeleteService):
		case len(failures) > 0 && ops[0].Verb == AddService && errs[0] != nil:
			// A service that could not be made has no destinations.
		default:
			failures = append(failures, fmt.Errorf("IPVS, as ipvsadm %s: %w", op, err))
		}
	}
	if failures == nil {
		r.note(c)
	}
	// Otherwise it is read before the next attempt.
	return errors.Join(failures...)
}

// note makes a change that was carried out the truth.
func (r *row) note(c change) {
	if !c.part {
		r.is(c.want)
		return
	}
	for _, d := range c.want.Dests {
		r.put(d)
	}
	for _, d := range c.have.Dests {
		if !c.want.has(d.Addr) {
			r.remove(d.Addr)
		}
	}
}

// is takes what the kernel has.
func (r *row) is(have *Service) { r.have, r.places = have, nil }

// find is the place of a destination in have. Few need no index, which would take
// more room than they do.
func (r *row) find(addr netip.AddrPort) (at int, there bool) {
	if r.places == nil && len(r.have.Dests) <= few {
		at = slices.IndexFunc(r.have.Dests, func(d Dest) bool { return d.Addr == addr })
		return at, at >= 0
	}
	if r.places == nil {
		r.places = make(map[netip.AddrPort]int, len(r.have.Dests))
		for i, d := range r.have.Dests {
			r.places[d.Addr] = i
		}
	}
	at, there = r.places[addr]
	return at, there
}

func (r *row) put(d Dest) {
	at, there := r.find(d.Addr)
	if there {
		r.have.Dests[at] = d
		return
	}
	if r.places != nil {
		r.places[d.Addr] = len(r.have.Dests)
	}
	r.have.Dests = append(r.have.Dests, d)
}

// remove gives the last destination the place of one that has left: nothing
// depends on the order of what is there.
func (r *row) remove(addr netip.AddrPort) {
	at, there := r.find(addr)
	if !there {
		return
	}
	last := len(r.have.Dests) - 1
	moved := r.have.Dests[last]
	r.have.Dests[at] = moved
	r.have.Dests = r.have.Dests[:last]
	if r.places != nil {
		r.places[moved.Addr] = at
		delete(r.places, addr)
	}
}
