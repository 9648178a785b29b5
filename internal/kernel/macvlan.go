//go:build linux

package kernel

import "github.com/vishvananda/netlink"

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
