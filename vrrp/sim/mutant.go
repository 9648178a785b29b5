package sim

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// Mutant is a wrong machine: the right one behind something that spoils what
// goes in or comes out. The simulation must find each, or it proves nothing.
// What is nil spoils nothing.
type Mutant struct {
	Name string
	// Subtle says that what everybody can see does not show it, or not soon:
	// only foretelling each step does.
	Subtle bool

	// Config spoils what a router loads.
	Config func(*config.Config)
	// Regroup takes away what a reload finds running.
	Regroup func(running []*vrrp.Group, next *config.Config) []*vrrp.Group
	// Reloaded spoils the effects of a reload.
	Reloaded func([]vrrp.Effect) []vrrp.Effect
	// Event spoils an event; nil loses it.
	Event func(*Step, vrrp.Event) vrrp.Event
	// Effects spoils the answer to an event.
	Effects func(*Step, []vrrp.Effect) []vrrp.Effect
	// Deadline spoils when the timer fires. The right machine believes in the
	// wrong time then.
	Deadline func(*Step, time.Time) time.Time
}

// Step is what a [Mutant] knows.
type Step struct {
	Group  *vrrp.Group
	Now    time.Time
	Event  vrrp.Event
	Before []config.State // of the members
	Memory map[string]any // what the mutant likes to keep
}

// Was reports whether a member was in a state before the event.
func (s *Step) Was(state config.State) bool {
	for _, was := range s.Before {
		if was == state {
			return true
		}
	}
	return false
}

// Is reports whether a member is in a state.
func (s *Step) Is(state config.State) bool {
	for _, m := range s.Group.Members() {
		if m.State() == state {
			return true
		}
	}
	return false
}

// group is a group of machines as the router runs it.
type group struct {
	*vrrp.Group
	mutant *Mutant
	step   Step
	due    time.Duration // of its entry in the agenda; 0: there is none
}

func newGroup(g *vrrp.Group, m *Mutant) *group {
	return &group{Group: g, mutant: m, step: Step{Group: g, Memory: map[string]any{}}}
}

// Deadline is that of the machine, or what a mutant makes of it.
func (g *group) Deadline() time.Time {
	d := g.Group.Deadline()
	if g.mutant != nil && g.mutant.Deadline != nil && !d.IsZero() {
		return g.mutant.Deadline(&g.step, d)
	}
	return d
}

// Step is that of the machine, or what a mutant makes of it.
func (g *group) Step(now time.Time, ev vrrp.Event) []vrrp.Effect {
	mutant := g.mutant
	if mutant == nil {
		return g.Group.Step(now, ev)
	}
	s := &g.step
	s.Now, s.Event, s.Before = now, ev, s.Before[:0]
	for _, m := range g.Members() {
		s.Before = append(s.Before, m.State())
	}
	if mutant.Event != nil {
		if ev = mutant.Event(s, ev); ev == nil {
			return nil
		}
	}
	if _, timer := ev.(vrrp.TimerFired); timer && mutant.Deadline != nil && now.Before(g.Group.Deadline()) {
		now = g.Group.Deadline()
	}
	out := g.Group.Step(now, ev)
	if mutant.Effects != nil {
		out = mutant.Effects(s, append([]vrrp.Effect(nil), out...))
	}
	return out
}
