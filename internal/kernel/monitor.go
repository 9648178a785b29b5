//go:build linux

package kernel

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Sighting is an address of this host that came, was changed, or went.
type Sighting struct {
	Gone bool
	Addr netip.Addr
	Link string

	index int // of the link
}

// OnSighting names whom to tell of every single address: those that are there
// first, and then each that the kernel tells about. It must be called before
// [Links.Run], which calls told.
func (l *Links) OnSighting(told func(Sighting)) { l.sighted = told }

// monitor reads what the kernel tells about addresses, and keeps it until the
// next look knows the names of all links.
func (l *Links) monitor(datagram []byte) {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return
	}
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR {
			continue
		}
		if s, ok := sighting(m); ok {
			l.pending = append(l.pending, s)
		}
	}
}

// sighting reads a struct ifaddrmsg and its attributes, rtnetlink(7).
func sighting(m *syscall.NetlinkMessage) (s Sighting, ok bool) {
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil || len(m.Data) < unix.SizeofIfAddrmsg {
		return s, false
	}
	var local, address netip.Addr // IPv6 has no local one without a peer
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(a.Value)
		}
	}
	if !local.IsValid() {
		local = address
	}
	index := int(binary.NativeEndian.Uint32(m.Data[4:]))
	return Sighting{Gone: m.Header.Type == unix.RTM_DELADDR, Addr: local, index: index}, local.IsValid()
}

// report tells what was heard since the last look, in the names of the links
// before and after it.
func (l *Links) report(ctx context.Context, now []Link) error {
	if l.sighted == nil {
		return nil
	}
	if l.known == nil {
		all, err := l.host.sightings(ctx)
		if err != nil {
			return err
		}
		l.pending = all
	}
	names := make(map[int]string, len(now))
	for _, links := range [][]Link{l.known, now} {
		for _, link := range links {
			names[link.index] = link.Name
		}
	}
	for _, s := range l.pending {
		s.Link = cmp.Or(names[s.index], fmt.Sprintf("interface %d, which has gone", s.index))
		l.sighted(s)
	}
	l.pending = nil
	return nil
}

// sightings are all addresses of this host.
func (h *Host) sightings(ctx context.Context) ([]Sighting, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	addrs, err := h.batch(ctx).list(netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	all := make([]Sighting, 0, len(addrs))
	for _, a := range addrs {
		addr, _ := netip.AddrFromSlice(a.IP)
		all = append(all, Sighting{Addr: addr.Unmap(), index: a.LinkIndex})
	}
	return all, nil
}
