//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// batch is a run of operations on the kernel that looks each link up once.
type batch struct {
	nl    *netlink.Handle
	links map[string]netlink.Link
}

func (h *Host) batch() *batch {
	return &batch{nl: h.nl, links: make(map[string]netlink.Link)}
}

func (b *batch) link(name string) (netlink.Link, error) {
	if link, ok := b.links[name]; ok {
		return link, nil
	}
	link, err := b.nl.LinkByName(name)
	if err != nil {
		return nil, err
	}
	b.links[name] = link
	return link, nil
}

// add adds an address; adopted says that it was there before.
func (b *batch) add(ctx context.Context, a config.Address) (adopted bool, err error) {
	if err = ctx.Err(); err == nil {
		var link netlink.Link
		if link, err = b.link(a.Dev); err == nil {
			err = b.nl.AddrAdd(link, toNetlink(a))
		}
	}
	if errors.Is(err, unix.EEXIST) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("add %s to %s: %w", a.Prefix, a.Dev, err)
	}
	return false, nil
}

// delete deletes an address; that it or its link is gone already is no error.
func (b *batch) delete(ctx context.Context, p place) error {
	err := ctx.Err()
	if err == nil {
		var link netlink.Link
		if link, err = b.link(p.dev); err == nil {
			err = b.nl.AddrDel(link, &netlink.Addr{IPNet: ipNet(p.prefix)})
		}
	}
	var noLink netlink.LinkNotFoundError
	if err == nil || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) || errors.As(err, &noLink) {
		return nil
	}
	return fmt.Errorf("delete %s from %s: %w", p.prefix, p.dev, err)
}

// deleteAll deletes addresses, each with its own error. Unless the link's
// promote_secondaries says otherwise, the kernel deletes with the first IPv4
// address of a subnet all the others of it: those are put back, whoever they
// belong to.
func (b *batch) deleteAll(ctx context.Context, places []place) []error {
	errs := make([]error, len(places))
	endangered := b.secondaries(places)
	for i, p := range places {
		errs[i] = b.delete(ctx, p)
	}
	if len(endangered) == 0 {
		return errs
	}
	present, err := b.list(netlink.FAMILY_V4)
	if err != nil {
		errs[0] = errors.Join(errs[0], err)
		return errs
	}
	there := make(map[indexed]bool, len(present))
	for _, a := range present {
		there[indexOf(a)] = true
	}
	for _, a := range endangered {
		if there[indexOf(a)] {
			continue
		}
		if err := b.nl.AddrAdd(nil, restored(a)); err != nil && !errors.Is(err, unix.EEXIST) {
			errs[0] = errors.Join(errs[0], fmt.Errorf("put %s back: %w", a.IPNet, err))
		}
	}
	return errs
}

// secondaries are the IPv4 addresses that the kernel may delete together with
// the given ones: those of the same subnets.
func (b *batch) secondaries(places []place) []netlink.Addr {
	doomed, subnets := make(map[indexed]bool), make(map[indexed]bool)
	for _, p := range places {
		if link, err := b.link(p.dev); err == nil && p.prefix.Addr().Is4() {
			doomed[indexed{link.Attrs().Index, p.prefix}] = true
			subnets[indexed{link.Attrs().Index, p.prefix.Masked()}] = true
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	all, err := b.list(netlink.FAMILY_V4)
	if err != nil {
		return nil
	}
	var found []netlink.Addr
	for _, a := range all {
		at := indexOf(a)
		secondary := a.Flags&unix.IFA_F_SECONDARY != 0
		if secondary && !doomed[at] && subnets[indexed{at.link, at.prefix.Masked()}] {
			found = append(found, a)
		}
	}
	return found
}

// list dumps the addresses of all links. A dump that was interrupted by a
// change is read again.
func (b *batch) list(family int) ([]netlink.Addr, error) {
	return dump(func() ([]netlink.Addr, error) { return b.nl.AddrList(nil, family) })
}

// dump reads a table of the kernel. When the table changes meanwhile the
// answer is inconsistent and the kernel says so.
func dump[T any](read func() ([]T, error)) ([]T, error) {
	const attempts = 10
	for range attempts - 1 {
		if all, err := read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return read()
}

// indexed is a [place] as the kernel numbers it.
type indexed struct {
	link   int
	prefix netip.Prefix
}

func indexOf(a netlink.Addr) indexed { return indexed{a.LinkIndex, fromIPNet(a.IPNet)} }

// restored is an address as it was, ready to be added again.
func restored(a netlink.Addr) *netlink.Addr {
	a.Flags &^= unix.IFA_F_SECONDARY | unix.IFA_F_PERMANENT
	if a.Broadcast == nil {
		a.Broadcast = net.IPv4zero
	}
	return &a
}

// forever is INFINITY_LIFE_TIME of an address.
const forever = 0xffffffff

// toNetlink is an address as keepalived adds it: no broadcast address unless
// one is given, no duplicate address detection (a master has to use it now),
// and an IPv6 /128 deprecated, so that it is no source of connections.
func toNetlink(a config.Address) *netlink.Addr {
	addr := &netlink.Addr{IPNet: ipNet(a.Prefix), Label: a.Label, Scope: int(a.Scope)}
	if a.Prefix.Addr().Is4() {
		addr.Broadcast = net.IPv4zero // nil makes the library compute one
		if a.Broadcast.IsValid() {
			addr.Broadcast = a.Broadcast.AsSlice()
		}
		return addr
	}
	addr.Flags = unix.IFA_F_NODAD
	if a.Prefix.IsSingleIP() {
		addr.ValidLft, addr.PreferedLft = forever, 0
	}
	return addr
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func fromIPNet(n *net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
