package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// VirtualLink is a link that is made for an instance: a macvlan in private
// mode with the virtual router's address, or an ipvlan.
type VirtualLink struct {
	Name   string
	Parent string
	MAC    [6]byte
	IPv6   bool
	Mirror bool         // it has the link-local address of its parent, the source of adverts
	IPVLAN string       // mode of an ipvlan; empty: a macvlan
	Prefix netip.Prefix // of an ipvlan: the source of adverts
	Group  string       // a name or a number; that of the parent when empty
	// BothFamilies: the instance has addresses of the other family, too.
	BothFamilies bool
	Notify       bool // make the kernel tell that the parent has become promiscuous
}

// PresentLink is a link that the machine has.
type PresentLink struct {
	Name   string
	Parent string // what a macvlan or an ipvlan is on, in the same network namespace
	VMAC   bool   // a macvlan in private mode
	IPVLAN bool
	MAC    [6]byte // of an Ethernet link
	Ours   bool    // the running configuration has made it
	Named  bool    // and says its name
}

// Sysctl is a value in net.ipv4.conf of a link, set while it is wanted and
// restored afterwards.
type Sysctl struct {
	Link, Name, Value string
}

// Standing is what is in the kernel as long as this is the configuration.
func (c *Config) Standing() Claims {
	s := c.Static.Claims()
	loose := false
	for k := range c.Instances {
		i := &c.Instances[k]
		s.Links = append(s.Links, i.Links...)
		for _, l := range i.Links {
			if !l.IPv6 && l.IPVLAN == "" {
				s.Sysctls = append(s.Sysctls, vmacSysctls(&l)...)
				loose = true
			}
		}
		if i.PromoteSecondaries {
			s.Sysctls = append(s.Sysctls, Sysctl{i.Interface, "promote_secondaries", "1"})
		}
	}
	s.LooseReversePath = loose
	return s
}

// vmacSysctls keep the parent from answering for the addresses of a VMAC, and
// let the VMAC take packets that come from an address of the parent's.
func vmacSysctls(l *VirtualLink) []Sysctl {
	return []Sysctl{
		{l.Parent, "arp_ignore", "1"}, {l.Parent, "arp_filter", "1"},
		{l.Name, "arp_ignore", "1"}, {l.Name, "accept_local", "1"}, {l.Name, "rp_filter", "0"}, {l.Name, "promote_secondaries", "1"},
	}
}

// Device is the link of use_vmac or use_ipvlan, or else the interface; valid
// after [Config.Resolve]. Adverts leave from it unless vmac_xmit_base says
// otherwise, and the addresses of a VMAC live there, but not those of an
// ipvlan, as keepalived has it.
func (i *Instance) Device() string {
	if i.hasOwnLink() && len(i.Links) > 0 {
		return i.Links[0].Name
	}
	return i.Interface
}

// Beneath is the interface that a link was made on for the instance; any other
// is its own.
func (i *Instance) Beneath(dev string) string {
	for k := range i.Links {
		if i.Links[k].Name == dev {
			return i.Links[k].Parent
		}
	}
	return dev
}

// AdvertDevice is the link that adverts leave from and arrive at; without an
// interface a VRF, or none.
func (i *Instance) AdvertDevice() string {
	switch {
	case i.Interface == "":
		return i.VRF
	case i.VMACXmitBase:
		return i.Interface
	}
	return i.Device()
}

func (i *Instance) hasOwnLink() bool {
	return i.Interface != "" && (i.VMAC != nil || i.IPVLAN != nil)
}

// virtualLinks names the links of all instances and moves addresses to them.
func (c *Config) virtualLinks(env Environment) {
	n := naming{g: &c.Global, env: env, taken: make(map[string]bool)}
	for k := range c.Instances {
		i := &c.Instances[k]
		for _, l := range i.Links { // resolved already
			n.taken[l.Name] = true
		}
		if i.VMAC != nil {
			n.taken[i.VMAC.Name] = true
		}
		if i.IPVLAN != nil {
			n.taken[i.IPVLAN.Name] = true
		}
	}
	for k := range c.Instances {
		if i := &c.Instances[k]; i.Links == nil {
			n.fresh = append(n.fresh, i)
		}
	}
	for _, i := range n.fresh {
		n.own(i)
		n.addresses(i)
	}
}

// naming gives links names that no other has.
type naming struct {
	g       *Global
	env     Environment // nil: nothing is looked up
	taken   map[string]bool
	links   []PresentLink          // those of env, once one was asked for
	present map[string]PresentLink // the same by their names
	fresh   []*Instance            // that have no links yet
	made    []VirtualLink
}

// name gives a link without one the name of what there is with its MAC on its
// parent, or else a free one. A name that an earlier configuration has said is
// none to keep.
func (n *naming) name(l *VirtualLink, prefix string, i *Instance) {
	if n.present == nil {
		n.look()
	}
	if l.IPVLAN == "" {
		for _, p := range n.links {
			if p.VMAC && !p.Named && p.Parent == l.Parent && p.MAC == l.MAC && !n.taken[p.Name] {
				l.Name = p.Name
				n.taken[l.Name] = true
				return
			}
		}
	}
	l.Name = n.free(l, prefix, i)
}

func (n *naming) look() {
	n.present = make(map[string]PresentLink)
	if n.env == nil {
		return
	}
	n.links = n.env.Links()
	for _, p := range n.links {
		n.present[p.Name] = p
	}
}

// free is PREFIX.VRID, or what keepalived makes of it when that is taken, by
// another link of the machine, too.
func (n *naming) free(l *VirtualLink, prefix string, i *Instance) string {
	candidates := []string{""}
	if l.IPv6 {
		candidates = append(candidates, "6")
	}
	for number := range 256 {
		candidates = append(candidates, fmt.Sprint(number+1))
	}
	for _, infix := range candidates {
		name := fmt.Sprintf("%s%s.%d", prefix, infix, i.VirtualRouterID)
		p, there := n.present[name]
		if there && !p.Ours && (l.IPVLAN == "" || !p.IPVLAN || p.Parent != l.Parent) || n.taken[name] {
			continue
		}
		n.taken[name] = true
		return name
	}
	return "" // 255 virtual routers have 255 numbers
}

func (n *naming) addresses(i *Instance) {
	for _, list := range [][]Address{i.VirtualIPAddress, i.VirtualIPAddressExcluded} {
		for k := range list {
			n.place(i, &list[k])
		}
	}
}

// own makes the link of use_vmac or use_ipvlan the first one of the instance.
func (n *naming) own(i *Instance) {
	if !i.hasOwnLink() || len(i.Links) > 0 {
		return
	}
	l := VirtualLink{Parent: i.Interface, IPv6: i.IPv6(), Mirror: i.IPv6() && !i.VMACXmitBase}
	if v := i.IPVLAN; i.VMAC == nil {
		l.IPVLAN, l.Prefix, l.Group = cmp.Or(v.Mode, "bridge"), v.Prefix, v.Group
		l.Name = v.Name
		l.Mirror = l.Mirror && !v.Prefix.IsValid()
	} else {
		l.MAC, l.Group, l.Notify = routerMAC(i, i.IPv6()), i.VMAC.Group, i.VMAC.NetlinkNotifyMsg
		l.Name = i.VMAC.Name
		if m := i.VMAC.MAC; m.Len > 0 {
			l.MAC = m.Octets
			if m.Len == 5 {
				l.MAC[5] = i.VirtualRouterID
			}
		}
	}
	for _, a := range i.VirtualIPAddressExcluded {
		l.BothFamilies = l.BothFamilies || a.Prefix.Addr().Is6() != i.IPv6()
	}
	if l.Name == "" {
		n.name(&l, n.g.VMACPrefix, i)
	}
	i.Links = append(i.Links, l)
	n.made = append(n.made, l)
}

// routerMAC is the virtual router's address, RFC 9568 section 7.3.
func routerMAC(i *Instance, ipv6 bool) [6]byte {
	mac := [6]byte{0x00, 0x00, 0x5e, 0x00, 0x01, i.VirtualRouterID}
	if ipv6 {
		mac[4] = 2
	}
	return mac
}

// vmac is the macvlan with the virtual router's MAC on a link. Another instance
// may have it already: the kernel does not make two.
func (n *naming) vmac(i *Instance, parent string, ipv6 bool) VirtualLink {
	mac := routerMAC(i, ipv6)
	for _, o := range n.fresh {
		if o.VMAC != nil && o.Interface == parent && o.VMAC.MAC.Len == 0 && routerMAC(o, o.IPv6()) == mac {
			n.own(o)
		}
	}
	for _, l := range n.made {
		if l.Parent == parent && l.MAC == mac && l.IPVLAN == "" {
			return l
		}
	}
	l := VirtualLink{Parent: parent, MAC: mac, IPv6: ipv6, Mirror: ipv6}
	n.name(&l, cmp.Or(n.g.VMACAddrPrefix, n.g.VMACPrefix), i)
	n.made = append(n.made, l)
	return l
}

// place puts an address on the link that it belongs to. Addresses of the other
// family stay on the interface itself: the MAC of the VMAC is not theirs.
func (n *naming) place(i *Instance, a *Address) {
	ipv6 := a.Prefix.Addr().Is6()
	own := a.Dev == i.Interface && ipv6 == i.IPv6()
	switch {
	case own && i.VMAC != nil && i.hasOwnLink():
		a.Dev = i.Device()
	case a.UseVMAC, i.UseVMACAddr && !own:
		l := n.vmac(i, a.Dev, ipv6)
		if !slices.ContainsFunc(i.Links, func(o VirtualLink) bool { return o.Name == l.Name }) {
			i.Links = append(i.Links, l)
		}
		a.Dev = l.Name
	}
}
