//go:build linux

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// address is a claimed address.
type address struct {
	config.Address
	static bool
}

// place is what makes an address one of the kernel's: the same address with
// another prefix length or peer, or on another link, is another one.
type place struct {
	dev    string
	prefix netip.Prefix
	peer   netip.Addr // the other end; unset when there is none
}

// String is the place as errors name it: 10.0.0.1/24 on eth0.
func (p place) String() string {
	if p.peer.IsValid() {
		return fmt.Sprintf("%s peer %s/%d on %s", p.prefix.Addr(), p.peer, p.prefix.Bits(), p.dev)
	}
	return p.prefix.String() + " on " + p.dev
}

func (a address) place() place {
	if a.Peer.IsValid() {
		return place{a.Dev, netip.PrefixFrom(a.Prefix.Addr(), a.Peer.Bits()), a.Peer.Addr()}
	}
	return place{dev: a.Dev, prefix: a.Prefix}
}

func (a address) id() any        { return a.place() }
func (a address) String() string { return a.place().String() }
func (a address) kind() kind     { return addresses }
func (a address) watched() bool  { return !a.NoTrack }

// same compares what the kernel cannot change in an address that is there.
func (a address) same(other object) bool {
	o, ok := other.(address)
	return ok && a.Label == o.Label && a.Scope == o.Scope && a.Broadcast == o.Broadcast && a.Flags == o.Flags && a.PreferredLft == o.PreferredLft
}

func (a address) add(b *batch) (adopted bool, err error) {
	link, err := b.link(a.Dev)
	if err == nil && b.inherits(link, a.place()) {
		return true, nil
	}
	if err == nil {
		err = b.nl.AddrAdd(link, toNetlink(a.Address))
	}
	if errors.Is(err, unix.EEXIST) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("add %s to %s: %w", a.Prefix, a.Dev, err)
	}
	return false, nil
}

// inherits says, once, that a predecessor has left an address.
func (b *batch) inherits(link netlink.Link, p place) bool {
	at := indexed{link.Attrs().Index, p.prefix, p.peer}
	left := b.inherited[at]
	delete(b.inherited, at)
	return left
}

func (a address) change(b *batch, was object) error {
	if err := was.delete(b); err != nil {
		return err
	}
	_, err := a.add(b)
	return err
}

func (a address) delete(b *batch) error {
	link, err := b.link(a.Dev)
	if err == nil {
		is := toNetlink(a.Address)
		err = b.nl.AddrDel(link, &netlink.Addr{IPNet: is.IPNet, Peer: is.Peer, Flags: is.Flags & unix.IFA_F_MCAUTOJOIN})
	}
	if err == nil || errors.Is(err, unix.EADDRNOTAVAIL) || gone(err) {
		return nil
	}
	return fmt.Errorf("delete %s from %s: %w", a.Prefix, a.Dev, err)
}

// asWanted compares an address that the kernel has listed.
func (a address) asWanted(is netlink.Addr) bool {
	const flags = unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR
	want := toNetlink(a.Address)
	if is.Flags&flags != want.Flags&flags {
		return false
	}
	if a.Prefix.Addr().Is6() {
		return true
	}
	broadcast, _ := netip.AddrFromSlice(is.Broadcast)
	return is.Label == cmp.Or(a.Label, a.Dev) && is.Scope == want.Scope && broadcast.Unmap() == a.Broadcast
}

// gone says that the link is not there.
func gone(err error) bool {
	var noLink netlink.LinkNotFoundError
	return errors.Is(err, unix.ENODEV) || errors.As(err, &noLink)
}

// guard is called before addresses are deleted; the function that it returns
// is called afterwards. Unless the link's promote_secondaries says otherwise,
// the kernel deletes with the first IPv4 address of a subnet all the others of
// it: those are put back, whoever they belong to.
func (b *batch) guard(doomed []*claim) (restore func() error) {
	endangered := b.secondaries(doomed)
	return func() error {
		if len(endangered) == 0 {
			return nil
		}
		present, err := b.list(netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		there := make(map[indexed]bool, len(present))
		for _, a := range present {
			there[indexOf(a)] = true
		}
		var errs []error
		for _, a := range endangered {
			if there[indexOf(a)] {
				continue
			}
			if err := b.nl.AddrAdd(nil, restored(a)); err != nil && !errors.Is(err, unix.EEXIST) {
				errs = append(errs, fmt.Errorf("put %s back: %w", a.IPNet, err))
			}
		}
		return errors.Join(errs...)
	}
}

// secondaries are the IPv4 addresses that the kernel may delete together with
// the given ones: those of the same subnets.
func (b *batch) secondaries(claims []*claim) []netlink.Addr {
	doomed, subnets := make(map[indexed]bool), make(map[indexed]bool)
	for _, c := range claims {
		p := c.id().(place)
		if link, err := b.link(p.dev); err == nil && p.prefix.Addr().Is4() {
			doomed[indexed{link.Attrs().Index, p.prefix, p.peer}] = true
			subnets[indexed{link: link.Attrs().Index, prefix: p.prefix.Masked()}] = true
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
		if secondary && !doomed[at] && subnets[indexed{link: at.link, prefix: at.prefix.Masked()}] {
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
	peer   netip.Addr
}

func indexOf(a netlink.Addr) indexed {
	p := placeOn("", a)
	return indexed{a.LinkIndex, p.prefix, p.peer}
}

// placeOn is where an address is that the kernel has listed. The prefix length
// belongs to the other end when there is one.
func placeOn(dev string, a netlink.Addr) place {
	p := place{dev: dev, prefix: fromIPNet(a.IPNet)}
	if a.Peer != nil {
		if peer := fromIPNet(a.Peer); peer.Addr() != p.prefix.Addr() {
			p.prefix, p.peer = netip.PrefixFrom(p.prefix.Addr(), peer.Bits()), peer.Addr()
		}
	}
	return p
}

// restored is an address as it was, ready to be added again.
func restored(a netlink.Addr) *netlink.Addr {
	a.Flags &^= unix.IFA_F_SECONDARY | unix.IFA_F_PERMANENT
	if a.Broadcast == nil {
		a.Broadcast = net.IPv4zero
	}
	return &a
}

// toNetlink is an address as keepalived adds it: no broadcast address unless
// one is given, no duplicate address detection (a master has to use it now),
// and an IPv6 /128 deprecated, so that it is no source of connections.
func toNetlink(a config.Address) *netlink.Addr {
	addr := &netlink.Addr{IPNet: ipNet(a.Prefix), Label: a.Label, Scope: int(a.Scope), Flags: addressFlags(a)}
	if a.Peer.IsValid() {
		addr.IPNet, addr.Peer = ipNet(netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())), ipNet(a.Peer)
	}
	if a.Prefix.Addr().Is4() {
		addr.Broadcast = net.IPv4zero // nil makes the library compute one
		if a.Broadcast.IsValid() {
			addr.Broadcast = a.Broadcast.AsSlice()
		}
		return addr
	}
	switch {
	case a.PreferredLft.Set && a.PreferredLft.Value != config.Forever:
		addr.ValidLft, addr.PreferedLft = config.Forever, int(a.PreferredLft.Value)
	case !a.PreferredLft.Set && a.Prefix.IsSingleIP():
		addr.ValidLft, addr.PreferedLft = config.Forever, 0
	}
	return addr
}

// addressFlags are IFA_F_* of linux/if_addr.h.
func addressFlags(a config.Address) (flags int) {
	for flag, bit := range map[config.AddressFlags]int{
		config.AddressNoPrefixRoute: unix.IFA_F_NOPREFIXROUTE, config.AddressAutoJoin: unix.IFA_F_MCAUTOJOIN,
	} {
		if a.Flags&flag != 0 {
			flags |= bit
		}
	}
	if a.Prefix.Addr().Is4() {
		return flags
	}
	if a.Flags&config.AddressDAD == 0 {
		flags |= unix.IFA_F_NODAD
	}
	if a.Flags&config.AddressHome != 0 {
		flags |= unix.IFA_F_HOMEADDRESS
	}
	if a.Flags&config.AddressManageTemp != 0 {
		flags |= unix.IFA_F_MANAGETEMPADDR
	}
	return flags
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func fromIPNet(n *net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
