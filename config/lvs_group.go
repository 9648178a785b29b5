package config

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
)

// VirtualServerGroup is a virtual_server_group block: a service with several
// addresses and marks.
type VirtualServerGroup struct {
	Origin  Origin
	Name    string
	Entries []GroupEntry
}

// ServiceGroup is the virtual_server_group of a name; nil when there is none.
func (c *Config) ServiceGroup(name string) *VirtualServerGroup {
	for i := range c.ServiceGroups {
		if c.ServiceGroups[i].Name == name {
			return &c.ServiceGroups[i]
		}
	}
	return nil
}

// GroupEntry is a line of a virtual_server_group: addresses from First to
// Last, or a firewall mark.
type GroupEntry struct {
	Origin Origin
	First  Addr   // unset for a mark
	Last   Addr   // First for a single address
	Port   uint16 // 0: every port
	FWMark uint32
	Family Family // of a mark, when said
}

// IsMark reports whether the entry is a firewall mark.
func (e *GroupEntry) IsMark() bool { return !e.First.IsValid() }

// String is the entry as keepalived's diagnostics print it.
func (e *GroupEntry) String() string {
	switch {
	case e.IsMark():
		return fmt.Sprintf("FWM %d", e.FWMark)
	case e.First == e.Last:
		return fmt.Sprintf("%s,%d", e.First, e.Port)
	}
	return fmt.Sprintf("%s-%s,%d", e.First, e.Last, e.Port)
}

// Families are the address families of the entries; plain reports a mark that
// does not say its own.
func (g *VirtualServerGroup) Families() (inet, inet6, plain bool) {
	for i := range g.Entries {
		e := &g.Entries[i]
		switch max(e.Family, FamilyOf(e.First)) {
		case Inet:
			inet = true
		case Inet6:
			inet6 = true
		default:
			plain = true
		}
	}
	return inet, inet6, plain
}

// hasMark says that one of the entries is a firewall mark.
func (g *VirtualServerGroup) hasMark() bool {
	return slices.ContainsFunc(g.Entries, func(e GroupEntry) bool { return e.IsMark() })
}

// MaxRange is how many addresses of an entry are acted on: as many as an IPv4
// prefix of 16 bits or the last part of an IPv6 address has.
const MaxRange = 1 << 16

// TooLong reports that an entry has more than [MaxRange] addresses.
func (e *GroupEntry) TooLong() bool {
	last := e.First
	for a := range e.Addresses() {
		last = a
	}
	return last != e.Last
}

// Addresses are those from First to Last, MaxRange at most.
func (e *GroupEntry) Addresses() iter.Seq[Addr] {
	return func(yield func(Addr) bool) {
		a := e.First
		for n := 0; n < MaxRange && a.IsValid() && yield(a) && a != e.Last; n++ {
			a = a.Next()
		}
	}
}

// KernelKeys are the kernel's services that a service runs as: itself, or one
// for each address and each mark of its group, or one of each family for the
// mark of all its addresses.
func (s *Service) KernelKeys() iter.Seq[ServiceKey] {
	if s.Mark == 0 {
		return s.Addresses()
	}
	return func(yield func(ServiceKey) bool) {
		g := VirtualServerGroup{Entries: s.Entries}
		inet, inet6, _ := g.Families()
		if !inet || yield(ServiceKey{FWMark: s.Mark}) {
			_ = inet6 && yield(ServiceKey{FWMark: s.Mark, IPv6: true})
		}
	}
}

// Addresses are what a service answers to: itself, or each address and each
// mark of its group.
func (s *Service) Addresses() iter.Seq[ServiceKey] {
	return func(yield func(ServiceKey) bool) {
		if s.Key.Group == "" {
			yield(s.Key)
			return
		}
		for i := range s.Entries {
			e := &s.Entries[i]
			if e.IsMark() {
				if !yield(ServiceKey{FWMark: e.FWMark, IPv6: e.Family == Inet6}) {
					return
				}
				continue
			}
			for a := range e.Addresses() {
				if !yield(ServiceKey{Addr: netip.AddrPortFrom(a, e.Port), Protocol: s.Key.Protocol}) {
					return
				}
			}
		}
	}
}

// AddrIn is the address of the server under one of the keys of its service.
// Only NAT can translate ports: other servers have that of the service.
func (s *Server) AddrIn(key ServiceKey) netip.AddrPort {
	if s.Method == NAT {
		return s.Addr
	}
	return netip.AddrPortFrom(s.Addr.Addr(), key.Addr.Port())
}

// Marked are the packets that are given a firewall mark: those of a protocol to
// addresses and ports, the last ones included.
type Marked struct {
	Protocol            Protocol
	First, Last         Addr // of one family
	FirstPort, LastPort uint16
	Mark                uint32
}

// LastInRange is the address whose last part, an octet of IPv4 or 16 bits of
// IPv6, is n.
func LastInRange(first Addr, n uint16) Addr {
	if first.Is4() {
		b := first.As4()
		b[3] = byte(n)
		return netip.AddrFrom4(b)
	}
	b := first.As16()
	b[14], b[15] = byte(n>>8), byte(n)
	return netip.AddrFrom16(b)
}

// SSL is the SSL block: what this host shows to the servers of SSL_GET.
type SSL struct {
	Origin      Origin
	Password    Secret // of Key
	CA          string // files in PEM form
	Certificate string
	Key         string
}
