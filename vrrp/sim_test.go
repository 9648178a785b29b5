package vrrp_test

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var (
	simSeeds = flag.Int("sim.seeds", 2000, "number of simulated clusters")
	simSeed  = flag.Uint64("sim.seed", 0, "simulate this seed only, and print what happens")
)

// TestSimulation lets clusters of two or three routers live through loss,
// crashes, link failures, failing scripts and reloads, and then gives them
// quiet: soon there must be one MASTER per virtual router, and the best one
// unless nopreempt says other. What must always hold is checked after every
// step. A failing seed is run alone with -sim.seed.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		newSim(t, *simSeed).run()
		return
	}
	n := *simSeeds
	if testing.Short() {
		n /= 10
	}
	var takeovers int
	for seed := range n {
		s := newSim(t, uint64(seed+1))
		s.run()
		takeovers += s.takeovers
	}
	t.Logf("%d clusters, %d times MASTER", n, takeovers)
	if takeovers < 2*n {
		t.Errorf("only %d times MASTER in %d clusters: the simulation does not shake them", takeovers, n)
	}
}

// The same seed gives the same history: the core has no hidden order.
func TestSimulationRepeats(t *testing.T) {
	for seed := range uint64(20) {
		var histories [2]string
		for i := range histories {
			s := newSim(t, seed+1)
			s.history = &strings.Builder{}
			s.run()
			histories[i] = s.history.String()
		}
		if histories[0] != histories[1] {
			t.Errorf("seed %d has two histories", seed+1)
		}
	}
}

const (
	simChaos   = 25 * time.Second
	simLatency = 3 * time.Millisecond // at most, one way
)

// sim is one cluster on one link.
type sim struct {
	t         *testing.T
	seed      uint64
	rand      *rand.Rand
	now       time.Time
	agenda    agenda
	number    int // of the next entry of the agenda
	routers   []*simRouter
	cfg       simConfig
	loss      float64
	takeovers int
	history   *strings.Builder
}

// simConfig is what the routers of a cluster have in common.
type simConfig struct {
	version   uint8
	interval  time.Duration
	instances int
	group     bool
	nopreempt bool
	delay     time.Duration
	script    bool
	weight    int
	reloads   bool
	protected bool // adverts are: by AH in version 2, by auth_hmac in version 3
}

// simRouter is a host with lvsd on it.
type simRouter struct {
	addr     netip.Addr
	priority uint8
	vips     int // of each instance
	alive    bool
	up       bool // its link
	good     bool // its script
	groups   []*vrrp.Group
	owns     map[string]bool
	sent     map[string]time.Time // when the last advert left
	told     map[string]config.State
}

type agenda []entry

type entry struct {
	at     time.Time
	number int
	do     func()
}

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any     { e := (*a)[len(*a)-1]; *a = (*a)[:len(*a)-1]; return e }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].number < a[j].number
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 9568)), now: epoch}
	chance := func(p float64) bool { return s.rand.Float64() < p }
	s.cfg = simConfig{
		version:   uint8(2 + s.rand.IntN(2)),
		interval:  time.Second,
		instances: 1 + s.rand.IntN(3),
		group:     chance(0.5),
		nopreempt: chance(0.2),
		script:    chance(0.4),
		reloads:   chance(0.4),
	}
	s.cfg.protected = seed%3 == 0
	if s.cfg.version == 3 {
		s.cfg.interval = time.Duration(10+s.rand.IntN(90)) * 10 * time.Millisecond
	}
	if !s.cfg.nopreempt && chance(0.2) {
		s.cfg.delay = 2 * time.Second
	}
	if chance(0.5) {
		s.cfg.weight = -60
	}
	s.loss = s.rand.Float64() * 0.4
	for i := range 2 + s.rand.IntN(2) {
		r := &simRouter{
			addr:     netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
			priority: uint8(100 + 10*s.rand.IntN(4)), // sometimes equal
			vips:     1, up: true, good: true,
		}
		s.routers = append(s.routers, r)
		s.after(time.Duration(s.rand.IntN(3000))*time.Millisecond, func() { s.boot(r) })
	}
	for range 5 + s.rand.IntN(15) {
		s.after(time.Duration(s.rand.Int64N(int64(simChaos))), s.mishap)
	}
	return s
}

func (s *sim) after(d time.Duration, do func()) {
	s.number++
	heap.Push(&s.agenda, entry{s.now.Add(d), s.number, do})
}

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d at %s: %s", s.seed, s.now.Sub(epoch), fmt.Sprintf(format, args...))
}

func (s *sim) note(format string, args ...any) {
	line := fmt.Sprintf("%-12s %s\n", s.now.Sub(epoch), fmt.Sprintf(format, args...))
	if s.history != nil {
		s.history.WriteString(line)
	}
	if *simSeed != 0 {
		s.t.Log(strings.TrimSpace(line))
	}
}

// noting spares the formatting when nobody reads it.
func (s *sim) noting() bool { return s.history != nil || *simSeed != 0 }

func (s *sim) run() {
	s.until(epoch.Add(simChaos))
	s.loss = 0
	for _, r := range s.routers {
		if !r.alive {
			s.boot(r)
		}
		s.link(r, true)
		s.script(r, true)
	}
	// Everybody hears everybody from here on. Two MASTERs hear each other
	// within an interval.
	down := 3*time.Second + time.Second
	s.until(s.now.Add(down + simLatency))
	end := s.now.Add(3*down + s.cfg.delay)
	for ; s.now.Before(end); s.until(s.now.Add(50 * time.Millisecond)) {
		if n := s.masters(); slices.Max(n) > 1 {
			s.until(s.now.Add(2 * simLatency)) // one was just taking over
			if n := s.masters(); slices.Max(n) > 1 {
				s.failf("MASTERs of the virtual routers after quiet: %v", n)
			}
		}
	}
	s.checkEnd()
}

func (s *sim) masters() []int {
	n := make([]int, 4)
	s.machines(func(r *simRouter, g *vrrp.Group, m *vrrp.Machine) {
		if m.State() == config.Master {
			n[m.Config().VirtualRouterID]++
		}
	})
	return n
}

func (s *sim) machines(f func(*simRouter, *vrrp.Group, *vrrp.Machine)) {
	for _, r := range s.routers {
		for _, g := range r.groups {
			for _, m := range g.Members() {
				f(r, g, m)
			}
		}
	}
}

// checkEnd: one MASTER, and with preemption it is the best router there is.
func (s *sim) checkEnd() {
	for vrid, n := range s.masters()[1:] {
		var best uint8
		var master *vrrp.Machine
		s.machines(func(_ *simRouter, _ *vrrp.Group, m *vrrp.Machine) {
			if int(m.Config().VirtualRouterID) != vrid+1 {
				return
			}
			best = max(best, m.Priority())
			if m.State() == config.Master {
				master = m
			}
		})
		if best == 0 {
			continue
		}
		if n != 1 {
			s.failf("VRID %d has %d MASTERs in the end", vrid+1, n)
		}
		if !s.cfg.nopreempt && !(s.cfg.reloads && s.cfg.group) && master.Priority() != best {
			s.failf("VRID %d: MASTER has priority %d, there is one of %d", vrid+1, master.Priority(), best)
		}
	}
}

// until lets everything happen that is due, in order.
func (s *sim) until(end time.Time) {
	for {
		at := end
		var router *simRouter
		var group *vrrp.Group
		for _, r := range s.routers {
			for _, g := range r.groups {
				if d := g.Deadline(); !d.IsZero() && d.Before(at) {
					at, router, group = d, r, g
				}
			}
		}
		switch {
		case len(s.agenda) > 0 && s.agenda[0].at.Before(at):
			e := heap.Pop(&s.agenda).(entry)
			s.now = e.at
			e.do()
		case group == nil:
			s.now = end
			return
		default:
			s.now = at
			s.step(router, group, vrrp.TimerFired{})
			if d := group.Deadline(); !d.IsZero() && !d.After(s.now) {
				s.failf("deadline %s after a step", d.Sub(epoch))
			}
		}
	}
}

// mishap is something that happens to a router.
func (s *sim) mishap() {
	r := s.routers[s.rand.IntN(len(s.routers))]
	soon := func() time.Duration { return time.Duration(s.rand.IntN(6000)) * time.Millisecond }
	switch kind := s.rand.IntN(7); {
	case !r.alive:
	case kind == 0: // kill -9
		s.note("%s crashes", r.addr)
		r.alive, r.groups = false, nil
		s.after(soon(), func() { s.boot(r) })
	case kind == 1: // SIGTERM
		s.note("%s stops", r.addr)
		s.all(r, vrrp.Shutdown{})
		r.alive, r.groups = false, nil
		s.after(soon(), func() { s.boot(r) })
	case kind <= 3:
		s.link(r, false)
		s.after(soon(), func() { s.link(r, true) })
	case kind == 4:
		s.script(r, false)
		s.after(soon(), func() { s.script(r, true) })
	case kind == 5 && s.cfg.reloads:
		r.priority = uint8(100 + 10*s.rand.IntN(4))
		r.vips = 1 + s.rand.IntN(3)
		s.cfg.group = s.rand.IntN(2) == 0
		s.cfg.instances = 1 + s.rand.IntN(3)
		for _, r := range s.routers { // as an administrator would, one after the other
			s.after(time.Duration(s.rand.IntN(2000))*time.Millisecond, func() {
				if r.alive {
					s.apply(r)
				}
			})
		}
	default: // garbage: it is heard, and must not be felt
		s.garbage(r)
	}
}

func (s *sim) boot(r *simRouter) {
	if r.alive {
		return
	}
	s.note("%s boots", r.addr)
	r.alive = true
	r.owns, r.sent, r.told = map[string]bool{}, map[string]time.Time{}, map[string]config.State{}
	s.apply(r)
}

// apply is a start or a reload.
func (s *sim) apply(r *simRouter) {
	s.note("%s loads %+v, priority %d", r.addr, s.cfg, r.priority)
	cfg := s.config(r)
	plan := vrrp.Regroup(s.now, r.groups, cfg)
	r.groups = plan.Groups
	forget := func() { // who is gone may begin where it ended
		for _, e := range plan.Ended {
			if b, ok := e.(vrrp.Became); ok {
				delete(r.told, fmt.Sprint(b.Group, b.Name))
			}
		}
	}
	if len(cfg.Groups) == 0 {
		delete(r.told, fmt.Sprint(true, "G"))
	}
	forget()
	s.carryOut(r, plan.Ended)
	forget()
	s.carryOut(r, plan.Effects)
	for _, g := range r.groups {
		s.step(r, g, s.linkState(r))
		s.step(r, g, vrrp.Tracked{Name: "chk", Up: r.good})
		s.step(r, g, vrrp.Start{})
	}
}

func (s *sim) config(r *simRouter) *config.Config {
	cfg := &config.Config{Global: config.DefaultGlobal}
	var names []string
	for n := range s.cfg.instances {
		i := config.DefaultInstance
		i.Name, i.VirtualRouterID, i.Interface = string(rune('A'+n)), uint8(n+1), "eth0"
		i.Version, i.Priority = config.Some(s.cfg.version), config.Some(r.priority)
		i.AdvertInt, i.NoPreempt, i.PreemptDelay = s.cfg.interval, s.cfg.nopreempt, s.cfg.delay
		switch {
		case s.cfg.protected && s.cfg.version == 2:
			flavours["AH"].change(&i)
		case s.cfg.protected:
			flavours["HMAC"].change(&i)
		}
		for v := range r.vips {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(n + 1), byte(v + 1)})
			i.VirtualIPAddress = append(i.VirtualIPAddress, config.Address{Prefix: netip.PrefixFrom(addr, 24)})
		}
		if s.cfg.script {
			i.TrackScript = []config.Track{{Name: "chk", Weight: config.Some(s.cfg.weight)}}
		}
		cfg.Instances = append(cfg.Instances, i)
		names = append(names, i.Name)
	}
	if s.cfg.group {
		cfg.Groups = []config.SyncGroup{{Name: "G", Members: names}}
	}
	cfg.Resolve()
	return cfg
}

func (s *sim) link(r *simRouter, up bool) {
	r.up = up
	s.all(r, s.linkState(r))
}

func (s *sim) linkState(r *simRouter) vrrp.LinkChanged {
	return vrrp.LinkChanged{Link: "eth0", Exists: true, Up: r.up, IPv4: []netip.Addr{r.addr}}
}

func (s *sim) script(r *simRouter, good bool) {
	r.good = good
	s.all(r, vrrp.Tracked{Name: "chk", Up: good})
}

func (s *sim) all(r *simRouter, ev vrrp.Event) {
	for _, g := range r.groups {
		s.step(r, g, ev)
	}
}

func (s *sim) step(r *simRouter, g *vrrp.Group, ev vrrp.Event) {
	if s.noting() {
		s.note("%s <- %T %v", r.addr, ev, ev)
	}
	s.carryOut(r, g.Step(s.now, ev))
	_, over := ev.(vrrp.Shutdown)
	for _, m := range g.Members() {
		name, master := m.Name(), m.State() == config.Master
		if r.owns[name] != master {
			s.failf("%s: %s is %s and owns its addresses: %t", r.addr, name, m.State(), r.owns[name])
		}
		if gap := s.now.Sub(r.sent[name]); master && gap > s.cfg.interval {
			s.failf("%s: MASTER %s has been silent for %s", r.addr, name, gap)
		}
		if !s.cfg.reloads && !over && m.State() != g.Members()[0].State() {
			s.failf("%s: %s is %s, %s is %s", r.addr, name, m.State(), g.Members()[0].Name(), g.Members()[0].State())
		}
	}
}

// carryOut is what the shell does, and looks whether it makes sense.
func (s *sim) carryOut(r *simRouter, effects []vrrp.Effect) {
	for _, e := range effects {
		if s.noting() {
			s.note("%s -> %s", r.addr, describe(e))
		}
		switch e := e.(type) {
		case vrrp.SendAdvert:
			r.sent[e.Instance] = s.now
			s.send(r, e)
		case vrrp.Claim:
			if len(e.Addresses) == 0 && !r.owns[e.Instance] {
				s.failf("%s: %s gives back what it has not", r.addr, e.Instance)
			}
			r.owns[e.Instance] = len(e.Addresses) > 0
		case vrrp.Announce:
			if !r.owns[e.Instance] {
				s.failf("%s: %s announces what it has not", r.addr, e.Instance)
			}
		case vrrp.Became:
			key := fmt.Sprint(e.Group, e.Name)
			if r.told[key] == e.State {
				s.failf("%s: %s becomes %s again", r.addr, e.Name, e.State)
			}
			r.told[key] = e.State
			if e.State == config.Master && !e.Group {
				s.takeovers++
			}
		}
	}
}

// send gives an advert to each of the others, or loses it.
func (s *sim) send(from *simRouter, e vrrp.SendAdvert) {
	d := wire.Datagram{Src: e.Src, Dst: everyone, TTL: 255}
	var err error
	if s.cfg.protected && s.cfg.version == 3 {
		d.Payload, err = e.Advert.AppendSigned(nil, d.Pseudo(), wire.NewHMAC(1, []byte("secret")), e.Sequence)
	} else {
		d.Payload, err = e.Advert.AppendTo(nil, d.Pseudo())
	}
	if err != nil {
		s.failf("%s: %v", from.addr, err)
	}
	if s.cfg.protected && s.cfg.version == 2 {
		d, _ = wire.ParseIPv4(wire.NewAH("secret").AppendIPv4(nil, d.Src, d.Dst, 255, 1, uint32(e.Sequence), d.Payload))
	}
	for _, to := range s.routers {
		if to == from || !from.up || s.rand.Float64() < s.loss {
			continue
		}
		s.after(time.Duration(1+s.rand.Int64N(int64(simLatency))), func() { s.deliver(to, e.Instance, d) })
	}
}

func (s *sim) deliver(to *simRouter, instance string, d wire.Datagram) {
	if !to.up {
		return
	}
	for _, g := range to.groups {
		if slices.ContainsFunc(g.Members(), func(m *vrrp.Machine) bool { return m.Name() == instance }) {
			s.step(to, g, vrrp.Received{Instance: instance, Datagram: d})
			return
		}
	}
}

// garbage looks like an advert of priority 255 and has one bit turned. It may
// make a line in the log and nothing else.
func (s *sim) garbage(r *simRouter) {
	for _, g := range r.groups {
		for _, m := range g.Members() {
			a := wire.Advert{Version: s.cfg.version, VRID: m.Config().VirtualRouterID, Priority: 255, Interval: s.cfg.interval, Addrs: []netip.Addr{netip.MustParseAddr("10.0.1.1")}}
			d := wire.Datagram{Src: netip.MustParseAddr("10.0.0.200"), Dst: everyone, TTL: 255}
			var err error
			if d.Payload, err = a.AppendTo(nil, d.Pseudo()); err != nil {
				s.failf("%v", err)
			}
			d.Payload[s.rand.IntN(len(d.Payload))] ^= 1 << s.rand.IntN(8)
			before := g.Deadline()
			for _, e := range g.Step(s.now, vrrp.Received{Instance: m.Name(), Datagram: d}) {
				if _, ok := e.(vrrp.Log); !ok {
					s.failf("%s: garbage makes %s", r.addr, describe(e))
				}
			}
			if g.Deadline() != before {
				s.failf("%s: garbage moves a deadline", r.addr)
			}
		}
	}
}
