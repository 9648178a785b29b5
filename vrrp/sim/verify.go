package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// step gives an event to a group and looks at what comes of it.
func (r *router) step(g *group, ev vrrp.Event) []vrrp.Effect {
	now := r.now()
	if r.w.tracing() {
		r.w.note("r%d %s <- %s", r.id, label(g), describeEvent(ev))
	}
	d := r.domainOf(g)
	received, isReceived := ev.(vrrp.Received)
	var before vrrp.Stats
	if isReceived {
		before = r.named(received.Instance).m.Stats()
	}
	dues := make([]time.Time, 0, 8)
	for _, s := range d.members {
		dues = append(dues, s.deadline)
	}
	meant := d.expect(now, ev)
	effects := g.Step(now, ev)
	r.carryOut(d, effects)
	if r.w.o.Blind {
		d.believe()
	}
	if isReceived {
		r.counted(r.named(received.Instance), before, meant)
	}
	if !meant {
		r.untouched(effects)
	}
	for i, s := range d.members {
		r.verify(s, now, dues[i], ev)
	}
	r.faults(d)
	r.uniform(d)
	r.deadline(g, d, now, ev)
	r.arrange(g)
	return effects
}

// believe takes what the machines say for what was expected of them.
func (d *domain) believe() {
	for _, s := range d.members {
		s.state = s.m.State()
		s.adverts, s.farewells, s.lower = s.did.adverts, s.did.farewells, s.did.lower
	}
}

func (r *router) domainOf(g *group) *domain { return r.named(g.Members()[0].Name()).d }

// untouched: a rejected datagram makes a line in the log at the most.
func (r *router) untouched(effects []vrrp.Effect) {
	for _, e := range effects {
		if _, ok := e.(vrrp.Log); !ok {
			r.w.failf("rejected", "r%d: what must be rejected makes %s", r.id, describe(e))
		}
	}
}

// counted: a datagram is counted once, as accepted or rejected.
func (r *router) counted(s *shadow, before vrrp.Stats, accepted bool) {
	after := s.m.Stats()
	if got := after.AdvertRcvd - before.AdvertRcvd; (got == 1) != accepted || got > 1 {
		r.w.failf("counted", "r%d: %s counts %d accepted adverts, must accept it: %t", r.id, s.cfg.Name, got, accepted)
	}
	if !accepted && after == before {
		r.w.failf("counted", "r%d: %s rejects and does not count", r.id, s.cfg.Name)
	}
}

// verify compares an instance with its shadow.
func (r *router) verify(s *shadow, now, due time.Time, ev vrrp.Event) {
	w, name := r.w, s.cfg.Name
	if got := s.m.State(); got != s.state {
		w.failf("state", "r%d: %s is %s after %s, must be %s", r.id, name, got, describeEvent(ev), s.state)
	}
	if got := s.m.Priority(); got != s.priority {
		w.failf("priority", "r%d: %s has %d, must have %d", r.id, name, got, s.priority)
	}
	if s.did.adverts != s.adverts || s.did.farewells != s.farewells || s.did.lower != s.lower {
		w.failf("adverts", "r%d: %s sends %d adverts and %d of priority 0 and tells of %d lower ones after %s, must be %d, %d and %d",
			r.id, name, s.did.adverts, s.did.farewells, s.did.lower, describeEvent(ev), s.adverts, s.farewells, s.lower)
	}
	if s.spoken && s.told != s.state {
		w.failf("notify", "r%d: %s is %s and has told %s", r.id, name, s.state, s.told)
	}
	if complaint := s.ordered(); complaint != "" {
		w.failf("order", "r%d: %s, %s after %s, %s", r.id, name, s.state, s.was, complaint)
	}
	if complaint := s.beat(now, due, ev); complaint != "" {
		w.failf("cadence", "r%d: %s %s", r.id, name, complaint)
	}
	r.holds(s)
}

// holds: addresses are held exactly by MASTERs.
func (r *router) holds(s *shadow) {
	held := r.held[s.cfg.Name]
	if s.m.State() != config.Master {
		if len(held) > 0 {
			r.w.failf("held", "r%d: %s is %s and holds addresses", r.id, s.cfg.Name, s.m.State())
		}
		return
	}
	want := len(s.cfg.VirtualIPAddress) + len(s.cfg.VirtualIPAddressExcluded)
	same := len(held) == want
	for i := range held {
		same = same && (slices.Contains(s.cfg.VirtualIPAddress, held[i]) || slices.Contains(s.cfg.VirtualIPAddressExcluded, held[i]))
	}
	if !same {
		r.w.failf("held", "r%d: MASTER %s holds %v", r.id, s.cfg.Name, held)
	}
}

// faults: who has a reason to be in FAULT is, with its group, and nobody else.
func (r *router) faults(d *domain) {
	faulty := d.any(func(s *shadow) bool { return s.running() && s.faulty() })
	undecided := d.any(func(s *shadow) bool { return !s.started || s.undecided() })
	for _, s := range d.members {
		state := s.m.State()
		if s.running() && (state == config.Fault) != faulty && !(undecided && s.waiting()) {
			r.w.failf("fault", "r%d: %s is %s, a member of its domain must be in FAULT: %t", r.id, s.cfg.Name, state, faulty)
		}
	}
}

// uniform: a sync group does not rest split.
func (r *router) uniform(d *domain) {
	if d.cfg == nil {
		return
	}
	first := d.members[0].m.State()
	split := slices.ContainsFunc(d.members, func(s *shadow) bool { return s.m.State() != first })
	switch {
	case split && r.reloading && d.any(func(s *shadow) bool { return !s.started }): // begins with the end of the reload
	case split && !d.mixed:
		r.w.failf("split-group", "r%d: the members of %s are in different states", r.id, d.name())
	case split:
	case d.told == config.Init && d.any((*shadow).undecided): // new, and waits for a verdict
	case d.told != first && first != config.Init:
		r.w.failf("notify", "r%d: group %s is %s and has told %s", r.id, d.name(), first, d.told)
	default:
		d.mixed = false
	}
}

// deadline: that of the group is the first of its members, and to come.
func (r *router) deadline(g *group, d *domain, now time.Time, ev vrrp.Event) {
	var want time.Time
	master := false
	for _, s := range d.members {
		master = master || s.state == config.Master
		if !s.deadline.IsZero() && (want.IsZero() || s.deadline.Before(want)) {
			want = s.deadline
		}
	}
	got := g.Deadline()
	// A MASTER has gratuitous ARP to send in between.
	if fits := got.Equal(want) || master && !got.IsZero() && got.Before(want); !fits && !r.w.o.Blind {
		r.w.failf("deadline", "r%d: %s is to be served at %s, must be %s (drift %d), after %s", r.id, label(g), at(got), at(want), r.drift, describeEvent(ev))
	}
	_, timer := ev.(vrrp.TimerFired)
	if !got.IsZero() && (timer && !got.After(now) || got.Before(now) && !r.resuming) {
		r.w.failf("deadline", "r%d: that of %s is %s, now is %s", r.id, label(g), at(got), at(now))
	}
}

func at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(epoch).String()
}

// describe is an effect in words.
func describe(e vrrp.Effect) string {
	switch e := e.(type) {
	case vrrp.SendAdvert:
		number := ""
		if e.Sequence > 0 {
			number = fmt.Sprintf(" number %x", e.Sequence)
		}
		return fmt.Sprintf("advert %s v%d vrid %d prio %d interval %s from %s%s", e.Instance, e.Advert.Version, e.Advert.VRID, e.Advert.Priority, e.Advert.Interval, e.Src, number)
	case vrrp.Claim:
		return fmt.Sprintf("claim %s%s", e.Instance, addresses(e.Addresses))
	case vrrp.Announce:
		return fmt.Sprintf("announce %s%s x%d", e.Instance, addresses(e.Addresses), e.Rounds)
	case vrrp.Became:
		what := "instance"
		if e.Group {
			what = "group"
		}
		return fmt.Sprintf("became %s %s %s %d silent=%t", what, e.Name, e.State, e.Priority, e.Silent)
	case vrrp.Log:
		return "log " + e.Text
	}
	return fmt.Sprintf("%T %+v", e, e)
}

func addresses(list []config.Address) string {
	var b strings.Builder
	for _, a := range list {
		b.WriteString(" " + a.Prefix.Addr().String())
	}
	return b.String()
}

func describeEvent(ev vrrp.Event) string {
	switch ev := ev.(type) {
	case vrrp.Received:
		d := ev.Datagram
		number := ""
		if d.Headers != nil {
			number = fmt.Sprintf(" AH %d", d.Sequence())
		}
		return fmt.Sprintf("datagram for %s from %s to %s ttl %d%s: %x", ev.Instance, d.Src, d.Dst, d.TTL, number, d.Payload)
	case vrrp.LinkChanged:
		return fmt.Sprintf("link %s exists=%t up=%t addresses=%v", ev.Link, ev.Exists, ev.Up, ev.IPv4)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T %+v", ev, ev), "vrrp.")
}
