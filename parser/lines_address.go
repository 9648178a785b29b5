package parser

import (
	"net/netip"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
	"github.com/lvsd/lvsd/config"
)

// addressLine is a line of virtual_ipaddress or static_ipaddress.
type addressLine struct {
	Address word
	Options []addressOption
}

// addressOption is one of KEY VALUE, a flag and what is neither.
type addressOption struct {
	Pos              lexer.Position
	Key, Flag, Other string
	Value            *word // nil: missing
}

// addressLine reads ADDRESS OPTION... It is the line that there are most of,
// and so simple that a grammar would be ten times slower for nothing. The
// options are valid until the next line.
func (c *cursor) addressLine() (l addressLine) {
	text, _ := c.next()
	l.Address, l.Options = c.wordHere(text), c.d.options[:0]
	for text, ok := c.next(); ok; text, ok = c.next() {
		o := addressOption{Pos: c.wordHere(text).Pos}
		switch text {
		case "dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft", "track_group":
			o.Key = text
			if value, ok := c.next(); ok {
				v := c.wordHere(value)
				o.Value = &v
			}
		case "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac":
			o.Flag = text
		default:
			o.Other = text
		}
		l.Options = append(l.Options, o)
	}
	c.d.options = l.Options
	return l
}

// addressOptions are the names of both.
const addressOptions = "dev scope broadcast brd label peer preferred_lft track_group home -nodad mngtmpaddr noprefixroute autojoin no_track use_vmac"

// address reads a line of virtual_ipaddress or static_ipaddress. An error in an option costs the
// option, but a wrong device or label the address: it would go elsewhere.
func (c *cursor) address() (a config.Address, ok bool) {
	l := c.addressLine()
	a.Origin = c.d.src.origin(placeOf(l.Address.Pos))
	if a.Prefix, ok = c.prefix(l.Address); !ok {
		return a, false
	}
	for i := range l.Options {
		o := &l.Options[i]
		switch {
		case o.Other != "" || !c.belongs(o):
			c.wrongHint(o.Pos, config.DidYouMean(o.Other, strings.Fields(addressOptions)), "Unknown configuration entry '%s' for ip address - ignoring", o.Other+o.Flag+o.Key)
		case o.Flag != "":
			addressFlag(&a, o.Flag)
		case o.Value == nil:
			c.wrong(o.Pos, "No %s parameter specified for %s", o.Key, l.Address.Text)
		case !c.addressOption(&a, o):
			return a, false
		}
	}
	if a.Peer.IsValid() && !a.Prefix.IsSingleIP() {
		c.wrong(l.Address.Pos, "Cannot specify address prefix when specifying peer address - ignoring")
		a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
	}
	if a.Peer.IsValid() && a.Broadcast.IsValid() {
		c.wrong(l.Address.Pos, "Cannot specify broadcast and peer addresses - ignoring broadcast address")
		a.Broadcast = netip.Addr{}
	}
	return a, true
}

// belongs reports whether an option exists in this list.
func (c *cursor) belongs(o *addressOption) bool {
	static := c.keyword == "static_ipaddress"
	return !(o.Flag == "use_vmac" && static) && !(o.Key == "track_group" && !static)
}

func addressFlag(a *config.Address, flag string) {
	switch flag {
	case "no_track":
		a.NoTrack = true
	case "use_vmac":
		a.UseVMAC = true
	default:
		a.Flags |= map[string]config.AddressFlags{
			"home": config.AddressHome, "-nodad": config.AddressDAD, "mngtmpaddr": config.AddressManageTemp,
			"noprefixroute": config.AddressNoPrefixRoute, "autojoin": config.AddressAutoJoin,
		}[flag]
	}
}

// addressOption sets one option; false when the address is not usable.
func (c *cursor) addressOption(a *config.Address, o *addressOption) bool {
	v, address := o.Value.Text, a.Prefix.Addr()
	switch o.Key {
	case "dev":
		if a.Dev != "" {
			c.wrong(o.Pos, "Cannot specify ipaddress device more than once for %s", a.Prefix)
			return false
		}
		if v == "" {
			c.wrong(o.Value.Pos, "WARNING - interface %s for ip address %s doesn't exist", v, a.Prefix)
			return true
		}
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
	case "peer":
		c.peerAddress(a, o)
	case "preferred_lft":
		n, f := num[uint32](0, config.Forever)(v)
		switch {
		case v == "forever":
			n = config.Forever
		case f != nil:
			c.wrong(o.Value.Pos, "preferred_lft %s is invalid", v)
			return true
		}
		a.PreferredLft = config.Some(n)
	case "track_group":
		a.TrackGroup = c.trackGroup(*o.Value)
	default:
		return c.broadcast(a, o)
	}
	return true
}

// peerAddress sets the other end of the link, with the prefix length.
func (c *cursor) peerAddress(a *config.Address, o *addressOption) {
	p, ok := c.prefix(*o.Value)
	switch {
	case !ok:
	case p.Addr().Is6() != a.Prefix.Addr().Is6():
		c.wrong(o.Value.Pos, "Peer address %s does not match address family", o.Value.Text)
	default:
		a.Peer = p
	}
}

// trackGroup is the name of a track_group, which must stand before its use.
func (c *cursor) trackGroup(w word) string {
	for i := range c.d.cfg.Static.TrackGroups {
		if c.d.cfg.Static.TrackGroups[i].Name == w.Text {
			return strings.Clone(w.Text)
		}
	}
	c.wrong(w.Pos, "track_group %s not found", w.Text)
	return ""
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
			c.wrong(o.Value.Pos, "VRRP is trying to assign invalid broadcast %s. skipping VIP...", v)
			return false
		}
		a.Broadcast = b
		return true
	}
	if a.Prefix.Bits() > 30 {
		c.wrong(o.Value.Pos, "Address prefix length %d too long for broadcast", a.Prefix.Bits())
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
