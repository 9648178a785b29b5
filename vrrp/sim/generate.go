package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Generate is the scenario of a seed.
func Generate(seed uint64) *Scenario {
	g := generator{rand: rand.New(rand.NewPCG(seed, 9568)), sc: &Scenario{Seed: seed}}
	g.cluster()
	for k := range 1 + g.rand.IntN(5) {
		g.instance(k + 1)
	}
	g.groups()
	g.network()
	for range 6 + g.rand.IntN(25) {
		g.mishap(g.moment())
	}
	slices.SortStableFunc(g.sc.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return g.sc
}

type generator struct {
	rand *rand.Rand
	sc   *Scenario
	v3   bool          // no instance of version 2, now or later
	unit time.Duration // the shorter of two intervals that are used
}

func (g *generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func pick[T any](g *generator, from ...T) T { return from[g.rand.IntN(len(from))] }

func (g *generator) router() int { return 1 + g.rand.IntN(len(g.sc.Routers)) }
func (g *generator) link() int   { return 1 + g.rand.IntN(g.sc.Links) }
func (g *generator) slot() int   { return 1 + g.rand.IntN(len(g.sc.Instances)) }

// moment is one in the time of chaos.
func (g *generator) moment() time.Duration { return g.span(g.sc.Chaos) }

// span is a time up to d, in steps that read well.
func (g *generator) span(d time.Duration) time.Duration {
	const step = 100 * time.Microsecond
	return time.Duration(g.rand.Int64N(int64(d/step)+1)) * step
}

func (g *generator) cluster() {
	g.v3 = g.chance(60)
	g.unit = time.Second
	if g.v3 {
		g.unit = pick[time.Duration](g, 10, 20, 50, 100, 250, 1000, 5000) * time.Millisecond
	}
	sc := g.sc
	sc.Links = 1 + g.rand.IntN(3)
	sc.Chaos = time.Duration(15+g.rand.IntN(20)) * g.unit
	routers := pick(g, 2, 2, 2, 3, 3, 3, 4, 5, 7)
	for range routers {
		r := Router{Boot: g.span(3 * g.unit)}
		if g.chance(50) {
			r.Drift = g.rand.IntN(100_001) - 50_000
		}
		if g.chance(15) {
			r.Quiet = g.span(5 * g.unit)
		}
		sc.Routers = append(sc.Routers, r)
	}
	if g.chance(15) {
		sc.Split = 1 + g.rand.IntN(routers-1)
	}
	sc.Drill = pick(g, NoDrill, CrashDrill, StopDrill)
}

// priorities are those of an instance or group on each router: often two are
// equal, sometimes one is the owner's.
func (g *generator) priorities() []int {
	var p []int
	for range g.sc.Routers {
		p = append(p, 100+10*g.rand.IntN(6))
	}
	if g.chance(10) {
		p[g.rand.IntN(len(p))] = config.Owner
		if g.chance(30) {
			p[g.rand.IntN(len(p))] = config.Owner
		}
	}
	if g.chance(10) {
		p[g.rand.IntN(len(p))] = pick(g, 1, 2, 254)
	}
	return p
}

func (g *generator) version() int {
	if g.v3 {
		return 3
	}
	return pick(g, 2, 2, 3)
}

func (g *generator) interval() time.Duration { return g.unit * time.Duration(1+g.rand.IntN(2)) }

func (g *generator) instance(n int) {
	i := Instance{
		Name: fmt.Sprintf("VI_%d", n), VRID: n, Link: g.link(), Version: g.version(),
		Interval: g.interval(), Prio: g.priorities(), Adverts: pick(g, 3, 3, 3, 2, 4),
		VIPs: 1 + g.rand.IntN(3), First: 10 * n,
	}
	if i.Version == 3 && g.chance(30) {
		i.V6 = true
	}
	for k := range g.sc.Instances {
		if was := &g.sc.Instances[k]; (was.Link != i.Link || was.V6 != i.V6) && g.chance(20) {
			i.VRID = was.VRID
		}
	}
	for k := range g.sc.Instances {
		if was := &g.sc.Instances[k]; was.VRID == i.VRID && was.Link == i.Link && was.V6 == i.V6 {
			i.VRID = n
		}
	}
	if g.chance(25) {
		i.Master = g.router()
	}
	i.Unicast = g.chance(25)
	i.CheckSrc = g.chance(50)
	i.NoPreempt = g.chance(20)
	if g.chance(15) {
		i.Delay = g.span(5 * g.unit)
	}
	i.Quiet, i.Reply, i.SkipCheck, i.NoPrimary = g.chance(10), g.chance(10), g.chance(20), g.chance(10)
	if i.VIPs > 1 && g.chance(30) {
		i.Excluded = 1
	}
	g.proof(&i)
	if g.chance(50) {
		i.Script = g.track(scripts)
	}
	if g.chance(30) {
		i.Track = g.track(g.sc.Links)
	}
	if g.chance(10) {
		i.Refresh = 3 * g.unit
	}
	if g.chance(40) {
		i.Expired = 100 + g.rand.IntN(60)
	}
	i.Ignore = g.chance(30)
	if g.chance(10) {
		i.Longest = g.unit
	}
	i.Off = g.chance(10)
	g.sc.Instances = append(g.sc.Instances, i)
}

func (g *generator) track(objects int) Track {
	return Track{Object: 1 + g.rand.IntN(objects), Weight: pick(g, 0, 0, 30, -30, 60, -60, 253, -253), Reverse: g.chance(5)}
}

func (g *generator) groups() {
	for n := range g.rand.IntN(3) {
		s := Group{Name: fmt.Sprintf("G%d", n+1), Members: g.members(), Prio: g.priorities()}
		if g.chance(30) {
			s.Script = g.track(scripts)
		}
		if g.chance(20) {
			s.Track = g.track(g.sc.Links)
		}
		s.Off, s.Uneven = g.chance(15), g.chance(30)
		g.sc.Groups = append(g.sc.Groups, s)
	}
}

func (g *generator) members() []int {
	all := g.rand.Perm(len(g.sc.Instances))[:1+g.rand.IntN(len(g.sc.Instances))]
	for k := range all {
		all[k]++
	}
	return all
}

func (g *generator) network() {
	// v2 has no part of a second, the shortest interval is the unit.
	g.sc.Net.Latency = g.unit/64 + g.span(g.unit/5)
	if g.chance(70) {
		g.sc.Net.Loss = g.rand.IntN(400)
	}
	if g.chance(40) {
		g.sc.Net.Twice = g.rand.IntN(200)
	}
	if g.chance(40) {
		g.sc.Net.Late = g.rand.IntN(200)
	}
}

func (g *generator) add(at time.Duration, format string, args ...any) {
	if at <= g.sc.Chaos {
		g.sc.Faults = append(g.sc.Faults, Fault{at, strings.Fields(fmt.Sprintf(format, args...))})
	}
}

// mishap is something that goes wrong, and mostly becomes good again.
func (g *generator) mishap(at time.Duration) {
	r, l, again := g.router(), g.link(), at+g.span(6*g.unit)
	switch g.rand.IntN(15) {
	case 0:
		g.add(at, "crash %d", r)
		g.add(again, "boot %d", r)
	case 1:
		g.add(at, "stop %d", r)
		g.add(again, "boot %d", r)
	case 2:
		g.add(at, "%s %d %s", pick(g, "pause", "stun"), r, g.span(8*g.unit))
	case 3:
		g.add(at, "link %d %d %s", r, l, pick(g, "down", "down", "gone", "bare"))
		g.add(again, "link %d %d up", r, l)
	case 4:
		s := 1 + g.rand.IntN(scripts)
		g.add(at, "script %d %d bad", r, s)
		g.add(again, "script %d %d good", r, s)
	case 5:
		g.walls(at, again, l)
	case 6:
		g.add(at, "garbage %d %d %d", r, g.slot(), g.rand.IntN(1_000_000))
	case 7:
		g.add(at, "flood %d %d %d", r, g.slot(), 2+g.rand.IntN(5))
	case 8:
		g.add(at, "replay %d %d %d", r, g.slot(), g.rand.IntN(4))
	case 9:
		if g.timed() {
			g.add(at, "clock %d %s", r, g.wrongTime())
		}
	case 10:
		i := g.slot()
		g.add(at, "socket %d %d failed", r, i)
		g.add(again, "socket %d %d open", r, i)
	default:
		g.reload(at)
	}
}

// proof is how adverts are protected. Clocks agree to the second, so that
// there are no trailers where intervals are shorter.
func (g *generator) proof(i *Instance) {
	switch {
	case g.unit >= time.Second && g.chance(25):
		i.HMAC = 1
		i.Mode = pick(g, "", "", "", string(config.HMACPermissive))
		i.Monotonic = g.chance(15)
	case i.Version == 2 && g.chance(30):
		i.AH = "secret"
	case g.chance(20):
		i.Pass = "secret"
	}
	if g.chance(5) {
		i.Wrong = g.router()
	}
}

// timed says that clocks may be wrong. Who relies on numbers alone must have a
// clock that is not set back while he is not running.
func (g *generator) timed() bool {
	any := func(is func(*Instance) bool) bool {
		for k := range g.sc.Instances {
			if is(&g.sc.Instances[k]) {
				return true
			}
		}
		return false
	}
	return any(func(i *Instance) bool { return i.HMAC > 0 }) && !any(func(i *Instance) bool { return i.Monotonic })
}

func (g *generator) wrongTime() time.Duration {
	ahead := pick(g, 0, g.span(4*time.Second), g.span(20*time.Second), time.Hour, 10*365*24*time.Hour)
	return pick(g, ahead, -ahead)
}

func (g *generator) walls(at, again time.Duration, link int) {
	if g.chance(40) {
		g.add(at, "cut %d %d %d", link, g.router(), g.router())
	} else {
		for l := 1; l <= g.sc.Links; l++ {
			if l == link || g.chance(50) {
				g.add(at, "split %d %d", l, 1+g.rand.IntN(len(g.sc.Routers)))
			}
		}
	}
	g.add(again, "mend")
}

// reload: the administrator edits, and then routers load that, one after the
// other and not always all of them.
func (g *generator) reload(at time.Duration) {
	for range g.rand.IntN(3) {
		g.edit(at)
	}
	for r := range g.sc.Routers {
		if g.chance(80) {
			g.add(at+g.span(2*g.unit), "load %d", r+1)
		}
	}
}

func (g *generator) edit(at time.Duration) {
	i := g.slot()
	list := func(n []int) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(n), "[]"), " ", ",") }
	switch g.rand.IntN(13) {
	case 0, 1:
		g.add(at, "set %d prio=%s", i, list(g.priorities()))
	case 2:
		g.add(at, "set %d interval=%s", i, g.interval())
	case 3:
		if !g.sc.Instances[i-1].V6 {
			g.add(at, "set %d version=%d", i, g.version())
		}
	case 4:
		g.add(at, "set %d vips=%d first=%d", i, 1+g.rand.IntN(4), 10*i+g.rand.IntN(3))
	case 5:
		g.add(at, "set %d off=%t", i, g.chance(50))
	case 6:
		g.add(at, "set %d name=VI_%d%s", i, i, pick(g, "", "a", "b"))
	case 7:
		j := g.slot()
		g.add(at, "set %d name=VI_%d", i, j) // the names change places
		g.add(at, "set %d name=VI_%d", j, i)
	case 8:
		g.add(at, "set %d nopreempt=%t delay=%s pass=%s", i, g.chance(20), pick(g, 0, g.span(4*g.unit)), pick(g, "", "secret", "other"))
	case 9:
		g.add(at, "set %d script=%s", i, track("", func(t *Track) *Track { return t }).get(&Track{Object: 1 + g.rand.IntN(scripts), Weight: pick(g, 0, 30, -30)}))
	case 10:
		g.reprove(at, i)
	default:
		if n := len(g.sc.Groups); n > 0 {
			g.group(at, 1+g.rand.IntN(n), list)
		}
	}
}

// reprove: keys change, and not on all routers at the same time.
func (g *generator) reprove(at time.Duration, i int) {
	switch was := &g.sc.Instances[i-1]; {
	case was.HMAC > 0:
		g.add(at, "set %d hmac=%d wrong=%d", i, pick(g, 0, 1, 2, 2), pick(g, 0, 0, g.router()))
	case was.AH != "":
		g.add(at, "set %d ah=%s wrong=%d", i, pick(g, "", "secret", "other"), pick(g, 0, 0, g.router()))
	default:
		g.add(at, "set %d wrong=%d", i, pick(g, 0, g.router()))
	}
}

func (g *generator) group(at time.Duration, n int, list func([]int) string) {
	switch g.rand.IntN(4) {
	case 0:
		g.add(at, "group %d prio=%s", n, list(g.priorities()))
	case 1:
		g.add(at, "group %d off=%t", n, g.chance(50))
	default:
		g.add(at, "group %d members=%s", n, list(g.members()))
	}
}
