//go:build linux

package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

// TestSubnets: addresses and routes are those of the namespace.
func TestSubnets(t *testing.T) {
	ns, peer := netns.New(t, "kernel"), netns.New(t, "kernel-peer")
	netns.Veth(t, ns, "eth0", peer, "eth0")
	ns.Run(t, "ip addr add 192.0.2.1/24 dev eth0")
	ns.Run(t, "ip addr add 2001:db8::1/64 dev eth0 nodad")
	ns.Run(t, "ip route add 198.51.100.0/24 dev eth0")
	ns.Run(t, "ip route add 203.0.113.0/24 via 192.0.2.9")
	err := ns.Do(func() error {
		all, err := Subnets()
		if err != nil {
			return err
		}
		for _, want := range []string{"192.0.2.1/24", "2001:db8::1/64"} {
			if !slices.Contains(all, config.Subnet{Link: "eth0", Prefix: netip.MustParsePrefix(want)}) {
				t.Errorf("%s on eth0 is not in %v", want, all)
			}
		}
		for a, want := range map[string]bool{
			"192.0.2.7": true, "198.51.100.7": true, "203.0.113.7": false, "8.8.8.8": false, "192.0.2.1": true, "2001:db8::7": true, "2001:db8:1::7": false,
		} {
			if got := OnLink(netip.MustParseAddr(a)); got != want {
				t.Errorf("OnLink(%s) = %v, want %v", a, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
