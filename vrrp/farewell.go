package vrrp

import (
	"cmp"
	"slices"
)

// farewells are the STOPs of instances and sync groups. They are told when all
// addresses are released, in the order of the configuration and the instances
// first, as keepalived does.
type farewells struct {
	waiting bool // for the rest
	told    []Became
}

// shutdown lets every group say farewell and waits until all is carried out.
func (r *Runner) shutdown() {
	for _, o := range r.observers {
		o.cancel()
	}
	groups := slices.Clone(r.groups.all)
	r.farewells.waiting = true
	for _, g := range groups {
		r.step(g, Shutdown{})
	}
	for _, g := range groups {
		g.queue.close()
	}
	for _, g := range groups {
		<-g.queue.ended
	}
	r.tellFarewells(groups)
	r.pacer.stop()
	for _, s := range r.sockets {
		s.close()
	}
	r.tracking.Wait()
	r.journal.close()
	<-r.journal.ended
}

func (r *Runner) tellFarewells(groups []*group) {
	places := make(map[string]int, len(groups)) // of sync groups
	for _, g := range groups {
		places[g.Name()] = g.place
	}
	slices.SortStableFunc(r.farewells.told, func(a, b Became) int {
		switch {
		case a.Group && b.Group:
			return cmp.Compare(places[a.Name], places[b.Name])
		case a.Group:
			return 1
		case b.Group:
			return -1
		}
		return cmp.Compare(r.members[a.Name].place, r.members[b.Name].place)
	})
	last := newQueue()
	for _, b := range r.farewells.told {
		r.required(last, func() { r.notifier.Notify(b) })
	}
	last.close()
	<-last.ended
}
