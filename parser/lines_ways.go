package parser

import (
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// nextHopLine is one way of a route.
type nextHopLine struct {
	Pos     lexer.Position  `parser:"'nexthop'"`
	Options []nextHopOption `parser:"@@*"`
}

type nextHopOption struct {
	Pos    lexer.Position
	Via    bool       `parser:"( @'via' ('inet' | 'inet6')?"`
	Addr   *word      `parser:"  @@?"`
	Key    string     `parser:"| @('dev' | 'oif' | 'weight' | 'realms')"`
	Value  *word      `parser:"  @@?"`
	OnLink bool       `parser:"| @'onlink'"`
	Encap  *encapLine `parser:"| @@ )"`
}

// encapLine is the light-weight tunnel of a route.
type encapLine struct {
	Pos     lexer.Position
	Type    *word         `parser:"'encap' ( @@ )?"`
	Options []encapOption `parser:"@@*"`
	Labels  *word         `parser:"( (?! 'via' | 'dev' | 'oif' | 'onlink' | 'table' | 'src' | 'nexthop' | 'metric' | 'no_track' | 'mtu' | 'scope' | 'protocol' | 'weight') @@ )?"`
	More    []encapOption `parser:"@@*"`
}

type encapOption struct {
	Key   string `parser:"@('id' | 'dst' | 'src' | 'tos' | 'ttl' | 'hoplimit' | 'flags')"`
	Value *word  `parser:"@@?"`
}

func (p *routeParser) nextHop(l *nextHopLine) bool {
	c := p.c
	n := config.NextHop{Origin: c.d.src.origin(placeOf(l.Pos))}
	for i := range l.Options {
		o := &l.Options[i]
		switch {
		case o.Via:
			if !c.given("via", o.Addr) {
				return false
			}
			a, ok := c.prefix(*o.Addr)
			switch {
			case !ok:
			case !p.sameFamily(a.Addr()):
				c.wrong(o.Addr.Pos, "Address family mismatch for next hop")
			default:
				n.Via = a.Addr()
			}
		case o.OnLink:
			n.OnLink = true
		case o.Encap != nil:
			var ok bool
			if n.Encap, ok = c.encap(o.Encap); !ok {
				return false
			}
		case !c.given(o.Key, o.Value):
			return false
		default:
			c.nextHopValue(&n, o.Key, *o.Value)
		}
	}
	p.r.NextHops = append(p.r.NextHops, n)
	return true
}

func (c *cursor) nextHopValue(n *config.NextHop, key string, w word) {
	switch key {
	case "dev", "oif":
		dev, f := linkName(w.Text)
		if f != nil {
			c.wrong(w.Pos, "WARNING - interface  for VROUTE nexthop doesn't exist")
		}
		n.Dev = dev
	case "weight":
		weight, f := num[int](1, 256)(w.Text)
		if f != nil {
			c.d.problem(placeOf(w.Pos), config.Error, f.class, f.code, "Invalid weight "+w.Text+" specified for route")
			return
		}
		n.Weight = weight
	case "realms":
		realms, f := c.d.realms(w.Text)
		if f != nil {
			c.wrong(w.Pos, "Invalid realms %s for route", w.Text)
			return
		}
		n.Realms = realms
	}
}

// encap reads the tunnel of a route or a next hop.
func (c *cursor) encap(l *encapLine) (*config.Encap, bool) {
	if !c.given("encap", l.Type) {
		return nil, false
	}
	e := &config.Encap{Type: strings.Clone(l.Type.Text)}
	for _, o := range append(l.Options, l.More...) {
		if !c.given(o.Key, o.Value) || !c.encapOption(e, o.Key, *o.Value) {
			return nil, false
		}
	}
	fail := func(at lexer.Position, format string, args ...any) (*config.Encap, bool) {
		c.wrong(at, format, args...)
		return nil, false
	}
	switch {
	case e.Type == "ip" || e.Type == "ip6":
		if !e.Dst.IsValid() && !e.ID.Set {
			return fail(l.Pos, "address or id missing for ip encapsulation")
		}
		if l.Labels != nil {
			return fail(l.Labels.Pos, "unknown route keyword %s", l.Labels.Text)
		}
	case e.Type != "mpls" && e.Type != "ila":
		return fail(l.Type.Pos, "Unknown encap type - %s", e.Type)
	case !c.given(e.Type, l.Labels):
		return nil, false
	case e.Type == "ila":
		var ok bool
		if e.Locator, ok = locator(l.Labels.Text); !ok {
			return fail(l.Labels.Pos, "invalid locator %s for ila encapsulation", l.Labels.Text)
		}
	default:
		for label := range strings.SplitSeq(l.Labels.Text, "/") {
			n, f := num[uint32](0, 1<<20-1)(label) // Label, RFC 3032 section 2.1
			if f != nil {
				return fail(l.Labels.Pos, "invalid mpls address %s for encapsulation", l.Labels.Text)
			}
			e.Labels = append(e.Labels, n)
		}
	}
	return e, true
}

func (c *cursor) encapOption(e *config.Encap, key string, w word) bool {
	var f *fault
	switch key {
	case "id":
		var n int64
		n, err := strconv.ParseInt(w.Text, 10, 64)
		if err != nil || n < 0 {
			f = badNumber("")
		}
		e.ID = config.Some(uint64(n))
	case "dst":
		e.Dst, f = address(w.Text)
	case "src":
		e.Src, f = address(w.Text)
	case "tos":
		var n uint8
		n, f = c.d.named8("rt_dsfield", w.Text)
		e.TOS = config.Some(n)
	case "ttl", "hoplimit":
		e.TTL, f = some(num[uint8](0, 255)(w.Text))
	case "flags":
		e.Flags, f = some(num[uint16](0, 65535)(w.Text))
	}
	if f != nil {
		c.d.problem(placeOf(w.Pos), config.Error, f.class, f.code, "encap "+key+" "+w.Text+" value is invalid")
	}
	return f == nil
}

// locator is the upper half of an IPv6 address: 1:2:3:4.
func locator(text string) (n uint64, ok bool) {
	parts := strings.Split(text, ":")
	for _, part := range parts {
		v, err := strconv.ParseUint(part, 16, 16)
		if err != nil || len(parts) != 4 {
			return 0, false
		}
		n = n<<16 | v
	}
	return n, true
}
