package vrrp_test

import (
	"net/netip"
	"strings"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// advert makes what a peer with the same configuration would send, and then
// what the arguments change of it.
func (p *player) advert(name string, args []string) {
	g, m := p.machine(name)
	d := wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: m.Config().McastDstIP, TTL: 255}
	own := netip.MustParseAddr("10.0.0.1")
	if m.Config().IPv6() {
		d.Src, own = netip.MustParseAddr("fe80::2"), netip.MustParseAddr("fe80::1")
	}
	if m.Config().Unicast() {
		d.Dst, d.TTL = own, 64
	}
	a := wire.Advert{Version: m.Config().Version.Value, VRID: m.Config().VirtualRouterID, Priority: 100, Interval: m.Config().AdvertInt}
	auth := m.Config().Authentication
	sequence, secret := uint32(0), string(auth.Pass)
	switch auth.Type {
	case config.AuthPass:
		a.AuthType = wire.AuthPass
		copy(a.Auth[:], auth.Pass)
	case config.AuthAH:
		a.AuthType = wire.AuthAH
	}
	for _, vip := range m.Config().VirtualIPAddress {
		a.Addrs = append(a.Addrs, vip.Prefix.Addr())
	}
	clock, id := p.now, uint8(0)
	if hmac := m.Config().AuthHMAC; hmac != nil {
		id, secret = hmac.ActiveKey, string(hmac.Keys[0].Bytes())
	}
	damage := func([]byte) []byte { return d.Payload }
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "from":
			d.Src = netip.MustParseAddr(value)
		case "to":
			d.Dst = netip.MustParseAddr(value)
		case "ttl":
			d.TTL = p.number(value)
		case "priority":
			a.Priority = uint8(p.number(value))
		case "version":
			a.Version = uint8(p.number(value))
		case "vrid":
			a.VRID = uint8(p.number(value))
		case "interval":
			a.Interval = p.duration(value)
		case "auth":
			a.AuthType = uint8(p.number(value))
		case "pass":
			a.AuthType, a.Auth = wire.AuthPass, [8]byte{}
			copy(a.Auth[:], value)
		case "sequence":
			sequence = uint32(p.number(value))
		case "key":
			secret = value
		case "id": // of the key of auth_hmac; 0: no trailer
			id = uint8(p.number(value))
		case "clock": // of the sender, against ours
			clock = p.now.Add(p.duration(value))
		case "vips":
			a.Addrs = nil
			for _, s := range strings.Split(value, ",") {
				if s != "" {
					a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
				}
			}
		case "rfc9568_checksum":
			a.MessageChecksum = true
		case "old_checksum":
			a.OldChecksum = true
		case "flip": // a byte
			damage = func(b []byte) []byte { b[p.number(value)] ^= 0x55; return b }
		case "cut": // to a length
			damage = func(b []byte) []byte { return b[:p.number(value)] }
		default:
			p.t.Fatalf("unknown key %s", key)
		}
	}
	var err error
	if id != 0 {
		stamp := uint64(clock.Unix())<<32 | uint64(clock.Nanosecond()/1000)<<12
		d.Payload, err = a.AppendSigned(nil, d.Pseudo(), wire.NewHMAC(id, []byte(secret)), stamp)
	} else {
		d.Payload, err = a.AppendTo(nil, d.Pseudo())
	}
	if err != nil {
		p.t.Fatal(err)
	}
	d.Payload = damage(d.Payload)
	if auth.Type == config.AuthAH && sequence > 0 {
		ttl := d.TTL
		d, _ = wire.ParseIPv4(wire.NewAH(secret).AppendIPv4(nil, d.Src, d.Dst, uint8(ttl), 1, sequence, d.Payload))
	}
	p.print(g.Step(p.now, vrrp.Received{Instance: name, Datagram: d}))
}
