package vrrp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// adverts are those among effects.
func adverts(effects []vrrp.Effect) (all []vrrp.SendAdvert) {
	for _, e := range effects {
		if a, ok := e.(vrrp.SendAdvert); ok {
			all = append(all, a)
		}
	}
	return all
}

// first is what an instance sends when nobody else is there.
func first(t *testing.T, version uint8, change func(*config.Instance)) vrrp.SendAdvert {
	t.Helper()
	g := lone(t, version, change)
	sent := adverts(g.Step(g.Deadline(), vrrp.TimerFired{}))
	if len(sent) != 1 {
		t.Fatalf("%d adverts", len(sent))
	}
	return sent[0]
}

func TestConformanceTransmission(t *testing.T) {
	t.Run("TX-01 TTL 255, to the group", func(t *testing.T) {
		bubble(t, func(t *testing.T, l *lan) {
			a := l.newRouter("10.0.0.1", nil)
			apply(t, a, resolved(virtual("VI_1", 51, 255, vip)))
			l.until(time.Millisecond)
			want(t, "wire", l.sent(), []string{"0s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 255"})
			a.stop(t)
		})
	})
	t.Run("TX-02 the source is the primary address", func(t *testing.T) {
		g := lone(t, 3, nil)
		for _, c := range []struct{ own, want []string }{
			{[]string{"10.0.0.9", "10.0.0.1"}, []string{"10.0.0.9"}},
			{[]string{"10.0.0.5", "10.0.0.8"}, []string{"10.0.0.8"}}, // the virtual one is none
		} {
			g.Step(epoch, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: parsed(c.own...)})
			if got := g.Members()[0].Source(); got != parsed(c.want...)[0] {
				t.Errorf("of %s: %s, want %s", c.own, got, c.want)
			}
		}
		g = lone(t, 3, func(i *config.Instance) { i.VirtualIPAddress = prefixes("fe80::5/64", "2001:db8::5/64") })
		g.Step(epoch, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv6: parsed("fe80::1")})
		if got := g.Members()[0].Source(); got != parsed("fe80::1")[0] {
			t.Errorf("over IPv6: %s", got)
		}
	})
	t.Run("TX-04 the addresses in configuration order", func(t *testing.T) {
		list := []string{"10.0.0.9/24", "10.0.0.5/24", "10.0.0.7/24"}
		sent := first(t, 3, func(i *config.Instance) { i.VirtualIPAddress = prefixes(list...) })
		if !slices.Equal(sent.Advert.Addrs, parsed("10.0.0.9", "10.0.0.5", "10.0.0.7")) {
			t.Errorf("sent %v", sent.Advert.Addrs)
		}
	})
	t.Run("TX-05 one family, at most 255 addresses", func(t *testing.T) {
		var many []string
		for n := range 300 {
			many = append(many, fmt.Sprintf("10.1.%d.%d/32", n/200, n%200))
		}
		sent := first(t, 3, func(i *config.Instance) { i.VirtualIPAddress = prefixes(append(many, "2001:db8::1/64")...) })
		if len(sent.Advert.Addrs) != 255 || slices.ContainsFunc(sent.Advert.Addrs, netip.Addr.Is6) {
			t.Errorf("sent %d addresses", len(sent.Advert.Addrs))
		}
	})
	t.Run("TX-06 the interval, and reserved bits of 0", func(t *testing.T) {
		for _, c := range []struct {
			version uint8
			set     time.Duration
			bytes   [2]byte
		}{
			{3, time.Second, [2]byte{0, 100}}, {3, 10 * time.Millisecond, [2]byte{0, 1}}, {3, 40950 * time.Millisecond, [2]byte{0x0f, 0xff}},
			{3, time.Hour, [2]byte{0x0f, 0xff}}, {2, time.Second, [2]byte{0, 1}}, {2, 255 * time.Second, [2]byte{0, 255}},
			{2, 300 * time.Millisecond, [2]byte{0, 1}},
		} {
			sent := first(t, c.version, func(i *config.Instance) { i.AdvertInt = c.set })
			b, err := sent.Advert.AppendTo(nil, wire.Pseudo{Src: sent.Src, Dst: everyone})
			if err != nil || [2]byte(b[4:6]) != c.bytes {
				t.Errorf("v%d, %s: %x, %v, want %x", c.version, c.set, b[4:6], err, c.bytes)
			}
		}
	})
	t.Run("TX-09 nothing before the startup delay is over", func(t *testing.T) {
		for _, priority := range []uint8{100, 255} {
			i := virtual("VI_1", 51, priority, vip)
			g := vrrp.Regroup(epoch, nil, resolved(i)).Groups[0]
			g.Step(epoch, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: parsed("10.0.0.1")})
			over := epoch.Add(time.Minute)
			if sent := adverts(g.Step(epoch, vrrp.Start{Quiet: over})); len(sent) > 0 || g.Deadline().Before(over) {
				t.Errorf("priority %d: sent %v, and again in %s", priority, sent, g.Deadline().Sub(epoch))
			}
		}
	})
}

// parsed are addresses, prefixes those with a length.
func parsed(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func prefixes(list ...string) (all []config.Address) {
	for _, s := range list {
		all = append(all, config.Address{Prefix: netip.MustParsePrefix(s)})
	}
	return all
}

func TestConformanceTimers(t *testing.T) {
	const us = time.Microsecond
	down := func(version, priority uint8, interval time.Duration, change func(*config.Instance)) time.Duration {
		g := lone(t, version, func(i *config.Instance) {
			i.Priority, i.AdvertInt = config.Some(priority), interval
			if change != nil {
				change(i)
			}
		})
		return g.Deadline().Sub(epoch)
	}
	check := func(t *testing.T, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	t.Run("TM-01 v3 skew and down interval", func(t *testing.T) {
		check(t, down(3, 100, time.Second, nil), 3609375*us)
		check(t, down(3, 200, time.Second, nil), 3218750*us)
		check(t, down(3, 254, 10*time.Millisecond, nil), 30*time.Millisecond+78125*time.Nanosecond)
		check(t, down(3, 1, 40950*time.Millisecond, nil), 3*40950*time.Millisecond+255*40950*time.Millisecond/256)
		check(t, down(3, 100, time.Second, func(i *config.Instance) { i.DownTimerAdverts = config.Some(5) }), 5609375*us)
	})
	t.Run("TM-02 v2 skew and down interval", func(t *testing.T) {
		check(t, down(2, 100, time.Second, nil), 3609375*us)
		check(t, down(2, 100, 5*time.Second, nil), 15609375*us)
		check(t, down(2, 254, time.Second, nil), 3007812500*time.Nanosecond)
	})
	t.Run("TM-03 v3 learns the interval of the master", func(t *testing.T) {
		g := lone(t, 3, nil)
		takes(g, epoch, advertTo(t, g, 200, func(a *wire.Advert) { a.Interval = 4 * time.Second }))
		check(t, g.Deadline().Sub(epoch), 12*time.Second+156*4*time.Second/256)
		g.Step(g.Deadline(), vrrp.TimerFired{}) // MASTER: its own again
		now := g.Deadline()
		g.Step(now, vrrp.TimerFired{})
		check(t, g.Deadline().Sub(now), time.Second)
	})
	t.Run("TM-04 after FAULT its own interval", func(t *testing.T) {
		g := lone(t, 3, nil)
		takes(g, epoch, advertTo(t, g, 200, func(a *wire.Advert) { a.Interval = 4 * time.Second }))
		link := vrrp.LinkChanged{Link: "eth0", Exists: true, IPv4: parsed("10.0.0.1")}
		g.Step(epoch, link)
		link.Up = true
		g.Step(epoch, link)
		check(t, g.Deadline().Sub(epoch), 3609375*us)
	})
	t.Run("TM-05 a new priority moves the running timer", func(t *testing.T) {
		g := lone(t, 3, func(i *config.Instance) {
			i.TrackScript = []config.Track{{Name: "s", Weight: config.Some(-50)}}
		})
		before := g.Deadline()
		g.Step(epoch.Add(time.Second), vrrp.Tracked{Kind: vrrp.Script, Name: "s", Up: false})
		check(t, g.Deadline().Sub(before), 50*time.Second/256)
	})
	t.Run("TM-06 an owner is master at once", func(t *testing.T) {
		for _, v := range versions {
			g := lone(t, v, func(i *config.Instance) { i.Priority = config.Some[uint8](255) })
			if g.State() != config.Master || g.Deadline() != epoch.Add(time.Second) {
				t.Errorf("v%d: %s", v, g.State())
			}
		}
	})
	t.Run("TM-07 state MASTER waits for one advert only", func(t *testing.T) {
		master := func(i *config.Instance) { i.State = config.Some(config.Master) }
		check(t, down(2, 100, time.Second, master), time.Second+time.Second/256)
		check(t, down(3, 100, 500*time.Millisecond, master), 500*time.Millisecond+500*time.Millisecond/256)
	})
}
