// Package kerneltest is a host for tests: it keeps addresses in memory, prints
// itself like `ip address` and remembers every operation.
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
	present  []config.Address // in the order of their arrival
	owners   map[string][]config.Address
	holds    int
	unwanted []config.Address
	ops      []string
}

// Put places addresses that nobody claims: those of the link itself, or what a
// predecessor left.
func (h *Host) Put(addrs ...config.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.present = append(h.present, addrs...)
}

// Claim replaces what owner wants, additions first.
func (h *Host) Claim(_ context.Context, owner string, want []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.owners == nil {
		h.owners = make(map[string][]config.Address)
	}
	before := h.owners[owner]
	h.owners[owner] = slices.Clone(want)
	for _, a := range want {
		if !contains(h.present, a) {
			h.did("add", a)
			h.present = append(h.present, a)
		}
	}
	for _, a := range before {
		if !h.wanted(a) {
			h.unwanted = append(h.unwanted, a)
		}
	}
	h.remove()
	return nil
}

// Sweep deletes those of the addresses that nobody claims.
func (h *Host) Sweep(_ context.Context, addrs []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range addrs {
		if contains(h.present, a) && !h.wanted(a) {
			h.delete(a)
		}
	}
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
		h.did("announce", a)
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
	return slices.ContainsFunc(h.present, func(a config.Address) bool { return a.Prefix.Addr() == addr })
}

// String is the host as `ip address` would show it, without what the links
// themselves are: links by name, addresses in the order of their arrival.
func (h *Host) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	byLink := make(map[string]*strings.Builder)
	var links []string
	for _, a := range h.present {
		out := byLink[a.Dev]
		if out == nil {
			out = new(strings.Builder)
			byLink[a.Dev] = out
			links = append(links, a.Dev)
		}
		fmt.Fprintln(out, "   ", line(a))
	}
	slices.Sort(links)
	var all strings.Builder
	for _, link := range links {
		fmt.Fprintf(&all, "%s:\n%s", link, byLink[link])
	}
	return all.String()
}

func line(a config.Address) string {
	scopes := map[config.Scope]string{config.ScopeGlobal: "global", config.ScopeSite: "site",
		config.ScopeLink: "link", config.ScopeHost: "host", config.ScopeNowhere: "nowhere"}
	if a.Prefix.Addr().Is6() {
		return fmt.Sprintf("inet6 %s scope %s nodad", a.Prefix, scopes[a.Scope])
	}
	words := []string{"inet", a.Prefix.String()}
	if a.Broadcast.IsValid() {
		words = append(words, "brd", a.Broadcast.String())
	}
	label := a.Label
	if label == "" {
		label = a.Dev
	}
	return strings.Join(append(words, "scope", scopes[a.Scope], label), " ")
}

func (h *Host) did(what string, a config.Address) {
	h.ops = append(h.ops, fmt.Sprintf("%s %s dev %s", what, a.Prefix, a.Dev))
}

func (h *Host) wanted(a config.Address) bool {
	for _, list := range h.owners {
		if contains(list, a) {
			return true
		}
	}
	return false
}

func (h *Host) remove() {
	if h.holds > 0 {
		return
	}
	for _, a := range h.unwanted {
		if !h.wanted(a) && contains(h.present, a) {
			h.delete(a)
		}
	}
	h.unwanted = nil
}

func (h *Host) delete(a config.Address) {
	h.did("del", a)
	h.present = slices.DeleteFunc(h.present, func(b config.Address) bool { return same(a, b) })
}

func contains(list []config.Address, a config.Address) bool {
	return slices.ContainsFunc(list, func(b config.Address) bool { return same(a, b) })
}

func same(a, b config.Address) bool { return a.Dev == b.Dev && a.Prefix == b.Prefix }
