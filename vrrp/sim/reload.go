package sim

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// load is a start or a reload: the router loads what the site wants now.
func (r *router) load() { r.apply(r.w.site.config(r.id)) }

// apply leads to a configuration, and returns all that it makes the machines
// do.
func (r *router) apply(cfg *config.Config) (effects []vrrp.Effect) {
	now, mutant := r.now(), r.w.o.Mutant
	r.w.note("r%d loads", r.id)
	r.w.counts["loads"]++
	spoiled := cfg
	var running []*vrrp.Group
	for _, g := range r.groups {
		running = append(running, g.Group)
	}
	if mutant != nil && mutant.Config != nil {
		spoiled = r.w.site.config(r.id)
		mutant.Config(spoiled)
	}
	if mutant != nil && mutant.Regroup != nil {
		running = mutant.Regroup(running, spoiled)
	}
	plan := vrrp.Regroup(now, running, spoiled)
	if mutant != nil && mutant.Reloaded != nil {
		plan.Ended, plan.Effects = mutant.Reloaded(plan.Ended), mutant.Reloaded(plan.Effects)
	}
	effects = append(slices.Clip(plan.Ended), plan.Effects...)
	r.reloading = true
	ended := r.reshadow(now, cfg)
	r.farewells(ended, plan.Ended)
	r.adopt(plan.Groups)
	r.reloaded(plan.Effects)
	for _, g := range r.groups {
		r.inform(g)
		effects = append(effects, r.step(g, vrrp.Start{Quiet: r.quiet})...)
	}
	r.reloading = false
	for _, a := range r.going {
		r.w.released(r, a.Prefix.Addr())
	}
	r.going = r.going[:0]
	return effects
}

// adopt replaces the groups that run.
func (r *router) adopt(next []*vrrp.Group) {
	was := make(map[*vrrp.Group]*group, len(r.groups))
	for _, g := range r.groups {
		was[g.Group] = g
	}
	r.groups = make([]*group, 0, len(next))
	r.place = map[string]*group{}
	for _, pure := range next {
		g := was[pure]
		if g == nil {
			g = newGroup(pure, r.w.o.Mutant)
		}
		r.groups = append(r.groups, g)
		for _, m := range pure.Members() {
			r.place[m.Name()] = g
			if s := r.shadows[m.Name()]; s != nil {
				s.m = m
			}
		}
	}
	for _, g := range was {
		if !slices.Contains(r.groups, g) {
			g.due = 0
		}
	}
}

// inform tells a group what is known about sockets, links and scripts.
func (r *router) inform(g *group) {
	for _, s := range r.domainOf(g).members {
		r.step(g, vrrp.SocketChanged{Instance: s.cfg.Name, Open: !r.unopened[s.key()]})
	}
	for n := 1; n < len(r.links); n++ {
		r.step(g, r.linkEvent(n))
	}
	for n := 1; n < len(r.scripts); n++ {
		if s := r.scripts[n]; s.known {
			r.step(g, scriptEvent(n, s.good))
		}
	}
}

// reshadow is what a reload makes of the shadows. It returns those of the
// instances that are no more.
func (r *router) reshadow(now time.Time, cfg *config.Config) (ended []*shadow) {
	old := map[config.InstanceKey]*shadow{}
	for _, s := range r.shadows {
		old[s.cfg.Key()] = s
	}
	syncs := r.syncs
	r.cfg, r.shadows, r.syncs = cfg, map[string]*shadow{}, map[string]*domain{}
	r.index = map[wireKey]*shadow{}
	for i := range cfg.Instances {
		c := &cfg.Instances[i]
		s := old[c.Key()]
		if s != nil {
			delete(old, c.Key())
		} else {
			s = r.newShadow(c)
		}
		s.was, s.adverts, s.farewells, s.lower, s.did = s.state, 0, 0, 0, deeds{}
		s.place = i
		s.reconfigure(now, c)
		r.shadows[c.Name] = s
		r.index[s.key()] = s
	}
	r.domains = r.domains[:0]
	for k := range cfg.Groups {
		r.join(&cfg.Groups[k], syncs[cfg.Groups[k].Name])
	}
	for i := range cfg.Instances {
		if s := r.shadows[cfg.Instances[i].Name]; s.d == nil || !slices.Contains(r.domains, s.d) {
			s.d = &domain{members: []*shadow{s}}
			s.track(nil)
			r.domains = append(r.domains, s.d)
		}
	}
	for _, d := range r.domains {
		d.resume(now)
	}
	for _, s := range r.shadows {
		if s.m != nil && s.was == config.Master && s.state == config.Master {
			r.w.counts["masters reloaded"]++
		}
	}
	for _, s := range old {
		ended = append(ended, s)
	}
	return ended
}

func (r *router) newShadow(c *config.Instance) *shadow {
	s := &shadow{r: r, cfg: c, v6: c.IPv6()}
	s.configure(c)
	for n := range r.links {
		if linkName(n) == c.Interface {
			s.link = n
		}
	}
	s.learned = s.interval()
	s.track(nil)
	s.priority = s.effective()
	return s
}

// join puts the members of a sync group together.
func (r *router) join(cfg *config.SyncGroup, was *domain) {
	d := &domain{cfg: cfg}
	if was != nil {
		d.told, d.mixed = was.told, was.mixed
	}
	for _, name := range cfg.Members {
		s := r.shadows[name]
		s.d = d
		s.track(cfg)
		d.members = append(d.members, s)
	}
	r.domains = append(r.domains, d)
	r.syncs[cfg.Name] = d
}

// resume draws the conclusions of a reload. A group in which everybody waits
// has nothing to tell until Start.
func (d *domain) resume(now time.Time) {
	idle := !d.any(func(s *shadow) bool { return s.started && !s.waiting() })
	if idle && d.told != config.Fault {
		d.told = config.Init
	}
	d.settle(now, false)
	d.mixed = d.any(func(s *shadow) bool { return s.state != d.members[0].state })
}

// farewells: an instance that is taken out of the configuration resigns,
// releases its addresses and tells that it is no more.
func (r *router) farewells(ended []*shadow, effects []vrrp.Effect) {
	for _, s := range ended {
		var resigned, told int
		for _, e := range effects {
			switch e := e.(type) {
			case vrrp.SendAdvert:
				if e.Instance == s.cfg.Name && e.Advert.Priority == 0 {
					resigned++
					r.w.send(r, s, e)
				}
			case vrrp.Claim:
				if e.Instance == s.cfg.Name {
					r.hold(e.Instance, e.Addresses)
				}
			case vrrp.Became:
				if e.Name == s.cfg.Name && !e.Group && e.State == config.Fault {
					told++
				}
			}
		}
		want := 0
		if s.state == config.Master {
			want = 1
		}
		if resigned != want || told != 1 || len(r.held[s.cfg.Name]) > 0 {
			r.w.failf("ended", "r%d: %s, %s, ends: %d adverts of priority 0, %d notifications, holds %v",
				r.id, s.cfg.Name, s.state, resigned, told, r.held[s.cfg.Name])
		}
		r.w.counts["instances removed"]++
	}
}

// reloaded looks at what a reload has changed for those that stay.
func (r *router) reloaded(effects []vrrp.Effect) {
	now := r.now()
	r.carryOut(nil, effects)
	for _, d := range r.domains {
		if r.w.o.Blind {
			d.believe()
		}
		for _, s := range d.members {
			if s.was == config.Master && s.state != config.Master && !d.any((*shadow).faulty) {
				r.w.failf("reload", "r%d: %s loses MASTER in a reload", r.id, s.cfg.Name)
			}
			r.verify(s, now, s.deadline, vrrp.Reconfigured{})
		}
		r.faults(d)
		r.uniform(d)
	}
	for name := range r.held {
		if r.shadows[name] == nil {
			r.w.failf("held", "r%d: addresses are held under the old name %s", r.id, name)
		}
	}
	for _, g := range r.groups {
		r.deadline(g, r.domainOf(g), now, vrrp.Reconfigured{})
		r.arrange(g)
	}
}
