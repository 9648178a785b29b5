package wire

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const hmacKey = "0123456789abcdef0123456789abcdef"

// Adverts with a trailer, computed by another program from the description of
// the format.
var signed = []struct {
	name     string
	p        Pseudo
	id       uint8
	key      string
	sequence uint64
	advert   Advert
	hex      string
}{
	{
		"v3 over IPv4", Pseudo{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("224.0.0.18")}, 7, hmacKey, 0x65920080_8000_0001,
		Advert{Version: 3, VRID: 51, Priority: 120, Interval: time.Second, Addrs: addrs("10.9.0.100")},
		"3133780100646161" + "0a090064" + "010700006592008080000001" + "656ca9d5712c6c56d19cd3172b88a1f5",
	},
	{
		"v2", Pseudo{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("224.0.0.18")}, 7, hmacKey, 0x65920080_8000_0001,
		Advert{Version: 2, VRID: 51, Priority: 120, Interval: time.Second, Addrs: addrs("10.9.0.100", "10.9.0.101")},
		"21337802000151ee" + "0a0900640a090065" + "0000000000000000" + "010700006592008080000001" + "a062af8a4900e2ee1d94623249a9e8cf",
	},
	{
		"v3 over IPv6", Pseudo{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12")}, 255, hmacKey + hmacKey, 0xffffffff_ffff_ffff,
		Advert{Version: 3, VRID: 51, Priority: 120, Interval: time.Second, Addrs: addrs("fe80::9:100", "2001:db8:9::100")},
		"313378020064d675" + "fe800000000000000000000000090100" + "20010db8000900000000000000000100" + "01ff0000ffffffffffffffff" + "e333056b4687ea820f1b160b7eca93c0",
	},
}

func TestTrailer(t *testing.T) {
	for _, tt := range signed {
		t.Run(tt.name, func(t *testing.T) {
			key, want := NewHMAC(tt.id, []byte(tt.key)), unhex(t, tt.hex)
			b, err := tt.advert.AppendSigned([]byte("before"), tt.p, key, tt.sequence)
			if err != nil || !bytes.Equal(b[len("before"):], want) {
				t.Fatalf("%v, sent\n%x, want\n%x", err, b[len("before"):], want)
			}
			got, err := Parse(want, tt.p)
			if err != nil {
				t.Fatal(err)
			}
			message := want[:len(want)-HMACLen]
			trailer := got.Trailer
			if !trailer.WellFormed() || trailer.KeyID() != tt.id || trailer.Sequence() != tt.sequence || !key.Verify(message, trailer, tt.p.Src) {
				t.Errorf("not accepted: %x", trailer)
			}
			got.Trailer = nil
			if diff := cmp.Diff(tt.advert, got, equalAddrs); diff != "" {
				t.Errorf("parsed:\n%s", diff)
			}
			if key.Verify(message, trailer, tt.p.Src.Next()) {
				t.Error("accepted from another address")
			}
			if NewHMAC(tt.id, []byte("another key")).Verify(message, trailer, tt.p.Src) {
				t.Error("accepted with another key")
			}
			// No bit can be changed but those of the checksum, which protects
			// itself.
			for bit := range len(want) * 8 {
				if at := bit / 8; at == 6 || at == 7 {
					continue
				}
				damaged := slices.Clone(want)
				damaged[bit/8] ^= 1 << (bit % 8)
				tail := Trailer(damaged[len(message):])
				if tail.WellFormed() && tail.KeyID() == tt.id && key.Verify(damaged[:len(message)], tail, tt.p.Src) {
					t.Errorf("accepted with bit %d of byte %d flipped", bit%8, bit/8)
				}
			}
		})
	}
}

func TestTrailerRoundTrip(t *testing.T) {
	key := NewHMAC(1, []byte(hmacKey))
	rapid.Check(t, func(t *rapid.T) {
		a, p := anyAdvert(t)
		b, err := a.AppendSigned(nil, p, key, rapid.Uint64().Draw(t, "sequence"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b, p)
		if err != nil || !key.Verify(b[:len(b)-HMACLen], got.Trailer, p.Src) {
			t.Fatalf("%v: %+v", err, got)
		}
		if again, err := got.AppendTo(nil, p); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%v: %x, was %x", err, again, b)
		}
	})
}

func TestTrailerAllocatesNothing(t *testing.T) {
	tt := signed[0]
	key, b := NewHMAC(tt.id, []byte(tt.key)), unhex(t, tt.hex)
	message, good := b[:len(b)-HMACLen], Trailer(b[len(b)-HMACLen:])
	bad := slices.Clone(good)
	bad[20] ^= 1
	buf := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() {
		if !key.Verify(message, good, tt.p.Src) || key.Verify(message, bad, tt.p.Src) {
			t.Error("wrong verdict")
		}
		var err error
		if buf, err = tt.advert.AppendSigned(buf[:0], tt.p, key, 1); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Nothing makes the check of a trailer panic; what passes was signed with the
// key.
func FuzzTrailer(f *testing.F) {
	for _, tt := range signed {
		f.Add(unhex(f, tt.hex), tt.p.Src.Is6())
	}
	key := NewHMAC(7, []byte(hmacKey))
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		p := signed[0].p
		if v6 {
			p = signed[2].p
		}
		a, err := Parse(b, p)
		if err != nil || !a.Trailer.WellFormed() || !key.Verify(b[:len(b)-HMACLen], a.Trailer, p.Src) || a.Trailer.KeyID() != 7 {
			return
		}
		again, err := a.AppendTo(nil, p)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		if c, err := Parse(again, p); err != nil || !bytes.Equal(c.Trailer, a.Trailer) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
