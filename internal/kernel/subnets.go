package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/lvsd/lvsd/config"
)

// Subnets are the addresses of all interfaces of this machine with their
// prefix lengths.
func Subnets() ([]config.Subnet, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	all := make([]config.Subnet, 0, len(addrs))
	for _, a := range addrs {
		if name := names[a.LinkIndex]; name != "" {
			all = append(all, config.Subnet{Link: name, Prefix: fromIPNet(a.IPNet)})
		}
	}
	return all, nil
}

// OnLink reports whether this machine reaches an address without a gateway.
func OnLink(a netip.Addr) bool {
	routes, err := netlink.RouteGet(a.AsSlice())
	return err == nil && len(routes) > 0 && routes[0].Gw == nil && routes[0].Via == nil && len(routes[0].MultiPath) == 0
}
