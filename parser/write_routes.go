package parser

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// routeWords collects the words of a line.
type routeWords struct {
	*confWriter
	words []string
}

func (l *routeWords) put(words ...string) {
	for _, word := range words {
		if word != "" {
			l.words = append(l.words, word)
		}
	}
}

func (l *routeWords) String() string { return strings.Join(l.words, " ") }

// route is a line of static_routes or virtual_routes. A tunnel is the last of
// the options: what follows it may be taken for a label.
func (w *confWriter) route(_ string, r *config.Route) string {
	l := &routeWords{confWriter: w}
	l.put(when(r.Type != 0, r.Type.String()))
	l.put(destination(r.Destination), option("via", r.Via), option("src", r.Src), option("from", r.From), nonZero("tos", r.TOS), nonZero("table", r.Table))
	l.put(w.option("vrf", r.VRF), optNumber("protocol", r.Protocol), when(r.Scope.Set, "scope "+scopeName(r.Scope.Value)), optNumber("metric", r.Metric))
	l.put(w.option("dev", r.Dev), when(r.OnLink, "onlink"), when(r.Expires.Set, "expires "+seconds6(r.Expires.Value)), realmsOption(r.Realms), w.option("pref", string(r.Pref)))
	if r.TTLPropag.Set {
		l.put("ttl-propagate", map[bool]string{true: "enabled", false: "disabled"}[r.TTLPropag.Value])
	}
	l.put(map[config.RouteAdd]string{config.RouteAppend: "append", config.RouteExclusive: "add"}[r.Add], when(r.NoTrack, "no_track"), w.option("track_group", r.TrackGroup))
	l.metrics(r.Metrics)
	l.encap(r.Encap)
	for i := range r.NextHops {
		n := &r.NextHops[i]
		l.put("nexthop", option("via", n.Via), w.option("dev", n.Dev), nonZero("weight", n.Weight), when(n.OnLink, "onlink"), realmsOption(n.Realms))
		l.encap(n.Encap)
	}
	return l.String()
}

// destination: the default routes by their names, which go with any next hop.
func destination(p netip.Prefix) string {
	switch p {
	case netip.PrefixFrom(netip.IPv4Unspecified(), 0):
		return "default"
	case netip.PrefixFrom(netip.IPv6Unspecified(), 0):
		return "default6"
	}
	return p.String()
}

// option is a keyword with an address or a prefix.
func option[A interface {
	IsValid() bool
	String() string
}](keyword string, a A) string {
	return when(a.IsValid(), keyword+" "+a.String())
}

func realmsOption(r config.Realms) string {
	return when(r != (config.Realms{}), fmt.Sprintf("realms %d/%d", r.Src, r.Dst))
}

func (l *routeWords) metrics(m *config.RouteMetrics) {
	if m == nil {
		return
	}
	for _, o := range []struct {
		name string
		config.Metric
	}{
		{"mtu", m.MTU}, {"hoplimit", m.HopLimit}, {"advmss", m.AdvMSS}, {"rtt", m.RTT}, {"rttvar", m.RTTVar}, {"reordering", m.Reordering},
		{"window", m.Window}, {"cwnd", m.Cwnd}, {"ssthresh", m.SSThresh}, {"rto_min", m.RTOMin}, {"initcwnd", m.InitCwnd}, {"initrwnd", m.InitRwnd},
		{"quickack", m.QuickAck}, {"fastopen_no_cookie", m.FastopenNoCookie},
	} {
		if o.Set {
			l.put(o.name, when(o.Lock, "lock"), fmt.Sprint(o.Value))
		}
	}
	l.put(when(m.FeatureECN.Set, "features ecn"))
	if m.CongCtl != "" {
		l.put("congctl", when(m.CongCtlLock, "lock"), l.word("congctl", m.CongCtl))
	}
}

func (l *routeWords) encap(e *config.Encap) {
	if e == nil {
		return
	}
	hops := "ttl"
	if e.Type == "ip6" {
		hops = "hoplimit"
	}
	l.put("encap", e.Type, optNumber("id", e.ID), option("dst", e.Dst), option("src", e.Src), optNumber("tos", e.TOS), optNumber(hops, e.TTL), optNumber("flags", e.Flags))
	switch e.Type {
	case "mpls":
		l.put(strings.ReplaceAll(strings.Trim(fmt.Sprint(e.Labels), "[]"), " ", "/"))
	case "ila":
		n := e.Locator
		l.put(fmt.Sprintf("%x:%x:%x:%x", n>>48, n>>32&0xffff, n>>16&0xffff, n&0xffff))
	}
}

// rule is a line of static_rules or virtual_rules.
func (w *confWriter) rule(_ string, r *config.Rule) string {
	l := &routeWords{confWriter: w}
	l.put(when(r.Not, "not"), when(r.IPv6 && !r.From.IsValid() && !r.To.IsValid(), "inet6"), option("from", r.From), option("to", r.To))
	l.put(nonZero("tos", r.TOS))
	if r.FWMark.Set {
		l.put(optNumber("fwmark", r.FWMark) + when(r.FWMask.Set, fmt.Sprintf("/%d", r.FWMask.Value)))
	}
	l.put(w.option("iif", r.IIF), w.option("oif", r.OIF), optNumber("tunnel-id", r.TunnelID), rangeOption("uidrange", r.UIDRange), rangeOption("sport", r.SPort))
	l.put(rangeOption("dport", r.DPort), optNumber("ipproto", r.IPProto), optNumber("protocol", r.Protocol), realmsOption(r.Realms))
	l.put(optNumber("suppress_prefixlength", r.SuppressPrefixLength), optNumber("suppress_ifgroup", r.SuppressInterfaceGroup), optNumber("preference", r.Preference))
	l.put(when(r.NoTrack, "no_track"), w.option("track_group", r.TrackGroup))
	switch {
	case r.L3MDev:
		l.put("l3mdev")
	case r.Action == config.RuleLookup:
		l.put("table", fmt.Sprint(r.Table))
	case r.Action == config.RuleGoto:
		l.put("goto", fmt.Sprint(r.Goto))
	default:
		l.put(string(r.Action))
	}
	return l.String()
}

func rangeOption(keyword string, o config.Opt[config.Range]) string {
	return when(o.Set, fmt.Sprintf("%s %d-%d", keyword, o.Value.From, o.Value.To))
}
