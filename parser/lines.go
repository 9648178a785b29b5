package parser

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// The grammars of lines that are small languages of their own. Each is total
// on lines of one word or more: what it does not know is an Other.

// word is a word and where it stands.
type word struct {
	Pos  lexer.Position
	Text string `parser:"@Word"`
}

// addressLine is a line of virtual_ipaddress.
type addressLine struct {
	Address word            `parser:"@@"`
	Options []addressOption `parser:"@@*"`
}

type addressOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @('dev' | 'scope' | 'broadcast' | 'brd' | 'label' | 'peer' | 'preferred_lft')"`
	Value *word  `parser:"  @@?"`
	Flag  string `parser:"| @('home' | '-nodad' | 'mngtmpaddr' | 'noprefixroute' | 'autojoin' | 'no_track' | 'use_vmac')"`
	Other string `parser:"| @Word )"`
}

// trackLine is a line of track_interface or track_script.
type trackLine struct {
	Name    word          `parser:"@@"`
	Options []trackOption `parser:"@@*"`
}

type trackOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @'weight'"`
	Value *word  `parser:"  @@?"`
	Flag  string `parser:"| @('reverse' | 'noreverse')"`
	Other string `parser:"| @Word )"`
}

// peerLine is a line of unicast_peer.
type peerLine struct {
	Address word         `parser:"@@"`
	Options []peerOption `parser:"@@*"`
}

type peerOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @('min_ttl' | 'max_ttl')"`
	Value *word  `parser:"  @@?"`
	Other string `parser:"| @Word )"`
}

// lineGrammars are the parsers of these lines.
type lineGrammars struct {
	address *participle.Parser[addressLine]
	track   *participle.Parser[trackLine]
	peer    *participle.Parser[peerLine]
}

func newLineGrammars() lineGrammars {
	words := participle.Lexer(definition{})
	return lineGrammars{
		address: participle.MustBuild[addressLine](words),
		track:   participle.MustBuild[trackLine](words),
		peer:    participle.MustBuild[peerLine](words),
	}
}

// Next makes the words of a line the tokens of its grammar.
func (c *cursor) Next() (lexer.Token, error) {
	text, ok := c.next()
	if !ok {
		return lexer.EOFToken(c.pos()), nil
	}
	return lexer.Token{Type: tokenWord, Value: text, Pos: c.pos()}, nil
}

func parseLine[G any](c *cursor, p *participle.Parser[G]) (*G, bool) {
	words, _ := lexer.Upgrade(c)
	g, err := p.ParseFromLexer(words)
	if err != nil {
		c.errorf(config.ClassGeneral, "syntax", "%s: %v", c.keyword, err)
		return nil, false
	}
	return g, true
}

// address reads a line of virtual_ipaddress. An error in an option costs the
// option, but a wrong device or label the address: it would go elsewhere.
func (c *cursor) address() (a config.Address, ok bool) {
	l, ok := parseLine(c, c.d.lines.address)
	if !ok {
		return a, false
	}
	a.Origin = c.d.src.origin(l.Address.Pos)
	if a.Prefix, ok = c.prefix(l.Address); !ok {
		return a, false
	}
	for i := range l.Options {
		o := &l.Options[i]
		switch {
		case o.Other != "":
			c.wrong(o.Pos, "Unknown configuration entry '%s' for ip address - ignoring", o.Other)
		case o.Flag != "" || o.Key == "peer" || o.Key == "preferred_lft":
			c.d.report(notActedOn(c.d.src.origin(o.Pos), o.Key+o.Flag))
		case o.Value == nil:
			c.wrong(o.Pos, "No %s parameter specified for %s", o.Key, l.Address.Text)
		case !c.addressOption(&a, o):
			return a, false
		}
	}
	return a, true
}

// addressOption sets one option; false when the address is not usable.
func (c *cursor) addressOption(a *config.Address, o *addressOption) bool {
	v, address := o.Value.Text, a.Prefix.Addr()
	switch o.Key {
	case "dev":
		a.Dev = strings.Clone(v)
	case "label":
		if len(v) > 15 {
			c.wrong(o.Value.Pos, "Address label %s is longer than maximum length 15 - removing address", v)
			return false
		}
		if address.Is6() {
			c.wrong(o.Pos, "Cannot specify label for IPv6 addresses (%s) - ignoring label", address)
			return true
		}
		a.Label = strings.Clone(v)
	case "scope":
		scope, f := scopes(v)
		if f != nil {
			c.wrong(o.Value.Pos, "Invalid scope '%s' specified for %s - ignoring", v, a.Prefix)
			return true
		}
		if address.Is6() {
			c.wrong(o.Pos, "Cannot specify scope for IPv6 addresses (%s) - ignoring scope", address)
			return true
		}
		a.Scope = scope
	default:
		return c.broadcast(a, o)
	}
	return true
}

// broadcast sets the broadcast address, which may be computed: + sets all host
// bits, - clears them.
func (c *cursor) broadcast(a *config.Address, o *addressOption) bool {
	v := o.Value.Text
	if !a.Prefix.Addr().Is4() {
		c.wrong(o.Pos, "VRRP is trying to assign a broadcast address to the IPv6 address %s - skipping IP", a.Prefix.Addr())
		return false
	}
	if v != "+" && v != "-" {
		b, err := netip.ParseAddr(v)
		if err != nil || !b.Is4() {
			c.wrong(o.Value.Pos, "Invalid broadcast address %s for %s - skipping IP", v, a.Prefix.Addr())
			return false
		}
		a.Broadcast = b
		return true
	}
	if a.Prefix.Bits() > 30 {
		c.wrong(o.Value.Pos, "Cannot set broadcast '%s' for %s: the prefix is too long - ignoring", v, a.Prefix)
		return true
	}
	host := a.Prefix.Masked().Addr().As4()
	for bit := a.Prefix.Bits(); v == "+" && bit < 32; bit++ {
		host[bit/8] |= 1 << (7 - bit%8)
	}
	a.Broadcast = netip.AddrFrom4(host)
	return true
}

// scopes are the names of /etc/iproute2/rt_scopes, and numbers.
func scopes(v string) (config.Scope, *fault) {
	s, f := oneOf(map[string]config.Scope{
		"global": config.ScopeGlobal, "site": config.ScopeSite, "link": config.ScopeLink, "host": config.ScopeHost, "nowhere": config.ScopeNowhere,
	})(v)
	if f == nil {
		return s, nil
	}
	n, f := num[uint8](0, 255)(v)
	return config.Scope(n), f
}

// prefix reads ADDR[/PREFIX]; a missing or impossible prefix length is that of
// a host.
func (c *cursor) prefix(w word) (netip.Prefix, bool) {
	host, length, hasLength := strings.Cut(w.Text, "/")
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		c.wrong(w.Pos, "VRRP parsed invalid IP %s. skipping IP...", w.Text)
		return netip.Prefix{}, false
	}
	if !hasLength {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	n, f := num[int](0, int64(a.BitLen()))(length)
	if f != nil {
		c.wrong(w.Pos, "Invalid address prefix len %s for address %s - using %d", length, w.Text, a.BitLen())
		n = a.BitLen()
	}
	return netip.PrefixFrom(a, n), true
}

// track reads a line of track_interface or track_script. keepalived's sentence
// for an unknown option differs from list to list.
func (c *cursor) track(bound int64, unknown string) (t config.Track, ok bool) {
	l, ok := parseLine(c, c.d.lines.track)
	if !ok {
		return t, false
	}
	t.Origin, t.Name = c.d.src.origin(l.Name.Pos), strings.Clone(l.Name.Text)
	for i := range l.Options {
		switch o := &l.Options[i]; {
		case o.Other != "" || o.Flag != "" && !t.Weight.Set:
			c.wrong(o.Pos, unknown, c.d.name, l.Name.Text, o.Other+o.Flag)
		case o.Flag != "":
			t.Reverse = o.Flag == "reverse"
		case o.Value == nil:
			c.wrong(o.Pos, "(%s) %s %s: weight without value specified, ignoring", c.d.name, c.keyword, l.Name.Text)
		default:
			n, f := num[int](-bound-1, bound+1)(o.Value.Text)
			if f != nil {
				c.wrong(o.Value.Pos, "(%s) %s %s: weight must be between [-%d..%d] inclusive, ignoring...", c.d.name, c.listName(), l.Name.Text, bound, bound)
				continue
			}
			t.Weight = config.Some(int(max(-bound, min(bound, int64(n)))))
			if t.Weight.Value != n {
				c.wrong(o.Value.Pos, "(%s) weight for %s cannot be +/-%d. Setting to +/-%d", c.d.name, l.Name.Text, bound+1, bound)
			}
		}
	}
	return t, true
}

// listName is the keyword of a list as keepalived's sentences spell it.
func (c *cursor) listName() string { return strings.ReplaceAll(c.keyword, "_", " ") }

// peer reads a line of unicast_peer.
func (c *cursor) peer() (p config.Peer, ok bool) {
	l, ok := parseLine(c, c.d.lines.peer)
	if !ok {
		return p, false
	}
	p.Origin = c.d.src.origin(l.Address.Pos)
	a, f := address(l.Address.Text)
	if f != nil {
		c.wrong(l.Address.Pos, "Configuration error: VRRP instance[%s] malformed unicast peer address[%s]. Skipping...", c.d.name, l.Address.Text)
		return p, false
	}
	p.Addr = a
	for i := range l.Options {
		switch o := &l.Options[i]; {
		case o.Other != "":
			c.wrong(o.Pos, "(%s) unknown unicast_peer option %s", c.d.name, o.Other)
		case o.Value == nil:
			c.wrong(o.Pos, "(%s) %s is missing a value", c.d.name, o.Key)
		default:
			if _, f := num[int](0, 255)(o.Value.Text); f != nil {
				c.wrong(o.Value.Pos, "%s", f.text)
				continue
			}
			c.d.report(notActedOn(c.d.src.origin(o.Pos), o.Key))
		}
	}
	return p, true
}

// wrong reports an error at a word of the line.
func (c *cursor) wrong(at lexer.Position, format string, args ...any) {
	c.d.problem(at, config.Error, config.ClassGeneral, "invalid-value", fmt.Sprintf(format, args...))
}
