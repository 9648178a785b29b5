package vrrp

import (
	"testing"
	"time"
)

// Where milliseconds count a wait ends early and begins again; where adverts are
// not too frequent it gives back the permission to run Go code, unless it is one
// of many.
func TestPlan(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name        string
		shortest    time.Duration // interval
		since, left time.Duration // since the last wait began, until the deadline
		loaded      bool
		habits      bool
		wait        time.Duration
		freely      bool
		flood       bool
	}{
		{"a second", time.Second, time.Second, time.Second, false, false, time.Second, true, false},
		{"a second among short ones", time.Second, ms, time.Second, false, false, time.Second, true, false},
		{"a second among short ones, in a flood", time.Second, ms, time.Second, false, false, time.Second, false, true},
		{"a moment", time.Second, time.Second, 5 * ms, false, false, 5 * ms, false, false},
		{"a tenth of a second", 100 * ms, 100 * ms, 100 * ms, false, false, 93 * ms, true, false},
		{"a tenth of a second, loaded", 100 * ms, 100 * ms, 100 * ms, true, false, 100 * ms, true, false},
		{"half of it, loaded", 50 * ms, 50 * ms, 50 * ms, true, false, 43 * ms, false, false},
		{"what is left of it", 100 * ms, 93 * ms, 7 * ms, false, false, 7 * ms, false, false},
		{"ten milliseconds", 10 * ms, 10 * ms, 10 * ms, false, false, 3 * ms, false, false},
		{"what is left of them", 10 * ms, 3 * ms, 7 * ms, false, false, 7 * ms, false, false},
		{"half a tenth of a second", 50 * ms, 50 * ms, 50 * ms, false, false, 43 * ms, false, false},
		{"what is left of that", 50 * ms, 43 * ms, 7 * ms, false, false, 7 * ms, false, false},
		{"a tenth of a second, habits", 100 * ms, 100 * ms, 100 * ms, false, true, 100 * ms, true, false},
		{"a tenth of a second after another wait", 100 * ms, ms, 100 * ms, false, true, 93 * ms, true, false},
		{"a tenth of a second after another wait, loaded", 100 * ms, ms, 100 * ms, true, true, 100 * ms, true, false},
		{"a tenth of a second, loaded, in a flood", 100 * ms, ms, 100 * ms, true, true, 100 * ms, false, true},
		{"ten milliseconds, habits", 10 * ms, 10 * ms, 10 * ms, true, true, 10 * ms, true, false},
		{"ten milliseconds after another wait, habits", 10 * ms, 7 * ms, 10 * ms, true, true, 10 * ms, false, false},
		{"late", 10 * ms, time.Second, -ms, false, false, -ms, false, false},
	} {
		now := time.Now()
		s := slumber{shortest: tt.shortest, last: now.Add(-tt.since)}
		if tt.flood {
			s.rested = now.Add(-ms)
		}
		if until, freely := s.plan(now, now.Add(tt.left), tt.loaded, tt.habits); until.Sub(now) != tt.wait || freely != tt.freely || s.last != now {
			t.Errorf("%s: waits for %s, gives back: %t", tt.name, until.Sub(now), freely)
		}
	}
}
