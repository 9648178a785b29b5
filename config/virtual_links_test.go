package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// on is an address of a test: PREFIX [DEV] [use_vmac].
func on(line string) Address {
	words := strings.Fields(line)
	a := Address{Prefix: netip.MustParsePrefix(words[0])}
	for _, w := range words[1:] {
		if w == "use_vmac" {
			a.UseVMAC = true
		} else {
			a.Dev = w
		}
	}
	return a
}

func all(lines ...string) (list []Address) {
	for _, l := range lines {
		list = append(list, on(l))
	}
	return list
}

// Links get the names that keepalived gives, and addresses the links: seen
// with 2.2.7. Resolving again changes nothing.
func TestVirtualLinks(t *testing.T) {
	c := &Config{Global: DefaultGlobal, Instances: []Instance{
		{Name: "VI_1", Interface: "eth0", VirtualRouterID: 51, VMAC: &VMAC{Group: "7", NetlinkNotifyMsg: true},
			VirtualIPAddress:         all("10.9.0.100/24", "10.9.0.101/24 eth0", "10.8.0.100/24 eth1", "10.8.0.110/24 eth1 use_vmac"),
			VirtualIPAddressExcluded: all("2001:db8::1/64", "2001:db8::2/64 eth0 use_vmac", "2001:db8::3/64 eth1 use_vmac")},
		{Name: "VI_2", Interface: "eth0", VirtualRouterID: 52, UseVMACAddr: true,
			VirtualIPAddress:         all("10.9.0.102/24", "10.8.0.102/24 eth1"),
			VirtualIPAddressExcluded: all("2001:db8::12/64", "2001:db8::13/64 eth1", "10.8.0.103/24 eth1")},
		{Name: "VI_X", Interface: "eth1", VirtualRouterID: 53, VMACXmitBase: true, VMAC: &VMAC{Name: "vx", MAC: MAC{Octets: [6]byte{2, 0x11, 0x22, 0x33, 0x44}, Len: 5}},
			VirtualIPAddress: all("10.8.0.104/24")},
		{Name: "VI_I", Interface: "eth1", VirtualRouterID: 54, IPVLAN: &IPVLAN{Prefix: netip.MustParsePrefix("10.8.0.9/24"), Mode: "vepa"}, VirtualIPAddress: all("10.8.0.105/24")},
		{Name: "VI_V", VRF: "red", VirtualRouterID: 55, UnicastSrcIP: MustAddr("10.8.0.1"), VirtualIPAddress: all("10.8.0.106/24")},
		{Name: "VI_6", Interface: "eth0", VirtualRouterID: 51, VMAC: &VMAC{}, VirtualIPAddress: all("fe80::100/64")},
		{Name: "VI_N", Interface: "eth0", VirtualRouterID: 56, VMAC: &VMAC{Name: "vrrp.51"}, VirtualIPAddress: all("10.9.0.107/24")},
		{Name: "VI_XM", Interface: "eth0", VirtualRouterID: 57, VMACXmitBase: true, VMAC: &VMAC{}, VirtualIPAddress: all("fe80::101/64")},
	}}
	c.Resolve(nil)
	show := func() string {
		var b strings.Builder
		for k := range c.Instances {
			i := &c.Instances[k]
			fmt.Fprintf(&b, "%s on %q, adverts on %q\n", i.Name, i.Device(), i.AdvertDevice())
			for _, l := range i.Links {
				fmt.Fprintf(&b, "  %s on %s %x ipv6=%t mirror=%t ipvlan=%q %v group=%q notify=%t\n", l.Name, l.Parent, l.MAC, l.IPv6, l.Mirror, l.IPVLAN, l.Prefix, l.Group, l.Notify)
			}
			for _, a := range i.Addresses() {
				fmt.Fprintf(&b, "    %s on %s\n", a.Prefix, a.Dev)
			}
		}
		return b.String()
	}
	got := show()
	want := `VI_1 on "vrrp1.51", adverts on "vrrp1.51"
  vrrp1.51 on eth0 00005e000133 ipv6=false mirror=false ipvlan="" invalid Prefix group="7" notify=true
  vrrp2.51 on eth1 00005e000133 ipv6=false mirror=false ipvlan="" invalid Prefix group="" notify=false
  vrrp6.51 on eth0 00005e000233 ipv6=true mirror=true ipvlan="" invalid Prefix group="" notify=false
  vrrp3.51 on eth1 00005e000233 ipv6=true mirror=true ipvlan="" invalid Prefix group="" notify=false
    10.9.0.100/24 on vrrp1.51
    10.9.0.101/24 on vrrp1.51
    10.8.0.100/24 on eth1
    10.8.0.110/24 on vrrp2.51
    2001:db8::1/64 on eth0
    2001:db8::2/64 on vrrp6.51
    2001:db8::3/64 on vrrp3.51
VI_2 on "eth0", adverts on "eth0"
  vrrp.52 on eth1 00005e000134 ipv6=false mirror=false ipvlan="" invalid Prefix group="" notify=false
  vrrp6.52 on eth0 00005e000234 ipv6=true mirror=true ipvlan="" invalid Prefix group="" notify=false
  vrrp1.52 on eth1 00005e000234 ipv6=true mirror=true ipvlan="" invalid Prefix group="" notify=false
    10.9.0.102/24 on eth0
    10.8.0.102/24 on vrrp.52
    2001:db8::12/64 on vrrp6.52
    2001:db8::13/64 on vrrp1.52
    10.8.0.103/24 on vrrp.52
VI_X on "vx", adverts on "eth1"
  vx on eth1 021122334435 ipv6=false mirror=false ipvlan="" invalid Prefix group="" notify=false
    10.8.0.104/24 on vx
VI_I on "vrrp.54", adverts on "vrrp.54"
  vrrp.54 on eth1 000000000000 ipv6=false mirror=false ipvlan="vepa" 10.8.0.9/24 group="" notify=false
    10.8.0.105/24 on eth1
VI_V on "", adverts on "red"
    10.8.0.106/24 on 
VI_6 on "vrrp6.51", adverts on "vrrp6.51"
  vrrp6.51 on eth0 00005e000233 ipv6=true mirror=true ipvlan="" invalid Prefix group="" notify=false
    fe80::100/64 on vrrp6.51
VI_N on "vrrp.51", adverts on "vrrp.51"
  vrrp.51 on eth0 00005e000138 ipv6=false mirror=false ipvlan="" invalid Prefix group="" notify=false
    10.9.0.107/24 on vrrp.51
VI_XM on "vrrp.57", adverts on "eth0"
  vrrp.57 on eth0 00005e000239 ipv6=true mirror=false ipvlan="" invalid Prefix group="" notify=false
    fe80::101/64 on vrrp.57
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.Resolve(nil); show() != got {
		t.Errorf("resolved twice:\n%s", show())
	}
}

// An instance that gets a link of its own, or another way of placing
// addresses, is another one.
func TestKeyWithLinks(t *testing.T) {
	plain := Instance{Interface: "eth0", VirtualRouterID: 1}
	vmac, addr := plain, plain
	vmac.VMAC, addr.UseVMACAddr = &VMAC{}, true
	if plain.Key() == vmac.Key() || plain.Key() == addr.Key() {
		t.Error("keys are equal")
	}
	other := vmac
	other.VMAC = &VMAC{Group: "3"}
	if vmac.Key() != other.Key() {
		t.Error("keys differ")
	}
}

// present are the links of a machine of which nothing else is asked.
type present struct {
	Environment
	links []PresentLink
}

func (p present) Links() []PresentLink { return p.links }

// TestNamesThatAreTaken: a link of somebody else keeps its name, and the one
// that an earlier start has made is used again, whatever its name.
func TestNamesThatAreTaken(t *testing.T) {
	ours := routerMAC(&Instance{VirtualRouterID: 51}, false)
	v4, v6 := MustAddr("10.9.0.1"), MustAddr("fe80::1")
	for name, tt := range map[string]struct {
		links   []PresentLink
		ipvlan  bool
		address Addr
		want    string
	}{
		"nothing there":               {nil, false, v4, "vrrp.51"},
		"another link":                {[]PresentLink{{Name: "vrrp.51"}}, false, v4, "vrrp1.51"},
		"two others":                  {[]PresentLink{{Name: "vrrp.51"}, {Name: "vrrp1.51"}}, false, v4, "vrrp2.51"},
		"another link, IPv6":          {[]PresentLink{{Name: "vrrp.51"}}, false, v6, "vrrp6.51"},
		"a VMAC on another interface": {[]PresentLink{{Name: "vrrp.51", Parent: "eth1", VMAC: true, MAC: ours}}, false, v4, "vrrp1.51"},
		"a VMAC with another MAC":     {[]PresentLink{{Name: "vrrp.51", Parent: "eth0", VMAC: true}}, false, v4, "vrrp1.51"},
		"ours":                        {[]PresentLink{{Name: "vrrp.51", Parent: "eth0", VMAC: true, MAC: ours}}, false, v4, "vrrp.51"},
		"ours by another name":        {[]PresentLink{{Name: "vrrp.51"}, {Name: "vrrp7.51", Parent: "eth0", VMAC: true, MAC: ours}}, false, v4, "vrrp7.51"},
		"ours with another MAC":       {[]PresentLink{{Name: "vrrp.51", Parent: "eth0", VMAC: true, Ours: true}}, false, v4, "vrrp.51"},
		"ours that had a name":        {[]PresentLink{{Name: "mac51", Parent: "eth0", VMAC: true, MAC: ours, Ours: true, Named: true}}, false, v4, "vrrp.51"},
		"our MAC, but no VMAC":        {[]PresentLink{{Name: "vrrp.51", Parent: "eth0", MAC: ours}}, false, v4, "vrrp1.51"},
		"our ipvlan":                  {[]PresentLink{{Name: "vrrp.51", Parent: "eth0", IPVLAN: true}}, true, v4, "vrrp.51"},
		"an ipvlan elsewhere":         {[]PresentLink{{Name: "vrrp.51", Parent: "eth1", IPVLAN: true}}, true, v4, "vrrp1.51"},
	} {
		i := Instance{Interface: "eth0", VirtualRouterID: 51, VMAC: &VMAC{}, VirtualIPAddress: []Address{{Prefix: netip.PrefixFrom(tt.address, 24)}}}
		if tt.ipvlan {
			i.VMAC, i.IPVLAN = nil, &IPVLAN{}
		}
		c := &Config{Global: DefaultGlobal, Instances: []Instance{i}}
		c.Resolve(present{links: tt.links})
		if got := c.Instances[0].Device(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
