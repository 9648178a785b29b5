package vrrp_test

import (
	"strings"
	"testing"
	"time"
)

// log_unknown_vrids opens the filters, and says once who else is there.
func TestUnknownVRIDs(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		unknown := func() (lines []string) {
			for _, e := range a.log.TakeAll() {
				if strings.HasPrefix(e.Message, "Unknown") {
					lines = append(lines, e.Message)
				}
			}
			return lines
		}
		apply(t, b, resolved(virtual("VI_1", 51, 255, vip), virtual("VI_2", 77, 255, "10.0.0.101/24")))
		cfg := resolved(virtual("VI_1", 51, 100, vip))
		apply(t, a, cfg)
		l.until(3500 * time.Millisecond)
		want(t, "unasked", unknown(), nil)

		cfg.Global.LogUnknownVRIDs = true
		apply(t, a, cfg)
		l.until(9500 * time.Millisecond)
		want(t, "log", unknown(), []string{"Unknown VRID(77) received on interface(eth0). ignoring..."})

		cfg.Global.LogUnknownVRIDs = false
		apply(t, a, cfg)
		l.until(12 * time.Second)
		want(t, "again unasked", unknown(), nil)
		if last := a.filtered[len(a.filtered)-1]; len(a.filtered) != 3 || len(last) != 1 || last[0] != 51 || a.filtered[1] != nil {
			t.Errorf("filters: %v", a.filtered)
		}
		a.stop(t)
		b.stop(t)
	})
}
