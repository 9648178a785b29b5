package realserver

import (
	"cmp"
	"fmt"
	"hash/fnv"
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
	GUE     []Port
	Made    []Device // those of Tunnels that the kernel does not begin with
}

// Port is a UDP port of generic UDP encapsulation that comes by one family.
type Port struct {
	Port uint16 `json:"port"`
	IPv6 bool   `json:"ipv6,omitempty"`
}

// command is the one of ip-fou(8).
func (p Port) command(verb string) string {
	family := ""
	if p.IPv6 {
		family = " -6"
	}
	return fmt.Sprintf("ip fou %s port %d gue%s", verb, p.Port, family)
}

// Device is a device that unwraps, to an address of this host, what the kernel's
// own devices drop: GRE with checksums, or IPv4 in IPv6.
type Device struct {
	Name  string     `json:"name"`
	Kind  string     `json:"kind"` // gre, ip6gre or ip6tnl
	Local netip.Addr `json:"local"`
}

// madePrefix begins the names of devices that a start makes.
const madePrefix = "lvs-"

// device has a name of its own for each kind and address; a name has 15
// characters at most.
func device(kind string, local netip.Addr) Device {
	sum := fnv.New32a()
	_, _ = fmt.Fprint(sum, kind, local) // never fails
	return Device{fmt.Sprintf("%s%08x", madePrefix, sum.Sum32()), kind, local}
}

// command is the one of ip-link(8).
func (d Device) command(verb string) string {
	if verb == "del" {
		return "ip link del " + d.Name
	}
	options := "csum"
	if d.Kind == "ip6tnl" {
		options = "remote :: mode any"
	}
	return fmt.Sprintf("ip link add %s type %s local %s %s", d.Name, d.Kind, d.Local, options)
}

// what names the packets that the device is for.
func (d Device) what() string {
	if d.Kind == "ip6tnl" {
		return "IPv4 in IPv6"
	}
	return "GRE with checksums"
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
		d := tunnel(vip, own, t)
		if w.VIPs[vip] == "" {
			w.VIPs[vip] = d.Name
		}
		if !slices.Contains(w.Tunnels, d.Name) {
			w.Tunnels = append(w.Tunnels, d.Name)
		}
		if d.Local.IsValid() && !slices.Contains(w.Made, d) {
			w.Made = append(w.Made, d)
		}
		if port := (Port{t.Port, outer6(vip, own)}); t.Type == config.GUE && !slices.Contains(w.GUE, port) {
			w.GUE = append(w.GUE, port)
		}
	}
}

// tunnel is the device that unwraps packets to vip from any director: one that
// the kernel begins with, of which only the name is set, or one that is to be
// made.
func tunnel(vip, own netip.Addr, t config.Tunnel) Device {
	kind, six := "gre", outer6(vip, own)
	switch {
	case t.Type == config.GRE && six:
		kind = "ip6gre"
	case t.Type == config.GRE:
	case six && vip.Is4():
		return device("ip6tnl", own) // own says that it is IPv6
	case six:
		return Device{Name: "ip6tnl0"}
	case vip.Is6():
		return Device{Name: "sit0"}
	default:
		return Device{Name: "tunl0"}
	}
	if t.Checksum == config.Checksum && own.IsValid() {
		return device(kind, own)
	}
	return Device{Name: kind + "0"}
}

// outer6 reports a tunnel through IPv6.
func outer6(vip, own netip.Addr) bool { return own.Is6() || !own.IsValid() && vip.Is6() }

// FromConfig is what the real server with these addresses needs for the
// services of a director's configuration: those that name it, as a sorry server
// too. When none does,
// it is all of them, and the notes say so; they also name what a configuration
// cannot tell.
func FromConfig(c *config.Config, here []netip.Addr) (w Want, notes []string) {
	mine := func(a netip.Addr) bool { return !a.IsLoopback() && slices.Contains(here, a) }
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
			if s.Method == config.TUN && s.Tunnel.Type == config.GRE && s.Tunnel.Checksum == config.Checksum {
				note("%s has GRE with checksums, which only a device of this host's own address unwraps: name the address by hand", label(v))
			}
		}
		vips, marks := addresses(c, v)
		for _, vip := range vips {
			w.Add(vip, own, s.Method, s.Tunnel)
		}
		if g := c.ServiceGroup(v.Group); g != nil && slices.ContainsFunc(g.Entries, func(e config.GroupEntry) bool { return e.TooLong() }) {
			note("%s has a range of more than %d addresses: a real server takes the first ones", label(v), config.MaxRange)
		}
		if marks {
			note("%s has a firewall mark, whose addresses only the director's firewall knows: name them by hand", label(v))
		}
	})
	slices.Sort(w.Tunnels)
	slices.SortFunc(w.GUE, func(a, b Port) int { return cmp.Compare(a.Port, b.Port) })
	return w, notes
}

func eachServer(c *config.Config, f func(*config.VirtualServer, *config.Server)) {
	for i := range c.Services {
		v := &c.Services[i]
		servers := c.Servers(v)
		for k := range servers {
			f(v, &servers[k])
		}
		if sorry := v.Sorry(); sorry != nil {
			f(v, sorry)
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
		vips = slices.AppendSeq(vips, e.Addresses())
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
