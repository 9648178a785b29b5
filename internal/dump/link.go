package dump

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// instanceLink writes on what link an instance sends.
func (p *printer) instanceLink(i *config.Instance) {
	name := i.Interface
	switch {
	case i.VMAC != nil:
		name = i.Device()
		p.line("   Use VMAC, i/f name %s, is_up = %v, xmit_base = %v", name, p.isUp(name), i.VMACXmitBase)
		if m := &i.VMAC.MAC; m.Len > 0 {
			octets, completed := m.Octets, m.Len == 5
			if completed {
				octets[5] = i.VirtualRouterID
			}
			p.line("     MAC = %s%s", net.HardwareAddr(octets[:]), choose(completed, " (using VRID)", ""))
		}
		if i.VMAC.Group != "" {
			p.line("     Group = %s", i.VMAC.Group)
		}
		name += ", vmac on " + i.Interface + choose(i.VMACXmitBase, ", xmit base i/f", "")
	case i.IPVLAN != nil:
		v := i.IPVLAN
		name = i.Device()
		address := ""
		if v.Prefix.IsValid() {
			address = prefixText(v.Prefix)
		}
		p.line("   Use IPVLAN, i/f %s, is_up = %v%s%s, type %s", name, p.isUp(name),
			choose(address != "", ", i/f address = ", ""), address, cmp.Or(v.Mode, "bridge"))
		name += ", ipvlan on " + i.Interface
	}
	if i.UseVMACAddr {
		p.line("   Use VMAC for VIPs on other interfaces")
	}
	if i.VRF != "" {
		p.field("VRF", i.VRF)
	}
	p.field("Interface", name)
}

// prefixText is a prefix as keepalived shows it: a host has no length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// isUp says that an interface is there, up and has carrier.
func (p *printer) isUp(name string) bool {
	l := p.linkOf(name)
	return l != nil && l.Flags.Up && l.Flags.Running
}

func (p *printer) linkOf(name string) *Link {
	for i := range p.facts.Links {
		if l := &p.facts.Links[i]; l.Name == name {
			return l
		}
	}
	return nil
}

// zone is the number of the interface that adverts leave by, which an IPv6
// group has to be told with.
func (p *printer) zone(i *config.Instance) string {
	name := i.Interface
	if i.VMAC != nil && !i.VMACXmitBase {
		name = i.Device()
	}
	if l := p.linkOf(name); l != nil && i.IPv6() {
		return fmt.Sprintf(", ifindex %d", l.Index)
	}
	return ""
}

// deviceText is the interface of an address. Those of an instance with use_vmac
// are on the VMAC, as far as they are of its family.
func deviceText(i *config.Instance, a *config.Address) string {
	if i == nil || i.Beneath(a.Dev) == a.Dev {
		return a.Dev
	}
	return a.Dev + "@" + i.Beneath(a.Dev)
}

// links writes the interfaces of the machine, with what the configuration
// says about them.
func (p *printer) links(c *config.Config) {
	if len(p.facts.Links) > 0 {
		p.title("Interfaces")
	}
	for i := range p.facts.Links {
		p.link(c, &p.facts.Links[i])
	}
}

func (p *printer) link(c *config.Config, l *Link) {
	p.line(" Name = %s", l.Name)
	p.line("   index = %d", l.Index)
	v4, v6 := "(none)", "(none)"
	if len(l.IPv4) > 0 {
		v4 = l.IPv4[0].String()
	}
	if len(l.IPv6) > 0 && l.IPv6[0].IsLinkLocalUnicast() {
		v6 = l.IPv6[0].String()
	}
	p.field("IPv4 address", v4)
	if len(l.IPv4) > 1 {
		p.line("   Additional IPv4 addresses :")
		for _, a := range l.IPv4[1:] {
			p.line("     %s", a)
		}
	}
	p.field("IPv6 address", v6)
	if l.MAC != "" {
		p.field("MAC", l.MAC)
	}
	if l.Broadcast != "" {
		p.field("MAC broadcast", l.Broadcast)
	}
	p.field("State", l.Flags.String())
	p.linkDelays(&c.Links, l.Name)
	p.field("MTU", l.MTU)
	p.field("HW Type", l.Type)
	p.linkbeat(c, l.Name)
	p.linkUsers(c, l.Name)
}

// String is the state of an interface.
func (f LinkFlags) String() string {
	words := []string{choose(f.Up, "UP", "DOWN"), choose(f.Running, "RUNNING", "not RUNNING")}
	for _, w := range []struct {
		said bool
		text string
	}{{!f.Broadcast, "no broadcast"}, {f.Loopback, "loopback"}, {f.PointToPoint, "point to point"}, {!f.Multicast, "no multicast"}} {
		if w.said {
			words = append(words, w.text)
		}
	}
	return strings.Join(words, ", ")
}

func (p *printer) linkDelays(l *config.Links, name string) {
	var delay config.UpDownDelay
	for i := range l.Delays {
		if l.Delays[i].Name == name {
			delay = l.Delays[i]
		}
	}
	p.line("   Up debounce timer = %dus", delay.Up.Microseconds())
	p.line("   Down debounce timer = %dus", delay.Down.Microseconds())
}

func (p *printer) linkbeat(c *config.Config, name string) {
	for _, b := range c.Linkbeats() {
		if b.Name == name {
			p.line("   NIC %s", probeText(b.Probe))
			return
		}
	}
	p.line("   NIC netlink status update")
}

// probeText is how keepalived calls a probe; of those that can tell it finds
// ETHTOOL as a rule.
func probeText(probe config.LinkbeatProbe) string {
	switch probe {
	case config.ProbeMII:
		return "support MII BMSR interface"
	case config.ProbeIoctl:
		return "ioctl refresh polling"
	}
	return "support ETHTOOL GLINK interface"
}

// linkUsers are the instances that an interface matters to, each with the
// weight of its loss.
func (p *printer) linkUsers(c *config.Config, name string) {
	own := func(v *config.Instance) []config.Track {
		if v.Interface == name && !v.DontTrackPrimary {
			return []config.Track{{Name: name}}
		}
		return slices.Concat(v.Requires, v.TrackInterface)
	}
	users := usersOf(c, name, own, func(g *config.SyncGroup) []config.Track { return g.TrackInterface }, groups)
	if len(users) > 0 {
		p.line("   Tracking VRRP instances :")
	}
	for _, u := range users {
		p.line("     %s", u)
	}
}

// garpGroups writes the groups of interfaces that share a rate of gratuitous
// ARP. With a rate for all, every other interface is a group 0.
func (p *printer) garpGroups(c *config.Config) {
	all := config.GarpGroup{}
	given := func(d time.Duration) config.Opt[time.Duration] {
		return config.Opt[time.Duration]{Value: d, Set: d > 0}
	}
	all.GarpInterval, all.GnaInterval = given(c.Global.VRRPGarpInterval), given(c.Global.VRRPGnaInterval)
	limited := all.GarpInterval.Set || all.GnaInterval.Set
	groups := c.Links.GarpGroups
	if len(groups) > 0 || limited && len(c.Instances) > 0 {
		p.title("Gratuitous ARP delays")
	}
	seen := map[string]bool{}
	for i := range groups {
		p.garpGroup(i+number(limited), &groups[i])
		for _, link := range groups[i].Interfaces {
			seen[link.Name] = true
		}
	}
	for i := range c.Instances {
		for _, a := range c.Instances[i].Addresses() {
			if limited && !seen[a.Dev] {
				seen[a.Dev] = true
				all.Interfaces = []config.Link{{Name: a.Dev}}
				p.garpGroup(0, &all)
			}
		}
	}
}

func (p *printer) garpGroup(n int, g *config.GarpGroup) {
	p.title(fmt.Sprintf("GARP delay group %d", n))
	if g.GarpInterval.Set {
		p.line(" GARP interval = %.6g", g.GarpInterval.Value.Seconds())
	}
	if g.GnaInterval.Set {
		p.line(" GNA interval = %.6g", g.GnaInterval.Value.Seconds())
	}
	p.line(" Interfaces")
	for _, link := range g.Interfaces {
		p.line("  %s", link.Name)
	}
}
