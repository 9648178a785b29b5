package config

import (
	"net/netip"
	"slices"
	"strings"
)

// methods are the forwarding methods of the real servers of a block, each
// once.
func (v *VirtualServer) methods() (all []Method) {
	for i := range v.RealServers {
		m := v.LBKind.Value
		if r := &v.RealServers[i]; r.LVSMethod.Set {
			m = r.LVSMethod.Value
		}
		if m == 0 {
			m = NAT
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	slices.Sort(all)
	return all
}

// sameMethods reports whether two blocks forward in the same ways.
func (v *VirtualServer) sameMethods(other *VirtualServer) bool {
	return slices.Equal(v.methods(), other.methods())
}

// mixedForwarding: several blocks of one service are one service in the kernel.
// keepalived lets them get into each other's way.
func (l *linter) mixedForwarding() {
	first := make(map[ServiceKey]*VirtualServer, len(l.c.Services))
	for i := range l.c.Services {
		s := &l.c.Services[i]
		if s.Group != "" {
			continue
		}
		was, twice := first[s.Key()]
		if !twice {
			first[s.Key()] = s
			continue
		}
		if !s.sameMethods(was) {
			l.warn(s.Origin, "mixed-forwarding",
				"virtual server %s forwards with %s here and with %s in the block of line %d: one block with lvs_method for each real server says the same",
				s.label(0), methodNames(s.methods()), methodNames(was.methods()), was.Origin.Line)
		}
	}
}

func methodNames(all []Method) string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.String()
	}
	return strings.Join(names, " and ")
}

// uselessPersistence: a scheduler that goes by addresses sends a client to the
// same server each time, persistent or not. It is not so when the port is
// hashed, too, when whole networks persist, or when the service is for all
// ports, which must persist.
func (l *linter) uselessPersistence() {
	for i := range l.c.Services {
		s := &l.c.Services[i]
		by := ""
		switch s.LBAlgo.Value {
		case "sh", "mh":
			by = "the client's address"
		case "dh":
			if s.Group == "" && s.FWMark == 0 {
				by = "the service's address"
			}
		}
		if by == "" || s.PersistenceOrigin.Line == 0 || s.PersistenceTimeout == 0 || s.PersistenceGranularity != 0 || s.PersistenceNetmask.IsValid() || s.SchedFlags&SchedFlag2 != 0 || l.allPorts(s) {
			continue
		}
		l.warn(s.PersistenceOrigin, "useless-persistence",
			"persistence_timeout with lb_algo %s: %s chooses the server by %s and needs no persistence", s.LBAlgo.Value, s.LBAlgo.Value, by)
	}
}

func (l *linter) allPorts(s *VirtualServer) bool {
	return serviceOf(s, l.c.ServiceGroup(s.Group), 0).zeroPort
}

// offLink: with DR a packet keeps its destination, the virtual address, and
// only the hardware address of the real server is put on it. So the server
// must be on a network of this machine.
func (l *linter) offLink() {
	if len(l.machine) == 0 || len(l.c.Services) == 0 {
		return
	}
	near := l.nearby()
	for i := range l.c.Services {
		s := &l.c.Services[i]
		at := near.linkOf(l.addressOf(s))
		if at.Link == "" {
			continue // nobody knows where the virtual address is
		}
		for k := range s.RealServers {
			r := &s.RealServers[k]
			a := r.Addr.Addr()
			if !s.direct(r) || a.IsLoopback() || a.IsLinkLocalUnicast() || near.has(a) || near.known(a, l.env) {
				continue
			}
			l.warn(r.Origin, "off-link", "real server %s is on no network of this machine, but DR reaches servers on the wire only: interface %s of the virtual address is on %s",
				a, at.Link, at.Prefix.Masked())
		}
	}
}

func (v *VirtualServer) direct(r *RealServer) bool {
	if r.LVSMethod.Set {
		return r.LVSMethod.Value == DR
	}
	return v.LBKind.Value == DR
}

// addressOf is an address of a service; none for a firewall mark.
func (l *linter) addressOf(s *VirtualServer) Addr {
	if g := l.c.ServiceGroup(s.Group); s.Group != "" && g != nil && len(g.Entries) > 0 {
		return g.Entries[0].First
	}
	return s.Addr.Addr()
}

// vicinity are the networks of this machine, with those that the configuration
// adds.
type vicinity struct {
	networks map[netip.Prefix]bool // masked
	lengths  map[int]bool          // of their prefixes
	links    map[Addr]string       // interfaces of the virtual addresses
	subnets  []Subnet              // that are addresses of an interface
	asked    map[Addr]bool         // whether the machine needs no gateway
}

func (l *linter) nearby() *vicinity {
	v := &vicinity{networks: map[netip.Prefix]bool{}, lengths: map[int]bool{}, links: map[Addr]string{}, asked: map[Addr]bool{}}
	for _, s := range l.machine {
		v.address(s)
	}
	addresses := func(list []Address) {
		for i := range list {
			a := &list[i]
			v.links[a.Prefix.Addr()] = a.Dev
			v.address(Subnet{Link: a.Dev, Prefix: a.Prefix})
			v.route(a.Peer)
		}
	}
	routes := func(list []Route) {
		for i := range list {
			if r := &list[i]; r.Type <= RouteUnicast && !r.Via.IsValid() && len(r.NextHops) == 0 {
				v.route(r.Destination)
			}
		}
	}
	for i := range l.c.Instances {
		addresses(l.c.Instances[i].VirtualIPAddress)
		addresses(l.c.Instances[i].VirtualIPAddressExcluded)
		routes(l.c.Instances[i].VirtualRoutes)
	}
	addresses(l.c.Static.IPAddress)
	routes(l.c.Static.Routes)
	return v
}

// address takes the network of an address; that of a host is none.
func (v *vicinity) address(s Subnet) {
	if !isHost(s.Prefix) {
		v.route(s.Prefix)
		v.subnets = append(v.subnets, s)
	}
}

// route takes a network that is reached without a gateway.
func (v *vicinity) route(p netip.Prefix) {
	if p.IsValid() {
		v.networks[p.Masked()], v.lengths[p.Bits()] = true, true
	}
}

// maxAsked bounds the questions to the machine; what is beyond is not named.
const maxAsked = 1000

// known asks the machine whether it needs no gateway to an address.
func (v *vicinity) known(a Addr, env Environment) bool {
	near, ok := v.asked[a]
	switch {
	case ok:
	case len(v.asked) >= maxAsked:
		return true
	default:
		near = env.OnLink(a)
		v.asked[a] = near
	}
	return near
}

func (v *vicinity) has(a Addr) bool {
	for bits := range v.lengths {
		if bits > a.BitLen() {
			continue
		}
		if p, err := a.Prefix(bits); err == nil && v.networks[p] {
			return true
		}
	}
	return false
}

// linkOf is the interface of an address with a network that it is on; nothing
// when that is not known.
func (v *vicinity) linkOf(a Addr) Subnet {
	dev := v.links[a]
	for _, s := range v.subnets {
		if a.IsValid() && s.Prefix.Addr().Is6() == a.Is6() && (s.Link == dev || dev == "" && s.Prefix.Contains(a)) {
			return s
		}
	}
	return Subnet{}
}
