package wire

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What Debian's keepalived 2.2.7 sent with auth_type AH and auth_pass s3cret.
var capturedAH = []struct {
	name     string
	hex      string
	id       uint16
	sequence uint32
	advert   Advert
}{
	{
		name: "first", id: 1, sequence: 1,
		hex: "45c0004400010000ff33d0a90a090001e0000012" + "700400000a09000100000001bb0da534a576df868a8b3efb" +
			"2133780202014fee" + "0a0900640a090065" + "0000000000000000",
		advert: Advert{Version: 2, VRID: 51, Priority: 120, Interval: time.Second, AuthType: AuthAH, Addrs: addrs("10.9.0.100", "10.9.0.101")},
	},
	{
		name: "resigning", id: 10, sequence: 10,
		hex: "45c00044000a0000ff33d0a00a090001e0000012" + "700400000a0900010000000ab30346fcdc7e2d4c337e6fcc" +
			"213300020201c7ee" + "0a0900640a090065" + "0000000000000000",
		advert: Advert{Version: 2, VRID: 51, Interval: time.Second, AuthType: AuthAH, Addrs: addrs("10.9.0.100", "10.9.0.101")},
	},
}

func TestAH(t *testing.T) {
	src, dst := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("224.0.0.18")
	ah := NewAH("s3cret")
	for _, tt := range capturedAH {
		want := unhex(t, tt.hex)
		payload, err := tt.advert.AppendTo(nil, Pseudo{src, dst})
		if err != nil {
			t.Fatal(err)
		}
		if got := ah.AppendIPv4(nil, src, dst, 255, tt.id, tt.sequence, payload); !bytes.Equal(got, want) {
			t.Errorf("%s: sent\n%x, keepalived sends\n%x", tt.name, got, want)
		}
		d, ok := ParseIPv4(want)
		if !ok || !ah.Verify(&d) || d.Sequence() != tt.sequence || d.Src != src || d.Dst != dst || d.TTL != 255 {
			t.Errorf("%s: keepalived's is not accepted: %+v", tt.name, d)
		}
		got, err := Parse(d.Payload, d.Pseudo())
		if diff := cmp.Diff(tt.advert, got, equalAddrs); err != nil || diff != "" {
			t.Errorf("%s: parsed: %v\n%s", tt.name, err, diff)
		}
		if NewAH("secret").Verify(&d) {
			t.Errorf("%s: any password will do", tt.name)
		}
	}
}

// Of the bits of the IP header and of the authentication header only those may
// change that routers change, the TTL among them when it is unicast.
func TestAHCoversTheHeaders(t *testing.T) {
	ah := NewAH("s3cret")
	src := netip.MustParseAddr("10.9.0.1")
	for _, dst := range []string{"224.0.0.18", "10.9.0.2"} {
		dst := netip.MustParseAddr(dst)
		b := ah.AppendIPv4(nil, src, dst, 255, 1, 7, []byte("a message of some length"))
		mutable := map[int]bool{tosAt: true, fragmentAt: true, fragmentAt + 1: true, checksumAt: true, checksumAt + 1: true}
		mutable[ttlAt] = !dst.IsMulticast()
		// The reserved field is covered, the checksum of IP is the kernel's.
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			d, ok := ParseIPv4(b)
			if accepted := ok && ah.Verify(&d); accepted != mutable[bit/8] {
				t.Errorf("to %s, bit %d of byte %d flipped: accepted %t", dst, bit%8, bit/8, accepted)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// Fields that the value covers are right only with the value that belongs to
// them.
func TestAHFields(t *testing.T) {
	ah := NewAH("s3cret")
	src, dst := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("224.0.0.18")
	for name, change := range map[string]func(h []byte){
		"SPI":         func(h []byte) { h[spiAt]++ },
		"next header": func(h []byte) { h[nextHeaderAt] = 17 },
		"size":        func(h []byte) { h[ahSizeAt]++ },
		"nothing":     func([]byte) {},
	} {
		b := ah.AppendIPv4(nil, src, dst, 255, 1, 7, []byte("a message of some length"))
		change(b)
		copy(b[icvAt:], ah.icv(b[:ahEnd], b[ahEnd:]))
		if d, ok := ParseIPv4(b); !ok || ah.Verify(&d) != (name == "nothing") {
			t.Errorf("%s changed and signed: accepted %t", name, ah.Verify(&d))
		}
	}
}

func TestAHTruncated(t *testing.T) {
	ah := NewAH("s3cret")
	b := unhex(t, capturedAH[0].hex)
	for n := range len(b) {
		if d, ok := ParseIPv4(b[:n:n]); ok && ah.Verify(&d) {
			t.Errorf("%d bytes of %d are accepted", n, len(b))
		}
	}
}

func TestAHAllocatesNothing(t *testing.T) {
	ah := NewAH("s3cret")
	b := unhex(t, capturedAH[0].hex)
	good, _ := ParseIPv4(b)
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	bad, _ := ParseIPv4(b)
	if n := testing.AllocsPerRun(100, func() {
		if !ah.Verify(&good) || ah.Verify(&bad) {
			t.Error("wrong verdict")
		}
	}); n != 0 {
		t.Errorf("a look at two datagrams costs %v allocations", n)
	}
	buf := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() {
		buf = ah.AppendIPv4(buf[:0], good.Src, good.Dst, 255, 1, 1, good.Payload)
	}); n != 0 {
		t.Errorf("a datagram costs %v allocations", n)
	}
}

// Nothing makes the headers' parser or the check of an authentication header
// panic, and what passes is what was signed, but for what routers may change.
func FuzzParseIPv4(f *testing.F) {
	for _, tt := range capturedAH {
		f.Add(unhex(f, tt.hex))
	}
	for _, tt := range captured4 {
		f.Add(unhex(f, tt.hex))
	}
	ah := NewAH("s3cret")
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := ParseIPv4(b)
		if !ok {
			return
		}
		if len(d.Headers)+len(d.Payload) > len(b) {
			t.Fatalf("%x: parts are longer than the whole", b)
		}
		if !ah.Verify(&d) {
			return
		}
		again := ah.AppendIPv4(nil, d.Src, d.Dst, uint8(d.TTL), 0, d.Sequence(), d.Payload)
		if e, ok := ParseIPv4(again); !ok || !ah.Verify(&e) || !bytes.Equal(e.Payload, d.Payload) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
