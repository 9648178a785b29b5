package vrrp_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var group6 = netip.MustParseAddr("ff02::12")

// pair6 is two hosts with an address of the link and a global one each:
// fe80::ff:fe00:1 and 2001:db8:9::1, and 2 likewise.
func pair6(t *testing.T) (a, b *netns.NS) {
	t.Helper()
	a, b = netns.New(t, "vrrp6-a"), netns.New(t, "vrrp6-b")
	for _, ns := range []*netns.NS{a, b} {
		ns.Run(t, "sysctl -qw net.ipv6.conf.default.addr_gen_mode=1")
	}
	netns.Veth(t, a, "eth0", b, "eth0")
	for i, ns := range []*netns.NS{a, b} {
		n := string(rune('1' + i))
		ns.Run(t, "ip addr add fe80::ff:fe00:"+n+"/64 dev eth0 nodad")
		ns.Run(t, "ip addr add 2001:db8:9::"+n+"/64 dev eth0 nodad")
	}
	return a, b
}

// What leaves the socket is, from the IP header on, byte for byte what
// keepalived 2.2.7 was seen to send for the same instance; but for the flow
// label, which the kernel makes of a secret of its own.
func TestBytesOnTheWireIPv6(t *testing.T) {
	a, b := pair6(t)
	next := captureProtocol(t, b, unix.ETH_P_IPV6, 6)
	addr := netip.MustParseAddr
	const addresses = "fe800000000000000000000000090100" + "20010db8000900000000000000000100" + "20010db8000900000000000000000101"
	for _, c := range []struct {
		name     string
		socket   vrrp.Socket
		src, dst netip.Addr
		ttl      uint8
		want     string
	}{
		{
			"multicast", vrrp.Socket{Link: "eth0", Group: group6}, addr("fe80::ff:fe00:1"), group6, 255,
			"6c000000003870ff" + "fe80000000000000000000fffe000001" + "ff020000000000000000000000000012" + "313378030064fc16" + addresses,
		},
		{
			"unicast", vrrp.Socket{Link: "eth0", Source: addr("2001:db8:9::1")}, addr("2001:db8:9::1"), addr("2001:db8:9::2"), 0,
			"6c00000000387040" + "20010db8000900000000000000000001" + "20010db8000900000000000000000002" + "3133780300649d26" + addresses,
		},
		{
			"unicast_ttl", vrrp.Socket{Source: addr("2001:db8:9::1")}, addr("2001:db8:9::1"), addr("2001:db8:9::2"), 33,
			"6c00000000387021" + "20010db8000900000000000000000001" + "20010db8000900000000000000000002" + "3133780300649d26" + addresses,
		},
		{
			"link-local unicast", vrrp.Socket{Link: "eth0", Source: addr("fe80::ff:fe00:1")}, addr("fe80::ff:fe00:1"), addr("fe80::ff:fe00:2"), 0,
			"6c00000000387040" + "fe80000000000000000000fffe000001" + "fe80000000000000000000fffe000002" + "313378030064fda8" + addresses,
		},
	} {
		advert := wire.Advert{Version: 3, VRID: 51, Priority: 120, Interval: time.Second,
			Addrs: []netip.Addr{addr("fe80::9:100"), addr("2001:db8:9::100"), addr("2001:db8:9::101")}}
		conn, _ := opened(t, a, c.socket, 51)
		payload, err := advert.AppendTo(nil, wire.Pseudo{Src: c.src, Dst: c.dst})
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(c.want)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one with what is left of the first
			if err := conn.Send(vrrp.Outgoing{Src: c.src, Dst: c.dst, TTL: c.ttl, ID: 1, Payload: payload}); err != nil {
				t.Fatal(err)
			}
			got := next()
			got[1], got[2], got[3] = got[1]&0xf0, 0, 0
			if !bytes.Equal(got, want) {
				t.Errorf("%s: got\n%swant\n%s", c.name, hex.Dump(got), hex.Dump(want))
			}
		}
	}
}

// The filter sees the payload alone; the destination and the hop limit come
// with it, whatever they are. A checksum is for the machine to judge.
func TestFilterIPv6(t *testing.T) {
	a, b := pair6(t)
	sender, echo := opened(t, a, vrrp.Socket{Link: "eth0", Group: group6}, 1, 2, 3)
	other, _ := opened(t, a, vrrp.Socket{Link: "eth0", Group: netip.MustParseAddr("ff02::13")}, 1)
	receiver, arrived := opened(t, b, vrrp.Socket{Link: "eth0", Group: group6}, 1, 3)
	_, global := opened(t, b, vrrp.Socket{Link: "eth0", Source: netip.MustParseAddr("2001:db8:9::2")}, 1, 3)
	_, local := opened(t, b, vrrp.Socket{Link: "eth0", Source: netip.MustParseAddr("fe80::ff:fe00:2")}, 1, 3)

	send := func(conn vrrp.Conn, src, dst string, ttl uint8, payload ...byte) {
		t.Helper()
		o := vrrp.Outgoing{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), TTL: ttl, Payload: payload}
		if err := conn.Send(o); err != nil {
			t.Fatal(err)
		}
	}
	const link, wide = "fe80::ff:fe00:1", "2001:db8:9::1"
	send(sender, link, "ff02::12", 255, 0x31, 1, 2, 3, 4, 5, 6)    // short
	send(sender, link, "ff02::12", 255, 0x31, 2, 2, 3, 4, 5, 6, 7) // another virtual router
	send(other, link, "ff02::13", 255, 0x31, 1, 2, 3, 4, 5, 6, 7)  // another group
	send(sender, link, "ff02::12", 255, 0x31, 1, 2, 3, 4, 5, 6, 7)
	send(sender, wide, "ff02::12", 1, 0xff, 3, 2, 3, 4, 5, 6, 7)
	unicast, _ := opened(t, a, vrrp.Socket{Link: "eth0", Source: netip.MustParseAddr(wide)}, 1)
	send(unicast, wide, "2001:db8:9::2", 0, 0x31, 3, 2, 3, 4, 5, 6, 7)
	unicast, _ = opened(t, a, vrrp.Socket{Link: "eth0", Source: netip.MustParseAddr(link)}, 1)
	send(unicast, link, "fe80::ff:fe00:2", 99, 0x31, 3, 2, 3, 4, 5, 6, 7)

	want(t, "received", []string{show(<-arrived), show(<-arrived), show(<-global), show(<-local)}, []string{
		"fe80::ff:fe00:1 > ff02::12 ttl 255 3101020304050607",
		"2001:db8:9::1 > ff02::12 ttl 1 ff03020304050607",
		"2001:db8:9::1 > 2001:db8:9::2 ttl 64 3103020304050607",
		"fe80::ff:fe00:1 > fe80::ff:fe00:2 ttl 99 3103020304050607",
	})

	if err := receiver.Filter([]uint8{2}); err != nil {
		t.Fatal(err)
	}
	send(sender, link, "ff02::12", 255, 0x31, 1, 2, 3, 4, 5, 6, 7)
	send(sender, link, "ff02::12", 255, 0x31, 2, 2, 3, 4, 5, 6, 7)
	if d := show(<-arrived); d != "fe80::ff:fe00:1 > ff02::12 ttl 255 3102020304050607" {
		t.Errorf("after the change of the filter: %s", d)
	}
	if len(arrived)+len(global)+len(local)+len(echo) != 0 {
		t.Errorf("more arrived: %d %d %d, own echo %d", len(arrived), len(global), len(local), len(echo))
	}
}
