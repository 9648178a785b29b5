package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Interfaces are tracked because of what is on them: seen with 2.2.7.
func TestRequires(t *testing.T) {
	quiet := on("10.6.0.1/24 eth6")
	quiet.NoTrack = true
	loose := Route{Dev: "eth6", NoTrack: true}
	ways := Route{NextHops: []NextHop{{Dev: "eth6"}, {Dev: "eth7"}}}
	fixed := on("10.3.0.9/24 eth8")
	fixed.TrackGroup = "T"
	unnamed := on("10.3.0.10/24 eth9")
	c := &Config{
		Global: DefaultGlobal,
		Static: Static{
			IPAddress:   []Address{fixed, unnamed},
			Routes:      []Route{{Dev: "eth0", TrackGroup: "T"}, {Dev: "eth10", TrackGroup: "T", NoTrack: true}},
			Rules:       []Rule{{IIF: "eth11", TrackGroup: "T"}},
			TrackGroups: []TrackGroup{{Name: "T", Members: []string{"static", "nobody"}}},
		},
		Instances: []Instance{
			{Name: "addresses", Interface: "eth0", VirtualIPAddress: all("10.0.0.1/24", "10.0.0.2/24 eth0", "10.1.0.1/24 eth1"),
				VirtualIPAddressExcluded: append(all("10.2.0.1/24 eth2", "10.1.0.2/24 eth1"), quiet), DontTrackPrimary: true},
			{Name: "routes", Interface: "eth0", VirtualIPAddress: all("10.0.0.3/24"), VirtualRoutes: []Route{{Dev: "eth1"}, {}, {Dev: "eth0"}, loose, ways}},
			{Name: "rules", Interface: "eth0", VirtualIPAddress: all("10.0.0.4/24"), VirtualRules: []Rule{{IIF: "eth1", OIF: "eth2"}, {OIF: "eth6", NoTrack: true}}},
			{Name: "vmac", Interface: "eth0", VirtualRouterID: 9, VMAC: &VMAC{}, VirtualIPAddress: all("10.0.0.5/24", "10.1.0.5/24 eth1 use_vmac"), VirtualRoutes: []Route{{Dev: "vrrp.9"}}},
			{Name: "static", Interface: "eth0", VirtualIPAddress: all("10.0.0.6/24")},
			{Name: "unicast", UnicastSrcIP: MustAddr("10.0.0.9"), UnicastPeers: []Peer{{Addr: netip.MustParseAddr("10.0.0.8")}}, VirtualIPAddress: all("10.1.0.7/24 eth1")},
		},
	}
	got := make(map[string]string)
	for range 2 { // resolving again changes nothing
		c.Resolve(nil)
		for k := range c.Instances {
			var names []string
			for _, r := range c.Instances[k].Requires {
				names = append(names, r.Name)
			}
			got[c.Instances[k].Name] = strings.Join(names, " ")
		}
		want := map[string]string{
			"addresses": "eth1 eth2", "routes": "eth1", "rules": "eth1 eth2", "vmac": "vrrp1.9", "static": "eth8 eth11", "unicast": "eth1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
