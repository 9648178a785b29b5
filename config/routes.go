package config

import (
	"net/netip"
	"time"
)

// Static is what holds whatever the state of the instances.
type Static struct {
	IPAddress   []Address // static_ipaddress
	Routes      []Route
	Rules       []Rule
	TrackGroups []TrackGroup
}

// TrackGroup is a track_group block: the instances that go to BACKUP when
// something static that names the group is deleted.
type TrackGroup struct {
	Origin  Origin
	Name    string
	Members []string
}

// Route is a line of static_routes or virtual_routes: what `ip route` takes.
type Route struct {
	Origin      Origin
	Destination netip.Prefix // 0.0.0.0/0 or ::/0 is the default route
	Type        RouteType
	Src         Addr         // preferred source
	From        netip.Prefix // IPv6 source routing
	Via         Addr
	TOS         uint8
	Table       uint32 // 0: main, or that of VRF
	VRF         string
	Protocol    Opt[uint8] // RTPROT_KEEPALIVED when not given
	Scope       Opt[Scope]
	Metric      Opt[uint32]
	Dev         string
	OnLink      bool
	Encap       *Encap
	Expires     Opt[time.Duration] // IPv6 only
	Realms      Realms
	Pref        RoutePref
	TTLPropag   Opt[bool] // ttl-propagate
	Metrics     *RouteMetrics
	NextHops    []NextHop
	Add         RouteAdd
	NoTrack     bool
	TrackGroup  string
}

// ProtocolKeepalived is RTPROT_KEEPALIVED of linux/rtnetlink.h.
const ProtocolKeepalived = 18

// Is6 reports the family of the route.
func (r *Route) Is6() bool { return r.Destination.Addr().Is6() }

// RouteType is a RTN_* number of linux/rtnetlink.h.
type RouteType uint8

// Types of routes; 0 is unicast too.
const (
	RouteUnicast     RouteType = 1
	RouteLocal       RouteType = 2
	RouteBroadcast   RouteType = 3
	RouteAnycast     RouteType = 4
	RouteMulticast   RouteType = 5
	RouteBlackhole   RouteType = 6
	RouteUnreachable RouteType = 7
	RouteProhibit    RouteType = 8
	RouteThrow       RouteType = 9
	RouteNAT         RouteType = 10
	RouteXResolve    RouteType = 11
)

// RouteAdd is how a route meets those that are there: NLM_F_* of
// linux/netlink.h.
type RouteAdd uint8

// Prepend creates a route before those of the same destination, Append behind
// them, Exclusive none when there is one.
const (
	RoutePrepend RouteAdd = iota
	RouteAppend
	RouteExclusive
)

// RoutePref is the preference of an IPv6 route, RFC 4191 section 2.1; "" when
// not given.
type RoutePref string

// The preferences of `ip route`.
const (
	PrefLow    RoutePref = "low"
	PrefMedium RoutePref = "medium"
	PrefHigh   RoutePref = "high"
)

// Realms are those of ip-route(8): [SRC/]DST.
type Realms struct{ Src, Dst uint16 }

// Metric is one of the RTAX_* attributes of a route.
type Metric struct {
	Value uint32
	Set   bool
	Lock  bool // the kernel must not change it
}

// RTTUnit and RTTVarUnit are how many units of RTT and of RTTVar are a
// millisecond.
const (
	RTTUnit    = 8
	RTTVarUnit = 4
)

// RouteMetrics are the RTAX_* attributes as the kernel has them: RTT in eighths
// of a millisecond, RTTVar in quarters, RTOMin in milliseconds.
type RouteMetrics struct {
	MTU, HopLimit, AdvMSS, RTT, RTTVar, Reordering   Metric
	Window, Cwnd, SSThresh, RTOMin, InitCwnd         Metric
	InitRwnd, QuickAck, FastopenNoCookie, FeatureECN Metric
	CongCtl                                          string
	CongCtlLock                                      bool
}

// NextHop is one way of a route that has several.
type NextHop struct {
	Origin Origin
	Via    Addr
	Dev    string
	Weight int // 1..256; 0 when not given
	OnLink bool
	Encap  *Encap
	Realms Realms
}

// Encap is the light-weight tunnel of a route: ip-route(8), encap.
type Encap struct {
	Type     string // ip, ip6, mpls or ila
	ID       Opt[uint64]
	Dst, Src Addr
	TOS, TTL Opt[uint8] // TTL is the hop limit of ip6
	Flags    Opt[uint16]
	Labels   []uint32 // mpls
	Locator  uint64   // ila
}

// Rule is a line of static_rules or virtual_rules: what `ip rule` takes.
type Rule struct {
	Origin                 Origin
	IPv6                   bool
	Not                    bool
	From, To               netip.Prefix // not valid: any
	Preference             Opt[uint32]
	TOS                    uint8
	FWMark, FWMask         Opt[uint32]
	IIF, OIF               string
	TunnelID               Opt[uint32]
	UIDRange               Opt[Range]
	SPort, DPort           Opt[Range]
	IPProto                Opt[uint8]
	Protocol               Opt[uint8] // RTPROT_KEEPALIVED when not given
	Action                 RuleAction
	Table                  uint32 // of RuleLookup
	Goto                   uint32 // of RuleGoto
	L3MDev                 bool
	Realms                 Realms
	SuppressPrefixLength   Opt[int]
	SuppressInterfaceGroup Opt[uint32]
	NoTrack                bool
	TrackGroup             string
}

// Range is INT-INT, both ends included.
type Range struct{ From, To uint32 }

// RuleAction is what a rule does, ip-rule(8).
type RuleAction string

// The actions of rules.
const (
	RuleLookup      RuleAction = "lookup"
	RuleGoto        RuleAction = "goto"
	RuleNop         RuleAction = "nop"
	RuleBlackhole   RuleAction = "blackhole"
	RuleUnreachable RuleAction = "unreachable"
	RuleProhibit    RuleAction = "prohibit"
)
