//go:build linux

package kernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// virtualLink is a claimed macvlan or ipvlan.
type virtualLink struct {
	config.VirtualLink
	host *Host
}

type linkID string

func (l virtualLink) id() any        { return linkID(l.Name) }
func (l virtualLink) kind() kind     { return links }
func (l virtualLink) watched() bool  { return true }
func (l virtualLink) String() string { return fmt.Sprintf("link %s on %s", l.Name, l.Parent) }

func (l virtualLink) same(other object) bool {
	o, ok := other.(virtualLink)
	return ok && l.VirtualLink == o.VirtualLink
}

// add makes the link. One that is there and looks like ours is left from a
// crash, or its parent was made again.
func (l virtualLink) add(b *batch) (adopted bool, err error) {
	parent, err := b.link(l.Parent)
	if err != nil {
		return false, fmt.Errorf("add %s: %w", l.Name, err)
	}
	if is, err := b.nl.LinkByName(l.Name); err == nil {
		if !l.ours(is) {
			return false, fmt.Errorf("add %s: there is another link of this name", l.Name)
		}
		if is.Attrs().ParentIndex == parent.Attrs().Index {
			b.links[l.Name] = is
			return true, l.adjust(b, parent, is)
		}
		if err := b.nl.LinkDel(is); err != nil {
			return false, fmt.Errorf("add %s: delete what has the name: %w", l.Name, err)
		}
	}
	if err := b.nl.LinkAdd(l.made(parent)); err != nil {
		return false, fmt.Errorf("add %s on %s: %w", l.Name, l.Parent, err)
	}
	is, err := b.nl.LinkByName(l.Name)
	if err != nil {
		return false, fmt.Errorf("add %s: %w", l.Name, err)
	}
	b.links[l.Name] = is
	err = l.begin(b, parent, is)
	if errors.Is(err, unix.EADDRINUSE) {
		return l.takeOver(b, parent, is, err)
	}
	return false, err
}

// takeOver gives the name to the link that has the MAC by another name: two of
// one MAC cannot be up on a parent. It may be that of the configuration before,
// and what is on it stays.
func (l virtualLink) takeOver(b *batch, parent, is netlink.Link, busy error) (adopted bool, err error) {
	all, err := dump(b.nl.LinkList)
	if err != nil {
		return false, errors.Join(busy, err)
	}
	k := slices.IndexFunc(all, func(o netlink.Link) bool {
		return o.Attrs().Name != l.Name && o.Attrs().ParentIndex == parent.Attrs().Index && l.ours(o)
	})
	if k < 0 {
		return false, busy
	}
	former := all[k]
	name := former.Attrs().Name
	if c := l.host.claims[linkID(name)]; c != nil && c.owners > 0 {
		return false, busy
	}
	if err := b.nl.LinkDel(is); err != nil {
		return false, errors.Join(busy, err)
	}
	if err := b.rename(former, l.Name); err != nil {
		return false, fmt.Errorf("name %s %s: %w", name, l.Name, err)
	}
	l.host.log.Info(fmt.Sprintf("%s has the name %s now", name, l.Name))
	l.host.renamed[name] = l.Name
	delete(b.links, name)
	if is, err = b.nl.LinkByName(l.Name); err != nil {
		return false, fmt.Errorf("add %s: %w", l.Name, err)
	}
	b.links[l.Name] = is
	return true, l.adjust(b, parent, is)
}

// rename renames a link that is up, which kernels before 6.2 do not.
func (b *batch) rename(l netlink.Link, name string) error {
	err := b.nl.LinkSetName(l, name)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := b.nl.LinkSetDown(l); err != nil {
		return err
	}
	return errors.Join(b.nl.LinkSetName(l, name), b.nl.LinkSetUp(l))
}

// made is the link as the kernel is asked for it.
func (l virtualLink) made(parent netlink.Link) netlink.Link {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = l.Name, parent.Attrs().Index
	attrs.MTU, attrs.Group = parent.Attrs().MTU, parent.Attrs().Group
	if group, ok := groupNumber(l.Group); ok {
		attrs.Group = group
	}
	if l.IPVLAN == "" {
		attrs.HardwareAddr = net.HardwareAddr(l.MAC[:])
		return &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
	}
	flag := map[string]netlink.IPVlanFlag{"private": netlink.IPVLAN_FLAG_PRIVATE, "vepa": netlink.IPVLAN_FLAG_VEPA}[l.IPVLAN]
	return &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2, Flag: flag}
}

// groupNumber is an interface group, ip-link(8): a number or a name.
func groupNumber(group string) (uint32, bool) {
	if n, err := strconv.ParseUint(group, 0, 32); err == nil || group == "" {
		return uint32(n), group != ""
	}
	for _, path := range []string{"/etc/iproute2/group", "/usr/share/iproute2/group"} {
		text, _ := os.ReadFile(path) // there need not be one
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) == 2 && words[1] == group {
				n, err := strconv.ParseUint(words[0], 0, 32)
				return uint32(n), err == nil
			}
		}
	}
	return 0, false
}

// ours says that the link is of the kind and has the address that is claimed.
func (l virtualLink) ours(is netlink.Link) bool {
	switch is := is.(type) {
	case *netlink.Macvlan:
		return l.IPVLAN == "" && is.Mode == netlink.MACVLAN_MODE_PRIVATE && bytes.Equal(is.HardwareAddr, l.MAC[:])
	case *netlink.IPVlan:
		return l.IPVLAN != "" && is.Mode == netlink.IPVLAN_MODE_L2
	}
	return false
}

// there says that the link is as claimed. That of a parent that is not there,
// or has another name for a while, stays.
func (l virtualLink) there(b *batch) bool {
	is, parent := b.links[l.Name], b.links[l.Parent]
	return is != nil && l.ours(is) && (parent == nil || is.Attrs().ParentIndex == parent.Attrs().Index)
}

// begin brings the link up. An IPv6 address of the kernel's own is for ipvlans
// alone, which have a MAC that others have, too.
func (l virtualLink) begin(b *batch, parent, is netlink.Link) error {
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	if l.IPVLAN == "" || l.Mirror {
		if err := b.nl.LinkSetIP6AddrGenMode(is, none); err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EAFNOSUPPORT) {
			return fmt.Errorf("set up %s: %w", l.Name, err)
		}
	}
	if err := l.host.conf.disableIPv6(l.Name, !l.IPv6 && !l.BothFamilies); err != nil {
		return fmt.Errorf("set up %s: %w", l.Name, err)
	}
	if err := b.nl.LinkSetUp(is); err != nil && !errors.Is(err, unix.ENETDOWN) {
		return fmt.Errorf("bring %s up: %w", l.Name, err)
	}
	if l.Notify {
		// Some drivers become promiscuous without telling; the group is what
		// the kernel lets anybody set to what it is, and tells about.
		if err := b.nl.LinkSetGroup(parent, int(parent.Attrs().Group)); err != nil {
			return fmt.Errorf("notify about %s: %w", l.Parent, err)
		}
	}
	all, err := b.list(netlink.FAMILY_V6)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	if l.IPVLAN == "" {
		l.host.firewall.vmacs[l.Name], l.host.firewall.changed = l, true
	}
	return l.tend(b, all)
}

// tend keeps what follows from the parent: its MTU, its VRF, its link-local
// address.
func (l virtualLink) tend(b *batch, all []netlink.Addr) error {
	is, parent := b.links[l.Name], b.links[l.Parent]
	if is == nil || parent == nil {
		return nil
	}
	var errs []error
	if mtu := parent.Attrs().MTU; is.Attrs().MTU != mtu {
		errs = append(errs, b.nl.LinkSetMTU(is, mtu))
	}
	master := b.master(parent)
	if _, vrf := master.(*netlink.Vrf); vrf && is.Attrs().MasterIndex != master.Attrs().Index {
		errs = append(errs, b.nl.LinkSetMaster(is, master))
	}
	if l.Prefix.IsValid() {
		a := config.Address{Prefix: l.Prefix}
		if l.IPv6 { // a source for adverts, not for others
			a.PreferredLft = config.Some[uint32](0)
		}
		errs = append(errs, exists(b.nl.AddrAdd(is, toNetlink(a))))
	}
	if l.Mirror {
		errs = append(errs, l.mirror(b, is, parent, all))
	}
	return errors.Join(errs...)
}

func exists(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (b *batch) master(of netlink.Link) netlink.Link {
	for _, l := range b.links {
		if l != nil && l.Attrs().Index == of.Attrs().MasterIndex {
			return l
		}
	}
	return nil
}

// mirror gives the link the link-local address of its parent, deprecated, and
// takes away what is the parent's no more, or all where there is nothing to
// mirror.
func (l virtualLink) mirror(b *batch, is, parent netlink.Link, all []netlink.Addr) error {
	var want netip.Prefix
	var have []netip.Prefix
	for _, a := range all {
		p := fromIPNet(a.IPNet)
		usable := a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
		switch {
		case !p.Addr().IsLinkLocalUnicast():
		case l.Mirror && a.LinkIndex == parent.Attrs().Index && usable && !want.IsValid() && !l.host.virtual(placeOn(l.Parent, a)):
			want = p
		case a.LinkIndex == is.Attrs().Index && a.Flags&unix.IFA_F_DEPRECATED != 0 && !l.host.virtual(placeOn(l.Name, a)):
			have = append(have, p)
		}
	}
	if l.Mirror && !want.IsValid() { // it is back soon, and adverts may need the source until then
		return nil
	}
	var errs []error
	for _, p := range have {
		if p != want {
			errs = append(errs, b.nl.AddrDel(is, &netlink.Addr{IPNet: ipNet(p)}))
		}
	}
	if want.IsValid() && !slices.Contains(have, want) {
		errs = append(errs, exists(b.nl.AddrAdd(is, &netlink.Addr{
			IPNet: ipNet(want), Scope: unix.RT_SCOPE_LINK, Flags: unix.IFA_F_NODAD, ValidLft: config.Forever, PreferedLft: 0,
		})))
	}
	return errors.Join(errs...)
}

// change makes another link of it where it must: what lives on it goes with the
// former one.
func (l virtualLink) change(b *batch, was object) error {
	parent, err := b.link(l.Parent)
	is, errIs := b.link(l.Name)
	if o, ok := was.(virtualLink); ok && errors.Join(err, errIs) == nil && o.ours(is) && l.likeness() == o.likeness() {
		if l.MAC != o.MAC {
			if err := b.nl.LinkSetHardwareAddr(is, l.MAC[:]); err != nil {
				return fmt.Errorf("MAC of %s: %w", l.Name, err)
			}
		}
		return l.adjust(b, parent, is)
	}
	if err := was.delete(b); err != nil {
		return err
	}
	_, err = l.add(b)
	return err
}

// likeness is what a link has from its beginning to its end.
func (l virtualLink) likeness() config.VirtualLink {
	l.IPv6, l.Mirror, l.Group, l.BothFamilies, l.Notify, l.MAC = false, false, "", false, false, [6]byte{}
	return l.VirtualLink
}

// adjust brings a link that is there the values that it can take.
func (l virtualLink) adjust(b *batch, parent, is netlink.Link) error {
	if group := l.made(parent).Attrs().Group; is.Attrs().Group != group {
		if err := b.nl.LinkSetGroup(is, int(group)); err != nil {
			return fmt.Errorf("group of %s: %w", l.Name, err)
		}
	}
	if !l.Mirror {
		all, err := b.list(netlink.FAMILY_V6)
		if err := errors.Join(err, l.mirror(b, is, parent, all)); err != nil {
			return fmt.Errorf("addresses of %s: %w", l.Name, err)
		}
	}
	return l.begin(b, parent, is)
}

func (l virtualLink) delete(b *batch) error {
	is, err := b.nl.LinkByName(l.Name)
	if err == nil && l.ours(is) {
		err = b.nl.LinkDel(is)
	}
	delete(b.links, l.Name)
	delete(l.host.firewall.vmacs, l.Name)
	l.host.firewall.changed = true
	if err == nil || gone(err) {
		return nil
	}
	return fmt.Errorf("delete %s: %w", l.Name, err)
}

// deleteTogether deletes many links at once: each alone costs the kernel tens
// of milliseconds of waiting, and 250 virtual routers some ten seconds. It does
// what it can; what is left is deleted one by one.
func (b *batch) deleteTogether(doomed []*claim) {
	all, err := dump(b.nl.LinkList)
	if err != nil || len(doomed) == 1 {
		return
	}
	byName, used := make(map[string]netlink.Link), make(map[uint32]bool)
	for _, is := range all {
		byName[is.Attrs().Name] = is
		used[is.Attrs().Group] = true
	}
	group := uint32(os.Getpid())<<8 | 1
	for used[group] {
		group++
	}
	for _, c := range doomed {
		l := c.object.(virtualLink)
		if is := byName[l.Name]; is != nil && l.ours(is) {
			_ = b.nl.LinkSetGroup(is, int(group)) // one that keeps its group is left
		}
	}
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: b.raw}
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	_, _ = req.Execute(unix.NETLINK_ROUTE, 0) // what is left is seen below
}
