package vrrp

import (
	"net"
	"net/netip"
	"testing"

	xipv6 "golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// A datagram whose hop limit the kernel does not tell has one that no check
// accepts; one whose destination it does not tell is none. Addresses have no
// zones: those of a link are compared with those of the configuration.
func TestParseIPv6(t *testing.T) {
	from := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: netip.MustParseAddr("fe80::1").As16(), Scope_id: 7}
	dst := xipv6.ControlMessage{Src: net.ParseIP("ff02::12"), IfIndex: 7} // pktinfo: in what is received the destination
	hops := xipv6.ControlMessage{HopLimit: 254}
	both := append(dst.Marshal(), hops.Marshal()...)
	for _, c := range []struct {
		name      string
		from      unix.RawSockaddrInet6
		ancillary []byte
		ttl       int // -2: no datagram
	}{
		{"all", from, both, 254},
		{"no hop limit", from, dst.Marshal(), -1},
		{"no destination", from, hops.Marshal(), -2},
		{"nothing", from, nil, -2},
		{"cut", from, both[:5], -2},
		{"IPv4", unix.RawSockaddrInet6{Family: unix.AF_INET}, both, -2},
		{"nobody", unix.RawSockaddrInet6{}, both, -2},
	} {
		d, ok := (&ipv6{}).parse([]byte{1, 2}, c.ancillary, &c.from)
		switch {
		case !ok:
			d.TTL = -2
		case d.Src != netip.MustParseAddr("fe80::1") || d.Dst != netip.MustParseAddr("ff02::12") || len(d.Payload) != 2:
			t.Errorf("%s: %+v", c.name, d)
		}
		if d.TTL != c.ttl {
			t.Errorf("%s: %t, hop limit %d, want %d", c.name, ok, d.TTL, c.ttl)
		}
	}
}
