package vrrp

import (
	"testing"
	"time"
)

// Whoever speaks a few times a millisecond is never told to rest; who goes on
// and on is, and is heard again afterwards.
func TestPulse(t *testing.T) {
	now := time.Now()
	var calm pulse
	for range 1000 {
		if calm.fast(now) {
			t.Fatal("four a millisecond are too many")
		}
		now = now.Add(time.Millisecond / beats)
	}
	var flood pulse
	heard, rests := 0, 0
	for end := now.Add(time.Second); now.Before(end); { // at 100,000 a second
		heard++
		if flood.fast(now) {
			rests++
			now = now.Add(rest)
		}
		now = now.Add(10 * time.Microsecond)
	}
	if heard > 1000+burst || rests < 900 {
		t.Errorf("%d wake-ups in a second, %d rests", heard, rests)
	}
	if now = now.Add(burst * time.Millisecond); flood.fast(now) {
		t.Error("not heard after the flood")
	}
}
