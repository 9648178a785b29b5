package vrrp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// An instance with use_vmac is up when both its interface and its macvlan
// are; its adverts come from an address of the interface, its addresses live
// on the macvlan, and an announcement goes out there.
func TestOwnDevice(t *testing.T) {
	c := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{{
		Name: "VI_1", Interface: "eth0", VirtualRouterID: 51, AdvertInt: time.Second, Priority: config.Some[uint8](255), VMAC: &config.VMAC{},
		VirtualIPAddress: []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.5/24")}},
	}}}
	c.Resolve()
	now := time.Unix(0, 0)
	g := vrrp.Regroup(now, nil, c).Groups[0]
	m := g.Members()[0]
	base := vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{config.MustAddr("10.0.0.1")}}
	device := vrrp.LinkChanged{Link: "vrrp.51", Exists: true, Up: true}
	g.Step(now, base)
	effects := g.Step(now, vrrp.Start{})
	if m.State() != config.Fault {
		t.Errorf("without its macvlan: %s, %v", m.State(), effects)
	}
	claimed := false
	for _, e := range g.Step(now, device) {
		switch e := e.(type) {
		case vrrp.SendAdvert:
			if e.Src != config.MustAddr("10.0.0.1") {
				t.Errorf("advert from %s", e.Src)
			}
		case vrrp.Claim:
			claimed = len(e.Addresses) == 1 && e.Addresses[0].Dev == "vrrp.51"
		}
	}
	if m.State() != config.Master || !claimed {
		t.Errorf("with its macvlan: %s, claimed %t", m.State(), claimed)
	}
	for name, down := range map[string]vrrp.LinkChanged{"eth0": {Link: "eth0", Exists: true}, "vrrp.51": {Link: "vrrp.51"}} {
		if g.Step(now, down); m.State() != config.Fault {
			t.Errorf("%s down: %s", name, m.State())
		}
		g.Step(now, base)
		if g.Step(now, device); m.State() != config.Master {
			t.Errorf("%s up again: %s", name, m.State())
		}
	}
}
