// Package kerneltest is a host for tests: it keeps addresses, routes and rules
// in memory, prints itself like `ip` and remembers every operation.
package kerneltest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/lvsd/lvsd/config"
)

// Host behaves like kernel.Host without a kernel. The zero value is a host
// without addresses. It is safe for concurrent use.
type Host struct {
	mu       sync.Mutex
	present  []thing // in the order of their arrival
	owners   map[string][]thing
	holds    int
	unwanted []thing
	ops      []string
}

// thing is something in the kernel.
type thing struct {
	kind  int
	id    string // what makes it another one
	text  string // as operations name it
	link  string // of an address
	shown string
}

// The kinds, in the order of additions.
const (
	link = iota
	closed
	address
	route
	rule
)

func things(c config.Claims) (all []thing) {
	for _, l := range c.Links {
		text := fmt.Sprintf("%s@%s", l.Name, l.Parent)
		all = append(all, thing{kind: link, id: text, text: "link " + text, shown: text})
	}
	for _, a := range c.Closed {
		all = append(all, thing{kind: closed, id: a.Addr.String(), text: "drop " + a.Addr.String(), shown: a.Addr.String()})
	}
	for _, a := range c.Addresses {
		all = append(all, ofAddress(a))
	}
	for i := range c.Routes {
		text := c.Routes[i].String()
		all = append(all, thing{kind: route, id: text, text: "route " + text, shown: text})
	}
	for i := range c.Rules {
		text := c.Rules[i].String()
		all = append(all, thing{kind: rule, id: text, text: "rule " + text, shown: fmt.Sprintf("%d: %s", c.Rules[i].Preference.Value, text)})
	}
	return all
}

func ofAddress(a config.Address) thing {
	text := fmt.Sprintf("%s dev %s", a.Prefix, a.Dev)
	return thing{kind: address, id: text, text: text, link: a.Dev, shown: line(a)}
}

// Put places addresses that nobody claims: those of the link itself, or what a
// predecessor left.
func (h *Host) Put(addrs ...config.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range addrs {
		h.present = append(h.present, ofAddress(a))
	}
}

// Claim replaces what owner wants, additions first.
func (h *Host) Claim(_ context.Context, owner string, want config.Claims) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.owners == nil {
		h.owners = make(map[string][]thing)
	}
	before := h.owners[owner]
	h.owners[owner] = things(want)
	for _, t := range h.owners[owner] {
		if !contains(h.present, t) {
			h.did("add", t)
			h.present = append(h.present, t)
		}
	}
	for _, t := range before {
		if !h.wanted(t) {
			h.unwanted = append(h.unwanted, t)
		}
	}
	h.remove()
	return nil
}

// Sweep deletes those that nobody claims, at the latest when nothing is on
// hold any more.
func (h *Host) Sweep(_ context.Context, left config.Claims) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range things(left) {
		if contains(h.present, t) && !h.wanted(t) {
			h.unwanted = append(h.unwanted, t)
		}
	}
	h.remove()
	return nil
}

// Hold postpones deletions until release is called.
func (h *Host) Hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.holds--
		h.remove()
	})
}

// Announce records one frame for each address.
func (h *Host) Announce(_ context.Context, addrs []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range addrs {
		h.did("announce", ofAddress(a))
	}
	return nil
}

// Operations are what was done since the last call, one a line:
// "add 10.0.0.1/24 dev eth0".
func (h *Host) Operations() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := h.ops
	h.ops = nil
	return ops
}

// Has reports whether an address is on any link.
func (h *Host) Has(addr netip.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.present, func(t thing) bool { return t.kind == address && strings.HasPrefix(t.id, addr.String()+"/") })
}

// String is the host as `ip address`, `ip route` and `ip rule` would show it,
// without what the links themselves are: those that were made, the addresses
// that take no packets, links by name with their addresses, routes, rules, each
// in the order of their arrival.
func (h *Host) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	sections := make(map[string]*strings.Builder)
	var links []string
	for _, t := range h.present {
		name := [...]string{"links", "drop", t.link, "routes", "rules"}[t.kind]
		out := sections[name]
		if out == nil {
			out = new(strings.Builder)
			sections[name] = out
			if t.kind == address {
				links = append(links, name)
			}
		}
		fmt.Fprintln(out, "   ", t.shown)
	}
	slices.Sort(links)
	var all strings.Builder
	for _, name := range slices.Concat([]string{"links", "drop"}, links, []string{"routes", "rules"}) {
		if sections[name] != nil {
			fmt.Fprintf(&all, "%s:\n%s", name, sections[name])
		}
	}
	return all.String()
}

func line(a config.Address) string {
	scopes := map[config.Scope]string{config.ScopeGlobal: "global", config.ScopeSite: "site",
		config.ScopeLink: "link", config.ScopeHost: "host", config.ScopeNowhere: "nowhere"}
	prefix := a.Prefix.String()
	if a.Peer.IsValid() {
		prefix = fmt.Sprintf("%s peer %s", a.Prefix.Addr(), a.Peer)
	}
	if a.Prefix.Addr().Is6() {
		return strings.Join(append([]string{"inet6", prefix, "scope", scopes[a.Scope]}, flags6(a)...), " ")
	}
	words := []string{"inet", prefix}
	if a.Broadcast.IsValid() {
		words = append(words, "brd", a.Broadcast.String())
	}
	words = append(words, "scope", scopes[a.Scope])
	if a.Flags&config.AddressNoPrefixRoute != 0 {
		words = append(words, "noprefixroute")
	}
	label := a.Label
	if label == "" {
		label = a.Dev
	}
	return strings.Join(append(words, label), " ")
}

// flags6 are the words behind the scope of an IPv6 address.
func flags6(a config.Address) (words []string) {
	if a.Flags&config.AddressDAD == 0 {
		words = append(words, "nodad")
	}
	short := a.PreferredLft.Set && a.PreferredLft.Value == 0
	if short || !a.PreferredLft.Set && a.Prefix.IsSingleIP() {
		words = append(words, "deprecated")
	}
	for _, f := range []struct {
		flag config.AddressFlags
		word string
	}{{config.AddressHome, "home"}, {config.AddressManageTemp, "mngtmpaddr"}, {config.AddressNoPrefixRoute, "noprefixroute"}} {
		if a.Flags&f.flag != 0 {
			words = append(words, f.word)
		}
	}
	return words
}

func (h *Host) did(what string, t thing) { h.ops = append(h.ops, what+" "+t.text) }

func (h *Host) wanted(t thing) bool {
	for _, list := range h.owners {
		if contains(list, t) {
			return true
		}
	}
	return false
}

// remove deletes what nobody wants, what was added last first by kind.
func (h *Host) remove() {
	if h.holds > 0 {
		return
	}
	slices.SortStableFunc(h.unwanted, func(x, y thing) int { return y.kind - x.kind })
	for _, t := range h.unwanted {
		if !h.wanted(t) && contains(h.present, t) {
			h.did("del", t)
			h.present = slices.DeleteFunc(h.present, func(o thing) bool { return same(t, o) })
		}
	}
	h.unwanted = nil
}

func contains(list []thing, t thing) bool {
	return slices.ContainsFunc(list, func(o thing) bool { return same(t, o) })
}

func same(a, b thing) bool { return a.kind == b.kind && a.id == b.id }
