//go:build linux

package kernel

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// HasLink reports whether a link exists, by a request that does not wait for
// the kernel's lock on its network configuration.
func HasLink(name string) bool {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) == nil
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
