package realserver

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// Want is what a real server needs.
type Want struct {
	VIPs    map[netip.Addr]string // the virtual addresses, and the device that each belongs on
	Tunnels []string              // devices that unwrap packets
	GUE     []uint16              // UDP ports of generic UDP encapsulation
}

const loopback = "lo"

// Add asks for a virtual address whose packets come by a forwarding method. The
// real server's own address says what a tunnel is made of; unset, it is of the
// family of the virtual address. NAT asks for nothing.
func (w *Want) Add(vip, own netip.Addr, m config.Method, t config.Tunnel) {
	if w.VIPs == nil {
		w.VIPs = make(map[netip.Addr]string)
	}
	switch m {
	case config.DR:
		w.VIPs[vip] = loopback
	case config.TUN:
		device := tunnel(vip, own, t)
		if w.VIPs[vip] == "" {
			w.VIPs[vip] = device
		}
		if !slices.Contains(w.Tunnels, device) {
			w.Tunnels = append(w.Tunnels, device)
		}
		if t.Type == config.GUE && !slices.Contains(w.GUE, t.Port) {
			w.GUE = append(w.GUE, t.Port)
		}
	}
}

// tunnel is the device of the kernel that unwraps packets to vip from any
// director.
func tunnel(vip, own netip.Addr, t config.Tunnel) string {
	outer6 := own.Is6() || !own.IsValid() && vip.Is6()
	switch {
	case t.Type == config.GRE && outer6:
		return "ip6gre0"
	case t.Type == config.GRE:
		return "gre0"
	case outer6:
		return "ip6tnl0" // unwraps either family
	case vip.Is6():
		return "sit0"
	}
	return "tunl0"
}

// FromConfig is what the real server with these addresses needs for the
// services of a director's configuration: those that name it. When none does,
// it is all of them, and the notes say so; they also name what a configuration
// cannot tell.
func FromConfig(c *config.Config, here []netip.Addr) (w Want, notes []string) {
	mine := func(a netip.Addr) bool { return slices.Contains(here, a) }
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(notes, text) {
			notes = append(notes, text)
		}
	}
	named := false
	eachServer(c, func(_ *config.VirtualServer, s *config.Server) { named = named || mine(s.Addr.Addr()) })
	if !named {
		note("no real_server is an address of this host: taking the virtual addresses of all of them")
	}
	eachServer(c, func(v *config.VirtualServer, s *config.Server) {
		own := s.Addr.Addr()
		switch {
		case named && !mine(own):
			return
		case s.Method == config.NAT:
			if named {
				note("%s is forwarded by NAT, for which a real server needs its route through the director and nothing else", label(v))
			}
			return
		case !named:
			own = netip.Addr{} // not this host's
		}
		vips, marks := addresses(c, v)
		for _, vip := range vips {
			w.Add(vip, own, s.Method, s.Tunnel)
		}
		if marks {
			note("%s has a firewall mark, whose addresses only the director's firewall knows: name them by hand", label(v))
		}
	})
	slices.Sort(w.Tunnels)
	slices.Sort(w.GUE)
	return w, notes
}

func eachServer(c *config.Config, f func(*config.VirtualServer, *config.Server)) {
	for i := range c.Services {
		v := &c.Services[i]
		servers := c.Servers(v)
		for k := range servers {
			f(v, &servers[k])
		}
	}
}

// addresses are those of a service; marks says that it has more, which are
// known by a firewall mark.
func addresses(c *config.Config, v *config.VirtualServer) (vips []netip.Addr, marks bool) {
	g := c.ServiceGroup(v.Group)
	switch {
	case v.FWMark != 0:
		return nil, true
	case v.Group == "":
		return []netip.Addr{v.Addr.Addr()}, false
	case g == nil:
		return nil, false
	}
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.IsMark() {
			marks = true
			continue
		}
		for vip := e.First; vip.IsValid() && vip.Compare(e.Last) <= 0; vip = vip.Next() {
			vips = append(vips, vip)
		}
	}
	return vips, marks
}

func label(v *config.VirtualServer) string {
	switch {
	case v.FWMark != 0:
		return fmt.Sprintf("virtual_server fwmark %d", v.FWMark)
	case v.Group != "":
		return "virtual_server group " + v.Group
	}
	return fmt.Sprintf("virtual_server %s %d", v.Addr.Addr(), v.Addr.Port())
}

// sorted are the virtual addresses in order.
func (w *Want) sorted() []netip.Addr {
	return slices.SortedFunc(maps.Keys(w.VIPs), netip.Addr.Compare)
}

// inet reports that there is an IPv4 address, whose neighbours ask by ARP.
func (w *Want) inet() bool {
	return slices.ContainsFunc(w.sorted(), netip.Addr.Is4)
}

// host is a virtual address as it stands on a device: alone, with no network
// around it.
func host(vip netip.Addr) netip.Prefix { return netip.PrefixFrom(vip, vip.BitLen()) }

// String names the virtual addresses and their devices.
func (w *Want) String() string {
	var parts []string
	for _, vip := range w.sorted() {
		parts = append(parts, vip.String()+" on "+w.VIPs[vip])
	}
	return strings.Join(parts, ", ")
}
