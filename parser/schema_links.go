package parser

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func garpGroupBlock() *block[config.GarpGroup] {
	type group = config.GarpGroup
	return &block[group]{path: "garp_group", rows: rows[group]{
		"garp_interval": garpDelay(func(g *group) *config.Opt[time.Duration] { return &g.GarpInterval }),
		"gna_interval":  garpDelay(func(g *group) *config.Opt[time.Duration] { return &g.GnaInterval }),
		"interface":     {apply: garpInterface},
		"interfaces":    {block: true, values: true, apply: garpInterfaces},
	}}
}

// garpDelay is a delay; a wrong one is none, and the group has said something.
func garpDelay(field func(*config.GarpGroup) *config.Opt[time.Duration]) row[config.GarpGroup] {
	read := opt(seconds(time.Microsecond, longest), field)
	return row[config.GarpGroup]{apply: func(c *cursor, g *config.GarpGroup) {
		field(g).Set = true
		read.apply(c, g)
	}}
}

func garpInterface(c *cursor, g *config.GarpGroup) {
	if name, ok := c.need(); ok && c.joins(name, c.pos()) {
		g.Interfaces = append(g.Interfaces, config.Link{Origin: c.d.src.origin(c.pos()), Name: strings.Clone(name)})
	}
}

// joins reports whether an interface is in no garp_group yet.
func (c *cursor) joins(name string, at place) bool {
	key := "garp_group interface " + name
	if c.d.names[key] {
		c.d.problem(at, config.Error, config.ClassGeneral, "duplicate", fmt.Sprintf("garp_group already specified for %s - ignoring", name))
		return false
	}
	c.d.names[strings.Clone(key)] = true
	return true
}

func garpInterfaces(c *cursor, g *config.GarpGroup) {
	empty, end := true, c.st.Body.Close.Pos
	list(func(c *cursor, g *config.GarpGroup) {
		for name, ok := c.next(); ok; name, ok = c.next() {
			if empty = false; c.joins(name, end) {
				g.Interfaces = append(g.Interfaces, config.Link{Origin: c.d.src.origin(c.pos()), Name: strings.Clone(name)})
			}
		}
	}).apply(c, g)
	if empty {
		c.emptyBlock("Warning - empty garp_group interfaces block")
	}
}

// garpGroup reads garp_group, which has no name.
func garpGroup(c *cursor, cfg *config.Config) {
	g := config.GarpGroup{Origin: c.origin()}
	c.d.begin("garp_group", "garp_group")
	decode(c.d, garpGroupBlock(), c.st.Body, &g)
	if !g.GarpInterval.Set && !g.GnaInterval.Set {
		c.d.problem(c.st.Body.Close.Pos, config.Warning, config.ClassGeneral, "no-interval", fmt.Sprintf("garp group %d does not have any delay set - removing", len(cfg.Links.GarpGroups)+1))
		return
	}
	cfg.Links.GarpGroups = append(cfg.Links.GarpGroups, g)
}

// upDownDelay reads IFNAME DOWN [UP].
func upDownDelay(c *cursor, cfg *config.Config) {
	name, ok := c.next()
	if !ok {
		return
	}
	d := config.UpDownDelay{Link: config.Link{Origin: c.origin(), Name: strings.Clone(name)}}
	for _, field := range []*time.Duration{&d.Down, &d.Up} {
		word, ok := c.next()
		if !ok {
			break
		}
		v, f := seconds(0, 255*time.Second)(word)
		if f != nil {
			c.errorf(f.class, f.code, "%s", f.text)
		}
		if !f.counts() {
			return
		}
		*field = v
		if field == &d.Down {
			d.Up = v
		}
	}
	cfg.Links.Delays = append(cfg.Links.Delays, d)
}

// linkbeat reads IFNAME [MII|ETHTOOL|IOCTL].
func linkbeat(c *cursor, cfg *config.Config) {
	name, ok := c.next()
	if !ok {
		return
	}
	l := config.Linkbeat{Link: config.Link{Origin: c.origin(), Name: strings.Clone(name)}}
	word, ok := c.next()
	switch probe := config.LinkbeatProbe(strings.Clone(word)); {
	case !ok:
	case probe != config.ProbeMII && probe != config.ProbeEthtool && probe != config.ProbeIoctl || trim(c.rest) != "":
		c.errorf(config.ClassGeneral, "extra-words", "extra characters %s in linkbeat interface", word)
		c.complete = true
	default:
		l.Probe = probe
	}
	cfg.Links.Linkbeat = append(cfg.Links.Linkbeat, l)
}

// useVMAC reads [[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP].
func useVMAC(c *cursor, i *config.Instance) {
	if i.VMAC == nil {
		i.VMAC = &config.VMAC{Origin: c.origin()}
	}
	v := i.VMAC
	for word, ok := c.next(); ok; word, ok = c.next() {
		switch {
		case word == "netlink_notify_msg":
			v.NetlinkNotifyMsg = true
		case word == "group":
			v.Group = c.linkGroup()
		case strings.Contains(word, ":"):
			c.mac(v, word)
		case v.Name != "":
			c.errorf(config.ClassGeneral, "duplicate", "VMAC interface name already specified")
			c.complete = true
			return
		default:
			if word == "name" {
				if word, ok = c.next(); !ok {
					return
				}
			}
			if _, f := ifname(word); f != nil || strings.ContainsAny(word, "/ ") {
				c.errorf(config.ClassGeneral, "invalid-value", "VMAC interface name '%s' too long or invalid characters - ignoring", word)
				continue
			}
			v.Name = strings.Clone(word)
			c.vmacName(v)
		}
	}
}

// instanceEnd settles what keepalived settles at the closing brace of an
// instance.
func (c *cursor) instanceEnd(cfg *config.Config) {
	i := &cfg.Instances[len(cfg.Instances)-1]
	switch {
	case i.VMAC == nil && i.IPVLAN == nil:
	case i.Interface == "" && i.Unicast():
		c.atEnd("invalid-value", "(%s): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac", i.Name)
		i.VMAC, i.IPVLAN = nil, nil
	case i.VMAC != nil && !i.VMACXmitBase && saysUnicast(i):
		c.atEnd("invalid-value", "(%s) unicast with use_vmac requires vmac_xmit_base - setting", i.Name)
		i.VMACXmitBase = true
	}
	if i.UnicastTTL.Set && !i.Unicast() {
		c.atEnd("invalid-value", "(%s): Cannot use unicast_ttl without unicast peers - resetting", i.Name)
		i.UnicastTTL = config.Opt[uint8]{}
	}
}

// saysUnicast reports whether an instance has a keyword of unicast.
func saysUnicast(i *config.Instance) bool {
	return i.UnicastPeers != nil || i.UnicastSrcIP.IsValid() || i.UnicastTTL.Set || i.CheckUnicastSrc.Set || i.OldUnicastChecksum != config.ChecksumAuto
}

// vmacName: of two instances with the same name for their link, the first one
// has it.
func (c *cursor) vmacName(v *config.VMAC) {
	if other := c.d.vmacs[v.Name]; other != "" {
		c.errorf(config.ClassGeneral, "duplicate", "(%s) VRRP instance %s is already using %s - ignoring name", c.d.name, other, v.Name)
		v.Name = ""
		return
	}
	c.d.vmacs[v.Name] = c.d.name
}

// linkGroup reads the value of group.
func (c *cursor) linkGroup() string {
	word, ok := c.next()
	if !ok {
		c.errorf(config.ClassGeneral, "missing-parameter", "(%s) %s group is missing a value", c.d.name, c.keyword)
	}
	return strings.Clone(word)
}

// mac reads an address of six octets, or of five. The virtual router's own,
// RFC 9568 section 7.3, is the default and cannot be given.
func (c *cursor) mac(v *config.VMAC, word string) {
	octets, err := net.ParseMAC(word)
	if strings.Count(word, ":") == 4 {
		octets, err = net.ParseMAC(word + ":00")
	}
	switch {
	case err != nil || len(octets) != 6:
		c.errorf(config.ClassGeneral, "invalid-value", "VMAC invalid MAC address %s - ignored", word)
		return
	case octets[0]&1 != 0:
		c.errorf(config.ClassGeneral, "invalid-value", "VMAC MAC address is multicast %s - ignoring", word)
		return
	case octets[0] == 0 && octets[1] == 0 && octets[2] == 0x5e && octets[3] == 0 && (octets[4] == 1 || octets[4] == 2):
		c.errorf(config.ClassGeneral, "invalid-value", "VMAC MAC address not allowed to be RFC5798 address (%s) - ignoring", word)
		return
	}
	v.MAC = config.MAC{Octets: [6]byte(octets), Len: uint8(strings.Count(word, ":") + 1)}
}

// useIPVLAN reads [[name] IFNAME] [bridge|private|vepa] [ADDR[/PREFIX]] [group
// GROUP].
func useIPVLAN(c *cursor, i *config.Instance) {
	if i.IPVLAN != nil {
		c.errorf(config.ClassGeneral, "duplicate", "(%s) use_ipvlan already specified", c.d.name)
		c.complete = true
		return
	}
	v := &config.IPVLAN{}
	i.IPVLAN = v
	for word, ok := c.next(); ok; word, ok = c.next() {
		host, _, _ := strings.Cut(word, "/")
		_, err := netip.ParseAddr(host)
		switch {
		case word == "bridge" || word == "private" || word == "vepa":
			v.Mode = strings.Clone(word)
		case word == "group":
			v.Group = c.linkGroup()
		case err == nil:
			if p, ok := c.prefix(c.wordHere(word)); ok {
				v.Prefix = p
			}
		case v.Name != "":
			c.errorf(config.ClassGeneral, "duplicate", "(%s) IPVLAN interface already specified - ignoring '%s'", c.d.name, word)
		default:
			if word == "name" {
				if word, ok = c.next(); !ok {
					return
				}
			}
			if _, f := ifname(word); f != nil {
				c.errorf(config.ClassGeneral, "invalid-value", "IPVLAN interface name '%s' too long or invalid characters - ignoring", word)
				continue
			}
			v.Name = strings.Clone(word)
		}
	}
}

// wordHere is the word read last, as the grammars of lines see it.
func (c *cursor) wordHere(text string) word { return word{Pos: c.d.src.position(c.pos()), Text: text} }
