package vrrp_test

import (
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// With authentication headers the numbers go on, whoever is master and whatever
// is reloaded; a router with another password is nobody's peer; sockets are
// those of protocol 51.
func TestAuthenticationHeader(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		secured := func(priority uint8, password string) *config.Config {
			i := virtual("VI_1", 51, priority, vip)
			i.Authentication = config.Authentication{Type: config.AuthAH, Pass: config.Secret(password)}
			return resolved(i)
		}
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, secured(150, "s3cret"))
		apply(t, b, secured(100, "s3cret"))
		l.until(5 * time.Second)
		want(t, "wire", l.sent(), []string{
			"3.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 150 AH 1",
			"4.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 51 prio 150 AH 2",
		})
		apply(t, a, secured(160, "s3cret"))
		a.stop(t)
		l.until(6 * time.Second)
		want(t, "wire", l.sent(), []string{
			"5s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 51 prio 0 AH 3",
			"5.609375s 10.0.0.2 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 100 AH 4",
		})
		b.noted()

		c := l.newRouter("10.0.0.3", nil)
		apply(t, c, secured(200, "another"))
		l.until(12 * time.Second)
		want(t, "states of b", b.noted(), nil)
		s, err := b.runner.Snapshot()
		if err != nil || s.Instances[0].Stats.AuthFailure == 0 {
			t.Errorf("counters of b: %+v, %v", s.Instances, err)
		}
		b.stop(t)
		c.stop(t)
	})
}
