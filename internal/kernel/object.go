//go:build linux

package kernel

import (
	"errors"
	"net/netip"

	"github.com/lvsd/lvsd/config"
)

// object is something in the kernel that owners claim.
type object interface {
	// id is comparable: objects that differ in it can be there together.
	id() any
	// String is the object as errors and the log name it.
	String() string
	kind() kind
	// same says that the kernel has nothing to change to make this the other.
	same(other object) bool
	// watched says that it is put back when somebody removes it.
	watched() bool
	// add puts it there; adopted says that it was there before.
	add(b *batch) (adopted bool, err error)
	// change makes it of what was there under the same id.
	change(b *batch, was object) error
	// delete removes it; that it is gone already is no error.
	delete(b *batch) error
}

// kind is the place of an object in the order of additions; deletions go the
// other way.
type kind int

const (
	links kind = iota
	sysctls
	closures
	addresses
	routes
	rules
	kinds
)

// objects are the single things of claims, in the order of their addition.
func (h *Host) objects(c config.Claims) []object {
	all := make([]object, 0, len(c.Links)+len(c.Addresses)+len(c.Routes)+len(c.Rules))
	for _, l := range c.Links {
		all = append(all, virtualLink{l, h})
		h.parents.Store(l.Name, l.Parent)
	}
	if c.LooseReversePath {
		all = append(all, reversePath{h.conf})
	}
	for _, s := range c.Sysctls {
		all = append(all, sysctl{s, h.conf})
	}
	if len(c.Closed) > 0 {
		all = append(all, closure{c.Closed, h.firewall})
	}
	for _, a := range c.Addresses {
		all = append(all, address{a, c.Static})
	}
	for _, r := range c.Routes {
		all = append(all, route{r})
	}
	for _, r := range c.Rules {
		all = append(all, rule{r})
	}
	return all
}

// deleteAll deletes objects of one kind, each with its own error.
func (b *batch) deleteAll(doomed []*claim) []error {
	errs := make([]error, len(doomed))
	if len(doomed) == 0 {
		return nil
	}
	if doomed[0].kind() == rules {
		return b.deleteRules(doomed)
	}
	restore := func() error { return nil }
	switch doomed[0].kind() {
	case addresses:
		restore = b.guard(doomed)
	case links:
		b.deleteTogether(doomed)
	}
	for i, c := range doomed {
		if c.was != nil {
			errs[i] = c.was.delete(b)
			continue
		}
		errs[i] = c.delete(b)
	}
	errs[0] = errors.Join(errs[0], restore(), b.keep(doomed))
	return errs
}

// keep puts back what went with the doomed though it is claimed: IPv6 has an
// address once on a link, whatever its prefix length and peer, and adds the ways
// of one route to those of another.
func (b *batch) keep(doomed []*claim) error {
	gone := make(map[any]bool)
	for _, c := range doomed {
		if id := looseID(c.object); id != nil {
			gone[id] = true
		}
	}
	if len(gone) == 0 {
		return nil
	}
	var errs []error
	for _, c := range b.claims {
		if c.owners > 0 && c.there && gone[looseID(c.object)] {
			_, err := c.add(b)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// looseID is what IPv6 tells an object from others by; nil: its own is right.
func looseID(o object) any {
	switch o := o.(type) {
	case address:
		if o.Prefix.Addr().Is6() {
			return place{dev: o.Dev, prefix: netip.PrefixFrom(o.Prefix.Addr(), o.Prefix.Addr().BitLen())}
		}
	case route:
		if o.Is6() {
			return o.key()
		}
	}
	return nil
}
