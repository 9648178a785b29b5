package parser

import (
	"cmp"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// routeLine is a line of static_routes or virtual_routes, which is what
// `ip route` takes: options in any order, then the ways of a route that has
// several.
type routeLine struct {
	Options  []routeOption `parser:"@@*"`
	NextHops []nextHopLine `parser:"@@*"`
	Rest     *word         `parser:"@@? Word*"`
}

type routeOption struct {
	Pos     lexer.Position
	Family  string     `parser:"( @('inet' | 'inet6')"`
	AddrKey string     `parser:"| @('via' | 'gw' | 'or' | 'src' | 'from') ('inet' | 'inet6')?"`
	Addr    *word      `parser:"  @@?"`
	As      bool       `parser:"| @'as' 'to'?"`
	AsAddr  *word      `parser:"  @@?"`
	Encap   *encapLine `parser:"| @@"`
	Metric  string     `parser:"| @('mtu' | 'hoplimit' | 'advmss' | 'rtt' | 'rttvar' | 'reordering' | 'window' | 'cwnd' | 'ssthresh' | 'rto_min' | 'initcwnd' | 'initrwnd' | 'quickack' | 'fastopen_no_cookie' | 'congctl' | 'features')"`
	Lock    bool       `parser:"  @'lock'?"`
	Amount  *word      `parser:"  @@?"`
	Key     string     `parser:"| @('tos' | 'dsfield' | 'table' | 'protocol' | 'scope' | 'metric' | 'priority' | 'preference' | 'dev' | 'oif' | 'expires' | 'realms' | 'pref' | 'ttl-propagate' | 'vrf' | 'track_group')"`
	Value   *word      `parser:"  @@?"`
	Flag    string     `parser:"| @('onlink' | 'add' | 'prepend' | 'append' | 'no_track' | 'default6')"`
	Type    string     `parser:"| @('unicast' | 'local' | 'broadcast' | 'anycast' | 'multicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'nat' | 'xresolve')"`
	To      *word      `parser:"| 'to' (?! 'nexthop') @@"`
	Bare    *word      `parser:"| (?! 'nexthop') @@ )"`
}

// route reads a line of static_routes or virtual_routes. An error costs the
// route: it would go elsewhere.
func (c *cursor) route() (r config.Route, ok bool) {
	l, ok := parseLine(c, c.d.lines.route)
	if !ok {
		return r, false
	}
	p := routeParser{c: c, r: &r}
	r.Origin = c.origin()
	for i := range l.Options {
		if !p.option(&l.Options[i]) {
			return r, false
		}
	}
	for i := range l.NextHops {
		if !p.nextHop(&l.NextHops[i]) {
			return r, false
		}
	}
	if l.Rest != nil {
		c.wrong(l.Rest.Pos, "Route has trailing nonsense after nexthops - %s", l.Rest.Text)
	}
	if p.everything && p.family == 6 {
		r.Destination = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return r, p.finish()
}

// routeParser fills a route; its family is that of the first address.
type routeParser struct {
	c          *cursor
	r          *config.Route
	family     int // 4, 6 or not known yet
	hasDst     bool
	everything bool            // the destination has the family that the gateway tells
	typed      string          // a type that was given as a number, until its destination is
	second     *config.NextHop // of the older `via A or B`
	metrics    config.RouteMetrics
}

// sameFamily binds the route to the family of an address.
func (p *routeParser) sameFamily(a netip.Addr) bool {
	family := 4
	if a.Is6() {
		family = 6
	}
	p.family = cmp.Or(p.family, family)
	return p.family == family
}

func (p *routeParser) option(o *routeOption) bool {
	switch {
	case o.Family != "":
		p.family = map[string]int{"inet": 4, "inet6": 6}[o.Family]
	case o.AddrKey != "":
		return p.given(o.AddrKey, o.Addr) && p.address(o.AddrKey, *o.Addr)
	case o.As:
		p.c.wrong(o.Pos, `"as to" for MPLS only - ignoring`)
	case o.Encap != nil:
		e, ok := p.c.encap(o.Encap)
		p.r.Encap = e
		return ok
	case o.Metric != "":
		return p.given(o.Metric, o.Amount) && p.metric(o)
	case o.Key != "":
		return p.given(o.Key, o.Value) && p.value(o.Key, *o.Value)
	case o.Flag != "":
		return p.flag(o)
	case o.Type != "":
		p.r.Type = routeTypes[o.Type]
	case o.To != nil:
		return p.destination(*o.To)
	case o.Bare != nil:
		if n, err := strconv.ParseUint(o.Bare.Text, 0, 8); err == nil {
			p.r.Type, p.typed = config.RouteType(n), o.Bare.Text
			return true
		}
		return p.destination(*o.Bare)
	}
	return true
}

// given reports a keyword without its value, at which keepalived ends.
func (p *routeParser) given(key string, w *word) bool { return p.c.given(key, w) }

func (c *cursor) given(key string, w *word) bool {
	if w != nil {
		return true
	}
	c.at = len(c.st.Line)
	c.errorf(config.ClassMissingParameter, "missing-parameter",
		"*** Configuration line starting `%s` is missing a parameter after keyword `%s` at word position %d", firstWord(c.st.Line), key, c.words+1)
	return false
}

// routeTypes are the names of ip-route(8).
var routeTypes = map[string]config.RouteType{
	"unicast": config.RouteUnicast, "local": config.RouteLocal, "broadcast": config.RouteBroadcast, "anycast": config.RouteAnycast,
	"multicast": config.RouteMulticast, "blackhole": config.RouteBlackhole, "unreachable": config.RouteUnreachable,
	"prohibit": config.RouteProhibit, "throw": config.RouteThrow, "nat": config.RouteNAT, "xresolve": config.RouteXResolve,
}

func (p *routeParser) flag(o *routeOption) bool {
	switch o.Flag {
	case "onlink":
		p.r.OnLink = true
	case "add":
		p.r.Add = config.RouteExclusive
	case "append":
		p.r.Add = config.RouteAppend
	case "prepend":
		p.r.Add = config.RoutePrepend
	case "no_track":
		p.r.NoTrack = true
	case "default6":
		p.hasDst, p.typed, p.r.Destination = true, "", netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		return p.mixed(p.r.Destination.Addr(), word{Pos: o.Pos, Text: o.Flag})
	}
	return true
}

// mixed reports an address of the other family.
func (p *routeParser) mixed(a netip.Addr, w word) bool {
	if !p.sameFamily(a) {
		p.c.wrong(w.Pos, "Cannot mix IPv4 and IPv6 addresses for route (%s)", w.Text)
		return false
	}
	return true
}

func (p *routeParser) destination(w word) bool {
	p.hasDst, p.typed = true, ""
	switch w.Text {
	case "default", "any", "all":
		p.everything, p.r.Destination = true, netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		return true
	}
	dst, ok := p.c.prefix(w)
	p.r.Destination = dst
	return ok && p.mixed(dst.Addr(), w)
}

// address reads the value of via, src or from.
func (p *routeParser) address(key string, w word) bool {
	c := p.c
	dst, ok := c.prefix(w)
	switch {
	case !ok:
		return false
	case key == "from" && !dst.Addr().Is6():
		c.wrong(w.Pos, "route from address only supported with IPv6 (%s)", w.Text)
		return false
	case !p.mixed(dst.Addr(), w):
		return false
	}
	switch key {
	case "src":
		p.r.Src = dst.Addr()
	case "from":
		p.r.From = dst
	case "or":
		c.wrong(w.Pos, `"or" for routes is deprecated. Please use "nexthop"`)
		p.second = &config.NextHop{Origin: c.d.src.origin(placeOf(w.Pos)), Via: dst.Addr()}
	case "gw":
		c.wrong(w.Pos, `"gw" for routes is deprecated. Please use "via"`)
		p.r.Via = dst.Addr()
	default:
		p.r.Via = dst.Addr()
	}
	return true
}

// value reads an option that is a number or a name.
func (p *routeParser) value(key string, w word) (ok bool) {
	c, r, v := p.c, p.r, w.Text
	var f *fault
	says := "Invalid " + key + " " + v + " specified for route"
	switch key {
	case "tos", "dsfield":
		r.TOS, f = c.d.named8("rt_dsfield", v)
		says = "TOS value " + v + " is invalid"
	case "table":
		r.Table, f = c.d.table(v)
		says = "Routing table " + v + " not found for route"
	case "protocol":
		var n uint8
		n, f = c.d.named8("rt_protos", v)
		r.Protocol, says = config.Some(n), "Protocol "+v+" not found or invalid for route"
	case "scope":
		var n config.Scope
		n, f = scopes(v)
		r.Scope, says = config.Some(n), "Scope "+v+" not found or invalid for route"
	case "metric", "priority", "preference":
		r.Metric, f = some(num[uint32](0, 1<<32-1)(v))
	case "dev", "oif":
		r.Dev, f = linkName(v)
		says = "WARNING - interface  for VROUTE nexthop doesn't exist"
	case "expires":
		var d config.Opt[uint32]
		d, f = some(num[uint32](0, 1<<32-1)(v))
		r.Expires = config.Opt[time.Duration]{Value: time.Duration(d.Value) * time.Second, Set: d.Set}
		says = "Invalid expires time " + v + " specified for route"
	case "realms":
		r.Realms, f = c.d.realms(v)
		says = "Invalid realms " + v + " for route"
	case "pref":
		r.Pref = config.RoutePref(strings.Clone(v))
		if r.Pref != config.PrefLow && r.Pref != config.PrefMedium && r.Pref != config.PrefHigh {
			f = badNumber("invalid number '%s'", v)
		}
		says = "Invalid pref value " + v + " specified for route"
	case "ttl-propagate":
		r.TTLPropag = config.Some(v == "enabled")
		if v != "enabled" && v != "disabled" {
			f = badValue("")
		}
		says = "ttl-propagate value " + v + " not recognised"
	case "vrf":
		r.VRF = strings.Clone(v)
	case "track_group":
		return p.follow(w)
	}
	if f != nil {
		c.d.problem(placeOf(w.Pos), config.Error, f.class, f.code, says)
	}
	return f == nil
}

// follow reads track_group, which virtual routes do not have.
func (p *routeParser) follow(w word) bool {
	if p.c.keyword != "static_routes" {
		p.c.wrong(w.Pos, "unknown route keyword track_group")
		return false
	}
	p.r.TrackGroup = p.c.trackGroup(w)
	return true
}

// some is the value of a reader as an Opt.
func some[V any](v V, f *fault) (config.Opt[V], *fault) {
	if f != nil {
		return config.Opt[V]{}, f
	}
	return config.Some(v), nil
}

// finish checks the route as a whole.
func (p *routeParser) finish() bool {
	c, r := p.c, p.r
	c.at = 0
	fail := func(says string) bool { c.errorf(config.ClassGeneral, "invalid-value", "%s", says); return false }
	if p.metrics != (config.RouteMetrics{}) {
		r.Metrics = &p.metrics
	}
	if p.second != nil {
		r.NextHops = append([]config.NextHop{{Origin: r.Origin, Via: r.Via, Dev: r.Dev}, *p.second}, r.NextHops...)
		r.Via = netip.Addr{}
	}
	switch {
	case p.typed != "":
		return p.given(p.typed, nil)
	case !p.hasDst:
		return fail("Route must have a destination")
	case !r.Is6() && r.Pref != "":
		return fail("pref is only valid for IPv6")
	case !r.Is6() && r.Expires.Set:
		return fail("expires is only valid for IPv6")
	}
	if r.Protocol.Set && r.Protocol.Value != config.ProtocolKeepalived && !r.NoTrack {
		fail("Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol")
		r.Protocol = config.Opt[uint8]{}
	}
	return true
}

// metric reads one of the RTAX_* attributes.
func (p *routeParser) metric(o *routeOption) bool {
	m, v := &p.metrics, o.Amount.Text
	u32 := num[uint32](0, 1<<32-1)
	says := "Invalid " + o.Metric + " value " + v + " specified for route"
	var field *config.Metric
	var unit uint32 // of a time, in a millisecond; 0: it is none
	read := u32
	switch o.Metric {
	case "congctl":
		m.CongCtl, m.CongCtlLock = strings.Clone(v), o.Lock
		return true
	case "features":
		if v != "ecn" {
			p.c.wrong(o.Amount.Pos, "feature %s not supported", v)
			return false
		}
		m.FeatureECN = config.Metric{Value: 1, Set: true}
		return true
	case "mtu":
		field, says = &m.MTU, "Invalid MTU "+v+" specified for route"
	case "hoplimit":
		field, says, read = &m.HopLimit, "Invalid hoplimit "+v+" specified for route", num[uint32](0, 255)
	case "rtt":
		field, says, unit = &m.RTT, "Invalid rtt "+v+" for route", config.RTTUnit
	case "rttvar":
		field, says, unit = &m.RTTVar, "Invalid rttvar "+v+" for route", config.RTTVarUnit
	case "rto_min":
		field, unit = &m.RTOMin, 1
	case "quickack":
		field, read = &m.QuickAck, num[uint32](0, 1)
	case "fastopen_no_cookie":
		field, read = &m.FastopenNoCookie, num[uint32](0, 1)
	default:
		field = map[string]*config.Metric{
			"advmss": &m.AdvMSS, "reordering": &m.Reordering, "window": &m.Window, "cwnd": &m.Cwnd,
			"ssthresh": &m.SSThresh, "initcwnd": &m.InitCwnd, "initrwnd": &m.InitRwnd,
		}[o.Metric]
	}
	if unit != 0 {
		read = routeTime(unit)
	}
	n, f := read(v)
	if !f.counts() {
		p.c.d.problem(placeOf(o.Amount.Pos), config.Error, f.class, f.code, says)
		return false
	}
	if f != nil {
		p.c.d.problem(placeOf(o.Amount.Pos), config.Error, f.class, f.code, f.text)
	}
	what := map[string]string{"rtt": "rtt", "rttvar": "rtt", "rto_min": "rto"}[o.Metric]
	switch {
	case unit == 0:
	case n < leastRTO*unit:
		p.c.wrong(o.Amount.Pos, "%s value %s below minimum %dms, resetting", what, v, leastRTO)
		n = leastRTO * unit
	case n > mostRTO*unit:
		p.c.wrong(o.Amount.Pos, "%s value %s exceeds maximum %ds, resetting", what, v, mostRTO/1000)
		n = mostRTO * unit
	}
	*field = config.Metric{Value: n, Set: true, Lock: o.Lock}
	return true
}

// leastRTO and mostRTO are TCP_RTO_MIN and TCP_RTO_MAX of the kernel, in
// milliseconds.
const leastRTO, mostRTO = 200, 120000

// routeTime is TIME[ms|s], in units of which a millisecond has so many, which a
// bare number is of. keepalived looks at the number alone to see whether it is
// too large.
func routeTime(unit uint32) value[uint32] {
	return func(word string) (uint32, *fault) {
		places, most, scale := 0, mostRTO*unit, unit
		digits, millis := strings.CutSuffix(word, "ms")
		if !millis {
			var whole bool
			if digits, whole = strings.CutSuffix(word, "s"); whole {
				places = 3
			} else {
				scale = 1
			}
		}
		n, tooLong, f := fixedPoint(digits, places, time.Millisecond*time.Duration(math.Pow10(places)))
		if tooLong || f.counts() && n > time.Duration(most)*time.Millisecond {
			return 0, badNumber("number '%s' outside range [0, %d]", digits, most/uint32(math.Pow10(places)))
		}
		return uint32(n/time.Millisecond) * scale, f
	}
}
