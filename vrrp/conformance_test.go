package vrrp_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// The numbered requirements of RFC 9568, RFC 5798 and RFC 3768, one test each:
// RX what is received, TX what is sent, TM timers, SM the machine, GA the
// announcements. docs/conformance.md lists them, with what is meant to differ.

// listens feeds a datagram to a fresh instance in BACKUP and reports whether it
// was accepted.
func listens(t *testing.T, version uint8, change func(*config.Instance), d func(g *vrrp.Group) wire.Datagram) bool {
	t.Helper()
	g := lone(t, version, change)
	return takes(g, epoch, d(g))
}

// takes reports whether an instance accepts a datagram.
func takes(g *vrrp.Group, now time.Time, d wire.Datagram) bool {
	m := g.Members()[0]
	before := m.Stats().AdvertRcvd
	g.Step(now, vrrp.Received{Instance: m.Name(), Datagram: d})
	return m.Stats().AdvertRcvd > before
}

// forged is an advert whose bytes are changed and whose checksum is right.
func forged(t *testing.T, version uint8, change func(b []byte) []byte) func(g *vrrp.Group) wire.Datagram {
	return func(g *vrrp.Group) wire.Datagram {
		d := advertTo(t, g, 200, nil)
		d.Payload = change(d.Payload)
		if len(d.Payload) >= 8 {
			d.Payload[6], d.Payload[7] = 0, 0
			covered := d.Payload
			if version == 3 {
				src, dst := d.Src.As4(), d.Dst.As4()
				covered = slices.Concat(src[:], dst[:], []byte{0, 112, 0, byte(len(d.Payload))}, d.Payload)
			}
			binary.BigEndian.PutUint16(d.Payload[6:], internetChecksum(covered))
		}
		return d
	}
}

// internetChecksum is RFC 1071's, made here without the code under test.
func internetChecksum(b []byte) uint16 {
	sum := uint32(0)
	for i, octet := range b {
		sum += uint32(octet) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// plainly is an advert as a peer of priority 200 sends it.
func plainly(t *testing.T, advert func(*wire.Advert), datagram func(*wire.Datagram)) func(g *vrrp.Group) wire.Datagram {
	return func(g *vrrp.Group) wire.Datagram {
		d := advertTo(t, g, 200, advert)
		if datagram != nil {
			datagram(&d)
		}
		return d
	}
}

var versions = []uint8{2, 3}

func expect(t *testing.T, what string, got, want bool) {
	t.Helper()
	if got != want {
		t.Errorf("%s: accepted %t, want %t", what, got, want)
	}
}

func TestConformanceReception(t *testing.T) {
	t.Run("RX-01 the whole message is there", func(t *testing.T) {
		for _, v := range versions {
			whole := len(advertTo(t, lone(t, v, nil), 200, nil).Payload)
			for n := range whole + 1 {
				expect(t, fmt.Sprintf("v%d, %d bytes of %d", v, n, whole), listens(t, v, nil, plainly(t, nil, func(d *wire.Datagram) { d.Payload = d.Payload[:n:n] })), n == whole)
			}
		}
		// Ethernet pads what is shorter than 46 bytes, IP header included.
		for n := 1; n <= 46; n++ {
			expect(t, fmt.Sprintf("%d bytes of padding", n), listens(t, 3, nil, plainly(t, nil, func(d *wire.Datagram) { d.Payload = append(d.Payload, make([]byte, n)...) })), 20+12+n <= 46)
		}
	})
	t.Run("RX-02 the length is that of the IP header", func(t *testing.T) {
		for _, v := range versions {
			expect(t, "surplus", listens(t, v, nil, plainly(t, nil, func(d *wire.Datagram) { d.Payload = append(d.Payload, make([]byte, 40)...) })), false)
		}
	})
	t.Run("RX-03 the TTL is 255", func(t *testing.T) {
		for _, v := range versions {
			for _, ttl := range []int{-1, 0, 1, 254, 255} {
				expect(t, fmt.Sprintf("v%d, TTL %d", v, ttl), listens(t, v, nil, plainly(t, nil, func(d *wire.Datagram) { d.TTL = ttl })), ttl == 255)
			}
		}
	})
	t.Run("RX-04 the version is the configured one", func(t *testing.T) {
		for _, own := range versions {
			for v := range byte(16) {
				expect(t, fmt.Sprintf("version %d for v%d", v, own), listens(t, own, nil, forged(t, own, func(b []byte) []byte { b[0] = v<<4 | 1; return b })), v == own)
			}
		}
	})
	t.Run("RX-05 the type is 1", func(t *testing.T) {
		for _, v := range versions {
			for kind := range byte(16) {
				expect(t, fmt.Sprintf("type %d", kind), listens(t, v, nil, forged(t, v, func(b []byte) []byte { b[0] = b[0]&0xf0 | kind; return b })), kind == 1)
			}
		}
	})
	t.Run("RX-06 the checksum is right", func(t *testing.T) {
		for _, v := range versions {
			bits := 8 * len(advertTo(t, lone(t, v, nil), 200, nil).Payload)
			for bit := range bits {
				expect(t, fmt.Sprintf("v%d, bit %d", v, bit), listens(t, v, nil, plainly(t, nil, func(d *wire.Datagram) { d.Payload[bit/8] ^= 1 << (bit % 8) })), false)
			}
		}
		expect(t, "of the message alone", listens(t, 3, nil, plainly(t, func(a *wire.Advert) { a.MessageChecksum = true }, nil)), true)
	})
	t.Run("RX-07 at least one address", func(t *testing.T) {
		none := func(a *wire.Advert) { a.Addrs = nil }
		expect(t, "none, we have one", listens(t, 3, nil, plainly(t, none, nil)), false)
		expect(t, "none, nor have we", listens(t, 3, func(i *config.Instance) { i.VirtualIPAddress = nil }, plainly(t, none, nil)), true)
	})
	t.Run("RX-08 the interval is not 0", func(t *testing.T) {
		for _, interval := range []uint16{0, 1, 100, 4095} {
			set := func(b []byte) []byte { binary.BigEndian.PutUint16(b[4:], interval); return b }
			expect(t, fmt.Sprint(interval), listens(t, 3, nil, forged(t, 3, set)), interval != 0)
		}
	})
	t.Run("RX-09 reserved bits are ignored", func(t *testing.T) {
		expect(t, "all set", listens(t, 3, nil, forged(t, 3, func(b []byte) []byte { b[4] |= 0xf0; return b })), true)
		expect(t, "all set, interval 0", listens(t, 3, nil, forged(t, 3, func(b []byte) []byte { b[4], b[5] = 0xf0, 0; return b })), false)
	})
	t.Run("RX-10 the VRID is ours", func(t *testing.T) {
		for _, v := range versions {
			expect(t, "another", listens(t, v, nil, plainly(t, func(a *wire.Advert) { a.VRID = 52 }, nil)), false)
		}
	})
	t.Run("RX-11 an owner need not listen", func(t *testing.T) {
		for _, ignores := range []bool{true, false} {
			owner := func(i *config.Instance) {
				i.Priority, i.OwnerIgnoreAdverts = config.Some[uint8](255), config.Some(ignores)
			}
			expect(t, fmt.Sprintf("owner_ignore_adverts %t", ignores), listens(t, 3, owner, plainly(t, nil, nil)), !ignores)
		}
	})
	t.Run("RX-12 v3 follows another interval", func(t *testing.T) {
		expect(t, "3 s", listens(t, 3, nil, plainly(t, func(a *wire.Advert) { a.Interval = 3 * time.Second }, nil)), true)
	})
	t.Run("RX-13 v2 wants the same interval", func(t *testing.T) {
		expect(t, "3 s", listens(t, 2, nil, plainly(t, func(a *wire.Advert) { a.Interval = 3 * time.Second }, nil)), false)
	})
	t.Run("RX-14 another list of addresses is remarked", func(t *testing.T) {
		for _, v := range versions {
			g := lone(t, v, nil)
			other := advertTo(t, g, 200, func(a *wire.Advert) { a.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.6")} })
			expect(t, "another address", takes(g, epoch, other), true)
			if g.Members()[0].Stats().AddrListErr != 1 {
				t.Error("it is not counted")
			}
		}
	})
	t.Run("RX-15 v2 authentication", conformanceAuth)
	t.Run("RX-16 auth_hmac is checked first", func(t *testing.T) {
		key := func(i *config.Instance) {
			i.AuthHMAC = &config.AuthHMAC{Mode: config.HMACEnforce, AntiReplay: config.ReplayTime, ActiveKey: 1, Keys: []config.HMACKey{{ID: 1, Secret: "secret"}}}
		}
		g := lone(t, 3, key)
		expect(t, "without", takes(g, epoch, advertTo(t, g, 200, nil)), false)
		good := advertTo(t, g, 200, nil)
		a, err := wire.Parse(good.Payload, good.Pseudo())
		if err != nil {
			t.Fatal(err)
		}
		good.Payload, _ = a.AppendSigned(nil, good.Pseudo(), wire.NewHMAC(1, []byte("secret")), uint64(epoch.Unix())<<32|1)
		expect(t, "with", takes(g, epoch, good), true)
		expect(t, "again", takes(g, epoch, good), false)
	})
	t.Run("RX-17 multicast or unicast, as configured", func(t *testing.T) {
		unicast := func(i *config.Instance) { i.UnicastPeers = []config.Peer{{Addr: netip.MustParseAddr("10.0.0.2")}} }
		us := func(d *wire.Datagram) { d.Dst = netip.MustParseAddr("10.0.0.1") }
		to := func(to string) func(g *vrrp.Group) wire.Datagram {
			return func(g *vrrp.Group) wire.Datagram {
				d := advertTo(t, g, 200, nil)
				a, _ := wire.Parse(d.Payload, d.Pseudo())
				if to == "us" {
					us(&d)
				}
				d.Payload, _ = a.AppendTo(nil, d.Pseudo())
				return d
			}
		}
		expect(t, "to us", listens(t, 3, nil, to("us")), false)
		expect(t, "to the group", listens(t, 3, nil, to("all")), true)
		expect(t, "to us, unicast", listens(t, 3, unicast, to("us")), true)
		expect(t, "to the group, unicast", listens(t, 3, unicast, to("all")), false)
	})
	t.Run("RX-18 unicast only from peers", func(t *testing.T) {
		for _, check := range []bool{true, false} {
			g := lone(t, 2, func(i *config.Instance) {
				i.UnicastPeers, i.CheckUnicastSrc = []config.Peer{{Addr: netip.MustParseAddr("10.0.0.3")}}, config.Some(check)
			})
			d := advertTo(t, g, 200, nil)
			d.Dst = netip.MustParseAddr("10.0.0.1")
			expect(t, fmt.Sprintf("a stranger, check_unicast_src %t", check), takes(g, epoch, d), !check)
		}
		for _, peer := range []string{"10.0.0.2", "10.0.0.3"} {
			g := lone(t, 3, func(i *config.Instance) {
				flavours["HMAC"].change(i)
				i.UnicastPeers = []config.Peer{{Addr: netip.MustParseAddr(peer)}}
			})
			d := advertTo(t, g, 200, nil)
			a, _ := wire.Parse(d.Payload, d.Pseudo())
			d.Dst = netip.MustParseAddr("10.0.0.1")
			d.Payload, _ = a.AppendTo(nil, d.Pseudo())
			expect(t, "auth_hmac, peer "+peer, takes(g, epoch, seal(t, g, d, epoch, "secret")), peer == "10.0.0.2")
		}
	})
	t.Run("RX-19 a flood moves nothing", func(t *testing.T) {
		g := lone(t, 2, nil)
		deadline := g.Deadline()
		d := advertTo(t, g, 99, nil)
		for n := range 10_000 {
			g.Step(epoch.Add(time.Duration(n)*time.Microsecond), vrrp.Received{Instance: "VI_1", Datagram: d})
		}
		if g.Deadline() != deadline {
			t.Errorf("the deadline moved by %s", g.Deadline().Sub(deadline))
		}
	})
	t.Run("RX-20 what is rejected is counted and said, not often", func(t *testing.T) {
		g := lone(t, 2, func(i *config.Instance) {
			i.Authentication = config.Authentication{Type: config.AuthPass, Pass: "secret"}
		})
		lines, bad := 0, trash(t, g, epoch)
		for range 1000 {
			for _, d := range bad {
				lines += len(g.Step(epoch, vrrp.Received{Instance: "VI_1", Datagram: d}))
			}
		}
		if counted := rejected(g.Members()[0].Stats()); counted != uint64(1000*len(bad)) || lines > len(bad) {
			t.Errorf("%d datagrams, %d counted, %d lines", 1000*len(bad), counted, lines)
		}
	})
}

// conformanceAuth: RFC 2338 section 5.3.6; the later RFCs have given it up.
func conformanceAuth(t *testing.T) {
	methods := map[string]config.Authentication{
		"none": {}, "PASS": {Type: config.AuthPass, Pass: "secret"}, "AH": {Type: config.AuthAH, Pass: "secret"},
	}
	for name, own := range methods {
		for sent := range methods {
			for _, password := range []string{"secret", "secrets", ""} {
				g := lone(t, 2, func(i *config.Instance) { i.Authentication = own })
				d := advertTo(t, g, 200, func(a *wire.Advert) {
					a.AuthType, a.Auth = uint8(methods[sent].Type), [8]byte{}
					if sent == "PASS" {
						copy(a.Auth[:], password)
					}
				})
				if sent == "AH" {
					d, _ = wire.ParseIPv4(wire.NewAH(password).AppendIPv4(nil, d.Src, d.Dst, 255, 1, 1, d.Payload))
				}
				want := name == sent && (name == "none" || password == "secret")
				expect(t, fmt.Sprintf("%s for %s, password %q", sent, name, password), takes(g, epoch, d), want)
				expect(t, "the same again, "+sent, takes(g, epoch, d), want && sent != "AH")
			}
		}
	}
}
