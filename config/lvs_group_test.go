package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A group is one service and many in the kernel; its marks have the family of
// the service unless they say one.
func TestKernelKeys(t *testing.T) {
	addr := netip.MustParseAddr
	c := &Config{
		ServiceGroups: []VirtualServerGroup{{Name: "G", Entries: []GroupEntry{
			{First: addr("10.0.0.254"), Last: addr("10.0.1.1"), Port: 80},
			{First: addr("2001:db8::1"), Last: addr("2001:db8::1"), Port: 443},
			{FWMark: 7}, {FWMark: 7, Family: Inet},
		}}},
		Services: []VirtualServer{
			{Group: "G", Protocol: Some(TCP), RealServers: []RealServer{{Addr: netip.MustParseAddrPort("[2001:db8::2]:0")}}},
			{Group: "G", Protocol: Some(UDP)},
			{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Protocol: Some(TCP)},
			{Group: "G", Protocol: Some(TCP), Omega: true, SMTPAlert: Some(true), SorryServer: &SorryServer{Addr: netip.MustParseAddrPort("10.0.0.9:0")}},
		},
	}
	var got []string
	for _, s := range c.KernelServices() {
		var keys []string
		for key := range s.KernelKeys() {
			keys = append(keys, fmt.Sprint(key, map[bool]string{true: " IPv6"}[key.IPv6]))
		}
		got = append(got, fmt.Sprint(s.Key, " ", s.Key.Protocol, ": ", strings.Join(keys, ", "), map[bool]string{true: "; omega"}[s.Omega], map[bool]string{true: "; mail"}[s.SMTPAlert], map[bool]string{true: "; sorry"}[s.Sorry != nil]))
	}
	want := []string{
		"[G]:0 TCP: [10.0.0.254]:tcp:80, [10.0.0.255]:tcp:80, [10.0.1.0]:tcp:80, [10.0.1.1]:tcp:80, [2001:db8::1]:tcp:443, FWM 7 IPv6, FWM 7; omega; mail; sorry",
		"[G]:0 UDP: [10.0.0.254]:udp:80, [10.0.0.255]:udp:80, [10.0.1.0]:udp:80, [10.0.1.1]:udp:80, [2001:db8::1]:udp:443, FWM 7, FWM 7",
		"[10.0.0.1]:tcp:80 TCP: [10.0.0.1]:tcp:80",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A range ends somewhere, whatever somebody has written.
func TestMaxRange(t *testing.T) {
	s := Service{Key: ServiceKey{Group: "G", Protocol: TCP}}
	for _, c := range []struct {
		first, last string
		n           int
	}{
		{"10.0.0.0", "10.0.255.255", MaxRange}, {"10.0.0.0", "10.1.0.0", MaxRange}, {"2001:db8::", "2001:db9::", MaxRange},
		{"255.255.255.254", "255.255.255.255", 2}, {"10.0.0.1", "10.0.0.1", 1},
	} {
		e := GroupEntry{First: netip.MustParseAddr(c.first), Last: netip.MustParseAddr(c.last)}
		s.Entries = []GroupEntry{e}
		keys := slices.Collect(s.KernelKeys())
		long := keys[len(keys)-1].Addr.Addr() != e.Last
		if len(keys) != c.n || long != e.TooLong() {
			t.Errorf("%s: %d addresses, too long: %t", e.String(), len(keys), e.TooLong())
		}
	}
}
