package sim_test

import (
	"slices"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/sim"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// hearing is a mutant that spoils adverts which are valid. With false the
// advert is lost.
func hearing(in config.State, spoil func(m *vrrp.Machine, a *wire.Advert, d *wire.Datagram) bool) func(*sim.Step, vrrp.Event) vrrp.Event {
	return func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		r, ok := ev.(vrrp.Received)
		m := machine(s.Group, r.Instance)
		if !ok || m == nil || m.State() != in {
			return ev
		}
		a, err := wire.Parse(r.Datagram.Payload, r.Datagram.Pseudo())
		if err != nil {
			return ev
		}
		if !spoil(m, &a, &r.Datagram) {
			return nil
		}
		payload, err := a.AppendTo(nil, r.Datagram.Pseudo())
		if err != nil {
			return ev
		}
		r.Datagram.Payload = payload
		return r
	}
}

func machine(g *vrrp.Group, name string) *vrrp.Machine {
	for _, m := range g.Members() {
		if m.Name() == name {
			return m
		}
	}
	return nil
}

// without is a mutant that forgets effects.
func without(which func(*sim.Step, vrrp.Effect) bool) func(*sim.Step, []vrrp.Effect) []vrrp.Effect {
	return func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		return slices.DeleteFunc(out, func(e vrrp.Effect) bool { return which(s, e) })
	}
}

// changed is a mutant that changes effects.
func changed(change func(vrrp.Effect) vrrp.Effect) func(*sim.Step, []vrrp.Effect) []vrrp.Effect {
	return func(_ *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for i := range out {
			out[i] = change(out[i])
		}
		return out
	}
}

// sooner puts some effects in front of the others.
func sooner(which func(vrrp.Effect) bool) func(*sim.Step, []vrrp.Effect) []vrrp.Effect {
	return func(_ *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		slices.SortStableFunc(out, func(a, b vrrp.Effect) int {
			switch {
			case which(a) == which(b):
				return 0
			case which(a):
				return -1
			}
			return 1
		})
		return out
	}
}

// instances is a mutant that reads every instance wrongly.
func instances(change func(*config.Instance)) func(*config.Config) {
	return func(cfg *config.Config) {
		for i := range cfg.Instances {
			change(&cfg.Instances[i])
		}
	}
}

// trackers is a mutant that reads every tracker wrongly.
func trackers(change func([]config.Track) []config.Track) func(*config.Config) {
	return func(cfg *config.Config) {
		for i := range cfg.Instances {
			c := &cfg.Instances[i]
			c.TrackScript, c.TrackInterface = change(c.TrackScript), change(c.TrackInterface)
		}
		groupTrackers(change)(cfg)
	}
}

func groupTrackers(change func([]config.Track) []config.Track) func(*config.Config) {
	return func(cfg *config.Config) {
		for i := range cfg.Groups {
			g := &cfg.Groups[i]
			g.TrackScript, g.TrackInterface = change(g.TrackScript), change(g.TrackInterface)
		}
	}
}

func each(change func(*config.Track)) func([]config.Track) []config.Track {
	return func(list []config.Track) []config.Track {
		for i := range list {
			change(&list[i])
		}
		return list
	}
}

func isAdvert(e vrrp.Effect) bool { a, ok := e.(vrrp.SendAdvert); return ok && a.Advert.Priority > 0 }
func isFarewell(e vrrp.Effect) bool {
	a, ok := e.(vrrp.SendAdvert)
	return ok && a.Advert.Priority == 0
}
func isClaim(e vrrp.Effect) bool     { c, ok := e.(vrrp.Claim); return ok && len(c.Addresses) > 0 }
func isRelease(e vrrp.Effect) bool   { c, ok := e.(vrrp.Claim); return ok && len(c.Addresses) == 0 }
func isAnnounce(e vrrp.Effect) bool  { _, ok := e.(vrrp.Announce); return ok }
func isGroupTold(e vrrp.Effect) bool { b, ok := e.(vrrp.Became); return ok && b.Group }
func isTold(e vrrp.Effect) bool      { _, ok := e.(vrrp.Became); return ok }
