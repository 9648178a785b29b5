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
	cfg.Resolve(nil)
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
	if cfg.Authentication.Type == config.AuthAH {
		a.AuthType = wire.AuthAH
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

// flavours are the ways in which adverts can be protected.
var flavours = map[string]struct {
	version uint8
	change  func(*config.Instance)
}{
	"v2": {2, func(*config.Instance) {}},
	"v3": {3, func(*config.Instance) {}},
	"PASS": {2, func(i *config.Instance) {
		i.Authentication = config.Authentication{Type: config.AuthPass, Pass: "secret"}
	}},
	"AH": {2, func(i *config.Instance) {
		i.Authentication = config.Authentication{Type: config.AuthAH, Pass: "secret"}
	}},
	"HMAC": {3, func(i *config.Instance) {
		a := config.DefaultAuthHMAC
		a.ActiveKey, a.Keys = 1, []config.HMACKey{{ID: 1, Secret: "secret"}}
		i.AuthHMAC = &a
	}},
}

// seal protects an advert as a peer would at some time, with a secret.
func seal(t testing.TB, g *vrrp.Group, d wire.Datagram, now time.Time, secret string) wire.Datagram {
	t.Helper()
	since := now.Sub(epoch)
	switch cfg := g.Members()[0].Config(); {
	case cfg.AuthHMAC != nil:
		a, err := wire.Parse(d.Payload, d.Pseudo())
		if err != nil {
			t.Fatal(err)
		}
		stamp := uint64(now.Unix())<<32 | uint64(now.Nanosecond())>>8
		if d.Payload, err = a.AppendSigned(nil, d.Pseudo(), wire.NewHMAC(1, []byte(secret)), stamp); err != nil {
			t.Fatal(err)
		}
	case cfg.Authentication.Type == config.AuthAH:
		d, _ = wire.ParseIPv4(wire.NewAH(secret).AppendIPv4(nil, d.Src, d.Dst, uint8(d.TTL), 1, 1000+uint32(since/time.Microsecond), d.Payload))
	}
	return d
}

// trash is one datagram for each reason to reject at some time, priority 255 in
// all of them.
func trash(t testing.TB, g *vrrp.Group, now time.Time) (all []wire.Datagram) {
	cfg := g.Members()[0].Config()
	add := func(advert func(*wire.Advert), datagram func(*wire.Datagram)) {
		d := seal(t, g, advertTo(t, g, 255, advert), now, "secret")
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
	protected := cfg.Authentication.Type != config.AuthNone
	if cfg.Version.Value == 2 {
		add(func(a *wire.Advert) { a.Interval = 2 * time.Second }, nil)
		add(func(a *wire.Advert) { a.AuthType, a.Auth = wire.AuthPass, [8]byte{'n', 'o'} }, nil)
		add(func(a *wire.Advert) { a.AuthType = 9 }, nil)
	} else {
		add(func(a *wire.Advert) { a.Addrs = nil }, nil)
	}
	if protected {
		add(func(a *wire.Advert) { a.AuthType, a.Auth = wire.AuthNone, [8]byte{} }, nil)
	}
	if cfg.AuthHMAC != nil || cfg.Authentication.Type == config.AuthAH {
		plain := advertTo(t, g, 255, nil)
		all = append(all, plain, seal(t, g, plain, now, "another"))
		if cfg.AuthHMAC != nil {
			all = append(all, seal(t, g, plain, now.Add(-time.Hour), "secret"))
		}
	}
	if cfg.Authentication.Type == config.AuthAH {
		first := advertTo(t, g, 255, nil)
		first, _ = wire.ParseIPv4(wire.NewAH("secret").AppendIPv4(nil, first.Src, first.Dst, 255, 1, 0, first.Payload))
		all = append(all, first) // number 0, which nobody begins with
		for n := range 44 {
			if mutable := n == 1 || n == 6 || n == 7 || n == 10 || n == 11; !mutable {
				add(nil, func(d *wire.Datagram) { d.Headers = bytes.Clone(d.Headers); d.Headers[n] ^= 0x40 })
			}
		}
		add(nil, func(d *wire.Datagram) { d.Headers = d.Headers[:43] })
	}
	if cfg.AuthHMAC != nil {
		for n := range wire.HMACLen {
			add(nil, func(d *wire.Datagram) { d.Payload[len(d.Payload)-1-n] ^= 0x40 })
		}
	}
	return all
}

// Two instances live the same life, one of them under a rain of datagrams that
// must be rejected: what they do and when they will is the same, every one of
// the datagrams is counted, and the log says little.
func TestGarbageIsNotFelt(t *testing.T) {
	seeds := uint64(15)
	if testing.Short() {
		seeds = 3
	}
	for name, flavour := range flavours {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				change := func(i *config.Instance) {
					flavour.change(i)
					i.NoPreempt = seed%3 == 0
				}
				rain(t, seed, lone(t, flavour.version, change), lone(t, flavour.version, change))
			})
		}
	}
}

func rain(t *testing.T, seed uint64, clean, dirty *vrrp.Group) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	now, lines, sent, kinds := epoch, 0, 0, 0
	for step := range 300 {
		bad := trash(t, dirty, now)
		kinds = len(bad)
		for _, d := range bad {
			effects := dirty.Step(now, vrrp.Received{Instance: "VI_1", Datagram: d})
			sent++
			for _, e := range effects {
				if _, ok := e.(vrrp.Log); !ok {
					t.Fatalf("step %d: garbage makes %s", step, describe(e))
				}
				lines++
			}
		}
		var ev vrrp.Event = vrrp.TimerFired{}
		deadline := clean.Deadline()
		later := now.Add(time.Duration(1 + rnd.Int64N(int64(time.Second))))
		switch rnd.IntN(8) {
		case 0:
			ev = vrrp.LinkChanged{Link: "eth0", Exists: true, Up: rnd.IntN(3) > 0, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
		case 1, 2, 3:
			good := advertTo(t, clean, []uint8{0, 50, 100, 200}[rnd.IntN(4)], nil)
			ev = vrrp.Received{Instance: "VI_1", Datagram: seal(t, clean, good, later, "secret")}
		}
		if _, timer := ev.(vrrp.TimerFired); timer && !deadline.IsZero() || !deadline.IsZero() && deadline.Before(later) {
			ev, later = vrrp.TimerFired{}, deadline
		}
		now = later
		a, b := clean.Step(now, ev), dirty.Step(now, ev)
		if diff := gocmp.Diff(acts(a), acts(b)); diff != "" || clean.Deadline() != dirty.Deadline() {
			t.Fatalf("step %d, %T: deadlines %s and %s\n%s", step, ev, clean.Deadline().Sub(epoch), dirty.Deadline().Sub(epoch), diff)
		}
	}
	if counted := rejected(dirty.Members()[0].Stats()) - rejected(clean.Members()[0].Stats()); counted != uint64(sent) {
		t.Errorf("%d datagrams rejected, %d counted", sent, counted)
	}
	if limit := int(now.Sub(epoch)/time.Second+2) * kinds; lines > limit {
		t.Errorf("%d lines in the log in %s", lines, now.Sub(epoch))
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
		s.AuthExtMissing + s.AuthExtMalformed + s.AuthExtUnknownKey + s.AuthExtInvalidHMAC + s.AuthExtStale + s.AuthExtReplay +
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
	if want := (vrrp.Log{Text: "(VI_1) invalid TTL/HL. Received 1 and expect 255", Instance: "VI_1", State: config.Backup}); !slices.Equal(log, []vrrp.Effect{want}) {
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

// A MASTER's timer and a datagram, rejected or not, leave nothing to collect.
func TestNoAllocation(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			g := lone(t, flavour.version, flavour.change)
			now := g.Deadline()
			g.Step(now, vrrp.TimerFired{})
			for range 10 { // past the second round of gratuitous ARP
				now = g.Deadline()
				g.Step(now, vrrp.TimerFired{})
			}
			beat := 0.0
			if name == "AH" || name == "HMAC" {
				beat = 2 // each advert has a number of its own
			}
			var ev vrrp.Event = vrrp.TimerFired{}
			if n := testing.AllocsPerRun(100, func() {
				now = g.Deadline()
				if len(g.Step(now, ev)) != 1 {
					t.Error("no advert")
				}
			}); n > beat {
				t.Errorf("an advert costs %v allocations", n)
			}
			for _, d := range trash(t, g, now) {
				ev = vrrp.Received{Instance: "VI_1", Datagram: d}
				if n := testing.AllocsPerRun(100, func() { g.Step(now, ev) }); n != 0 {
					t.Errorf("rejecting %x costs %v allocations", d.Payload, n)
				}
			}
			if n := acceptCost(t, lone(t, flavour.version, flavour.change)); n != 0 {
				t.Errorf("accepting an advert costs %v allocations", n)
			}
		})
	}
}

// acceptCost is what a BACKUP allocates for an advert of its MASTER.
func acceptCost(t *testing.T, g *vrrp.Group) float64 {
	var events []vrrp.Event
	for n := range 102 {
		d := seal(t, g, advertTo(t, g, 200, nil), epoch.Add(time.Duration(n)*time.Millisecond), "secret")
		events = append(events, vrrp.Received{Instance: "VI_1", Datagram: d})
	}
	before, n := g.Members()[0].Stats().AdvertRcvd, 0
	cost := testing.AllocsPerRun(100, func() { g.Step(epoch, events[n]); n++ })
	if got := g.Members()[0].Stats().AdvertRcvd - before; got != uint64(n) {
		t.Errorf("%d adverts of %d accepted", got, n)
	}
	return cost
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
