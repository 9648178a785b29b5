package vrrp_test

import (
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// Adverts keep their beat: a wake-up that comes late does not delay the next
// one, and one that comes early does nothing. Whoever has slept so
// long that somebody else may have taken over tells the neighbours.
func TestBeat(t *testing.T) {
	g := lone(t, 2, func(i *config.Instance) { i.GarpMasterDelay = config.Some(time.Duration(0)) })
	first := g.Deadline()
	g.Step(first, vrrp.TimerFired{})
	for n := 1; n <= 5; n++ {
		want := first.Add(time.Duration(n) * time.Second)
		if early := g.Step(want.Add(-time.Nanosecond), vrrp.TimerFired{}); early != nil || g.Deadline() != want {
			t.Fatalf("advert %d: deadline %s, want %s; early: %v", n, g.Deadline().Sub(first), want.Sub(first), early)
		}
		if late := g.Step(want.Add(7*time.Millisecond), vrrp.TimerFired{}); len(late) != 1 {
			t.Fatalf("advert %d: %v", n, late)
		}
	}
	woken := first.Add(20 * time.Second)
	if late := acts(g.Step(woken, vrrp.TimerFired{})); len(late) != 2 || late[1] != "VI_1: announce x5 10.0.0.5/24" || g.Deadline() != woken.Add(time.Second) {
		t.Errorf("after sleep: %v, then in %s", late, g.Deadline().Sub(woken))
	}
}

// The figures of RFC 3768 section 6.1 and RFC 9568 section 6.1, to the
// nanosecond.
func TestDownInterval(t *testing.T) {
	for _, tt := range []struct {
		version, priority uint8
		interval, want    time.Duration
	}{
		{2, 100, time.Second, 3609375 * time.Microsecond},
		{2, 200, time.Second, 3218750 * time.Microsecond},
		{2, 1, 10 * time.Second, 30996093750 * time.Nanosecond},
		{3, 100, time.Second, 3609375 * time.Microsecond},
		{3, 254, 10 * time.Millisecond, 30078125 * time.Nanosecond},
		{3, 1, 40950 * time.Millisecond, 163640039062 * time.Nanosecond},
	} {
		g := lone(t, tt.version, func(i *config.Instance) {
			i.Priority, i.AdvertInt = config.Some(tt.priority), tt.interval
		})
		if got := g.Deadline().Sub(epoch); got != tt.want {
			t.Errorf("version %d, priority %d, interval %s: %s, want %s", tt.version, tt.priority, tt.interval, got, tt.want)
		}
	}
}

// Reconfigured does for one instance what a reload does for all.
func TestReconfigured(t *testing.T) {
	g := lone(t, 2, nil)
	before := g.Deadline()
	next := *g.Members()[0].Config()
	next.Priority = config.Some(uint8(200))
	effects := g.Step(epoch, vrrp.Reconfigured{Instance: next})
	if want := before.Add(-100 * time.Second / 256); len(effects) != 1 || g.Deadline() != want || g.Members()[0].Priority() != 200 {
		t.Errorf("priority %d, deadline %s, want %s: %v", g.Members()[0].Priority(), g.Deadline().Sub(epoch), want.Sub(epoch), effects)
	}
	next.VirtualRouterID++
	if effects := g.Step(epoch, vrrp.Reconfigured{Instance: next}); effects != nil || g.Members()[0].Config().VirtualRouterID == next.VirtualRouterID {
		t.Errorf("another virtual router: %v", effects)
	}
}
