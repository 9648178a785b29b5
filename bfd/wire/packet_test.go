package wire

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// TestParse: a packet as keepalived sends one, and what is wrong with others.
func TestParse(t *testing.T) {
	const good = "20c0051800000007000000090000271000002710" + "00000000"
	want := Packet{State: Up, Multiplier: 5, My: 7, Your: 9, MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond}
	for _, test := range []struct {
		name  string
		bytes string
		err   error
	}{
		{"good", good, nil},
		{"followed by more", good + "0102", nil},
		{"empty", "", ErrShort},
		{"short", good[:46], ErrShort},
		{"version 0", "00" + good[2:], ErrVersion},
		{"length under 24", good[:6] + "17" + good[8:], ErrLength},
		{"length beyond the datagram", good[:6] + "19" + good[8:], ErrLength},
		{"multiplier", good[:4] + "00" + good[6:], ErrMultiplier},
		{"multipoint", good[:2] + "c1" + good[4:], ErrMultipoint},
		{"my discriminator", good[:8] + "00000000" + good[16:], ErrDiscriminator},
		{"your discriminator", good[:16] + "00000000" + good[24:], ErrNoSession},
		{"your discriminator while down", "2040" + good[4:16] + "00000000" + good[24:], nil},
		{"authentication", good[:2] + "c4" + good[4:], ErrAuthentication},
		{"poll and final", good[:2] + "f0" + good[4:], ErrPollFinal},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := hex.DecodeString(test.bytes)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(b)
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, not %v", err, test.err)
			}
			if test.name == "good" && got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if test.name == "good" && hex.EncodeToString(got.Append(nil)) != good {
				t.Errorf("%x", got.Append(nil))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	p := Packet{Diag: DetectionTimeExpired, State: Init, Poll: true, Multiplier: 3, My: 1, Your: 2, MinTx: time.Second, MinRx: time.Second}
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(p.Append(nil))
		if err != nil || again != p {
			t.Errorf("%+v becomes %+v: %v", p, again, err)
		}
	})
}
