package config

import "sync"

// Claims are what somebody wants to be in the kernel. Their order is that in
// which they are added; they are removed the other way round.
type Claims struct {
	Links     []VirtualLink
	Sysctls   []Sysctl
	Closed    []ClosedAddress
	Addresses []Address
	Routes    []Route
	Rules     []Rule

	// Static: the addresses are the host's own, and adverts may come from them.
	Static bool
	// LooseReversePath: rp_filter of all links is each link's own affair.
	LooseReversePath bool
}

// Empty reports that nothing is wanted.
func (c Claims) Empty() bool {
	return len(c.Links)+len(c.Sysctls)+len(c.Closed)+len(c.Addresses)+len(c.Routes)+len(c.Rules) == 0 && !c.LooseReversePath
}

// Add adds those of somebody else.
func (c *Claims) Add(o Claims) {
	c.Links = append(c.Links, o.Links...)
	c.Sysctls = append(c.Sysctls, o.Sysctls...)
	c.Closed = append(c.Closed, o.Closed...)
	c.Addresses = append(c.Addresses, o.Addresses...)
	c.Routes = append(c.Routes, o.Routes...)
	c.Rules = append(c.Rules, o.Rules...)
	c.LooseReversePath = c.LooseReversePath || o.LooseReversePath
}

// Claims are what the instance wants in the kernel while it is MASTER.
func (i *Instance) Claims() Claims {
	return Claims{Closed: i.closed(), Addresses: i.Addresses(), Routes: i.VirtualRoutes, Rules: i.VirtualRules}
}

// ClosedAddress is an address that takes no packets: no_accept.
type ClosedAddress struct {
	Addr   Addr
	Dev    string // that a link-local one is on
	ByName bool   // the link may be missing
}

// DefaultTable is the name of the nftables table when none is given.
const DefaultTable = "keepalived"

// Accepts is Accept_Mode, RFC 9568 section 6.1: packets to the virtual
// addresses are taken. The address owner always takes them; vrrp_strict with
// version 2 never, as RFC 3768 says.
func (i *Instance) Accepts() bool {
	strict := i.StrictMode.Value
	switch {
	case i.Priority.Value == Owner:
		return true
	case strict && i.Version.Value == 2:
		return false
	case i.Accept.Set:
		return i.Accept.Value
	}
	return !strict
}

// closed are the addresses that take no packets.
func (i *Instance) closed() (list []ClosedAddress) {
	if i.Accepts() {
		return nil
	}
	for _, a := range i.Addresses() {
		addr := a.Prefix.Addr()
		c := ClosedAddress{Addr: addr}
		if addr.Is6() && addr.IsLinkLocalUnicast() {
			c.Dev, c.ByName = a.Dev, i.DontTrackPrimary && a.Dev == i.Device()
		}
		list = append(list, c)
	}
	return list
}

// Equal compares two claims, ignoring where they were written.
func (c Claims) Equal(o Claims) bool { return sameClaims()(&c, &o) }

// sameClaims is made once: a reload asks it for every instance.
var sameClaims = sync.OnceValue(comparisonOf[Claims])

// Claims are what holds whatever the state of the instances.
func (s *Static) Claims() Claims {
	return Claims{Addresses: s.IPAddress, Routes: s.Routes, Rules: s.Rules, Static: true}
}
