package ipvs

import (
	"net/netip"

	"github.com/lvsd/lvsd/config"
)

// Connections are how many each destination of a service has.
func (n *Netlink) Connections(key config.ServiceKey) (map[netip.AddrPort]int, error) {
	t, err := n.Traffic(key)
	if t == nil || err != nil {
		return nil, err
	}
	all := make(map[netip.AddrPort]int, len(t.Dests))
	for addr, d := range t.Dests {
		all[addr] = int(d.Active + d.Inactive)
	}
	return all, nil
}
