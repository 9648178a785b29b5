package wire

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var equalAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What Debian's keepalived 2.2.7 sent, taken from the wire with tcpdump: the
// IP datagram without its Ethernet header.
var captured4 = []struct {
	name   string
	hex    string
	id     uint16
	advert Advert
}{
	{
		name: "v2", id: 1,
		hex:    "45c0003000010000ff70d0890a000001e0000012" + "2133640300015b99" + "0a0000640a0000650a000066" + "0000000000000000",
		advert: Advert{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, Addrs: addrs("10.0.0.100", "10.0.0.101", "10.0.0.102")},
	},
	{
		name: "v2 resigning", id: 17,
		hex:    "45c0003000110000ff70d0790a000001e0000012" + "213300030001bf99" + "0a0000640a0000650a000066" + "0000000000000000",
		advert: Advert{Version: 2, VRID: 51, Interval: time.Second, Addrs: addrs("10.0.0.100", "10.0.0.101", "10.0.0.102")},
	},
	{
		name: "v2 PASS", id: 1,
		hex:    "45c0002800010000ff70d0910a000001e0000012" + "2134c8010101cf0e" + "0a00006e" + "7365637265740000",
		advert: Advert{Version: 2, VRID: 52, Priority: 200, Interval: time.Second, AuthType: AuthPass, Auth: [8]byte{'s', 'e', 'c', 'r', 'e', 't'}, Addrs: addrs("10.0.0.110")},
	},
	{
		name: "v2 owner", id: 1,
		hex:    "45c0002800010000ff70d0910a000001e0000012" + "2137ff010001d543" + "0a000082" + "0000000000000000",
		advert: Advert{Version: 2, VRID: 55, Priority: 255, Interval: time.Second, Addrs: addrs("10.0.0.130")},
	},
	{
		name: "v3", id: 1,
		hex:    "45c0002400010000ff70d0950a000001e0000012" + "3135960200323911" + "0a0000780a000079",
		advert: Advert{Version: 3, VRID: 53, Priority: 150, Interval: 500 * time.Millisecond, Addrs: addrs("10.0.0.120", "10.0.0.121")},
	},
	{
		name: "v3 resigning", id: 40,
		hex:    "45c0002400280000ff70d06e0a000001e0000012" + "313500020032cf11" + "0a0000780a000079",
		advert: Advert{Version: 3, VRID: 53, Interval: 500 * time.Millisecond, Addrs: addrs("10.0.0.120", "10.0.0.121")},
	},
}

func TestAdvertIPv4(t *testing.T) {
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("224.0.0.18")
	for _, tt := range captured4 {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.hex)
			payload, err := tt.advert.AppendTo(nil, Pseudo{src, dst})
			if err != nil {
				t.Fatal(err)
			}
			if got := AppendIPv4(nil, src, dst, 255, tt.id, payload); !bytes.Equal(got, want) {
				t.Errorf("sent\n%x, keepalived sends\n%x", got, want)
			}
			got, err := Parse(want[20:], Pseudo{src, dst})
			if diff := cmp.Diff(tt.advert, got, equalAddrs); err != nil || diff != "" {
				t.Errorf("parsed: %v\n%s", err, diff)
			}
		})
	}
}

func TestAdvertIPv6(t *testing.T) {
	for _, tt := range []struct {
		name   string
		src    string
		hex    string
		advert Advert
	}{
		{
			"v3", "fe80::dcdb:52ff:fe54:802f", "3136960200645f46" + "fe800000000000000000000000000054" + "20010db8000000000000000000000001",
			Advert{Version: 3, VRID: 54, Priority: 150, Interval: time.Second, Addrs: addrs("fe80::54", "2001:db8::1")},
		},
		{
			"v2", "fe80::ff:fe00:1", "2133780300010c7a" + "fe800000000000000000000000090100" + "20010db8000900000000000000000100" + "20010db8000900000000000000000101",
			Advert{Version: 2, VRID: 51, Priority: 120, Interval: time.Second, Addrs: addrs("fe80::9:100", "2001:db8:9::100", "2001:db8:9::101")},
		},
	} {
		p := Pseudo{netip.MustParseAddr(tt.src), netip.MustParseAddr("ff02::12")}
		want := unhex(t, tt.hex)
		got, err := tt.advert.AppendTo(nil, p)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: sent\n%x, %v, keepalived sends\n%x", tt.name, got, err, want)
		}
		parsed, err := Parse(want, p)
		if diff := cmp.Diff(tt.advert, parsed, equalAddrs); err != nil || diff != "" {
			t.Errorf("%s: parsed: %v\n%s", tt.name, err, diff)
		}
	}
}

// Frames are complete, Ethernet header and all.
func TestGratuitousARP(t *testing.T) {
	want := unhex(t, "ffffffffffffdedb5254802f0806"+"0001080006040001"+"dedb5254802f0a000082"+"ffffffffffff0a000082")
	if got := GratuitousARP(nil, mac, netip.MustParseAddr("10.0.0.130")); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, keepalived sends\n%x", got, want)
	}
}

func TestUnsolicitedNA(t *testing.T) {
	want := unhex(t, "333300000001dedb5254802f86dd"+"6000000000203aff"+"20010db8000000000000000000000001"+"ff020000000000000000000000000001"+
		"880049cc20000000"+"20010db8000000000000000000000001"+"0201dedb5254802f")
	addr := netip.MustParseAddr("2001:db8::1")
	if got := UnsolicitedNA(nil, mac, addr, false); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, keepalived sends\n%x", got, want)
	}
	if got := UnsolicitedNA(nil, mac, addr, true); got[58] != 0xa0 {
		t.Errorf("flags of a router: %#x, want R and O", got[58])
	}
}

var mac = [6]byte{0xde, 0xdb, 0x52, 0x54, 0x80, 0x2f}
