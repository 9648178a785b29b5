package vrrp_test

import (
	"strings"
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

// With auth_hmac adverts without a good trailer are nothing, and old ones are
// not believed; those of a router that had to bury a group are still new.
func TestHMACTrailer(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		signed := func(priority uint8, keys ...string) *config.Config {
			i := virtual("VI_1", 51, priority, vip)
			i.Version = config.Some[uint8](3)
			a := config.DefaultAuthHMAC
			for n, key := range keys {
				a.Keys = append(a.Keys, config.HMACKey{ID: uint8(n + 1), Secret: config.Secret(key)})
			}
			a.ActiveKey = uint8(len(keys))
			i.AuthHMAC = &a
			return resolved(i)
		}
		const first, second = "0123456789abcdef0123456789abcdef", "hex:404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, signed(150, first))
		apply(t, b, signed(100, first))
		l.until(5 * time.Second)
		// A new key reaches one router after the other: nobody notices.
		apply(t, b, signed(100, first, second))
		apply(t, a, signed(150, first, second))
		l.until(9 * time.Second)
		want(t, "states of a", a.noted(), []string{"0s VI_1 BACKUP 150", "3.4140625s VI_1 MASTER 150"})
		want(t, "states of b", b.noted(), []string{"0s VI_1 BACKUP 100"})

		c := l.newRouter("10.0.0.3", nil)
		apply(t, c, resolved(func() config.Instance {
			i := virtual("VI_1", 51, 200, vip)
			i.Version = config.Some[uint8](3)
			return i
		}()))
		l.until(14 * time.Second)
		want(t, "states of a", a.noted(), nil)
		s, err := a.runner.Snapshot()
		if err != nil || s.Instances[0].Stats.AuthExtMissing == 0 {
			t.Errorf("counters of a: %+v, %v", s.Instances, err)
		}
		c.stop(t)
		a.stop(t)
		l.until(15 * time.Second)
		want(t, "states of b", b.noted(), []string{"14.609375s VI_1 MASTER 100"})
		b.stop(t)
	})
}

// A reload that changes the kind of authentication opens the other sockets and
// closes those that nobody needs; the master stays.
func TestAuthenticationChanges(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		with := func(priority uint8, a config.Authentication) *config.Config {
			i := virtual("VI_1", 51, priority, vip)
			i.Authentication = a
			return resolved(i)
		}
		pass := config.Authentication{Type: config.AuthPass, Pass: "s3cret"}
		ah := config.Authentication{Type: config.AuthAH, Pass: "s3cret"}
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, with(150, pass))
		apply(t, b, with(100, pass))
		l.until(5 * time.Second)
		a.noted()
		b.noted()
		for _, method := range []config.Authentication{ah, pass, ah} {
			apply(t, a, with(150, method))
			apply(t, b, with(100, method))
			l.sent()
			l.until(time.Since(l.start) + 6*time.Second)
			for _, frame := range l.sent() {
				if strings.Contains(frame, "AH") != (method == ah) {
					t.Errorf("with %v: %s", method.Type, frame)
				}
			}
		}
		want(t, "states of a", a.noted(), nil)
		want(t, "states of b", b.noted(), nil)
		if a.opened != 4 || len(l.conns) != 2 {
			t.Errorf("sockets: %d opened, %d open", a.opened, len(l.conns))
		}
		a.stop(t)
		b.stop(t)
	})
}
