package parser

import (
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// ruleLine is a line of static_rules or virtual_rules, which is what `ip rule`
// takes.
type ruleLine struct {
	Options []ruleOption `parser:"@@*"`
}

type ruleOption struct {
	Pos    lexer.Position
	Key    string `parser:"( @('from' | 'to' | 'table' | 'lookup' | 'goto' | 'preference' | 'order' | 'priority' | 'tos' | 'dsfield' | 'fwmark' | 'realms' | 'suppress_prefixlength' | 'sup_pl' | 'suppress_ifgroup' | 'sup_group' | 'dev' | 'iif' | 'oif' | 'tunnel-id' | 'uidrange' | 'protocol' | 'ipproto' | 'sport' | 'dport' | 'track_group')"`
	Value  *word  `parser:"  @@?"`
	Action string `parser:"| @('nop' | 'blackhole' | 'unreachable' | 'prohibit' | 'l3mdev')"`
	Flag   string `parser:"| @('not' | 'no_track' | 'inet' | 'inet6' | 'type')"`
	Other  string `parser:"| @Word )"`
}

// rule reads a line of static_rules or virtual_rules. An error costs the rule.
func (c *cursor) rule() (r config.Rule, ok bool) {
	l, ok := parseLine(c, c.d.lines.rule)
	if !ok {
		return r, false
	}
	p := ruleParser{c: c, r: &r}
	r.Origin = c.origin()
	for i := range l.Options {
		if !p.option(&l.Options[i]) {
			return r, false
		}
	}
	return r, p.finish()
}

type ruleParser struct {
	c         *cursor
	r         *config.Rule
	family    int // 4, 6 or not known yet
	suppress  bool
	hasAction bool
}

func (p *ruleParser) option(o *ruleOption) bool {
	switch {
	case o.Other != "":
		p.c.wrong(o.Pos, "Unknown rule option %s", o.Other)
		return false
	case o.Action == "l3mdev":
		p.r.L3MDev = true
		return p.action(o.Pos, config.RuleLookup)
	case o.Action != "":
		return p.action(o.Pos, config.RuleAction(strings.Clone(o.Action)))
	case o.Flag == "not":
		p.r.Not = true
	case o.Flag == "no_track":
		p.r.NoTrack = true
	case o.Flag == "inet":
		p.family = 4
	case o.Flag == "inet6":
		p.family = 6
	case o.Key != "":
		return p.c.given(o.Key, o.Value) && p.value(o, o.Value.Text)
	}
	return true
}

// action sets what the rule does; there can be one.
func (p *ruleParser) action(at lexer.Position, a config.RuleAction) bool {
	if p.hasAction {
		p.c.wrong(at, "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule")
		return false
	}
	p.hasAction, p.r.Action = true, a
	return true
}

// value reads an option with a value.
func (p *ruleParser) value(o *ruleOption, v string) bool {
	c, r := p.c, p.r
	u32 := num[uint32](0, 1<<32-1)
	var f *fault
	says := "Invalid " + o.Key + " " + v
	switch o.Key {
	case "from", "to":
		return p.prefix(o)
	case "table", "lookup":
		r.Table, f = c.d.table(v)
		if f == nil {
			return p.action(o.Pos, config.RuleLookup)
		}
		says = "Routing table " + v + " not found for rule"
		if v == "0" {
			says = "Table 0 is not valid"
		}
	case "goto":
		r.Goto, f = u32(v)
		if f == nil {
			return p.action(o.Pos, config.RuleGoto)
		}
		says = "Invalid target goto specified"
	case "preference", "order", "priority":
		r.Preference, f = some(cNumber(v))
		says = "Invalid rule preference " + v + " specified"
	case "dev", "iif":
		r.IIF, f = linkName(v)
		says = "WARNING - interface  for rule doesn't exist"
	case "oif":
		r.OIF, f = linkName(v)
		says = "WARNING - interface  for rule doesn't exist"
	case "track_group":
		if c.keyword != "static_rules" {
			c.wrong(o.Pos, "Unknown rule option track_group")
			return false
		}
		r.TrackGroup = c.trackGroup(*o.Value)
	default:
		says, f = p.match(o.Key, v)
	}
	if f != nil {
		c.d.problem(placeOf(o.Value.Pos), config.Error, f.class, f.code, says)
	}
	return f == nil
}

// match reads what a packet is matched by; says is the sentence for a wrong
// value.
func (p *ruleParser) match(key, v string) (says string, f *fault) {
	c, r := p.c, p.r
	u32 := num[uint32](0, 1<<32-1)
	says = "Invalid " + key + " " + v
	switch key {
	case "tos", "dsfield":
		r.TOS, f = c.d.named8("rt_dsfield", v)
		says = "TOS value " + v + " is invalid"
	case "fwmark":
		mark, mask, masked := strings.Cut(v, "/")
		if r.FWMark, f = some(cNumber(mark)); f == nil && masked {
			r.FWMask, f = some(cNumber(mask))
		}
		says = "Invalid rule fwmark " + v + " specified"
	case "realms":
		r.Realms, f = c.d.realms(v)
		p.suppress, says = true, "invalid realms "+v+" for rule"
	case "suppress_prefixlength", "sup_pl":
		r.SuppressPrefixLength, f = some(num[int](0, maxInt)(v))
		p.suppress, says = true, "Invalid suppress_prefixlength "+v+" specified"
	case "suppress_ifgroup", "sup_group":
		r.SuppressInterfaceGroup, f = some(c.d.namedNumber("group", v, 1<<32-1))
		p.suppress, says = true, "suppress_group "+v+" is invalid"
	case "tunnel-id":
		r.TunnelID, f = some(u32(v))
		says = "Invalid tunnel-id " + v + " specified"
	case "uidrange":
		r.UIDRange, f = some(rangeOf(v, 1<<32-1))
		says = "Invalid uidrange " + v + " specified"
	case "protocol":
		r.Protocol, f = some(num[uint8](0, 255)(v))
	case "ipproto":
		r.IPProto, f = some(ipProtocol(v))
	case "sport":
		r.SPort, f = some(rangeOf(v, 65535))
		says = "invalid sport range " + v
	case "dport":
		r.DPort, f = some(rangeOf(v, 65535))
		says = "invalid dport range " + v
	}
	return says, f
}

func (p *ruleParser) prefix(o *ruleOption) bool {
	c, v := p.c, o.Value.Text
	if v == "all" || v == "any" || v == "default" {
		return true
	}
	to, ok := c.prefix(*o.Value)
	if !ok {
		return false
	}
	family := 4
	if to.Addr().Is6() {
		family = 6
	}
	if p.family != 0 && p.family != family {
		c.wrong(o.Value.Pos, "rule specification has mixed IPv4 and IPv6")
		return false
	}
	p.family = family
	if o.Key == "from" {
		p.r.From = to
	} else {
		p.r.To = to
	}
	return true
}

// finish checks the rule as a whole. Without a preference it gets one, which
// goes down from 16384 for each family.
func (p *ruleParser) finish() bool {
	c, r := p.c, p.r
	c.at = 0
	fail := func(format string, args ...any) bool {
		c.errorf(config.ClassGeneral, "invalid-value", format, args...)
		return false
	}
	r.IPv6 = p.family == 6
	switch {
	case !p.hasAction:
		return fail("No action specified for rule - ignoring")
	case p.suppress && r.Action != config.RuleLookup:
		return fail("suppressor/realm specified for non table action - skipping")
	case r.Action == config.RuleGoto && !r.Preference.Set:
		return fail("Invalid rule - goto target %d specified without preference", r.Goto)
	case r.Action == config.RuleGoto && r.Preference.Value >= r.Goto:
		return fail("Invalid rule - preference %d >= goto target %d", r.Preference.Value, r.Goto)
	}
	if r.Protocol.Set && r.Protocol.Value != config.ProtocolKeepalived && !r.NoTrack {
		fail("Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol")
		r.Protocol = config.Opt[uint8]{}
	}
	if !r.Preference.Set {
		r.Preference = config.Some(c.d.preference(r.IPv6))
		c.errorf(config.ClassGeneral, "rule-preference", "Rule has no preference specified - setting to %d. This is probably not what you want.", r.Preference.Value)
	}
	return true
}

// preference is the next one for a rule that has none.
func (d *decoder) preference(ipv6 bool) uint32 {
	at := 0
	if ipv6 {
		at = 1
	}
	d.preferences[at]++
	return 16384 + 1 - d.preferences[at]
}

// cNumber is a number as strtoul(3) reads it: decimal, 0x or 0.
func cNumber(v string) (uint32, *fault) {
	n, err := strconv.ParseUint(v, 0, 32)
	if err != nil || strings.Contains(v, "_") {
		return 0, badNumber("invalid number '%s'", v)
	}
	return uint32(n), nil
}

// rangeOf is INT-INT.
func rangeOf(v string, most int64) (r config.Range, f *fault) {
	from, to, ok := strings.Cut(v, "-")
	if !ok {
		return r, badValue("'%s' is not a range", v)
	}
	if r.From, f = num[uint32](0, most)(from); f == nil {
		r.To, f = num[uint32](0, most)(to)
	}
	if f != nil {
		f = badValue("%s", f.text)
	}
	return r, f
}

// ipProtocol is a number, or a name of /etc/protocols that does not change.
func ipProtocol(v string) (uint8, *fault) {
	if n, ok := map[string]uint8{
		"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
		"ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
	}[strings.ToLower(v)]; ok {
		return n, nil
	}
	n, f := num[uint8](0, 255)(v)
	if f != nil {
		f = badValue("%s", f.text)
	}
	return n, f
}
