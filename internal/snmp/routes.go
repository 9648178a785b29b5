package snmp

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// mainTable is RT_TABLE_MAIN of linux/rtnetlink.h.
const mainTable = 254

// way is a route of an instance.
type way struct {
	*config.Route
	instance string
}

// routes is vrrpRouteTable, and vrrpRouteNextHopTable.
func (s *State) routes() view {
	var t table[way]
	var hops table[*config.NextHop]
	for i := range s.Config.Instances {
		v := &s.Config.Instances[i]
		for k := range v.VirtualRoutes {
			r := &v.VirtualRoutes[k]
			t.add(way{r, v.Name}, uint32(i+1), uint32(k+1))
			for n := range r.NextHops {
				hops.add(&r.NextHops[n], uint32(i+1), uint32(k+1), uint32(n+1))
			}
		}
	}
	entry := router.Sub(7, 1)
	all := t.view(entry,
		col(2, func(r *way) agentx.Value { return family(r.Destination.Addr()) }),         // vrrpRouteAddressType
		col(3, func(r *way) agentx.Value { return agentx.Address(r.Destination.Addr()) }), // vrrpRouteDestination
		col(4, func(r *way) agentx.Value { return agentx.Gauge(r.Destination.Bits()) }),
		col(5, func(r *way) agentx.Value { return agentx.Address(r.Via) }),           // vrrpRouteGateway
		col(7, func(r *way) agentx.Value { return agentx.Address(r.Src) }),           // vrrpRouteSource
		col(8, func(r *way) agentx.Value { return agentx.Gauge(r.Metric.Value) }),    // vrrpRouteMetric
		col(9, func(r *way) agentx.Value { return scope(r.Scope.Value) }),            // vrrpRouteScope
		col(10, func(r *way) agentx.Value { return routeType(r.Route) }),             // vrrpRouteType
		col(11, func(r *way) agentx.Value { return s.ifIndex(r.Dev) }),               // vrrpRouteIfIndex
		col(12, func(r *way) agentx.Value { return text(r.Dev) }),                    // vrrpRouteIfName
		col(13, func(r *way) agentx.Value { return agentx.Gauge(tableOf(r.Table)) }), // vrrpRouteRoutingTable
		col(14, func(r *way) agentx.Value { return truth(s.master(r.instance)) }),    // vrrpRouteStatus
		col(15, func(r *way) agentx.Value { return agentx.Address(r.From.Addr()) }),  // vrrpRouteFromAddress
		col(16, func(r *way) agentx.Value { return bits(r.From) }),                   // vrrpRouteFromAddressMask
		col(17, func(r *way) agentx.Value { return some(r.TOS) }),                    // vrrpRouteTos
		col(18, func(r *way) agentx.Value { return protocol(r.Protocol) }),           // vrrpRouteProtocol
		col(21, expires), // vrrpRouteExpires
		col(43, preference),
		col(44, func(r *way) agentx.Value { return some(r.Realms.Dst) }), // vrrpRouteRealmDst
		col(45, func(r *way) agentx.Value { return some(r.Realms.Src) }), // vrrpRouteRealmSrc
		col(46, func(r *way) agentx.Value { return encapType(r.Encap) }), // vrrpRouteEncapType
	)
	all = append(all, t.view(entry, encap(47, func(r *way) *config.Encap { return r.Encap })...)...)
	all = append(all, t.view(entry, metrics()...)...)
	return append(all, s.hops(&hops)...)
}

// hops is vrrpRouteNextHopTable.
func (s *State) hops(t *table[*config.NextHop]) view {
	type row = *config.NextHop
	entry := router.Sub(11, 1)
	all := t.view(entry,
		col(2, func(h *row) agentx.Value { return family((*h).Via) }),         // vrrpRouteNextHopAddressType
		col(3, func(h *row) agentx.Value { return agentx.Address((*h).Via) }), // vrrpRouteNextHopAddress
		col(4, func(h *row) agentx.Value { return s.ifIndex((*h).Dev) }),      // vrrpRouteNextHopIfIndex
		col(5, func(h *row) agentx.Value { return text((*h).Dev) }),           // vrrpRouteNextHopIfName
		col(6, func(h *row) agentx.Value { return some((*h).Weight) }),        // vrrpRouteNextHopWeight
		col(7, func(h *row) agentx.Value { return truth((*h).OnLink) }),       // vrrpRouteNextHopOnlink
		col(8, func(h *row) agentx.Value { return some((*h).Realms.Dst) }),    // vrrpRouteNextHopRealmDst
		col(9, func(h *row) agentx.Value { return some((*h).Realms.Src) }),    // vrrpRouteNextHopRealmSrc
	)
	return append(all, t.view(entry, encap(11, func(h *row) *config.Encap { return (*h).Encap })...)...)
}

// tableOf is the routing table of a route: main unless it says so.
func tableOf(table uint32) uint32 {
	if table == 0 {
		return mainTable
	}
	return table
}

func bits(p netip.Prefix) agentx.Value {
	if !p.IsValid() {
		return agentx.Value{}
	}
	return agentx.Gauge(p.Bits())
}

// routeType is a RouteType of KEEPALIVED-MIB, which counts otherwise than
// rtnetlink(7).
func routeType(r *config.Route) agentx.Value {
	if len(r.NextHops) > 0 {
		return agentx.Integer(2) // ecmp
	}
	n, ok := map[config.RouteType]int{
		config.RouteBlackhole: 3, config.RouteAnycast: 4, config.RouteMulticast: 5, config.RouteBroadcast: 6, config.RouteUnreachable: 7,
		config.RouteProhibit: 8, config.RouteThrow: 9, config.RouteNAT: 10, config.RouteXResolve: 11,
	}[r.Type]
	if !ok {
		n = 1 // unicast
	}
	return agentx.Integer(n)
}

// protocol is one more than that of rtnetlink(7).
func protocol(p config.Opt[uint8]) agentx.Value {
	if !p.Set {
		return agentx.Integer(config.ProtocolKeepalived + 1)
	}
	return agentx.Integer(int(p.Value) + 1)
}

func expires(r *way) agentx.Value {
	if !r.Expires.Set {
		return agentx.Value{}
	}
	return agentx.Integer(int(r.Expires.Value / time.Second))
}

// preference is a PrefType: low, medium, high.
func preference(r *way) agentx.Value {
	switch r.Pref {
	case config.PrefLow:
		return agentx.Integer(1)
	case config.PrefMedium:
		return agentx.Integer(2)
	case config.PrefHigh:
		return agentx.Integer(3)
	}
	return agentx.Value{}
}

// metrics are the columns that are RTAX_* attributes: a value, and whether the
// kernel must leave it alone.
func metrics() (all []object[way]) {
	type set = config.RouteMetrics
	of := func(r *way) *set {
		if r.Metrics == nil {
			return new(set)
		}
		return r.Metrics
	}
	for _, m := range []struct {
		value, lock uint32 // columns; 0: none
		metric      func(*set) config.Metric
	}{
		{22, 23, func(m *set) config.Metric { return m.MTU }},
		{24, 0, func(m *set) config.Metric { return m.HopLimit }},
		{25, 26, func(m *set) config.Metric { return m.AdvMSS }},
		{27, 28, func(m *set) config.Metric { return m.RTT }},
		{29, 30, func(m *set) config.Metric { return m.RTTVar }},
		{31, 32, func(m *set) config.Metric { return m.Reordering }},
		{33, 0, func(m *set) config.Metric { return m.Window }},
		{34, 35, func(m *set) config.Metric { return m.Cwnd }},
		{36, 37, func(m *set) config.Metric { return m.SSThresh }},
		{38, 39, func(m *set) config.Metric { return m.RTOMin }},
		{40, 0, func(m *set) config.Metric { return m.InitCwnd }},
		{41, 0, func(m *set) config.Metric { return m.InitRwnd }},
	} {
		value := func(r *way) agentx.Value {
			v := m.metric(of(r))
			return unsigned(config.Opt[uint32]{Value: v.Value, Set: v.Set})
		}
		all = append(all, col(m.value, value))
		if m.lock != 0 {
			all = append(all, col(m.lock, func(r *way) agentx.Value {
				v := m.metric(of(r))
				if !v.Set {
					return agentx.Value{}
				}
				return truth(v.Lock)
			}))
		}
	}
	return append(all,
		col(19, func(r *way) agentx.Value { return truth(of(r).FeatureECN.Set) }), // vrrpRouteECN
		col(20, func(r *way) agentx.Value { return truth(of(r).QuickAck.Value != 0) }),
		col(42, func(r *way) agentx.Value { return text(of(r).CongCtl) }), // vrrpRouteCongCtl
		col(55, func(r *way) agentx.Value {
			if v := of(r).FastopenNoCookie; v.Set {
				return truth(v.Value != 0)
			}
			return agentx.Value{}
		}),
	)
}

// encapType is an EncapType; none without one.
func encapType(e *config.Encap) agentx.Value {
	if e == nil {
		return agentx.Value{}
	}
	n, ok := map[string]int{"mpls": 1, "ip": 2, "ila": 3, "ip6": 4}[e.Type]
	if !ok {
		return agentx.Value{}
	}
	return agentx.Integer(n)
}

// encap are the eight columns of a light-weight tunnel, from the first on.
func encap[T any](first uint32, of func(*T) *config.Encap) (all []object[T]) {
	for i, value := range []func(*config.Encap) agentx.Value{
		func(e *config.Encap) agentx.Value { return text(labels(e.Labels)) },
		func(e *config.Encap) agentx.Value { return counter(e.ID.Value, e.ID.Set) },
		func(e *config.Encap) agentx.Value { return agentx.Address(e.Dst) },
		func(e *config.Encap) agentx.Value { return agentx.Address(e.Src) },
		func(e *config.Encap) agentx.Value { return unsigned(e.TOS) },
		func(e *config.Encap) agentx.Value { return unsigned(e.TTL) },
		func(e *config.Encap) agentx.Value { return unsigned(e.Flags) },
		func(e *config.Encap) agentx.Value { return counter(e.Locator, e.Type == "ila") },
	} {
		all = append(all, col(first+uint32(i), func(row *T) agentx.Value {
			if e := of(row); e != nil {
				return value(e)
			}
			return agentx.Value{}
		}))
	}
	return all
}

func counter(n uint64, set bool) agentx.Value {
	if !set {
		return agentx.Value{}
	}
	return agentx.Counter64(n)
}

// labels is a stack of MPLS as ip-route(8) writes it.
func labels(stack []uint32) string {
	var b strings.Builder
	for i, n := range stack {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(strconv.FormatUint(uint64(n), 10))
	}
	return b.String()
}
