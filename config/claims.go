package config

// Claims are what somebody wants to be in the kernel. Their order is that in
// which they are added; they are removed the other way round.
type Claims struct {
	Links     []VirtualLink
	Sysctls   []Sysctl
	Addresses []Address
	Routes    []Route
	Rules     []Rule

	// LooseReversePath: rp_filter of all links is each link's own affair.
	LooseReversePath bool
}

// Empty reports that nothing is wanted.
func (c Claims) Empty() bool {
	return len(c.Links)+len(c.Sysctls)+len(c.Addresses)+len(c.Routes)+len(c.Rules) == 0 && !c.LooseReversePath
}

// Claims are what the instance wants in the kernel while it is MASTER.
func (i *Instance) Claims() Claims {
	return Claims{Addresses: i.Addresses(), Routes: i.VirtualRoutes, Rules: i.VirtualRules}
}

// Equal compares two claims, ignoring where they were written.
func (c Claims) Equal(o Claims) bool { return equal(c, o) }

// Claims are what holds whatever the state of the instances.
func (s *Static) Claims() Claims {
	return Claims{Addresses: s.IPAddress, Routes: s.Routes, Rules: s.Rules}
}
