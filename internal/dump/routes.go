package dump

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// static writes what holds whatever the state of the instances.
func (p *printer) static(s *config.Static) {
	if len(s.IPAddress) > 0 {
		p.title("Static Addresses")
	}
	for i := range s.IPAddress {
		p.line("     %s", addressText(nil, nil, &s.IPAddress[i], true))
	}
	if len(s.Routes) > 0 {
		p.title("Static Routes")
	}
	for i := range s.Routes {
		p.line("     %s", routeText(&s.Routes[i]))
	}
	if len(s.Rules) > 0 {
		p.title("Static Rules")
	}
	for i := range s.Rules {
		p.line("     %s", ruleText(&s.Rules[i]))
	}
	if len(s.TrackGroups) > 0 {
		p.title("Static Track groups")
	}
	for _, g := range s.TrackGroups {
		p.line(" Static Track Group = %s", g.Name)
		p.line("   VRRP member instances :")
		for _, name := range g.Members {
			p.line("     %s", name)
		}
	}
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

func inetText(a netip.Addr) string {
	if a.Is6() {
		return "inet6"
	}
	return "inet"
}

// routeText is a route as `ip route` takes it.
func routeText(r *config.Route) string {
	f := &fields{}
	f.put("%s", [...]string{"prepend", "append", "add"}[r.Add])
	f.when(r.Type > config.RouteUnicast, "%s", routeTypeText(r.Type))
	f.put("%s", prefixText(r.Destination))
	f.when(r.Src.IsValid(), "src %s", r.Src)
	f.when(r.From.IsValid(), "from %s", r.From)
	f.when(r.TOS != 0, "tos %d", r.TOS)
	f.when(r.Encap != nil, "%s", encapText(r.Encap))
	f.when(r.Via.IsValid(), "via %s %s", inetText(r.Via), r.Via)
	f.when(r.Dev != "", "dev %s", r.Dev)
	f.when(r.Table != 0, "table %d", r.Table)
	f.when(r.VRF != "", "vrf %s", r.VRF)
	protocol := uint8(config.ProtocolKeepalived)
	if r.Protocol.Set {
		protocol = r.Protocol.Value
	}
	f.put("proto %d", protocol)
	f.when(r.Scope.Set, "scope %d", r.Scope.Value)
	f.when(r.Metric.Set, "metric %d", r.Metric.Value)
	f.when(r.OnLink, "onlink")
	f.when(r.Realms != config.Realms{}, "realms %s", realmsText(r.Realms))
	f.when(r.Expires.Set, "expires %dsec", wholes(r.Expires.Value))
	f.metrics(r.Metrics)
	f.when(r.Pref != "", "pref %s", r.Pref)
	f.when(r.TTLPropag.Set, "ttl-propagate %s", enabled(r.TTLPropag.Value))
	for i := range r.NextHops {
		f.nextHop(&r.NextHops[i])
	}
	f.when(r.NoTrack, "no_track")
	f.when(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return f.String()
}

// routeTypeText is a type as ip-route(8) spells it.
func routeTypeText(t config.RouteType) string {
	names := [...]string{
		config.RouteUnicast: "unicast", config.RouteLocal: "local", config.RouteBroadcast: "broadcast", config.RouteAnycast: "anycast",
		config.RouteMulticast: "multicast", config.RouteBlackhole: "blackhole", config.RouteUnreachable: "unreachable",
		config.RouteProhibit: "prohibit", config.RouteThrow: "throw", config.RouteNAT: "nat", config.RouteXResolve: "xresolve",
	}
	if int(t) >= len(names) {
		return fmt.Sprint(uint8(t))
	}
	return names[t]
}

func realmsText(r config.Realms) string { return fmt.Sprintf("%d/%d", r.Src, r.Dst) }

func (f *fields) metrics(m *config.RouteMetrics) {
	if m == nil {
		return
	}
	lock := map[bool]string{true: "lock "}
	f.when(m.CongCtl != "", "congctl %s%s", lock[m.CongCtlLock], m.CongCtl)
	for _, x := range []struct {
		name, unit string
		m          config.Metric
	}{
		{"rtt", "ms", m.RTT}, {"rttvar", "ms", m.RTTVar}, {"rto_min", "ms", m.RTOMin}, {"mtu", "", m.MTU}, {"window", "", m.Window},
		{"ssthresh", "", m.SSThresh}, {"cwnd", "", m.Cwnd}, {"advmss", "", m.AdvMSS}, {"reordering", "", m.Reordering},
		{"hoplimit", "", m.HopLimit}, {"initcwnd", "", m.InitCwnd}, {"initrwnd", "", m.InitRwnd}, {"quickack", "", m.QuickAck},
		{"fastopen_no_cookie", "", m.FastopenNoCookie},
	} {
		f.when(x.m.Set, "%s %s%d%s", x.name, lock[x.m.Lock], x.m.Value, x.unit)
	}
	f.when(m.FeatureECN.Set, "features ecn")
}

func (f *fields) nextHop(n *config.NextHop) {
	f.put("nexthop")
	f.when(n.Via.IsValid(), "via %s %s", inetText(n.Via), n.Via)
	f.when(n.Dev != "", "dev %s", n.Dev)
	f.when(n.Encap != nil, "%s", encapText(n.Encap))
	f.when(n.Weight != 0, "weight %d", n.Weight)
	f.when(n.OnLink, "onlink")
	f.when(n.Realms != config.Realms{}, "realms %s", realmsText(n.Realms))
}

func encapText(e *config.Encap) string {
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

// ruleText is a rule as `ip rule` takes it.
func ruleText(r *config.Rule) string {
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
	protocol := uint8(config.ProtocolKeepalived)
	if r.Protocol.Set {
		protocol = r.Protocol.Value
	}
	f.put("protocol %d", protocol)
	f.when(r.IPProto.Set, "ipproto %d", r.IPProto.Value)
	f.when(r.SPort.Set, "sport %d-%d", r.SPort.Value.From, r.SPort.Value.To)
	f.when(r.DPort.Set, "dport %d-%d", r.DPort.Value.From, r.DPort.Value.To)
	f.when(r.Realms != config.Realms{}, "realms %s", realmsText(r.Realms))
	switch r.Action {
	case config.RuleLookup:
		f.put("lookup %d", r.Table)
	case config.RuleGoto:
		f.put("goto %d", r.Goto)
	case config.RuleNop:
		f.put("nop")
	default:
		f.put("type %s", r.Action)
	}
	f.when(r.NoTrack, "no_track")
	f.when(r.TrackGroup != "", "track_group %s", r.TrackGroup)
	return f.String()
}

// instanceRoutes writes the routes and rules of an instance.
func (p *printer) instanceRoutes(i *config.Instance) {
	if len(i.VirtualRoutes) > 0 {
		p.line("   Virtual Routes :")
	}
	for k := range i.VirtualRoutes {
		p.line("     %s", routeText(&i.VirtualRoutes[k]))
	}
	if len(i.VirtualRules) > 0 {
		p.line("   Virtual Rules :")
	}
	for k := range i.VirtualRules {
		p.line("     %s", ruleText(&i.VirtualRules[k]))
	}
}
