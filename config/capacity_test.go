package config

import (
	"fmt"
	"net/netip"
	"testing"
)

// narrow is an environment whose interfaces have an MTU.
type narrow struct {
	world
	mtu int
}

func (n narrow) MTU(string) int { return n.mtu }

// How many addresses an advert has room for is what keepalived 2.2.7 was seen
// to reckon; the excess goes behind those that are not advertised anyhow.
func TestCapacity(t *testing.T) {
	ah := func(i *Instance) { i.Authentication = Authentication{Type: AuthAH, Pass: "x"} }
	three := func(i *Instance) { i.Version = Some[uint8](3) }
	signed := func(i *Instance) {
		three(i)
		a := DefaultAuthHMAC
		a.ActiveKey, a.Keys = 1, []HMACKey{{ID: 1, Secret: theKey}}
		i.AuthHMAC = &a
	}
	for _, tt := range []struct {
		name   string
		mtu    int
		six    bool
		change func(*Instance)
		want   int
	}{
		{"v2", 300, false, nil, 62}, {"v2", 302, false, nil, 63}, {"v2", 576, false, nil, 131}, {"v2", 1500, false, nil, 255}, {"v2", 0, false, nil, 255},
		{"AH", 300, false, ah, 56}, {"AH", 302, false, ah, 57}, {"AH", 576, false, ah, 125},
		{"v3", 300, false, three, 64}, {"v3", 302, false, three, 65}, {"v3", 576, false, three, 133}, {"HMAC", 302, false, signed, 58},
		{"IPv6", 1280, true, nil, 76}, {"IPv6", 1295, true, nil, 77}, {"IPv6", 1500, true, nil, 89}, {"IPv6", 0, true, nil, 255},
	} {
		t.Run(fmt.Sprint(tt.name, tt.mtu), func(t *testing.T) {
			i := DefaultInstance
			i.Name, i.Interface, i.VirtualRouterID = "VI_1", "eth0", 51
			addr := netip.MustParseAddr("10.9.0.1")
			if tt.six {
				addr = netip.MustParseAddr("fe80::1")
			}
			for range 300 {
				i.VirtualIPAddress = append(i.VirtualIPAddress, Address{Prefix: netip.PrefixFrom(addr, addr.BitLen())})
				addr = addr.Next()
			}
			i.VirtualIPAddressExcluded = []Address{{Prefix: netip.MustParsePrefix("192.0.2.1/32")}}
			if tt.change != nil {
				tt.change(&i)
			}
			last := i.VirtualIPAddress[299]
			c := &Config{Global: DefaultGlobal, Instances: []Instance{i}}
			c.Validate(narrow{mtu: tt.mtu})
			got := c.Instances[0]
			if len(got.VirtualIPAddress) != tt.want || len(got.VirtualIPAddressExcluded) != 301-tt.want {
				t.Errorf("%d and %d addresses, want %d", len(got.VirtualIPAddress), len(got.VirtualIPAddressExcluded), tt.want)
			}
			if e := got.VirtualIPAddressExcluded; e[0].Prefix.Addr() != netip.MustParseAddr("192.0.2.1") || e[len(e)-1] != last {
				t.Errorf("excluded: %s first, %s last", e[0].Prefix, e[len(e)-1].Prefix)
			}
		})
	}
}
