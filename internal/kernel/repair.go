//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// presence is what is in the kernel of what is asked for.
type presence struct {
	addresses map[place]netlink.Addr
	routes    map[routeKey][]hop
	rules     map[ruleID]bool
}

// look reads the tables that the claims are in.
func (h *Host) look(b *batch, c config.Claims) (p presence, err error) {
	for _, l := range c.Links {
		_, _ = b.link(l.Name) // one that is not there is not there
	}
	if len(c.Addresses) > 0 {
		if p.addresses, err = b.addressesThere(); err != nil {
			return p, err
		}
	}
	return p, p.tables(b, len(c.Routes) > 0, len(c.Rules) > 0)
}

// tables reads those of routes and rules.
func (p *presence) tables(b *batch, routes, rules bool) (err error) {
	if routes {
		if p.routes, err = b.routesThere(); err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
	}
	if rules {
		if p.rules, err = b.rulesThere(); err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
	}
	return nil
}

func (b *batch) addressesThere() (map[place]netlink.Addr, error) {
	all, err := b.list(netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	names := make(map[int]string)
	links, err := dump(b.nl.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	for _, l := range links {
		b.links[l.Attrs().Name] = l
		names[l.Attrs().Index] = l.Attrs().Name
	}
	there := make(map[place]netlink.Addr, len(all))
	for _, a := range all {
		there[placeOn(names[a.LinkIndex], a)] = a
	}
	return there, nil
}

// has reports whether an object is in the kernel.
func (p presence) has(h *Host, b *batch, o object) bool {
	switch o := o.(type) {
	case virtualLink:
		return o.there(b)
	case closure:
		return h.firewall.closed[o.id().(closureID)] != nil
	case address:
		_, ok := p.addresses[o.place()]
		return ok
	case route:
		return o.among(b, p.routes)
	case rule:
		return p.rules[ruleID(o.shape())]
	}
	return false
}

// otherwise is the object itself where it is there with other attributes.
func (p presence) otherwise(o object) object {
	if a, ok := o.(address); ok && !a.asWanted(p.addresses[a.place()]) {
		return o
	}
	return nil
}

// repair puts back what is claimed and not there, as far as its links exist,
// and deletes what could not be deleted before.
func (h *Host) repair(b *batch, there presence) error {
	if err := there.tables(b, h.claimed(routes), h.claimed(rules)); err != nil {
		return err
	}
	var missing []*claim
	for _, c := range h.claims {
		was := c.there
		if s, ok := c.object.(sysctl); ok && s.remade(b) {
			c.there, was = false, false
		}
		if was && !c.watched() {
			continue
		}
		is, possible := there.has(h, b, c.object), h.possible(b, c)
		if err := b.ctx.Err(); err != nil {
			return err // what could not be looked at is not for that reason gone
		}
		if c.there = is; is || c.owners == 0 || !possible {
			continue
		}
		c.was = nil
		missing = append(missing, c)
		if was {
			h.log.Info(removedByOthers[c.kind()], zap.Stringer("object", c))
		}
	}
	slices.SortFunc(missing, func(x, y *claim) int {
		if x.kind() != y.kind() {
			return int(x.kind() - y.kind())
		}
		return compare(x.object, y.object)
	})
	failed, err := h.add(b, missing)
	errs := []error{err}
	for _, c := range missing {
		errs = append(errs, failed[c])
	}
	h.firewall.lost()
	errs = append(errs, h.tend(b), h.firewall.sync(b))
	return errors.Join(append(errs, h.remove(b))...)
}

// tend lets the links that are made follow their parents.
func (h *Host) tend(b *batch) error {
	if !h.claimed(links) {
		return nil
	}
	all, err := b.list(netlink.FAMILY_V6)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	var errs []error
	for _, c := range h.claims {
		if l, ok := c.object.(virtualLink); ok && c.there {
			if err := l.tend(b, all); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", l, err))
			}
		}
	}
	return errors.Join(errs...)
}

var removedByOthers = [kinds]string{
	closures:  "firewall was removed by others, putting it back",
	links:     "link was removed by others, making it again",
	addresses: "address was removed by others, putting it back",
	routes:    "route was removed by others, putting it back",
	rules:     "rule was removed by others, putting it back",
}

// claimed reports whether there is a claim of a kind.
func (h *Host) claimed(k kind) bool {
	for _, c := range h.claims {
		if c.kind() == k {
			return true
		}
	}
	return false
}

// possible says that the links of an object exist.
func (h *Host) possible(b *batch, c *claim) bool {
	var names []string
	switch o := c.object.(type) {
	case virtualLink:
		names = []string{o.Parent}
	case sysctl:
		names = []string{o.Link}
	case address:
		names = []string{o.Dev}
	case route:
		names = []string{o.Dev, o.VRF}
		for i := range o.NextHops {
			names = append(names, o.NextHops[i].Dev)
		}
	}
	return !slices.ContainsFunc(names, func(name string) bool { return name != "" && b.links[name] == nil })
}

// compare gives objects of a kind an order.
func compare(x, y object) int {
	if a, ok := x.(address); ok {
		if b, ok := y.(address); ok {
			return a.Prefix.Addr().Compare(b.Prefix.Addr())
		}
	}
	switch x, y := x.String(), y.String(); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
