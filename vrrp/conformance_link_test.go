package vrrp_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// What the kernel does for the protocol: here is what it is asked for, the
// tests of internal/kernel and e2e/vrrp see that it does it.
func TestConformanceKernel(t *testing.T) {
	t.Run("TX-03 from the virtual router's MAC address", func(t *testing.T) {
		for vip, mac := range map[string][6]byte{"10.0.0.5/24": {0, 0, 0x5e, 0, 1, 51}, "fe80::5/64": {0, 0, 0x5e, 0, 2, 51}} {
			i := virtual("VI_1", 51, 100, vip)
			i.VMAC = &config.VMAC{}
			got := resolved(i).Instances[0]
			if len(got.Links) != 1 || got.Links[0].MAC != mac || got.AdvertDevice() != got.Links[0].Name {
				t.Errorf("%s: adverts leave from %s of %+v", vip, got.AdvertDevice(), got.Links)
			}
		}
		if i := resolved(virtual("VI_1", 51, 100, vip)).Instances[0]; i.AdvertDevice() != "eth0" {
			t.Errorf("without use_vmac: from %s", i.AdvertDevice()) // as keepalived does
		}
	})
	t.Run("TX-08 identification counts the adverts of an instance", func(t *testing.T) {
		bubble(t, func(t *testing.T, l *lan) {
			a := l.newRouter("10.0.0.1", nil)
			apply(t, a, resolved(virtual("VI_1", 51, 255, vip)))
			l.until(500 * time.Millisecond)
			apply(t, a, resolved(virtual("VI_1", 51, 255, vip), virtual("VI_2", 52, 255, "10.0.0.6/24")))
			l.until(2100 * time.Millisecond)
			want(t, "wire", l.sent(), []string{
				"0s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 255",
				"500ms 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 52 prio 255",
				"1s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 51 prio 255",
				"1.5s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 52 prio 255",
				"2s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 51 prio 255",
			})
			a.stop(t)
		})
	})
	t.Run("GA-04 no answer with the physical MAC address", func(t *testing.T) {
		i := virtual("VI_1", 51, 100, "10.0.0.5/24")
		i.VMAC = &config.VMAC{}
		c := resolved(i)
		sysctls := c.Standing().Sysctls
		for _, name := range []string{"arp_ignore", "arp_filter"} {
			if !slices.Contains(sysctls, config.Sysctl{Link: "eth0", Name: name, Value: "1"}) {
				t.Errorf("%s is not set on the interface: %v", name, sysctls)
			}
		}
		if got := c.Instances[0].Addresses(); len(got) != 1 || got[0].Dev != c.Instances[0].Device() || got[0].Dev == "eth0" {
			t.Errorf("the address is on %+v", got)
		}
	})
	t.Run("GA-06 Accept_Mode", func(t *testing.T) {
		no := func(i *config.Instance) { i.Accept = config.Some(false) }
		strict := func(i *config.Instance) { i.StrictMode = config.Some(true) }
		for _, c := range []struct {
			name     string
			priority uint8
			change   func(*config.Instance)
			closed   []netip.Addr
		}{
			{"by default accepted, as in keepalived", 100, func(*config.Instance) {}, nil},
			{"no_accept", 100, no, parsed("10.0.0.100")},
			{"vrrp_strict", 100, strict, parsed("10.0.0.100")},
			{"the owner accepts always", 255, no, nil},
			{"the owner accepts always, vrrp_strict", 255, strict, nil},
		} {
			i := virtual("VI_1", 51, c.priority, "10.0.0.100/24")
			i.Version = config.Some[uint8](3)
			c.change(&i)
			var closed []netip.Addr
			for _, a := range resolved(i).Instances[0].Claims().Closed {
				closed = append(closed, a.Addr)
			}
			if !slices.Equal(closed, c.closed) {
				t.Errorf("%s: closed are %v, want %v", c.name, closed, c.closed)
			}
		}
	})
}
