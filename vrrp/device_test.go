package vrrp_test

import (
	"fmt"
	"net/netip"
	"slices"
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
	c.Resolve(nil)
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

// A master whose macvlan has another name after a reload stays that: what the
// link is like under its new name it is told afterwards.
func TestOwnDeviceRenamed(t *testing.T) {
	with := func(name string, mac config.MAC) *config.Config {
		c := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{{
			Name: "VI_1", Interface: "eth0", VirtualRouterID: 51, AdvertInt: time.Second, Priority: config.Some[uint8](255), VMAC: &config.VMAC{Name: name, MAC: mac},
			VirtualIPAddress: []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.5/24")}},
		}}}
		c.Resolve(nil)
		return c
	}
	now := time.Unix(0, 0)
	g := vrrp.Regroup(now, nil, with("mac51", config.MAC{})).Groups[0]
	m := g.Members()[0]
	g.Step(now, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{config.MustAddr("10.0.0.1")}})
	g.Step(now, vrrp.LinkChanged{Link: "mac51", Exists: true, Up: true})
	g.Step(now, vrrp.Start{})
	claims := 0
	for _, e := range vrrp.Regroup(now, []*vrrp.Group{g}, with("mac52", config.MAC{})).Effects {
		switch e := e.(type) {
		case vrrp.Became:
			t.Errorf("%+v", e)
		case vrrp.Claim:
			if claims++; len(e.Addresses) != 1 || e.Addresses[0].Dev != "mac52" {
				t.Errorf("claims %v", e.Addresses)
			}
		}
	}
	if m.State() != config.Master || claims != 1 {
		t.Errorf("%s with %d claims after the reload", m.State(), claims)
	}
	announced := ""
	for _, e := range vrrp.Regroup(now, []*vrrp.Group{g}, with("mac52", config.MAC{Octets: [6]byte{2, 0, 0, 0, 0, 9}, Len: 6})).Effects {
		announced += fmt.Sprintf("%T ", e)
	}
	if announced != "vrrp.Announce " {
		t.Errorf("another MAC: %s", announced)
	}
	if g.Step(now, vrrp.LinkChanged{Link: "mac52"}); m.State() != config.Fault {
		t.Errorf("%s without its macvlan", m.State())
	}
}

// garp_extra_if announces, again and again, the addresses on VMACs that no
// adverts leave from; with `all` those on other links, too.
func TestExtraAnnouncements(t *testing.T) {
	for name, extra := range map[string]config.ExtraGarp{
		"vmacs": {Interval: 10 * time.Second}, "all": {Interval: 10 * time.Second, All: true}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			on := func(prefix, dev string, vmac bool) config.Address {
				return config.Address{Prefix: netip.MustParsePrefix(prefix), Dev: dev, UseVMAC: vmac}
			}
			c := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{{
				Name: "VI_1", Interface: "eth0", VirtualRouterID: 51, AdvertInt: 255 * time.Second, Priority: config.Some[uint8](255), McastSrcIP: config.MustAddr("10.0.0.1"),
				VirtualIPAddress: []config.Address{on("10.0.0.5/24", "", false), on("10.0.1.5/24", "eth1", true), on("10.0.2.5/24", "eth2", false)},
			}}}
			c.Global.VRRPGarpExtraIf, c.Global.VRRPGarpMasterDelay = extra, 0
			c.Resolve(nil)
			now := time.Unix(0, 0)
			g := vrrp.Regroup(now, nil, c).Groups[0]
			for _, link := range []string{"eth0", "vrrp.51", "eth2"} {
				g.Step(now, vrrp.LinkChanged{Link: link, Exists: true, Up: true})
			}
			g.Step(now, vrrp.Start{})
			var said []string
			for end := now.Add(25 * time.Second); !g.Deadline().After(end); {
				now = g.Deadline()
				for _, e := range g.Step(now, vrrp.TimerFired{}) {
					if a, ok := e.(vrrp.Announce); ok {
						for _, addr := range a.Addresses {
							said = append(said, fmt.Sprintf("%d: %s x%d", now.Unix(), addr.Dev, a.Rounds))
						}
					}
				}
			}
			want := map[string][]string{
				"vmacs": {"10: vrrp.51 x1", "20: vrrp.51 x1"},
				"all":   {"10: vrrp.51 x1", "10: eth2 x1", "20: vrrp.51 x1", "20: eth2 x1"},
			}[name]
			if !slices.Equal(said, want) {
				t.Errorf("announced %q, want %q", said, want)
			}
		})
	}
}
