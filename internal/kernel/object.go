//go:build linux

package kernel

import (
	"errors"

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
	errs[0] = errors.Join(errs[0], restore())
	return errs
}
