package vrrp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var group4 = netip.MustParseAddr("224.0.0.18")

// capture sees the IP datagrams of protocols 112 and 51 that enter a namespace.
func capture(t *testing.T, ns *netns.NS) (next func() []byte) {
	t.Helper()
	return captureProtocol(t, ns, unix.ETH_P_IP, 9)
}

// captureProtocol sees the IP datagrams of an EtherType that enter a namespace
// and whose header has 112 or 51 at an offset.
func captureProtocol(t *testing.T, ns *netns.NS, etherType uint16, offset int) (next func() []byte) {
	t.Helper()
	var fd int
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bits.ReverseBytes16(etherType)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}); err != nil {
		t.Fatal(err)
	}
	return func() []byte {
		t.Helper()
		buf := make([]byte, 1<<16)
		for {
			n, from, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				t.Fatalf("no advert arrived: %v", err)
			}
			link, ok := from.(*unix.SockaddrLinklayer)
			if ok && link.Pkttype != unix.PACKET_OUTGOING && n > 20 && (buf[offset] == wire.Protocol || buf[offset] == wire.ProtocolAH) {
				return buf[:n]
			}
		}
	}
}

// opened is a connection in a namespace and what arrives on it.
func opened(t *testing.T, ns *netns.NS, s vrrp.Socket, vrids ...uint8) (vrrp.Conn, <-chan wire.Datagram) {
	t.Helper()
	arrived := make(chan wire.Datagram, 100)
	var conn vrrp.Conn
	var wait func() bool
	err := ns.Do(func() (err error) {
		conn, wait, err = vrrp.OpenRaw(s, vrids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	ending := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-ending:
				return
			default:
			}
			if wait() {
				conn.Receive(func(d *wire.Datagram) { arrived <- kept(d) })
			}
		}
	})
	t.Cleanup(func() {
		close(ending)
		reading.Wait()
		_ = conn.Close()
	})
	return conn, arrived
}

// kept is a datagram with bytes of its own.
func kept(d *wire.Datagram) wire.Datagram {
	own := *d
	own.Payload, own.Headers = bytes.Clone(d.Payload), bytes.Clone(d.Headers)
	return own
}

func pair(t *testing.T) (a, b *netns.NS) {
	t.Helper()
	a, b = netns.New(t, "vrrp-a"), netns.New(t, "vrrp-b")
	netns.Veth(t, a, "eth0", b, "eth0")
	a.Run(t, "ip addr add 10.99.0.1/24 dev eth0")
	b.Run(t, "ip addr add 10.99.0.2/24 dev eth0")
	return a, b
}

// What leaves the socket is, from the IP header on, byte for byte what
// keepalived 2.2.7 was seen to send for the same instance.
func TestBytesOnTheWire(t *testing.T) {
	a, b := pair(t)
	next := capture(t, b)
	source := netip.MustParseAddr("10.99.0.1")
	for _, c := range []struct {
		name   string
		socket vrrp.Socket
		dst    netip.Addr
		advert wire.Advert
		want   string
	}{
		{
			"v2 multicast PASS", vrrp.Socket{Link: "eth0", Group: group4}, group4,
			wire.Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, AuthType: 1, Auth: [8]byte{'s', 'e', 'c', 'r', 'e', 't'},
				Addrs: []netip.Addr{netip.MustParseAddr("10.99.0.100"), netip.MustParseAddr("10.99.0.101")}},
			"45c0002c00010000ff70d02a0a630001e0000012" + "21336402010127ee0a6300640a6300657365637265740000",
		},
		{
			"v3 unicast", vrrp.Socket{Link: "eth0", Source: source}, netip.MustParseAddr("10.99.0.2"),
			wire.Advert{Version: 3, VRID: 52, Priority: 100, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.99.0.102")}},
			"45c0002000010000ff70a5e40a6300010a630002" + "3134640100644a580a630066",
		},
	} {
		conn, _ := opened(t, a, c.socket, c.advert.VRID)
		payload, err := c.advert.AppendTo(nil, wire.Pseudo{Src: source, Dst: c.dst})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Send(vrrp.Outgoing{Src: source, Dst: c.dst, TTL: 255, ID: 1, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := next(); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%swant\n%s", c.name, hex.Dump(got), hex.Dump(want))
		}
	}
}

// The filter in the kernel passes whole headers of the wanted virtual routers
// on the wanted link and group, whatever else is wrong with them.
func TestFilter(t *testing.T) {
	a, b := pair(t)
	sender, echo := opened(t, a, vrrp.Socket{Link: "eth0", Group: group4}, 1, 2, 3)
	other, _ := opened(t, a, vrrp.Socket{Link: "eth0", Group: netip.MustParseAddr("224.0.0.19")}, 1)
	receiver, arrived := opened(t, b, vrrp.Socket{Link: "eth0", Group: group4}, 1, 3)
	_, unicast := opened(t, b, vrrp.Socket{Link: "eth0", Source: netip.MustParseAddr("10.99.0.2")}, 1, 3)

	source := netip.MustParseAddr("10.99.0.1")
	send := func(conn vrrp.Conn, dst string, ttl uint8, payload ...byte) {
		t.Helper()
		if err := conn.Send(vrrp.Outgoing{Src: source, Dst: netip.MustParseAddr(dst), TTL: ttl, ID: 1, Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	send(sender, "224.0.0.18", 255, 0x21, 1, 2, 3, 4, 5, 6)    // short
	send(sender, "224.0.0.18", 255, 0x21, 2, 2, 3, 4, 5, 6, 7) // another virtual router
	send(other, "224.0.0.19", 255, 0x21, 1, 2, 3, 4, 5, 6, 7)  // another group
	send(sender, "224.0.0.18", 255, 0x21, 1, 2, 3, 4, 5, 6, 7)
	send(sender, "224.0.0.18", 1, 0xff, 3, 2, 3, 4, 5, 6, 7)
	send(sender, "10.99.0.2", 64, 0x21, 3, 2, 3, 4, 5, 6, 7)

	var got []string
	for range 2 {
		got = append(got, show(<-arrived))
	}
	got = append(got, show(<-unicast))
	want(t, "received", got, []string{
		"10.99.0.1 > 224.0.0.18 ttl 255 2101020304050607",
		"10.99.0.1 > 224.0.0.18 ttl 1 ff03020304050607",
		"10.99.0.1 > 10.99.0.2 ttl 64 2103020304050607",
	})

	if err := receiver.Filter([]uint8{2}); err != nil {
		t.Fatal(err)
	}
	send(sender, "224.0.0.18", 255, 0x21, 1, 2, 3, 4, 5, 6, 7)
	send(sender, "224.0.0.18", 255, 0x21, 2, 2, 3, 4, 5, 6, 7)
	if d := show(<-arrived); d != "10.99.0.1 > 224.0.0.18 ttl 255 2102020304050607" {
		t.Errorf("after the change of the filter: %s", d)
	}
	if err := receiver.Filter(nil); err != nil {
		t.Fatal(err)
	}
	send(sender, "224.0.0.18", 255, 0x21, 99, 2, 3, 4, 5, 6, 7)
	if d := show(<-arrived); d != "10.99.0.1 > 224.0.0.18 ttl 255 2163020304050607" {
		t.Errorf("without a filter: %s", d)
	}
	if len(arrived)+len(unicast)+len(echo) != 0 {
		t.Errorf("more arrived: %d %d, own echo %d", len(arrived), len(unicast), len(echo))
	}
}

func show(d wire.Datagram) string {
	return fmt.Sprintf("%s > %s ttl %d %x", d.Src, d.Dst, d.TTL, d.Payload)
}

func TestOpenFails(t *testing.T) {
	ns := netns.New(t, "vrrp-open")
	for _, s := range []vrrp.Socket{
		{Link: "gone0", Group: group4},
		{Link: "lo", Source: netip.MustParseAddr("10.1.2.3")},
		{Link: "gone0", Group: group6},
		{Link: "lo", Source: netip.MustParseAddr("2001:db8::1")},
	} {
		err := ns.Do(func() error {
			_, _, err := vrrp.OpenRaw(s, []uint8{1})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "open VRRP socket for") {
			t.Errorf("%v: error %v", s, err)
		}
	}
}
