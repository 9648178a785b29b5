package vrrp

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Group is one failure domain: a sync group with its members, or a lone
// instance. It is not safe for concurrent use.
type Group struct {
	sync    *config.SyncGroup // nil for a lone instance
	place   int               // of the sync group in the configuration
	members []*Machine
	state   config.State // as told last, Init before
}

// NewGroup puts machines into a sync group, or a lone one into a domain of its
// own when cfg is nil. [Regroup] does that for a whole configuration.
func NewGroup(cfg *config.SyncGroup, members ...*Machine) *Group {
	return (*Group)(nil).assemble(cfg, members)
}

// assemble gives a group its members, and makes it if it is nil.
func (g *Group) assemble(cfg *config.SyncGroup, members []*Machine) *Group {
	if g == nil {
		g = &Group{}
	}
	g.sync, g.members = cfg, members
	for _, m := range members {
		m.track(cfg)
	}
	return g
}

// Name is the name of the vrrp_sync_group, empty for a lone instance.
func (g *Group) Name() string {
	if g.sync == nil {
		return ""
	}
	return g.sync.Name
}

// State is the state that the sync group has told last, Init before; for a
// lone instance it is that of the instance.
func (g *Group) State() config.State {
	if g.sync == nil && len(g.members) == 1 {
		return g.members[0].state
	}
	return g.state
}

// Members are the machines, in the order of the vrrp_sync_group.
func (g *Group) Members() []*Machine { return g.members }

// Deadline is when the shell must send [TimerFired]; zero: no need to.
func (g *Group) Deadline() (first time.Time) {
	for _, m := range g.members {
		first = earliest(first, m.due())
	}
	return first
}

// Step is what happens because of an event. The effects are in the order in
// which they must be carried out and may be kept, but not changed.
func (g *Group) Step(now time.Time, ev Event) []Effect {
	out := g.step(now, ev)
	again := func(e Effect) bool { _, ok := e.(*SendAdvert); return ok }
	if !slices.ContainsFunc(out, again) {
		return out
	}
	out = slices.Clone(out)
	for i, e := range out {
		if e, ok := e.(*SendAdvert); ok {
			out[i] = *e
		}
	}
	return out
}

// step is Step for whoever keeps nothing: an advert to which a pointer leads
// is another one after the next step.
func (g *Group) step(now time.Time, ev Event) []Effect {
	var out effects
	switch ev := ev.(type) {
	case Start:
		g.start(now, ev.Quiet, &out)
	case Received:
		g.hear(now, &ev, &out)
	case *Received:
		g.hear(now, ev, &out)
	case TimerFired:
		g.timers(now, &out)
	case LinkChanged:
		g.inTurn(now, Object{link, ev.Link}, func(m *Machine) { m.observe(ev) }, &out)
	case SocketChanged:
		if m := g.member(ev.Instance); m != nil {
			m.deaf = !ev.Open
		}
		g.settle(now, false, &out)
	case Tracked:
		g.inTurn(now, ev.Object(), func(m *Machine) { m.tracked(ev, &out) }, &out)
	case Reconfigured:
		g.reconfigured(now, ev.Instance, &out)
	case Shutdown:
		g.shutdown(now, &out)
	}
	return out
}

func (g *Group) hear(now time.Time, ev *Received, out *effects) {
	if m := g.member(ev.Instance); m != nil {
		g.received(now, m, &ev.Datagram, out)
	}
}

func (g *Group) member(name string) *Machine {
	i := slices.IndexFunc(g.members, func(m *Machine) bool { return m.cfg.Name == name })
	if i < 0 {
		return nil
	}
	return g.members[i]
}

// timers does what is due. Several members may be.
func (g *Group) timers(now time.Time, out *effects) {
	for _, m := range g.members {
		switch {
		case !passed(m.deadline, now):
		case m.state == config.Master && m.lost(now):
			g.loses(now, m, out)
		case m.state == config.Master:
			m.beat(now, out)
		case m.state == config.Init:
			m.detail(out, "Receive advertisement timeout")
			m.deadline = time.Time{}
			g.settle(now, false, out)
		default:
			g.ready(now, m, out)
		}
		m.announceDue(now, out)
	}
}

func (g *Group) start(now, quiet time.Time, out *effects) {
	for _, m := range g.members {
		m.homes.told = true
		if !m.started {
			m.started, m.quiet = true, quiet
			for i := range m.trackers {
				if t := &m.trackers[i]; t.kind == link {
					t.known = true // what nobody has spoken of is not there
				}
			}
		}
	}
	g.settle(now, true, out)
}

// inTurn tells one member after the other of something tracked, and draws the
// conclusions of each at once, so that the first one that fails takes the others
// along as they are, and the last one that recovers is the first to tell it. As
// with keepalived those are first that track it themselves, in the order of the
// configuration.
func (g *Group) inTurn(now time.Time, o Object, tell func(*Machine), out *effects) {
	members := slices.SortedStableFunc(slices.Values(g.members), func(a, b *Machine) int { return cmp.Compare(a.place, b.place) })
	for _, own := range []bool{true, false} {
		for _, m := range members {
			if m.tracks(o) != own {
				continue
			}
			faulty, undecided := m.faulty(), m.undecided()
			tell(m)
			m.weigh(now, out)
			if m.faulty() != faulty || m.undecided() != undecided {
				g.conclude(now, false, m, out)
			}
		}
	}
	g.settle(now, false, out)
}

// settle draws the conclusions of what is known about links and scripts: new
// priorities, FAULT for all members when one fails, the way back when none
// does.
func (g *Group) settle(now time.Time, starting bool, out *effects) {
	for _, m := range g.members {
		m.weigh(now, out)
	}
	g.conclude(now, starting, nil, out)
}

// conclude is settle after something has happened to a member, or to all: nil.
func (g *Group) conclude(now time.Time, starting bool, last *Machine, out *effects) {
	running := func(m *Machine) bool { return m.started && m.state != config.Stop }
	switch {
	case !slices.ContainsFunc(g.members, running):
	case slices.ContainsFunc(g.members, func(m *Machine) bool { return running(m) && m.faulty() }):
		g.fail(now, out)
	case !slices.ContainsFunc(g.members, func(m *Machine) bool { return !m.started || m.undecided() }):
		g.recover(now, starting, last, out)
	}
}

// weigh puts a new effective priority into effect. A MASTER tells it with its
// next advert; the timer of a BACKUP moves by the difference.
func (m *Machine) weigh(now time.Time, out *effects) {
	priority := m.effective()
	if !m.started || priority == m.priority {
		return // what is known before the start is one change
	}
	m.say(out, "Changing effective priority from %d to %d", m.priority, priority)
	was := m.down()
	m.priority = priority
	m.shift(now, m.down()-was)
	m.compose()
	if m.cfg.NotifyPriorityChanges.Value {
		out.add(Reprioritised{Instance: m.cfg.Name, Master: m.state == config.Master, Priority: int(priority)})
	}
}

// fail brings all members to FAULT, those with a reason of their own first.
func (g *Group) fail(now time.Time, out *effects) {
	first := g.state == config.Init
	if first {
		g.told(config.Fault, out)
	}
	for _, m := range g.members {
		if m.started && m.state != config.Fault && m.faulty() {
			m.toFault(now, true, out)
			g.tell(m, out)
		}
	}
	if g.state != config.Fault || first {
		g.syncing(config.Fault, out)
	}
	for _, m := range g.members {
		if !m.started || m.state == config.Fault {
			continue
		}
		m.toFault(now, false, out)
		g.tell(m, out)
	}
	g.told(config.Fault, out)
}

// recover lets members leave INIT and FAULT, the last one to recover first. At
// startup the sync group tells its state before the instances do, later after
// them, also when it has waited for the first verdict of a script. Address owners need not wait for anybody, RFC 9568 section 6.4.1.
func (g *Group) recover(now time.Time, starting bool, last *Machine, out *effects) {
	first := slices.IndexFunc(g.members, (*Machine).waiting)
	if first < 0 {
		return
	}
	owners := !slices.ContainsFunc(g.members, func(m *Machine) bool { return m.priority != config.Owner })
	if owners && !now.Before(g.members[first].quiet) {
		g.win(now, g.members[first], out)
		return
	}
	if starting && g.state == config.Init && !owners {
		g.told(config.Backup, out)
	}
	said := false
	members := g.members
	if i := slices.Index(members, last); i > 0 {
		members = slices.Insert(slices.Delete(slices.Clone(members), i, i+1), 0, last)
	}
	for _, m := range members {
		switch {
		case !m.waiting():
			continue
		case owners && m.state == config.Init:
			m.await()
			continue
		case starting && m.state == config.Init && g.sync == nil:
			m.begin(now, m.startTimer(), out)
		case starting && m.state == config.Init:
			m.begin(now, m.down(), out)
		default:
			m.toBackup(now, m.down(), out)
		}
		g.tell(m, out)
		if g.waiting() && !said {
			g.syncing(config.Backup, out)
			said = true
		}
	}
	if said {
		g.told(config.Backup, out)
	}
}

// waiting says that what the group has told is of no router that takes part.
func (g *Group) waiting() bool { return g.state == config.Init || g.state == config.Fault }

func (g *Group) shutdown(now time.Time, out *effects) {
	for _, m := range g.members {
		m.end(now, config.Stop, out)
	}
	for _, m := range g.members {
		g.tell(m, out)
	}
	g.told(config.Stop, out)
}

// tell is the notification of an instance's state. It is silent when the sync
// group has told the same one, except for the very first of the instance.
func (g *Group) tell(m *Machine, out *effects) {
	silent := g.sync != nil && m.told && g.state == m.state
	m.told = true
	out.add(Became{Name: m.cfg.Name, State: m.state, Priority: int(m.priority), Silent: silent, Source: m.Source(), Reason: m.stats.Reason})
}

// told is the notification of the sync group's state, when it is a new one.
func (g *Group) told(s config.State, out *effects) {
	if g.sync != nil && g.state != s {
		out.add(Became{Group: true, Name: g.sync.Name, State: s})
	}
	g.state = s
}

// syncing says that the rest of the sync group follows one of its members.
func (g *Group) syncing(s config.State, out *effects) {
	if g.sync != nil {
		g.say(out, "Syncing instances to %s state", s)
	}
}

// say adds a line about the sync group to the log.
func (g *Group) say(out *effects, format string, args ...any) {
	out.add(Log{Text: fmt.Sprintf("VRRP_Group(%s) ", g.sync.Name) + fmt.Sprintf(format, args...), Group: g.sync.Name, State: g.state})
}
