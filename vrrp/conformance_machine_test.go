package vrrp_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// crowned is an instance that has become MASTER, and when.
func crowned(t *testing.T, version uint8, change func(*config.Instance)) (*vrrp.Group, time.Time) {
	t.Helper()
	g := lone(t, version, change)
	now := g.Deadline()
	if g.State() == config.Master {
		now = epoch
	} else {
		g.Step(now, vrrp.TimerFired{})
	}
	if g.State() != config.Master {
		t.Fatalf("%s", g.State())
	}
	return g, now
}

// hears is what a machine does because of an advert of a priority.
func hears(t *testing.T, g *vrrp.Group, now time.Time, priority uint8, from string) []string {
	t.Helper()
	d := advertTo(t, g, priority, nil)
	a, err := wire.Parse(d.Payload, d.Pseudo())
	if err != nil {
		t.Fatal(err)
	}
	d.Src = netip.MustParseAddr(from)
	if d.Payload, err = a.AppendTo(nil, d.Pseudo()); err != nil {
		t.Fatal(err)
	}
	return acts(g.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d}))
}

func does(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%q, want\n%q", what, got, want)
	}
}

// in checks the state, and when the next timer is due.
func in(t *testing.T, g *vrrp.Group, state config.State, now time.Time, next time.Duration) {
	t.Helper()
	if g.State() != state || g.Deadline().Sub(now) != next {
		t.Errorf("%s, timer in %s; want %s, %s", g.State(), g.Deadline().Sub(now), state, next)
	}
}

const (
	ours      = "VI_1: send v3 priority 100 every 1s"
	takeover  = "VI_1: own 10.0.0.5/24"
	announces = "VI_1: announce x5 10.0.0.5/24"
	let       = "VI_1: own nothing"
)

func TestConformanceMachine(t *testing.T) {
	quietly := func(i *config.Instance) { i.GarpMasterDelay = config.Some(time.Duration(0)) }
	const down, skew = 3609375 * time.Microsecond, 609375 * time.Microsecond

	t.Run("SM-01 an owner starts as master", func(t *testing.T) {
		g, _ := crowned(t, 3, func(i *config.Instance) { i.Priority = config.Some[uint8](255); quietly(i) })
		in(t, g, config.Master, epoch, time.Second)
	})
	t.Run("SM-02 others start as backup", func(t *testing.T) {
		in(t, lone(t, 3, quietly), config.Backup, epoch, down)
	})
	t.Run("SM-03 the timer of a backup: advert, addresses, announcement, notification", func(t *testing.T) {
		g := lone(t, 3, quietly)
		does(t, "timer", acts(g.Step(g.Deadline(), vrrp.TimerFired{})), ours, takeover, announces, "notify INSTANCE VI_1 MASTER 100")
	})
	t.Run("SM-04 a backup and priority 0", func(t *testing.T) {
		g, now := lone(t, 3, quietly), epoch.Add(time.Second)
		does(t, "priority 0", hears(t, g, now, 0, "10.0.0.2"))
		in(t, g, config.Backup, now, skew)
	})
	t.Run("SM-05 a backup and an equal or higher priority", func(t *testing.T) {
		for _, priority := range []uint8{100, 101, 255} {
			for _, from := range []string{"10.0.0.0", "10.0.0.2"} {
				g, now := lone(t, 3, quietly), epoch.Add(time.Second)
				does(t, "advert", hears(t, g, now, priority, from))
				in(t, g, config.Backup, now, down)
			}
		}
	})
	t.Run("SM-06 a backup and a lower priority", func(t *testing.T) {
		g := lone(t, 3, quietly)
		for n := range 3000 {
			does(t, "lower", hears(t, g, epoch.Add(time.Duration(n)*time.Millisecond), 99, "10.0.0.2"))
		}
		in(t, g, config.Backup, epoch, down)
	})
	t.Run("SM-07 a backup has no virtual address", func(t *testing.T) {
		g, now := crowned(t, 3, quietly)
		does(t, "higher", hears(t, g, now, 200, "10.0.0.2"), let, "notify INSTANCE VI_1 BACKUP 100")
	})
	t.Run("SM-08 the timer of a master", func(t *testing.T) {
		g, now := crowned(t, 3, quietly)
		for range 5 {
			now = now.Add(time.Second)
			does(t, "timer", acts(g.Step(now, vrrp.TimerFired{})), ours)
			in(t, g, config.Master, now, time.Second)
		}
	})
	t.Run("SM-09 a master and priority 0", func(t *testing.T) {
		g, now := crowned(t, 3, quietly)
		now = now.Add(300 * time.Millisecond)
		does(t, "priority 0", hears(t, g, now, 0, "10.0.0.2"), ours)
		in(t, g, config.Master, now, time.Second)
	})
	t.Run("SM-10 a master and a better one", func(t *testing.T) {
		for _, better := range []struct {
			priority uint8
			from     string
		}{{101, "10.0.0.0"}, {255, "10.0.0.0"}, {100, "10.0.0.2"}} {
			g, now := crowned(t, 3, quietly)
			does(t, "better", hears(t, g, now, better.priority, better.from), let, "notify INSTANCE VI_1 BACKUP 100")
			in(t, g, config.Backup, now, down)
		}
	})
	t.Run("SM-11 a master and a worse one", func(t *testing.T) {
		for _, worse := range []struct {
			priority uint8
			from     string
		}{{99, "10.0.0.2"}, {1, "10.0.0.2"}, {100, "10.0.0.0"}} {
			g, now := crowned(t, 3, quietly)
			now = now.Add(300 * time.Millisecond)
			does(t, "worse", hears(t, g, now, worse.priority, worse.from), ours, announces, "notify INSTANCE VI_1 MASTER_RX_LOWER_PRI")
		}
		g, now := crowned(t, 3, func(i *config.Instance) { i.StrictMode = config.Some(true); quietly(i) })
		does(t, "worse, strict as in RFC 5798", hears(t, g, now, 99, "10.0.0.2"), "notify INSTANCE VI_1 MASTER_RX_LOWER_PRI")
	})
	t.Run("SM-12 a master and its own address", func(t *testing.T) {
		g, now := crowned(t, 3, quietly)
		does(t, "equal", hears(t, g, now, 100, "10.0.0.1"))
		in(t, g, config.Master, now, time.Second)
	})
	t.Run("SM-13 a master that stops", func(t *testing.T) {
		g, now := crowned(t, 3, quietly)
		does(t, "stop", acts(g.Step(now, vrrp.Shutdown{})), "VI_1: send v3 priority 0 every 1s", let, "notify INSTANCE VI_1 STOP 100")
	})
	t.Run("SM-14 addresses break ties", func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 500 {
			theirs := netip.AddrFrom4([4]byte{10, byte(rnd.IntN(3)), byte(rnd.UintN(256)), byte(rnd.UintN(256))})
			own := netip.MustParseAddr("10.1.128.128")
			g, now := crowned(t, 3, quietly)
			g.Step(now, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{own}})
			hears(t, g, now, 100, theirs.String())
			a, b := theirs.As4(), own.As4()
			if yields := g.State() == config.Backup; yields != (slices.Compare(a[:], b[:]) > 0) {
				t.Errorf("%s against %s: %s", own, theirs, g.State())
			}
		}
	})
	t.Run("SM-15 nopreempt", func(t *testing.T) {
		g, now := lone(t, 3, func(i *config.Instance) { i.NoPreempt = true; quietly(i) }), epoch.Add(time.Second)
		does(t, "lower", hears(t, g, now, 1, "10.0.0.2"))
		in(t, g, config.Backup, now, down)
	})
	t.Run("SM-16 a priority is 1 to 254 unless it is the owner's", func(t *testing.T) {
		for _, c := range []struct {
			base   uint8
			weight int
			want   uint8
		}{{100, -253, 1}, {100, 253, 254}, {254, 1, 254}, {1, -1, 1}, {255, -253, 255}, {255, 253, 255}} {
			g := lone(t, 3, func(i *config.Instance) {
				i.Priority, i.TrackScript = config.Some(c.base), []config.Track{{Name: "s", Weight: config.Some(c.weight)}}
			})
			g.Step(epoch, vrrp.Tracked{Kind: vrrp.Script, Name: "s", Up: c.weight > 0})
			if got := g.Members()[0].Priority(); got != c.want {
				t.Errorf("%d%+d: %d, want %d", c.base, c.weight, got, c.want)
			}
		}
	})
}

func TestConformanceAnnouncements(t *testing.T) {
	t.Run("GA-01 each address is announced on becoming master", func(t *testing.T) {
		g := lone(t, 3, func(i *config.Instance) {
			i.VirtualIPAddress = prefixes("10.0.0.5/24", "10.0.0.6/24")
			i.VirtualIPAddressExcluded = prefixes("10.0.0.7/24")
		})
		got := acts(g.Step(g.Deadline(), vrrp.TimerFired{}))
		if len(got) < 3 || got[2] != "VI_1: announce x5 10.0.0.5/24 10.0.0.6/24 10.0.0.7/24" {
			t.Errorf("%q", got)
		}
	})
	t.Run("GA-03 not before the address is there", func(t *testing.T) {
		bubble(t, func(t *testing.T, l *lan) {
			a := l.newRouter("10.0.0.1", nil)
			apply(t, a, resolved(virtual("VI_1", 51, 255, vip)))
			l.until(time.Millisecond)
			if got := a.host.Operations(); len(got) != 6 || got[0] != "add 10.0.0.100/24 dev eth0" {
				t.Errorf("%q", got)
			}
			a.stop(t)
		})
	})
	t.Run("GA-07 again after another master, and after a long sleep", func(t *testing.T) {
		g, now := crowned(t, 3, func(i *config.Instance) { i.GarpLowerPrioDelay = config.Some(2 * time.Second) })
		hears(t, g, now, 50, "10.0.0.2")
		var rounds []string
		for end := now.Add(4 * time.Second); !g.Deadline().After(end); {
			now = g.Deadline()
			rounds = append(rounds, acts(g.Step(now, vrrp.TimerFired{}))...)
		}
		if !slices.Contains(rounds, announces) {
			t.Errorf("after a lower priority: %q", rounds)
		}
		g, now = crowned(t, 3, func(i *config.Instance) { i.GarpMasterDelay = config.Some(time.Duration(0)) })
		does(t, "after a minute", acts(g.Step(now.Add(time.Minute), vrrp.TimerFired{})), ours, announces)
	})
	t.Run("GA-08 two owners are reported", func(t *testing.T) {
		g, now := crowned(t, 3, func(i *config.Instance) { i.Priority = config.Some[uint8](255) })
		d := advertTo(t, g, 255, nil)
		said := slices.ContainsFunc(g.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d}), func(e vrrp.Effect) bool {
			l, ok := e.(vrrp.Log)
			return ok && l.Text == "(VI_1) CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix"
		})
		if !said {
			t.Error("nothing is said")
		}
	})
}
