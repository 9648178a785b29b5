//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Host holds the addresses that its owners claim. It is safe for concurrent
// use.
type Host struct {
	log    *zap.Logger
	nl     *netlink.Handle
	packet int // AF_PACKET socket for announcements

	mu       sync.Mutex
	claims   map[place]*claim
	owners   map[string][]place
	unwanted []place // claims that nobody wants any more, in the order of their release
	holds    int
}

// place is what makes an address one of the kernel's: the same address with
// another prefix length, or on another link, is another one.
type place struct {
	dev    string
	prefix netip.Prefix
}

func placeOf(a config.Address) place { return place{a.Dev, a.Prefix} }

// String is the place as errors name it: 10.0.0.1/24 on eth0.
func (p place) String() string { return p.prefix.String() + " on " + p.dev }

// claim is an address that somebody wants or that is still to be removed.
type claim struct {
	addr   config.Address
	owners int  // how many want it; 0: to be removed
	there  bool // it is on the link, as far as is known
	stale  bool // it is on the link with an old label, scope or broadcast address
}

// Open opens the sockets of a host, in the network namespace of the calling
// thread.
func Open(log *zap.Logger) (*Host, error) {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	// Protocol 0: the socket sends and never receives.
	packet, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		nl.Close()
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	return &Host{
		log: log, nl: nl, packet: packet,
		claims: make(map[place]*claim), owners: make(map[string][]place),
	}, nil
}

// Close closes the sockets. Addresses stay: whoever wants them gone claims
// nothing first.
func (h *Host) Close() error {
	h.nl.Close()
	return unix.Close(h.packet)
}

// Claim replaces the addresses that owner wants: what is new is added first,
// what nobody wants any more is then deleted. An address that is already on
// its link is adopted: from then on it is treated as if Claim had added it.
// The error joins what failed; the rest is done, and what failed is tried
// again at the next Claim and whenever a link or address changes.
func (h *Host) Claim(ctx context.Context, owner string, want []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replace(owner, want)
	b := h.batch()
	return errors.Join(h.add(ctx, b, h.owners[owner]), h.remove(ctx, b))
}

// replace counts owner's new wishes and then uncounts its old ones.
func (h *Host) replace(owner string, want []config.Address) {
	var places []place
	seen := make(map[place]bool, len(want))
	for _, addr := range want {
		p := placeOf(addr)
		if seen[p] {
			continue
		}
		seen[p] = true
		places = append(places, p)
		c := h.claims[p]
		if c == nil {
			c = &claim{addr: addr}
			h.claims[p] = c
		}
		if c.there && !sameAttributes(c.addr, addr) {
			c.stale = true
		}
		c.addr = addr
		c.owners++
	}
	for _, p := range h.owners[owner] {
		c := h.claims[p]
		if c.owners--; c.owners == 0 {
			h.unwanted = append(h.unwanted, p)
		}
	}
	if len(places) == 0 {
		delete(h.owners, owner)
		return
	}
	h.owners[owner] = places
}

// sameAttributes compares what the kernel cannot change in an address that is
// there.
func sameAttributes(a, b config.Address) bool {
	return a.Label == b.Label && a.Scope == b.Scope && a.Broadcast == b.Broadcast
}

// add puts those of the places that are missing on their links.
func (h *Host) add(ctx context.Context, b *batch, places []place) error {
	var errs []error
	for _, p := range places {
		c := h.claims[p]
		if c.there && !c.stale {
			continue
		}
		if c.stale {
			if err := b.delete(ctx, p); err != nil {
				errs = append(errs, err)
				continue
			}
			c.there, c.stale = false, false
		}
		adopted, err := b.add(ctx, c.addr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if adopted {
			h.log.Info("address was already there", zap.Stringer("address", p))
		}
		c.there = true
	}
	return errors.Join(errs...)
}

// remove deletes the addresses that nobody wants any more, unless they are on
// hold. What cannot be deleted stays on the list.
func (h *Host) remove(ctx context.Context, b *batch) error {
	if h.holds > 0 || len(h.unwanted) == 0 {
		return nil
	}
	var doomed, left []place
	for _, p := range h.unwanted {
		switch c := h.claims[p]; {
		case c == nil || c.owners > 0: // removed already, or claimed again
		case c.there:
			doomed = append(doomed, p)
		default:
			delete(h.claims, p)
		}
	}
	errs := b.deleteAll(ctx, doomed)
	for i, p := range doomed {
		if errs[i] != nil {
			left = append(left, p)
			continue
		}
		delete(h.claims, p)
	}
	h.unwanted = left
	return errors.Join(errs...)
}

// Sweep deletes those of the addresses that a predecessor left on the links,
// except those that are claimed. One that is not there is no error.
func (h *Host) Sweep(ctx context.Context, addrs []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var doomed []place
	for _, addr := range addrs {
		if p := placeOf(addr); h.claims[p] == nil {
			doomed = append(doomed, p)
		}
	}
	return errors.Join(h.batch().deleteAll(ctx, doomed)...)
}

// Hold postpones every deletion until release is called, so that an address
// that moves from one owner to another is never absent. Holds nest.
func (h *Host) Hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.holds--
		if err := h.remove(context.Background(), h.batch()); err != nil {
			h.log.Warn("removing addresses failed", zap.Error(err))
		}
	})
}
