package vrrp

import (
	"net/netip"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// homes are the links that hold the address which track_src_ip is about.
type homes struct {
	links []string
	told  bool // of all links
}

func (h *homes) observe(l LinkChanged, addr netip.Addr) {
	h.links = slices.DeleteFunc(h.links, func(name string) bool { return name == l.Link })
	if l.Exists && (slices.Contains(l.IPv4, addr) || slices.Contains(l.IPv6, addr) || slices.Contains(l.Global, addr)) {
		h.links = append(h.links, l.Link)
	}
}

// trackedSource is the address of track_src_ip, the source that is configured;
// unset: none is tracked.
func trackedSource(cfg *config.Instance) netip.Addr {
	switch {
	case !cfg.TrackSrcIP:
		return netip.Addr{}
	case cfg.Unicast() && cfg.UnicastSrcIP.IsValid():
		return cfg.UnicastSrcIP
	}
	return cfg.McastSrcIP
}

// sourceGone says that the machine has not got the source of adverts, on
// whatever link.
func (m *Machine) sourceGone() bool {
	return trackedSource(&m.cfg).IsValid() && m.homes.told && len(m.homes.links) == 0
}
