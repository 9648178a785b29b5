package sim

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// wireRouter is a virtual router as the wire knows it, in one part of a
// network that may be split.
type wireRouter struct {
	wireKey
	part int
}

// calm ends all trouble. Soon there must be one MASTER for each virtual router,
// and the right one; then nothing happens any more, a reload without a change
// included, until the drill.
func (w *world) calm() {
	w.note("calm")
	w.heal()
	b := w.bounds()
	w.watch.dual = b.interval + 2*w.sc.Net.Latency + b.deaf
	w.watch.catching = b.interval
	w.until(w.now + b.settle)
	w.checkCalm()
	w.look()
	w.watch.still = true
	w.until(w.now + 20*b.interval)
	w.reloadUnchanged()
	w.until(w.now + 3*b.interval)
	w.checkCalm()
	w.watch.still = false
	w.drill(b)
}

// heal makes everything good again, and everybody loads what the site wants.
func (w *world) heal() {
	w.quiet = true
	w.mend()
	for k := range w.site.instances {
		w.site.instances[k].Wrong = 0
	}
	for link := 1; link <= w.sc.Links && w.sc.Split > 0; link++ {
		w.split(link, w.sc.Split)
	}
	for _, r := range w.routers {
		r.ahead = 0
		r.resume()
		for n := 1; n < len(r.links); n++ {
			if good := (linkState{true, true, true}); r.links[n] != good {
				r.link(n, good)
			}
		}
		for k := range w.site.instances {
			if key := w.site.instances[k].key(); r.unopened[key] {
				r.socket(key, true)
			}
		}
		for n := range r.scripts {
			if good := (verdict{true, true}); r.scripts[n] != good && n > 0 {
				r.script(n, true)
			}
		}
		if r.alive {
			r.load()
		} else {
			r.boot()
		}
	}
}

// bounds are the times within which things must happen, on the slowest clock.
type bounds struct {
	interval, down, skew, settle time.Duration
	deaf                         time.Duration // a clock that was set back makes copies of new adverts
	contest                      time.Duration // two routers that are each better for a part of a sync group
}

func slow(d time.Duration) time.Duration { return d + d*7/100 }

func (w *world) bounds() bounds {
	var b bounds
	var delay time.Duration
	b.interval = w.sc.longest() // may still be learned somewhere
	for _, r := range w.routers {
		for _, s := range r.shadows {
			skew := s.interval()
			if s.cfg.Version.Value == 3 {
				skew = b.interval
			}
			b.skew = max(b.skew, skew)
			b.down = max(b.down, time.Duration(s.cfg.DownTimerAdverts.Value)*b.interval+skew)
			delay = max(delay, s.cfg.PreemptDelay)
			if s.timed() {
				b.deaf = max(b.deaf, s.window())
			}
		}
	}
	b.interval, b.down, b.skew = slow(b.interval), slow(b.down), slow(b.skew)
	for _, r := range w.sc.Routers {
		delay = max(delay, r.Quiet)
	}
	for k := range w.site.groups {
		if g := &w.site.groups[k]; g.contested() {
			once := b.down + time.Duration(2*len(g.Members))*b.interval
			b.contest = max(b.contest, time.Duration(len(w.routers)-1)*once)
		}
	}
	b.settle = b.contest + b.deaf + 2*b.down + slow(delay) + 2*b.interval + 4*w.sc.Net.Latency
	return b
}

// contested says that routers may each be better for a part of the group: for
// their members' own priorities, or where a member tracks for itself what the
// group tracks with a weight.
func (g *Group) contested() bool {
	return !g.Off && len(g.Members) > 1 && (g.Uneven || g.Script.Weight != 0 || g.Track.Weight != 0)
}

// watch is what may not happen while it is calm.
type watch struct {
	dual time.Duration // two MASTERs that hear each other are two for no longer; 0: they may
	// catching is how much longer they may with authentication headers: a number
	// that is too low has to catch up with what the other one sends first.
	catching time.Duration

	still bool // nobody changes state
	since map[wireRouter]time.Duration
	seen  int // changes of state that were looked at
}

// look is called after everything that happens.
func (w *world) look() {
	changes := w.counts["BACKUP"] + w.counts["MASTER"] + w.counts["FAULT"]
	if w.watch.dual == 0 || changes == w.watch.seen {
		return
	}
	w.watch.seen = changes
	if w.watch.still {
		w.failf("flap", "the state of an instance changes without a cause")
	}
	was := w.watch.since
	w.watch.since = map[wireRouter]time.Duration{}
	for key, n := range w.masters() {
		if n < 2 {
			continue
		}
		w.counts["two masters"]++
		since, before := was[key]
		if !before {
			since = w.now
			w.after(w.dual(key), func() { w.stillDual(key, since) })
		}
		w.watch.since[key] = since
	}
}

// dual is how long a virtual router may have two MASTERs.
func (w *world) dual(of wireRouter) time.Duration {
	limit := w.watch.dual
	w.each(func(key wireRouter, s *shadow) {
		if key == of && s.cfg.Authentication.Type == config.AuthAH && s.cfg.Version.Value == 2 {
			limit = w.watch.dual + w.watch.catching
		}
	})
	return limit
}

func (w *world) stillDual(key wireRouter, since time.Duration) {
	if began, dual := w.watch.since[key]; dual && began == since {
		w.failf("two-masters", "of virtual router %d on eth%d for %s", key.vrid, key.link, w.now-since)
	}
}

func (w *world) part(r *router) int {
	if r.id <= w.sc.Split {
		return 1
	}
	return 0
}

// each calls f for every instance that takes part in an election.
func (w *world) each(f func(wireRouter, *shadow)) {
	for _, r := range w.routers {
		for _, d := range r.domains {
			for _, s := range d.members {
				if s.started && !d.any((*shadow).faulty) {
					f(wireRouter{s.key(), w.part(r)}, s)
				}
			}
		}
	}
}

// masters is how many MASTERs each virtual router has that anybody could be.
func (w *world) masters() map[wireRouter]int {
	n := map[wireRouter]int{}
	w.each(func(key wireRouter, s *shadow) {
		if s.m.State() == config.Master {
			n[key]++
		} else {
			n[key] += 0
		}
	})
	return n
}

func (w *world) checkCalm() {
	w.checkMasters("no-master", func(n int) bool { return n == 1 })
	willing := map[wireRouter]bool{}
	w.each(func(key wireRouter, s *shadow) {
		if _, known := willing[key]; !known {
			willing[key] = true
		}
		willing[key] = willing[key] && !s.d.any(func(s *shadow) bool { return s.cfg.NoPreempt })
	})
	w.each(func(key wireRouter, s *shadow) {
		if s.m.State() != config.Master || !willing[key] {
			return
		}
		w.each(func(k wireRouter, other *shadow) {
			if k == key && other.d.beats(s.d) {
				w.failf("wrong-master", "r%d is MASTER of virtual router %d on eth%d with priority %d, r%d is better with %d",
					s.r.id, key.vrid, key.link, s.m.Priority(), other.r.id, other.m.Priority())
			}
		})
	})
	for _, r := range w.routers {
		for _, d := range r.domains {
			if d.any(func(s *shadow) bool { return s.m.State() != d.members[0].m.State() }) {
				w.failf("split-group", "r%d: %s rests with members of different states", r.id, d.name())
			}
		}
	}
	if w.sc.Split == 0 {
		w.checkHosts()
	}
}

// beats: only who is better for each member of a sync group takes over all of
// them. Of two routers that are each better for a part either may be MASTER.
func (d *domain) beats(other *domain) bool {
	return !d.any(func(s *shadow) bool {
		return !slices.ContainsFunc(other.members, func(o *shadow) bool { return s.key() == o.key() && s.m.Priority() > o.m.Priority() })
	})
}

func (w *world) checkMasters(kind string, right func(int) bool) {
	for key, n := range w.masters() {
		if !right(n) {
			w.failf(kind, "virtual router %d on eth%d has %d MASTERs in part %d", key.vrid, key.link, n, key.part)
		}
	}
}

// reloadUnchanged: who loads what it runs already does nothing at all.
func (w *world) reloadUnchanged() {
	for _, r := range w.routers {
		if effects := r.apply(w.site.config(r.id)); len(effects) > 0 {
			w.failf("reload", "r%d: a reload without a change makes %s", r.id, describe(effects[0]))
		}
	}
}

// drill ends the router that is MASTER of the first virtual router. Another
// one takes over within Active_Down_Interval, or within Skew_Time when it says
// farewell.
func (w *world) drill(b bounds) {
	if w.sc.Drill == NoDrill {
		return
	}
	var victim *router
	w.each(func(_ wireRouter, s *shadow) {
		if victim == nil && s.m.State() == config.Master {
			victim = s.r
		}
	})
	if victim == nil {
		return
	}
	limit := b.down
	if w.sc.Drill == StopDrill {
		limit = b.skew
		victim.stop()
	} else {
		victim.crash()
	}
	w.counts["drills"]++
	w.until(w.now + limit + b.contest + 2*w.sc.Net.Latency)
	w.checkMasters("failover", func(n int) bool { return n > 0 })
	w.until(w.now + b.settle)
	w.checkCalm()
}
