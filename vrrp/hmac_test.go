package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func trailersOf(replay config.AntiReplay) *trailers {
	m := &Machine{cfg: config.DefaultInstance}
	m.cfg.Version.Value = 3
	m.cfg.AuthHMAC = &config.AuthHMAC{
		Mode: config.HMACEnforce, AntiReplay: replay, ActiveKey: 1,
		Keys: []config.HMACKey{{ID: 1, Secret: "0123456789abcdef0123456789abcdef"}},
	}
	m.trailerKeys()
	return m.hmac
}

// sent is what a sender makes of one tick of its clock.
func sent(t *trailers, clock time.Time, src string) wire.Datagram {
	d := wire.Datagram{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("224.0.0.18"), TTL: 255}
	a := wire.Advert{Version: 3, VRID: 51, Priority: 100, Interval: time.Second}
	d.Payload, _ = a.AppendSigned(nil, d.Pseudo(), t.signer, t.next(clock))
	return d
}

// heardAt is what a receiver thinks of it.
func heardAt(t *trailers, clock time.Time, d wire.Datagram) reason {
	a, err := wire.Parse(d.Payload, d.Pseudo())
	if err != nil {
		return wrongChecksum
	}
	why := t.inspect(clock, &d, a.Trailer)
	if why == fine {
		t.heard.remember(d.Src, a.Trailer.Sequence(), multicastSenders)
	}
	return why
}

// Numbers grow, also within one tick of the clock, and when it is set back a
// little.
func TestStampsGrow(t *testing.T) {
	s := trailersOf(config.ReplayTime)
	now, last := noon, uint64(0)
	for n := range 10_000 {
		if n%7 == 0 {
			now = now.Add(time.Duration(n%13) * 4 * time.Millisecond)
		}
		if n%1000 == 999 {
			now = now.Add(-2 * time.Second)
		}
		next := s.next(now)
		if !later(next, last) {
			t.Fatalf("%x after %x", next, last)
		}
		last = next
	}
}

// A clock that is set, by an hour or by ten years, silences nobody for longer
// than the window; with anti_replay monotonic no number comes twice, whatever
// the clocks say.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour, -10 * 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		sender, receiver := trailersOf(config.ReplayTime), trailersOf(config.ReplayTime)
		clock := noon
		if why := heardAt(receiver, clock, sent(sender, clock, "10.0.0.1")); why != fine {
			t.Fatalf("before the step: %d", why)
		}
		// Both clocks are set: nothing may be lost.
		for range 5 {
			clock = clock.Add(time.Second)
			if why := heardAt(receiver, clock.Add(step), sent(sender, clock.Add(step), "10.0.0.1")); why != fine {
				t.Errorf("step of %s on both sides: %d", step, why)
			}
		}
		// One clock only: stale, until it is right again.
		if why := heardAt(receiver, clock, sent(sender, clock.Add(step), "10.0.0.1")); why != staleTrailer {
			t.Errorf("step of %s on one side: %d, want stale", step, why)
		}
		clock = clock.Add(sender.window)
		if why := heardAt(receiver, clock, sent(sender, clock, "10.0.0.1")); why != fine {
			t.Errorf("step of %s taken back: %d", step, why)
		}

		sender, receiver = trailersOf(config.ReplayMonotonic), trailersOf(config.ReplayMonotonic)
		first := sent(sender, noon, "10.0.0.1")
		for i, d := range []wire.Datagram{first, sent(sender, noon.Add(step), "10.0.0.1"), sent(sender, noon, "10.0.0.1")} {
			if why := heardAt(receiver, noon.Add(-step), d); why != fine {
				t.Errorf("monotonic, step of %s, advert %d: %d", step, i, why)
			}
		}
		if why := heardAt(receiver, noon, first); why != replayedTrailer {
			t.Errorf("monotonic, step of %s, a copy: %d", step, why)
		}
	}
}

// Each sender has numbers of its own; of those that have been silent for
// longest none are known any more.
func TestSendersAreRemembered(t *testing.T) {
	receiver := trailersOf(config.ReplayTime)
	var copies []wire.Datagram
	for n := range multicastSenders + 1 {
		d := sent(trailersOf(config.ReplayTime), noon, netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 1)}).String())
		copies = append(copies, d)
		if why := heardAt(receiver, noon, d); why != fine {
			t.Errorf("sender %d: %d", n, why)
		}
	}
	for n, d := range copies[1:] {
		if why := heardAt(receiver, noon, d); why != replayedTrailer {
			t.Errorf("a copy of sender %d: %d", n+1, why)
		}
	}
	if len(receiver.heard) != multicastSenders {
		t.Errorf("%d senders are remembered", len(receiver.heard))
	}
}

// A reload keeps the numbers, whatever it says about keys.
func TestTrailersSurviveReload(t *testing.T) {
	cfg := config.DefaultInstance
	cfg.Version.Value = 3
	cfg.AuthHMAC = &config.AuthHMAC{ActiveKey: 1, Keys: []config.HMACKey{{ID: 1, Secret: "a"}}}
	m := NewMachine(cfg)
	last := m.hmac.next(noon)
	m.hmac.heard.remember(netip.MustParseAddr("10.0.0.2"), 1, multicastSenders)
	cfg.AuthHMAC = &config.AuthHMAC{ActiveKey: 2, Keys: []config.HMACKey{{ID: 2, Secret: "b"}}}
	var out effects
	m.reconfigure(noon, cfg, &out)
	if m.hmac.keys[1] != nil || m.hmac.signer != m.hmac.keys[2] || m.hmac.signer == nil {
		t.Errorf("keys: %v", m.hmac.keys)
	}
	if m.hmac.sent != last || len(m.hmac.heard) != 1 {
		t.Errorf("%x was sent last, %d senders", m.hmac.sent, len(m.hmac.heard))
	}
}

// The window is three intervals, within bounds, unless it is configured.
func TestWindow(t *testing.T) {
	for _, tt := range []struct{ interval, set, want time.Duration }{
		{time.Second, 0, 5 * time.Second},
		{3 * time.Second, 0, 9 * time.Second},
		{200 * time.Second, 0, 300 * time.Second},
		{3 * time.Second, 20 * time.Second, 20 * time.Second},
	} {
		cfg := config.DefaultAuthHMAC
		if tt.set > 0 {
			cfg.TimeWindow = config.Some(tt.set)
		}
		if got := window(&cfg, tt.interval); got != tt.want {
			t.Errorf("interval %s: %s, want %s", tt.interval, got, tt.want)
		}
	}
}

// The numbers of authentication headers end one before the last, as in
// keepalived, and do not begin anew.
func TestLastSequence(t *testing.T) {
	m := &Machine{ah: wire.NewAH("secret"), sequence: lastSequence - 1}
	for range 3 {
		if e := m.numbered(noon, SendAdvert{}); e.Sequence != lastSequence {
			t.Errorf("number %d", e.Sequence)
		}
	}
	m.sequence = lastSequence + 1 // which somebody else has sent
	if e := m.numbered(noon, SendAdvert{}); e.Sequence != lastSequence+1 {
		t.Errorf("number %d", e.Sequence)
	}
}

// What is wrong with a trailer in several ways counts as the first of them: its
// form, its time, its key, its value, its number.
func TestFirstFaultOfATrailer(t *testing.T) {
	receiver, sender := trailersOf(config.ReplayTime), trailersOf(config.ReplayTime)
	good := sent(sender, noon, "10.0.0.1")
	if why := heardAt(receiver, noon, good); why != fine {
		t.Fatalf("a good one: %d", why)
	}
	late := noon.Add(receiver.window + time.Second)
	trailer := len(good.Payload) - wire.HMACLen
	spoiled := func(places ...int) wire.Datagram {
		d := good
		d.Payload = slices.Clone(good.Payload)
		for _, at := range places {
			d.Payload[trailer+at] ^= 0x55
		}
		return d
	}
	const kind, key, reserved, value = 0, 1, 3, wire.HMACLen - 1
	for _, tt := range []struct {
		name string
		d    wire.Datagram
		at   time.Time
		want reason
	}{
		{"type", spoiled(kind, key, value), late, badTrailer},
		{"reserved", spoiled(reserved, key, value), late, badTrailer},
		{"time", spoiled(key, value), late, staleTrailer},
		{"key", spoiled(key, value), noon, unknownKey},
		{"value", spoiled(value), noon, wrongHMAC},
		{"number", good, noon, replayedTrailer},
	} {
		if why := heardAt(receiver, tt.at, tt.d); why != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, why, tt.want)
		}
	}
}

// Numbers are compared as RFC 1982 has it: after the highest one comes 0.
func TestNumbersWrap(t *testing.T) {
	const top, half = ^uint64(0), uint64(1) << 63
	for _, tt := range []struct {
		a, b uint64
		want bool
	}{{1, 0, true}, {0, 1, false}, {7, 7, false}, {0, top, true}, {top, 0, false}, {half - 1, 0, true}, {half + 1, 0, false}} {
		if later(tt.a, tt.b) != tt.want {
			t.Errorf("%x later than %x: %t", tt.a, tt.b, !tt.want)
		}
	}
}
