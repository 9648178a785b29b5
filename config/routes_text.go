package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// String is the type as ip-route(8) calls it.
func (t RouteType) String() string {
	names := [...]string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"}
	if int(t) >= len(names) {
		return fmt.Sprint(uint8(t))
	}
	return names[t]
}

// fields builds a line of `name value` pairs, of those that are there.
type fields struct{ strings.Builder }

func (f *fields) put(format string, args ...any) {
	if f.Len() > 0 {
		f.WriteByte(' ')
	}
	fmt.Fprintf(f, format, args...)
}

func (f *fields) when(there bool, format string, args ...any) {
	if there {
		f.put(format, args...)
	}
}

// prefixText is a prefix as keepalived prints it: a host has no length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func familyText(a netip.Addr) string {
	if a.Is6() {
		return "inet6"
	}
	return "inet"
}

// String is the route as `ip route` takes it.
func (r *Route) String() string {
	f := &fields{}
	f.put("%s", [...]string{"prepend", "append", "add"}[r.Add])
	f.when(r.Type != 0 && r.Type != RouteUnicast, "%s", r.Type)
	f.put("%s", prefixText(r.Destination))
	f.when(r.Src.IsValid(), "src %s", r.Src)
	f.when(r.From.IsValid(), "from %s", r.From)
	f.when(r.TOS != 0, "tos %d", r.TOS)
	f.when(r.Encap != nil, "%s", encapText(r.Encap))
	f.when(r.Via.IsValid(), "via %s %s", familyText(r.Via), r.Via)
	f.when(r.Dev != "", "dev %s", r.Dev)
	f.when(r.Table != 0, "table %d", r.Table)
	f.when(r.VRF != "", "vrf %s", r.VRF)
	protocol := uint8(ProtocolKeepalived)
	if r.Protocol.Set {
		protocol = r.Protocol.Value
	}
	f.put("proto %d", protocol)
	f.when(r.Scope.Set, "scope %d", r.Scope.Value)
	f.when(r.Metric.Set, "metric %d", r.Metric.Value)
	f.when(r.OnLink, "onlink")
	f.when(r.Realms != Realms{}, "realms %s", realmsText(r.Realms))
	f.when(r.Expires.Set, "expires %dsec", r.Expires.Value/time.Second)
	f.metrics(r.Metrics)
	f.when(r.Pref != "", "pref %s", r.Pref)
	f.when(r.TTLPropag.Set, "ttl-propagate %s", map[bool]string{true: "enabled", false: "disabled"}[r.TTLPropag.Value])
	for i := range r.NextHops {
		f.nextHop(&r.NextHops[i])
	}
	f.when(r.NoTrack, "no_track")
	f.when(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return f.String()
}

func realmsText(r Realms) string { return fmt.Sprintf("%d/%d", r.Src, r.Dst) }

func (f *fields) metrics(m *RouteMetrics) {
	if m == nil {
		return
	}
	lock := map[bool]string{true: "lock "}
	f.when(m.CongCtl != "", "congctl %s%s", lock[m.CongCtlLock], m.CongCtl)
	for _, x := range []struct {
		name string
		unit uint32 // of a time, in a millisecond
		m    Metric
	}{
		{"rtt", RTTUnit, m.RTT}, {"rttvar", RTTVarUnit, m.RTTVar}, {"rto_min", 1, m.RTOMin}, {"mtu", 0, m.MTU}, {"window", 0, m.Window},
		{"ssthresh", 0, m.SSThresh}, {"cwnd", 0, m.Cwnd}, {"advmss", 0, m.AdvMSS}, {"reordering", 0, m.Reordering},
		{"hoplimit", 0, m.HopLimit}, {"initcwnd", 0, m.InitCwnd}, {"initrwnd", 0, m.InitRwnd}, {"quickack", 0, m.QuickAck},
		{"fastopen_no_cookie", 0, m.FastopenNoCookie},
	} {
		f.when(x.m.Set, "%s %s%s", x.name, lock[x.m.Lock], metricText(x.m.Value, x.unit))
	}
	f.when(m.FeatureECN.Set, "features ecn")
}

// metricText is a number, or a time of so many units in a millisecond.
func metricText(n, unit uint32) string {
	switch {
	case unit == 0:
		return fmt.Sprint(n)
	case n >= 1000*unit:
		return fmt.Sprintf("%.6gs", float64(n)/float64(1000*unit))
	}
	return fmt.Sprintf("%.6gms", float64(n)/float64(unit))
}

func (f *fields) nextHop(n *NextHop) {
	f.put("nexthop")
	f.when(n.Via.IsValid(), "via %s %s", familyText(n.Via), n.Via)
	f.when(n.Dev != "", "dev %s", n.Dev)
	f.when(n.Encap != nil, "%s", encapText(n.Encap))
	f.when(n.Weight != 0, "weight %d", n.Weight)
	f.when(n.OnLink, "onlink")
	f.when(n.Realms != Realms{}, "realms %s", realmsText(n.Realms))
}

func encapText(e *Encap) string {
	if e == nil {
		return ""
	}
	f := &fields{}
	f.put("encap %s", e.Type)
	f.when(e.ID.Set, "id %d", e.ID.Value)
	f.when(e.Dst.IsValid(), "dst %s", e.Dst)
	f.when(e.Src.IsValid(), "src %s", e.Src)
	f.when(e.TOS.Set, "tos %d", e.TOS.Value)
	for i, label := range e.Labels {
		f.WriteString(map[bool]string{true: " ", false: "/"}[i == 0])
		fmt.Fprint(f, label)
	}
	f.when(e.Type == "ila", "%d", e.Locator)
	f.when(e.TTL.Set && e.Type == "ip6", "hoplimit %d", e.TTL.Value)
	f.when(e.TTL.Set && e.Type != "ip6", "ttl %d", e.TTL.Value)
	f.when(e.Flags.Set, "flags 0x%x", e.Flags.Value)
	return f.String()
}

// String is the rule as `ip rule` takes it.
func (r *Rule) String() string {
	f := &fields{}
	f.when(r.Not, "not")
	if r.From.IsValid() {
		f.put("from %s", prefixText(r.From))
	} else {
		f.put("from all")
	}
	f.when(r.To.IsValid(), "to %s", prefixText(r.To))
	f.when(r.Preference.Set, "priority %d", r.Preference.Value)
	f.put("tos %#x", r.TOS)
	f.when(r.FWMark.Set && !r.FWMask.Set, "fwmark %#x", r.FWMark.Value)
	f.when(r.FWMask.Set, "fwmark %#x/%#x", r.FWMark.Value, r.FWMask.Value)
	f.when(r.IIF != "", "iif %s", r.IIF)
	f.when(r.OIF != "", "oif %s", r.OIF)
	f.when(r.SuppressPrefixLength.Set, "suppress_prefixlen %d", r.SuppressPrefixLength.Value)
	f.when(r.SuppressInterfaceGroup.Set, "suppress_ifgroup %d", r.SuppressInterfaceGroup.Value)
	f.when(r.TunnelID.Set, "tunnel-id %d", r.TunnelID.Value)
	f.when(r.UIDRange.Set, "uidrange %d-%d", r.UIDRange.Value.From, r.UIDRange.Value.To)
	f.when(r.L3MDev, "l3mdev")
	protocol := uint8(ProtocolKeepalived)
	if r.Protocol.Set {
		protocol = r.Protocol.Value
	}
	f.put("protocol %d", protocol)
	f.when(r.IPProto.Set, "ipproto %d", r.IPProto.Value)
	f.when(r.SPort.Set, "sport %d-%d", r.SPort.Value.From, r.SPort.Value.To)
	f.when(r.DPort.Set, "dport %d-%d", r.DPort.Value.From, r.DPort.Value.To)
	f.when(r.Realms != Realms{}, "realms %s", realmsText(r.Realms))
	switch r.Action {
	case RuleLookup:
		f.put("lookup %d", r.Table)
	case RuleGoto:
		f.put("goto %d", r.Goto)
	case RuleNop:
		f.put("nop")
	default:
		f.put("type %s", r.Action)
	}
	f.when(r.NoTrack, "no_track")
	f.when(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return f.String()
}
