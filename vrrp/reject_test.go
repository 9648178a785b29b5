package vrrp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// lone is a started instance in BACKUP.
func lone(t testing.TB, version uint8, change func(*config.Instance)) *vrrp.Group {
	t.Helper()
	i := config.DefaultInstance
	i.Name, i.Interface, i.VirtualRouterID, i.Version = "VI_1", "eth0", 51, config.Some(version)
	i.VirtualIPAddress = []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.5/24")}}
	if change != nil {
		change(&i)
	}
	cfg := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{i}}
	cfg.Resolve()
	g := vrrp.Regroup(epoch, nil, cfg).Groups[0]
	g.Step(epoch, vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	g.Step(epoch, vrrp.Start{})
	return g
}

// advertTo is what a router of the same configuration sends.
func advertTo(t testing.TB, g *vrrp.Group, priority uint8, change func(*wire.Advert)) wire.Datagram {
	t.Helper()
	cfg := g.Members()[0].Config()
	a := wire.Advert{Version: cfg.Version.Value, VRID: 51, Priority: priority, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}}
	if cfg.Authentication.Type == config.AuthPass {
		a.AuthType = wire.AuthPass
		copy(a.Auth[:], cfg.Authentication.Pass)
	}
	if change != nil {
		change(&a)
	}
	d := wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: everyone, TTL: 255}
	var err error
	if d.Payload, err = a.AppendTo(nil, d.Pseudo()); err != nil {
		t.Fatal(err)
	}
	return d
}

// trash is one datagram for each reason to reject, priority 255 in all of them.
func trash(t testing.TB, g *vrrp.Group) (all []wire.Datagram) {
	add := func(advert func(*wire.Advert), datagram func(*wire.Datagram)) {
		d := advertTo(t, g, 255, advert)
		if datagram != nil {
			datagram(&d)
		}
		all = append(all, d)
	}
	for n := range 12 {
		add(nil, func(d *wire.Datagram) { d.Payload = d.Payload[:n] })
	}
	for n := range 12 {
		add(nil, func(d *wire.Datagram) { d.Payload[n] ^= 0x10 })
	}
	add(nil, func(d *wire.Datagram) { d.Payload = append(d.Payload, make([]byte, 40)...) })
	add(nil, func(d *wire.Datagram) { d.TTL = 254 })
	add(nil, func(d *wire.Datagram) { d.TTL = -1 })
	add(nil, func(d *wire.Datagram) { d.Dst = netip.MustParseAddr("10.0.0.1") })
	add(nil, func(d *wire.Datagram) { d.Src = netip.MustParseAddr("fe80::1") })
	add(func(a *wire.Advert) { a.VRID = 52 }, nil)
	add(func(a *wire.Advert) { a.Version = 5 - a.Version }, nil)
	if g.Members()[0].Config().Version.Value == 2 {
		add(func(a *wire.Advert) { a.Interval = 2 * time.Second }, nil)
		add(func(a *wire.Advert) { a.AuthType, a.Auth = wire.AuthPass, [8]byte{'n', 'o'} }, nil)
		add(func(a *wire.Advert) { a.AuthType, a.Auth = wire.AuthNone, [8]byte{} }, nil)
		add(func(a *wire.Advert) { a.AuthType = 9 }, nil)
	} else {
		add(func(a *wire.Advert) { a.Addrs = nil }, nil)
	}
	return all
}

// Two instances live the same life, one of them under a rain of datagrams that
// must be rejected: what they do and when they will is the same, every one of
// the datagrams is counted, and the log says little.
func TestGarbageIsNotFelt(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		version := uint8(2 + seed%2)
		pass := func(i *config.Instance) {
			if version == 2 {
				i.Authentication = config.Authentication{Type: config.AuthPass, Pass: "secret"}
			}
			i.NoPreempt = seed%3 == 0
		}
		clean, dirty := lone(t, version, pass), lone(t, version, pass)
		bad := trash(t, dirty)
		now, lines, sent := epoch, 0, 0
		for step := range 300 {
			for _, d := range bad {
				effects := dirty.Step(now, vrrp.Received{Instance: "VI_1", Datagram: wire.Datagram{Src: d.Src, Dst: d.Dst, TTL: d.TTL, Payload: bytes.Clone(d.Payload)}})
				sent++
				for _, e := range effects {
					if _, ok := e.(vrrp.Log); !ok {
						t.Fatalf("seed %d, step %d: garbage makes %s", seed, step, describe(e))
					}
					lines++
				}
			}
			var ev vrrp.Event = vrrp.TimerFired{}
			deadline := clean.Deadline()
			switch rnd.IntN(8) {
			case 0:
				ev = vrrp.LinkChanged{Link: "eth0", Exists: true, Up: rnd.IntN(3) > 0, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
			case 1, 2, 3:
				ev = vrrp.Received{Instance: "VI_1", Datagram: advertTo(t, clean, []uint8{0, 50, 100, 200}[rnd.IntN(4)], nil)}
			}
			later := now.Add(time.Duration(rnd.Int64N(int64(time.Second))))
			if _, timer := ev.(vrrp.TimerFired); timer && !deadline.IsZero() || !deadline.IsZero() && deadline.Before(later) {
				ev, later = vrrp.TimerFired{}, deadline
			}
			now = later
			a, b := clean.Step(now, ev), dirty.Step(now, ev)
			if diff := gocmp.Diff(acts(a), acts(b)); diff != "" || clean.Deadline() != dirty.Deadline() {
				t.Fatalf("seed %d, step %d, %T: deadlines %s and %s\n%s", seed, step, ev, clean.Deadline().Sub(epoch), dirty.Deadline().Sub(epoch), diff)
			}
		}
		if counted := rejected(dirty.Members()[0].Stats()) - rejected(clean.Members()[0].Stats()); counted != uint64(sent) {
			t.Errorf("seed %d: %d datagrams rejected, %d counted", seed, sent, counted)
		}
		if limit := int(now.Sub(epoch)/time.Second+2) * len(bad); lines > limit {
			t.Errorf("seed %d: %d lines in the log in %s", seed, lines, now.Sub(epoch))
		}
	}
}

// acts are the effects that somebody feels.
func acts(effects []vrrp.Effect) (all []string) {
	for _, e := range effects {
		if _, ok := e.(vrrp.Log); !ok {
			all = append(all, describe(e))
		}
	}
	return all
}

func rejected(s vrrp.Stats) uint64 {
	return s.PacketLenErr + s.AdvertInterval + s.IPTTLErr + s.InvalidType + s.AddrListErr + s.InvalidAuthType + s.AuthMismatch +
		s.AuthFailure + s.VersionErr + s.ChecksumErr + s.VRIDErr + s.DestinationErr + s.UnknownPeer + s.NotListening
}

// A flood that nobody answers does not fill the log: one line for each reason
// until state or master change.
func TestQuietLog(t *testing.T) {
	g := lone(t, 2, nil)
	d := advertTo(t, g, 255, nil)
	d.TTL = 1
	var log []vrrp.Effect
	for n := range 100_000 {
		log = append(log, g.Step(epoch.Add(time.Duration(n)*10*time.Microsecond), vrrp.Received{Instance: "VI_1", Datagram: d})...)
	}
	if want := (vrrp.Log{Text: "(VI_1) invalid TTL/HL. Received 1 and expect 255"}); !slices.Equal(log, []vrrp.Effect{want}) {
		t.Errorf("log: %v", log)
	}
	// A master that changes with every advert opens the log once a second.
	log = nil
	for n := range 5000 {
		now := epoch.Add(time.Second + time.Duration(n)*time.Millisecond)
		g.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d})
		good := advertTo(t, g, 200, nil)
		good.Src = netip.AddrFrom4([4]byte{10, 0, 1, byte(n)})
		log = append(log, g.Step(now, vrrp.Received{Instance: "VI_1", Datagram: good})...)
		log = append(log, g.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d})...)
	}
	if len(log) > 5 {
		t.Errorf("%d lines in 5 s", len(log))
	}
}

// A MASTER's timer and a rejected datagram leave nothing to collect.
func TestNoAllocation(t *testing.T) {
	g := lone(t, 2, nil)
	now := g.Deadline()
	g.Step(now, vrrp.TimerFired{})
	for range 10 { // past the second round of gratuitous ARP
		now = g.Deadline()
		g.Step(now, vrrp.TimerFired{})
	}
	var ev vrrp.Event = vrrp.TimerFired{}
	if n := testing.AllocsPerRun(100, func() {
		now = g.Deadline()
		if len(g.Step(now, ev)) != 1 {
			t.Error("no advert")
		}
	}); n != 0 {
		t.Errorf("an advert costs %v allocations", n)
	}
	for _, d := range trash(t, g) {
		ev = vrrp.Received{Instance: "VI_1", Datagram: d}
		if n := testing.AllocsPerRun(100, func() { g.Step(now, ev) }); n != 0 {
			t.Errorf("rejecting %x costs %v allocations", d.Payload, n)
		}
	}
	backup := lone(t, 2, nil)
	ev = vrrp.Received{Instance: "VI_1", Datagram: advertTo(t, backup, 200, nil)}
	if n := testing.AllocsPerRun(100, func() { backup.Step(epoch, ev) }); n != 0 {
		t.Errorf("accepting an advert costs %v allocations", n)
	}
}

// Who appends to the effects of one step does not change those of another.
func TestEffectsMayBeKept(t *testing.T) {
	g := lone(t, 2, func(i *config.Instance) { i.GarpMasterDelay = config.Some(time.Duration(0)) })
	g.Step(g.Deadline(), vrrp.TimerFired{})
	first := g.Step(g.Deadline(), vrrp.TimerFired{})
	_ = append(first, vrrp.Log{Text: "mine"})
	if second := g.Step(g.Deadline(), vrrp.TimerFired{}); len(first) != 1 || len(second) != 1 {
		t.Errorf("%v, %v", first, second)
	}
	if stop := g.Step(g.Deadline(), vrrp.Shutdown{}); fmt.Sprint(first[0]) == fmt.Sprint(stop[0]) {
		t.Error("the farewell is the advert")
	}
}
