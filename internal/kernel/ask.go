//go:build linux

package kernel

import (
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// HasLink reports whether a link exists, by a request that does not wait for
// the kernel's lock on its network configuration.
func HasLink(name string) bool {
	_, ok := ask(name, unix.SIOCGIFINDEX)
	return ok
}

// MTU is that of a link, asked for in the same way; 0 when there is none.
func MTU(name string) int {
	mtu, _ := ask(name, unix.SIOCGIFMTU)
	return int(mtu)
}

// ask makes a request of netdevice(7) that is answered with a number. Of an
// alias as eth0:1, which is no link, the kernel would answer for eth0.
func ask(name string, what uint) (uint32, bool) {
	if strings.Contains(name, ":") {
		return 0, false
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.IoctlIfreq(fd, what, request); err != nil {
		return 0, false
	}
	return request.Uint32(), true
}

// PrivateMacvlan reports whether a link is a macvlan in private mode, which is
// what a VMAC is: ip-link(8).
func PrivateMacvlan(name string) bool {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return false
	}
	macvlan, ok := link.(*netlink.Macvlan)
	return ok && macvlan.Mode == netlink.MACVLAN_MODE_PRIVATE
}

// PresentLinks are all links; none when they cannot be read.
func PresentLinks() []config.PresentLink {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	all := make([]config.PresentLink, len(links))
	for i, l := range links {
		all[i].Name = l.Attrs().Name
		copy(all[i].MAC[:], l.Attrs().HardwareAddr)
		switch l := l.(type) {
		case *netlink.Macvlan:
			all[i].VMAC = l.Mode == netlink.MACVLAN_MODE_PRIVATE
		case *netlink.IPVlan:
			all[i].IPVLAN = true
		default:
			continue
		}
		if l.Attrs().NetNsID < 0 { // else the index is of another namespace
			all[i].Parent = names[l.Attrs().ParentIndex]
		}
	}
	return all
}

// Beneath is the link that a macvlan or an ipvlan is on, and below that one; any
// other link is its own.
func Beneath(name string) string {
	for seen := []string{}; !slices.Contains(seen, name); {
		seen = append(seen, name)
		link, err := netlink.LinkByName(name)
		if err != nil {
			break
		}
		switch link.(type) {
		case *netlink.Macvlan, *netlink.IPVlan:
		default:
			return name
		}
		parent, err := netlink.LinkByIndex(link.Attrs().ParentIndex)
		if err != nil { // it may be in another network namespace
			break
		}
		name = parent.Attrs().Name
	}
	return name
}
