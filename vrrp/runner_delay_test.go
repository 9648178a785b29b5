package vrrp_test

import (
	"testing"
	"time"
)

// The startup delay runs from the first configuration, or from the start of
// the machine, whichever ends later, and once only.
func TestStartupDelay(t *testing.T) {
	for _, tt := range []struct {
		startup, boot, uptime time.Duration
		want                  string
	}{
		{0, 0, 0, "0s VI_1 MASTER 255"},
		{5 * time.Second, 0, 0, "5s VI_1 MASTER 255"},
		{5 * time.Second, time.Minute, 30 * time.Second, "30s VI_1 MASTER 255"},
		{5 * time.Second, time.Minute, 58 * time.Second, "5s VI_1 MASTER 255"},
		{0, time.Minute, time.Hour, "0s VI_1 MASTER 255"},
	} {
		bubble(t, func(t *testing.T, l *lan) {
			a := l.newRouter("10.0.0.1", nil)
			a.uptime = tt.uptime
			cfg := resolved(virtual("VI_1", 51, 255, vip))
			cfg.Global.VRRPStartupDelay, cfg.Global.VRRPDelayAfterBoot = tt.startup, tt.boot
			apply(t, a, cfg)
			l.until(2 * time.Second)
			apply(t, a, cfg) // SIGHUP in the middle of it
			l.until(time.Minute)
			want(t, "states", a.noted(), []string{tt.want})
			cfg = resolved(virtual("VI_1", 51, 255, vip), virtual("VI_2", 52, 255, "10.0.0.101/24"))
			cfg.Global.VRRPStartupDelay = tt.startup
			apply(t, a, cfg)
			l.until(time.Minute + time.Millisecond)
			want(t, "states after a reload", a.noted(), []string{"1m0s VI_2 MASTER 255"})
			a.stop(t)
		})
	}
}
