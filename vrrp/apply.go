package vrrp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

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
	if err := r.do(r.expect); err != nil {
		return err
	}
	if err := r.look(cfg); err != nil {
		return err
	}
	if err := r.prepare(func() []Socket { return r.wanted(cfg) }); err != nil {
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

// look begins to watch what is tracked, and waits for what can be known before
// the instances start.
func (r *Runner) look(cfg *config.Config) error {
	var known []<-chan struct{}
	if err := r.do(func() { known = r.syncObservers(cfg, false) }); err != nil {
		return err
	}
	late := time.NewTimer(firstVerdict)
	defer late.Stop()
	for _, first := range known {
		select {
		case <-first:
		case <-late.C:
			return nil // they come as events
		}
	}
	return nil
}

// sweep removes what a predecessor left of the addresses of instances that
// begin now.
func (r *Runner) sweep(cfg *config.Config) error {
	var known map[config.InstanceKey]bool
	err := r.do(func() {
		known = r.known()
		if r.taking != nil { // what they have is adopted
			for i := range r.taking.Instances {
				known[r.taking.Instances[i].Key] = true
			}
		}
	})
	if err != nil {
		return err
	}
	var left config.Claims
	for i := range cfg.Instances {
		if instance := &cfg.Instances[i]; !known[instance.Key()] {
			left.Add(instance.Claims())
		}
	}
	if left.Empty() {
		return nil
	}
	if err := r.host.Sweep(context.Background(), left); err != nil {
		r.log.Warn("what a predecessor left behind is still there", zap.Error(err))
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
	now := time.Now()
	restored, was := r.takeOver(now, cfg)
	running = append(running, restored...)
	plan := Regroup(now, running, cfg)
	for _, m := range r.members {
		r.reconsider(m)
	}

	between := newQueue()
	for _, g := range before {
		passed := g.queue.mark()
		between.push(func() { <-passed })
	}
	r.delay(&cfg.Global)
	between.push(func() { r.pacer.configure(cfg) })
	r.schedule(cfg)
	r.logUnknown, r.receiving = cfg.Global.LogUnknownVRIDs, cfg.Global.Receive
	r.perform(between, claimed(restored))
	r.perform(between, plan.Ended)
	groups := r.adopt(cfg, plan.Groups)
	r.syncDelays(cfg)
	r.syncSockets()
	r.waiter.abandon()
	r.relieve(was)
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
	r.syncObservers(cfg, true)

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

// schedule says how the thread of the loop is to run.
func (r *Runner) schedule(cfg *config.Config) {
	r.process = cfg.Global.Process
	shortest := time.Hour
	for i := range cfg.Instances {
		shortest = min(shortest, cfg.Instances[i].AdvertInt)
	}
	for _, err := range r.waiter.schedule(&cfg.Global.Process, shortest) {
		r.write(zap.WarnLevel, err.Error())
	}
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
		r.write(zap.InfoLevel, fmt.Sprintf("Delaying startup for %.3f seconds", wait.Seconds()))
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
	for _, m := range machines {
		if r.members[m.Name()] != m {
			r.forget(m)
		}
	}
	r.groups = newDeadlines(slices.Clone(groups))
	r.learnAddresses(cfg)
	return groups
}

func (r *Runner) learnAddresses(cfg *config.Config) {
	r.addresses = make(map[config.Addr]bool)
	for i := range cfg.Instances {
		for _, a := range cfg.Instances[i].Addresses() {
			r.addresses[a.Prefix.Addr()] = true
		}
	}
}

// inform tells a group what is known about its sockets, its links and what it
// tracks.
func (r *Runner) inform(g *group) {
	r.tellSockets(g)
	for name := range r.links {
		if g.concernedBy(Object{link, name}) {
			r.step(g, r.link(name))
		}
	}
	for _, m := range g.Members() {
		if name := m.cfg.Device(); name != "" && !r.links[name].Exists {
			r.step(g, r.link(name)) // it may have another device than before
		}
	}
	for object, o := range r.observers {
		if o.last != nil && g.concernedBy(object) {
			r.step(g, *o.last)
		}
	}
}

// concernedBy says that news about something tracked, or a link, mean anything
// to the group.
func (g *group) concernedBy(o Object) bool {
	return g.concerns[o] || o.Kind == link && g.concerns[Object{Kind: anyLink}]
}

// concerns are the links and what else is tracked that mean something to a
// group.
func concerns(g *Group) map[Object]bool {
	keys := make(map[Object]bool)
	add := func(kind Kind, list []config.Track) {
		for i := range list {
			keys[Object{kind, list[i].Name}] = true
		}
	}
	for _, m := range g.Members() {
		cfg := m.Config()
		keys[Object{link, cfg.Interface}] = true
		keys[Object{link, cfg.Device()}] = true
		keys[Object{link, cfg.AdvertDevice()}] = true
		if trackedSource(cfg).IsValid() {
			keys[Object{Kind: anyLink}] = true
		}
		eachTrack(&m.cfg, add)
	}
	if g.sync != nil {
		eachTrack(groupTracks(g.sync), add)
	}
	return keys
}
