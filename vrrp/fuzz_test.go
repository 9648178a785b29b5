package vrrp_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// fuzzInstance lets arbitrary bytes arrive for an instance of a flavour, as a
// BACKUP and as a MASTER. Nothing makes it panic, and what is rejected makes it
// do nothing but count and say so: its twin, who has not heard it, lives the
// same life.
func fuzzInstance(f *testing.F, name string) {
	flavour := flavours[name]
	newOne := func(t testing.TB) *vrrp.Group { return lone(t, flavour.version, flavour.change) }
	seeds := trash(f, newOne(f), epoch)
	seeds = append(seeds, seal(f, newOne(f), advertTo(f, newOne(f), 200, nil), epoch, "secret"))
	for _, d := range seeds {
		f.Add(slices.Concat(d.Headers, d.Payload), uint8(d.TTL), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, ttl uint8, master bool) {
		heard, twin := newOne(t), newOne(t)
		now := epoch
		if master {
			now = heard.Deadline()
			heard.Step(now, vrrp.TimerFired{})
			twin.Step(now, vrrp.TimerFired{})
		}
		d := wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: everyone, TTL: int(ttl), Payload: b}
		if name == "AH" {
			if len(b) < 44 {
				return
			}
			d.Headers, d.Payload = b[:44], b[44:]
		}
		m := heard.Members()[0]
		before := m.Stats()
		effects := heard.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d})
		after := m.Stats()
		if after.AdvertRcvd > before.AdvertRcvd {
			if d.TTL != 255 {
				t.Fatalf("%x is accepted with TTL %d", b, ttl)
			}
			return
		}
		if rejected(after) != rejected(before)+1 {
			t.Fatalf("%x is rejected and not counted", b)
		}
		if done := acts(effects); len(done) > 0 {
			t.Fatalf("%x is rejected and makes %q", b, done)
		}
		for range 3 {
			if heard.Deadline() != twin.Deadline() {
				t.Fatalf("%x is rejected and moves the deadline from %s to %s", b, twin.Deadline().Sub(epoch), heard.Deadline().Sub(epoch))
			}
			now = twin.Deadline()
			if diff := gocmp.Diff(acts(twin.Step(now, vrrp.TimerFired{})), acts(heard.Step(now, vrrp.TimerFired{}))); diff != "" {
				t.Fatalf("%x is rejected and changes\n%s", b, diff)
			}
		}
	})
}

func FuzzReceiveV2(f *testing.F)   { fuzzInstance(f, "v2") }
func FuzzReceivePASS(f *testing.F) { fuzzInstance(f, "PASS") }
func FuzzReceiveV3(f *testing.F)   { fuzzInstance(f, "v3") }
func FuzzReceiveAH(f *testing.F)   { fuzzInstance(f, "AH") }
func FuzzReceiveHMAC(f *testing.F) { fuzzInstance(f, "HMAC") }

// FuzzReceiveTimes: whatever a master of version 3 says about its interval, the
// next deadline is neither in the past nor further away than the longest one.
func FuzzReceiveTimes(f *testing.F) {
	f.Add(uint8(200), uint16(1), uint8(1))
	f.Add(uint8(0), uint16(4095), uint8(254))
	f.Fuzz(func(t *testing.T, priority uint8, interval uint16, own uint8) {
		g := lone(t, 3, func(i *config.Instance) { i.Priority = config.Some(max(own, 1)) })
		if g.State() == config.Master {
			return // an owner
		}
		centi := time.Duration(interval&0xfff) * 10 * time.Millisecond
		if centi == 0 {
			return
		}
		now := epoch.Add(time.Second)
		takes(g, now, advertTo(t, g, priority, func(a *wire.Advert) { a.Interval = centi }))
		const longest = 4 * 40950 * time.Millisecond
		if d := g.Deadline(); d.Before(now) || d.Sub(now) > longest {
			t.Fatalf("priority %d, interval %s: deadline in %s", priority, centi, d.Sub(now))
		}
	})
}
