package vrrp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Apply leads to a resolved configuration, at start from none. It returns when
// everything that follows from it is carried out. No address that is wanted
// before and after is absent in between; an instance that does not change
// notices nothing.
func (r *Runner) Apply(cfg *config.Config) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	release := r.host.Hold()
	defer release()
	if err := r.sweep(cfg); err != nil {
		return err
	}
	var done []<-chan struct{}
	if err := r.do(func() { done = r.apply(cfg) }); err != nil {
		return err
	}
	for _, passed := range done {
		<-passed
	}
	return nil
}

// sweep removes what a predecessor left of the addresses of instances that
// begin now.
func (r *Runner) sweep(cfg *config.Config) error {
	known := make(map[config.InstanceKey]bool)
	err := r.do(func() {
		for _, m := range r.members {
			known[m.Config().Key()] = true
		}
	})
	if err != nil {
		return err
	}
	for i := range cfg.Instances {
		instance := &cfg.Instances[i]
		if known[instance.Key()] {
			continue
		}
		r.complain(instance.Name, r.host.Sweep(context.Background(), instance.Addresses()))
	}
	return nil
}

// apply changes the groups. The channels are closed when all slower effects
// are carried out.
//
// An instance may move from one group, and so from one queue, to another, and
// its name may go to another instance. Therefore farewells and changes go
// through a queue of their own: it waits for all queues, and all queues wait
// for it.
func (r *Runner) apply(cfg *config.Config) (done []<-chan struct{}) {
	var running []*Group
	before := slices.Clone(r.groups.all)
	for _, g := range before {
		if !g.failed {
			running = append(running, g.Group)
		}
	}
	plan := Regroup(time.Now(), running, cfg)

	between := newQueue()
	for _, g := range before {
		passed := g.queue.mark()
		between.push(func() { <-passed })
	}
	r.delay(&cfg.Global)
	r.pacer.configure(cfg)
	r.logUnknown = cfg.Global.LogUnknownVRIDs
	r.perform(between, plan.Ended)
	groups := r.adopt(cfg, plan.Groups)
	r.syncSockets()
	r.perform(between, plan.Effects)
	passed := between.mark()
	between.close()
	for _, g := range groups {
		g.queue.push(func() { <-passed })
	}
	for _, g := range groups {
		r.inform(g)
		r.step(g, Start{Quiet: r.quiet})
	}
	r.syncScripts(cfg)

	for _, g := range before {
		if !slices.Contains(groups, g) {
			done = append(done, g.queue.mark())
			g.queue.close()
		}
	}
	for _, g := range groups {
		done = append(done, g.queue.mark())
	}
	return append(done, between.ended)
}

// delay begins vrrp_startup_delay and vrrp_delay_after_boot, with the first
// configuration and never again.
func (r *Runner) delay(g *config.Global) {
	if r.begun {
		return
	}
	r.begun = true
	wait := g.VRRPStartupDelay
	if g.VRRPDelayAfterBoot > 0 {
		wait = max(wait, g.VRRPDelayAfterBoot-r.uptime())
	}
	if wait > 0 {
		r.log.Info(fmt.Sprintf("Delaying startup for %.3f seconds", wait.Seconds()))
		r.quiet = time.Now().Add(wait)
	}
}

// adopt replaces the groups that run by those of a new configuration.
func (r *Runner) adopt(cfg *config.Config, next []*Group) []*group {
	was := make(map[*Group]*group, r.groups.Len())
	for _, g := range r.groups.all {
		was[g.Group] = g
	}
	machines := make(map[*Machine]*member, len(r.members))
	for _, m := range r.members {
		machines[m.Machine] = m
	}
	r.members = make(map[string]*member)
	groups := make([]*group, 0, len(next))
	for _, pure := range next {
		g := was[pure]
		if g == nil {
			g = &group{Group: pure, label: pure.Name(), queue: newQueue()}
		}
		g.deadline = pure.Deadline()
		g.concerns = concerns(pure)
		groups = append(groups, g)
		for _, machine := range pure.Members() {
			m := machines[machine]
			if m == nil {
				m = &member{Machine: machine}
			}
			m.group = g
			if g.label == "" {
				g.label = machine.Name()
			}
			r.members[machine.Name()] = m
		}
	}
	r.groups = newDeadlines(slices.Clone(groups))
	r.addresses = make(map[config.Addr]bool)
	for i := range cfg.Instances {
		for _, a := range cfg.Instances[i].Addresses() {
			r.addresses[a.Prefix.Addr()] = true
		}
	}
	return groups
}

// inform tells a group what is known about its links and scripts.
func (r *Runner) inform(g *group) {
	for name := range r.links {
		if g.concerns[linkKey(name)] {
			r.step(g, r.linkFor(g, name))
		}
	}
	for name, s := range r.scripts {
		if s.last != nil && g.concerns[scriptKey(name)] {
			r.step(g, Tracked{Script: name, Up: *s.last})
		}
	}
}

// linkKey and scriptKey are the keys of group.concerns.
func linkKey(name string) string   { return "link " + name }
func scriptKey(name string) string { return "script " + name }

// concerns are the links and scripts that mean something to a group.
func concerns(g *Group) map[string]bool {
	keys := make(map[string]bool)
	add := func(links, scripts []config.Track) {
		for _, t := range links {
			keys[linkKey(t.Name)] = true
		}
		for _, t := range scripts {
			keys[scriptKey(t.Name)] = true
		}
	}
	for _, m := range g.Members() {
		cfg := m.Config()
		keys[linkKey(cfg.Interface)] = true
		add(cfg.TrackInterface, cfg.TrackScript)
	}
	if g.sync != nil {
		add(g.sync.TrackInterface, g.sync.TrackScript)
	}
	return keys
}
