package parser

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// tunnelLine is what follows TUN in lb_kind and lvs_method.
type tunnelLine struct {
	Options []tunnelOption `parser:"@@*"`
}

type tunnelOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @('type' | 'port')"`
	Value *word  `parser:"  @@?"`
	Flag  string `parser:"| @('nocsum' | 'csum' | 'remcsum')"`
	Other string `parser:"| @Word )"`
}

var (
	methods     = map[string]config.Method{"NAT": config.NAT, "DR": config.DR, "TUN": config.TUN}
	tunnelTypes = map[string]config.TunnelType{"ipip": config.IPIP, "gue": config.GUE, "gre": config.GRE}
	checksums   = map[string]config.TunnelChecksum{"nocsum": config.NoChecksum, "csum": config.Checksum, "remcsum": config.RemoteChecksum}
)

// method is lb_kind or lvs_method of a virtual, real or sorry server:
// NAT | DR | TUN [type T] [port N] [checksum]. A line with a mistake says
// nothing; one whose options do not fit the type of tunnel is plain TUN.
func method[T any](of string, field func(*T) (*config.Opt[config.Method], *config.Tunnel)) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, ok := c.need()
		if !ok {
			return
		}
		m, known := methods[word]
		if !known {
			c.hinted(config.ClassGeneral, "unknown-method", methodHint(word), "PARSER : unknown [%s] routing method for %s server.", word, of)
			c.complete = true
			return
		}
		var tunnel config.Tunnel
		if trimLeft(c.rest) != "" {
			if tunnel, ok = c.tunnel(of, m); !ok {
				return
			}
		}
		method, at := field(t)
		*method, *at = config.Some(m), tunnel
	}}
}

// methodHint says what an unknown method was meant to be. Methods are spelled
// in capital letters; without one keepalived takes NAT.
func methodHint(word string) string {
	if hint := dialectOfMethod(word); hint != "" {
		return hint
	}
	near := config.Nearest(word, slices.Collect(maps.Keys(methods)))
	switch strings.ToLower(word) {
	case "gatewaying", "gateway", "direct", "droute", "drouting":
		near = "DR"
	case "masquerading", "masq", "masquerade":
		near = "NAT"
	case "ipip", "tunnel", "tunneling":
		near = "TUN"
	}
	if near == "" {
		return "known are DR, NAT, TUN"
	}
	return fmt.Sprintf("did you mean '%s'? As it is the line is ignored, and without a method it is NAT", near)
}

// tunnel reads the options of TUN.
func (c *cursor) tunnel(of string, m config.Method) (t config.Tunnel, ok bool) {
	l, ok := parseLine(c, c.d.lines.tunnel)
	if !ok {
		return t, false
	}
	for i := range l.Options {
		switch o := &l.Options[i]; {
		case o.Other != "" || m != config.TUN:
			c.wrong(o.Pos, "Invalid tunnel option %s for %s server.", o.Other+o.Key+o.Flag, of)
			return t, false
		case o.Flag != "":
			t.Checksum = checksums[o.Flag]
		case o.Value == nil && o.Key == "type":
			c.wrong(o.Pos, "Missing tunnel type for %s server.", of)
			return t, false
		case o.Value == nil:
			c.wrong(o.Pos, "Missing port for %s server gue tunnel.", of)
			return t, false
		case o.Key == "type":
			if t.Type, ok = tunnelTypes[o.Value.Text]; !ok {
				c.wrongHint(o.Value.Pos, oneOfThese(o.Value.Text, slices.Collect(maps.Keys(tunnelTypes))), "Unknown tunnel type %s for %s server.", o.Value.Text, of)
				return t, false
			}
		default:
			port, f := num[uint16](1, 65535)(o.Value.Text)
			if f != nil {
				c.wrong(o.Value.Pos, "Invalid gue tunnel port %s for %s server.", o.Value.Text, of)
				return t, false
			}
			t.Port = port
		}
	}
	if !c.tunnelFits(t) {
		t = config.Tunnel{}
	}
	return t, true
}

// tunnelFits looks for options that the type of tunnel does not have.
func (c *cursor) tunnelFits(t config.Tunnel) bool {
	c.at = 0
	switch {
	case (t.Type == config.GUE) != (t.Port != 0):
		c.errorf(config.ClassGeneral, "tunnel", "gue tunnels require port, otherwise cannot have port.")
	case t.Type == config.IPIP && t.Checksum != config.NoChecksum:
		c.errorf(config.ClassGeneral, "tunnel", "ipip tunnels do not support checksum option.")
	case t.Type == config.GRE && t.Checksum == config.RemoteChecksum:
		c.errorf(config.ClassGeneral, "tunnel", "gre tunnels do not support remote checksum option.")
	default:
		return true
	}
	return false
}

// groupEntry reads a line of virtual_server_group: ADDR[-END | /MASK] [PORT]
// or fwmark N [FAMILY].
func groupEntry(c *cursor, g *config.VirtualServerGroup) {
	word, ok := c.next()
	if !ok {
		return
	}
	e := config.GroupEntry{Origin: c.origin()}
	if word == "fwmark" {
		ok = c.groupMark(&e)
	} else {
		ok = c.groupAddresses(&e, word)
	}
	if ok {
		g.Entries = append(g.Entries, e)
	} else {
		c.complete = true
	}
}

func (c *cursor) groupMark(e *config.GroupEntry) bool {
	c.keyword = "fwmark"
	word, ok := c.need()
	if !ok {
		return false
	}
	n, f := num[uint32](0, maxUint)(word)
	if f != nil {
		c.errorf(f.class, f.code, "(%s): fwmark '%s' must be in [0, 4294967295] - ignoring", c.d.name, word)
		return false
	}
	e.FWMark = n
	if name, ok := c.next(); ok {
		if e.Family, ok = families[name]; !ok {
			c.hinted(config.ClassGeneral, "invalid-value", oneOfThese(name, slices.Collect(maps.Keys(families))), "(%s): fwmark '%d' family %s unknown - ignoring", c.d.name, n, name)
			return false
		}
	}
	return true
}

func (c *cursor) groupAddresses(e *config.GroupEntry, text string) bool {
	at := c.at
	port, hasPort := c.next()
	host := text[:len(text)-len(strings.TrimLeft(text, "0123456789abcdefABCDEF.:"))]
	first, err := netip.ParseAddr(host)
	f := badValue("")
	if err == nil && (len(host) == len(text) || text[len(host)] == '-' || text[len(host)] == '/') {
		f = nil
	}
	if f == nil && hasPort && port != "0" {
		if e.Port, f = num[uint16](1, 65535)(port); f != nil {
			at = c.at
		}
	}
	c.at = at
	if f != nil {
		if hasPort {
			port = "/port/" + port
		}
		c.errorf(config.ClassGeneral, "invalid-address", "Invalid virtual server group IP address %s %s - skipping", host+text[len(host):], port)
		return false
	}
	e.First, e.Last = first, first
	rest := text[len(host):]
	switch {
	case strings.HasPrefix(rest, "-"):
		return c.groupRange(e, text, rest[1:])
	case rest != "":
		return c.groupPrefix(e, text, rest[1:])
	}
	return true
}

// groupRange reads the END of ADDR-END: an address, or its last octet or 16
// bits.
func (c *cursor) groupRange(e *config.GroupEntry, text, end string) bool {
	separator, digits, base, most := ".", "0123456789", 10, uint64(255)
	if e.First.Is6() {
		separator, digits, base, most = ":", "0123456789abcdefABCDEF", 16, 65535
	}
	if strings.Contains(end, separator) {
		last, err := netip.ParseAddr(end)
		if err != nil || last.Is6() != e.First.Is6() || last.Less(e.First) {
			c.errorf(config.ClassGeneral, "invalid-address", "Address range end is less than address range start - %s - skipping", text)
			return false
		}
		e.Last = last
		return true
	}
	extra := strings.TrimLeft(end, digits)
	n, err := strconv.ParseUint(end, base, 64)
	switch {
	case extra != "" || end == "":
		c.errorf(config.ClassGeneral, "invalid-address", "Virtual server group range '%s' has extra characters at end '%s'", text, extra)
		return false
	case err != nil || n > most:
		c.errorf(config.ClassGeneral, "invalid-address", "Virtual server group range '%s' end '%s' too large", text, end)
		return false
	}
	e.Last = config.LastInRange(e.First, uint16(n))
	if !e.First.Less(e.Last) {
		c.errorf(config.ClassGeneral, "invalid-address", "Address range end is not greater than address range start - %s - skipping", text)
		return false
	}
	return true
}

// groupPrefix reads the MASK of ADDR/MASK: all addresses of the network.
func (c *cursor) groupPrefix(e *config.GroupEntry, text, mask string) bool {
	n, f := count(1, int64(e.First.BitLen()))(mask)
	if f != nil {
		c.errorf(config.ClassGeneral, "invalid-address", "Invalid netmask - %s - skipping", text)
		return false
	}
	prefix := netip.PrefixFrom(e.First, n)
	if prefix.Masked().Addr() != e.First {
		c.errorf(config.ClassGeneral, "invalid-address", "Address mask bits not empty - %s - skipping", text)
		return false
	}
	last := slices.Clone(e.First.AsSlice())
	for bit := n; bit < e.First.BitLen(); bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	e.Last, _ = netip.AddrFromSlice(last)
	return true
}
