package vrrp

import (
	"cmp"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// contest is what the other members of a sync group wait beyond their
// Active_Down_Interval after m has given way to a better router. That one says
// at once for each of its members that it is better, and nobody waits longer;
// unless it is so for a part of them only, and has given way likewise. Then
// both would be MASTER at the same time again, for ever. They have given way for
// different members, which have one order on all routers: so the group takes
// its chance before others that it has lost to for a later one, and after
// keepalived, which waits no longer.
func (g *Group) contest(m *Machine) time.Duration {
	place := time.Duration(1)
	var longest time.Duration
	for _, other := range g.members {
		longest = max(longest, other.masterInterval())
		if before(&other.cfg, &m.cfg) {
			place++
		}
	}
	return 2 * place * longest // more than Skew_Time, by which timers differ anyway
}

// before is an order of virtual routers by what all routers know of them.
func before(a, b *config.Instance) bool {
	address := func(a, b config.Address) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) }
	return cmp.Or(
		cmp.Compare(a.VirtualRouterID, b.VirtualRouterID),
		slices.CompareFunc(a.VirtualIPAddress, b.VirtualIPAddress, address),
	) < 0
}
