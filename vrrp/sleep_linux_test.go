package vrrp

import (
	"testing"
	"time"
)

// Where milliseconds count a wait ends early and begins again; where they do
// not, it is a single one, and gives back the permission to run Go code unless
// it is one of many.
func TestPlan(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name        string
		tight       bool
		since, left time.Duration // since the last wait began, until the deadline
		wait        time.Duration
		long        bool
	}{
		{"a second", false, time.Second, time.Second, time.Second, true},
		{"a second among short ones", false, ms, time.Second, time.Second, false},
		{"a moment", false, time.Second, 5 * ms, 5 * ms, false},
		{"ten milliseconds", true, 10 * ms, 10 * ms, 3 * ms, false},
		{"what is left of them", true, 3 * ms, 7 * ms, 7 * ms, false},
		{"half a tenth of a second", true, 50 * ms, 50 * ms, 43 * ms, false},
		{"what is left of it", true, 43 * ms, 7 * ms, 7 * ms, false},
		{"late", true, time.Second, -ms, -ms, false},
	} {
		now := time.Now()
		s := slumber{tight: tt.tight, last: now.Add(-tt.since)}
		if until, long := s.plan(now, now.Add(tt.left)); until.Sub(now) != tt.wait || long != tt.long || s.last != now {
			t.Errorf("%s: waits for %s, long: %t", tt.name, until.Sub(now), long)
		}
	}
}
