package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	pseudo4 = Pseudo{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("224.0.0.18")}
	pseudo6 = Pseudo{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12")}
)

// anyAdvert draws an advert that the format can carry.
func anyAdvert(t *rapid.T) (Advert, Pseudo) {
	a := Advert{
		Version:  rapid.SampledFrom([]uint8{2, 3}).Draw(t, "version"),
		VRID:     rapid.Uint8().Draw(t, "vrid"),
		Priority: rapid.Uint8().Draw(t, "priority"),
	}
	p, size := pseudo4, 4
	if rapid.Bool().Draw(t, "v6") {
		p, size = pseudo6, 16
	}
	if a.Version == 2 {
		a.Interval = time.Duration(rapid.IntRange(1, 255).Draw(t, "seconds")) * time.Second
		a.AuthType = rapid.Uint8().Draw(t, "auth")
		if size == 4 {
			copy(a.Auth[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "pass"))
		}
	} else {
		a.Interval = time.Duration(rapid.IntRange(1, 4095).Draw(t, "centiseconds")) * centi
		a.MessageChecksum = size == 4 && rapid.Bool().Draw(t, "checksum")
	}
	for range rapid.IntRange(0, MaxAddrs).Draw(t, "addresses") {
		addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
		a.Addrs = append(a.Addrs, addr)
	}
	return a, p
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, p := anyAdvert(t)
		b, err := a.AppendTo([]byte("before"), p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b[len("before"):], p)
		if diff := cmp.Diff(a, got, equalAddrs); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// Any single bit that is not in the four reserved ones makes an advert invalid
// or another one; the checksum leaves no change unseen.
func TestBitFlips(t *testing.T) {
	for _, tt := range captured4 {
		b, p := unhex(t, tt.hex)[20:], Pseudo{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("224.0.0.18")}
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			if a, err := Parse(b, p); err == nil {
				t.Errorf("%s, bit %d flipped: accepted as %+v", tt.name, bit, a)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, tt := range captured4 {
		b, p := unhex(t, tt.hex)[20:], Pseudo{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("224.0.0.18")}
		for n := range len(b) {
			if _, err := Parse(b[:n:n], p); !errors.Is(err, ErrLength) {
				t.Errorf("%s, %d of %d bytes: %v", tt.name, n, len(b), err)
			}
		}
	}
}

// Ethernet pads what is shorter than its smallest payload, and nothing else.
func TestPadding(t *testing.T) {
	short := Advert{Version: 3, VRID: 1, Priority: 100, Interval: time.Second, Addrs: addrs("192.0.2.9")}
	b, err := short.AppendTo(nil, pseudo4)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 60; n++ {
		padded := append(bytes.Clone(b), make([]byte, n)...)
		var want error
		if ipv4HeaderLen+len(padded) > minEthernetPayload && n != HMACLen {
			want = ErrLength
		}
		if a, err := Parse(padded, pseudo4); !errors.Is(err, want) || (len(a.Trailer) > 0) != (n == HMACLen) {
			t.Errorf("%d bytes of padding: %v, want %v", n, err, want)
		}
	}
	short.Addrs = addrs("2001:db8::1")
	if b, err = short.AppendTo(nil, pseudo6); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(append(b, 0), pseudo6); !errors.Is(err, ErrLength) {
		t.Errorf("surplus over IPv6: %v", err)
	}
}

// resum makes the checksum right after a byte was changed.
func resum(b []byte, a *Advert, p Pseudo) {
	b[6], b[7] = 0, 0
	c := ^fold(sum(a.seed(p, len(b)), b))
	b[6], b[7] = byte(c>>8), byte(c)
}

func TestRejected(t *testing.T) {
	for _, tt := range []struct {
		name   string
		v      uint8
		change func(b []byte)
		want   error
	}{
		{"version 0", 3, func(b []byte) { b[0] = 0x01 }, ErrVersion},
		{"version 4", 3, func(b []byte) { b[0] = 0x41 }, ErrVersion},
		{"type 0", 3, func(b []byte) { b[0] = 0x30 }, ErrType},
		{"type 2", 2, func(b []byte) { b[0] = 0x22 }, ErrType},
		{"more addresses than there are", 3, func(b []byte) { b[3]++ }, ErrLength},
		{"fewer addresses than there are", 3, func(b []byte) { b[3]-- }, ErrLength},
		{"v3 interval 0", 3, func(b []byte) { b[4], b[5] = 0, 0 }, ErrInterval},
		{"v3 interval 0, reserved bits set", 3, func(b []byte) { b[4], b[5] = 0xf0, 0 }, ErrInterval},
		{"v3 reserved bits set", 3, func(b []byte) { b[4] |= 0xf0 }, nil},
	} {
		a := Advert{Version: tt.v, VRID: 1, Priority: 1, Interval: time.Second, Addrs: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5")}
		b, err := a.AppendTo(nil, pseudo4)
		if err != nil {
			t.Fatal(err)
		}
		tt.change(b)
		resum(b, &a, pseudo4)
		if _, err := Parse(b, pseudo4); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestUnsendable(t *testing.T) {
	for name, a := range map[string]Advert{
		"version 4":     {Version: 4, Interval: time.Second},
		"v2, 100 ms":    {Version: 2, Interval: 100 * time.Millisecond},
		"v2, 256 s":     {Version: 2, Interval: 256 * time.Second},
		"v2, 1.5 s":     {Version: 2, Interval: 1500 * time.Millisecond},
		"v3, 0":         {Version: 3},
		"v3, 40.96 s":   {Version: 3, Interval: 4096 * centi},
		"v3, 5 ms":      {Version: 3, Interval: 5 * time.Millisecond},
		"other family":  {Version: 3, Interval: time.Second, Addrs: addrs("192.0.2.1", "2001:db8::1")},
		"too many":      {Version: 3, Interval: time.Second, Addrs: make([]netip.Addr, 256)},
		"unset address": {Version: 3, Interval: time.Second, Addrs: make([]netip.Addr, 1)},
	} {
		if b, err := a.AppendTo([]byte("x"), pseudo4); err == nil || string(b) != "x" {
			t.Errorf("%s: appended %x, error %v", name, b, err)
		}
	}
	ok := Advert{Version: 3, Interval: time.Second}
	if _, err := ok.AppendTo(nil, Pseudo{}); err == nil {
		t.Error("no source address: no error")
	}
}

// A receiver takes the sums of RFC 5798 and of RFC 9568.
func TestMessageChecksum(t *testing.T) {
	a := Advert{Version: 3, VRID: 9, Priority: 7, Interval: time.Second, Addrs: addrs("192.0.2.1"), MessageChecksum: true}
	b, err := a.AppendTo(nil, pseudo4)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(b, pseudo4); err != nil || !got.MessageChecksum {
		t.Errorf("%+v, %v", got, err)
	}
	a.Addrs = addrs("2001:db8::1")
	b, err = a.AppendTo(nil, pseudo6)
	if err != nil {
		t.Fatal(err)
	}
	b[6], b[7] = 0, 0
	c := ^fold(sum(0, b))
	b[6], b[7] = byte(c>>8), byte(c)
	if _, err := Parse(b, pseudo6); !errors.Is(err, ErrChecksum) {
		t.Errorf("IPv6 without pseudo-header: %v", err)
	}
}

func TestNoAllocation(t *testing.T) {
	good := unhex(t, captured4[0].hex)[20:]
	p := Pseudo{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("224.0.0.18")}
	bad := bytes.Clone(good)
	bad[7]++
	var a Advert
	buf := make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(100, func() {
		_ = a.Decode(good, p)
		buf, _ = a.AppendTo(buf[:0], p)
		_ = a.Decode(bad, p)
		_ = a.Decode(bad[:9], p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is accepted can be sent again as the same bytes, reserved bits and
// padding aside; nothing makes Parse panic.
func FuzzParse(f *testing.F) {
	for _, tt := range captured4 {
		f.Add(unhex(f, tt.hex)[20:], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		p := pseudo4
		if v6 {
			p = pseudo6
		}
		a, err := Parse(b, p)
		if err != nil || a.Interval == 0 {
			return
		}
		again, err := a.AppendTo(nil, p)
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		if got, err := Parse(again, p); err != nil || !cmp.Equal(a, got, equalAddrs) {
			t.Fatalf("%+v became %+v, %v", a, got, err)
		}
	})
}
