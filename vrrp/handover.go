package vrrp

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Handover is what a program that takes the place of this one has to know of
// the virtual routers. It is plain data for JSON; moments are counted from that
// of the handover.
type Handover struct {
	Quiet     Offset // end of vrrp_startup_delay
	Instances []InstanceHandover
	Groups    []GroupHandover // sync groups
	Verdicts  []Tracked       // about what is tracked by a name
}

// Offset is a moment, how long after that of the handover; nil: there is none.
type Offset = *time.Duration

// InstanceHandover is a [Machine], known by its [config.InstanceKey].
type InstanceHandover struct {
	Key            config.InstanceKey
	Name           string
	Started, Told  bool
	State          config.State
	Due            Offset // of the timer that runs
	Expired        bool   // it has run out, and the sync group is not ready
	Changed        Offset // the last transition
	PreemptAt      Offset
	Quiet          Offset
	Priority       uint8 // effective
	Learned        time.Duration
	Master         netip.Addr
	MasterPriority uint8
	Cause          MasterReason // why it would be MASTER next
	Rival          RivalHandover
	Announce       AnnounceHandover
	Trackers       []TrackerHandover
	Sequence       uint32           // auth_type AH
	Numbers        []SenderHandover // likewise
	Signed         uint64           // auth_hmac: the last number that was sent
	Heard          []SenderHandover // auth_hmac
	ID             uint16           // of the last datagram
	Stats          Stats
}

// RivalHandover is what an owner of the addresses knows of another one.
type RivalHandover struct {
	Patience, Last Offset
	Reduced        bool
}

// AnnounceHandover are the times of gratuitous ARP to come.
type AnnounceHandover struct{ Again, Refresh, Lower, Extra, Lowered, Heard Offset }

// TrackerHandover is what an instance has made of something that it tracks.
type TrackerHandover struct {
	Kind        Kind
	Name        string
	Known, Up   bool
	Value, Held int
}

// SenderHandover is the highest number of a router that was believed.
type SenderHandover struct {
	Src      netip.Addr
	Sequence uint64
}

// GroupHandover is a sync group, and the state that it has told.
type GroupHandover struct {
	Name  string
	State config.State
}

// after counts a moment from another one.
func after(t, from time.Time) Offset {
	if t.IsZero() {
		return nil
	}
	d := t.Sub(from)
	return &d
}

// at is the reverse of after.
func at(o Offset, from time.Time) time.Time {
	if o == nil {
		return time.Time{}
	}
	return from.Add(*o)
}

// handover is the machine as it is now.
func (m *Machine) handover(now time.Time) InstanceHandover {
	h := InstanceHandover{
		Key: m.cfg.Key(), Name: m.cfg.Name, Started: m.started, Told: m.told, State: m.state,
		Due: after(m.deadline, now), Expired: m.expired, Changed: after(m.changed, now), PreemptAt: after(m.preemptAt, now), Quiet: after(m.quiet, now),
		Priority: m.priority, Learned: m.learned, Master: m.master, MasterPriority: m.masterPriority, Cause: m.cause,
		Rival:    RivalHandover{after(m.rival.patience, now), after(m.rival.last, now), m.rival.reduced},
		Announce: m.announce.handover(now),
		Sequence: m.sequence, Numbers: m.numbers.handover(), Stats: m.stats,
	}
	for i := range m.trackers {
		t := &m.trackers[i]
		h.Trackers = append(h.Trackers, TrackerHandover{t.kind, t.Name, t.known, t.up, t.value, t.held})
	}
	if m.hmac != nil {
		h.Signed, h.Heard = m.hmac.sent, m.hmac.heard.handover()
	}
	return h
}

func (a *announcer) handover(now time.Time) AnnounceHandover {
	return AnnounceHandover{
		after(a.again, now), after(a.refresh, now), after(a.lower, now), after(a.extra, now), after(a.lowered, now), after(a.heard, now),
	}
}

func (a *announcer) takeOver(h AnnounceHandover, then time.Time) {
	*a = announcer{at(h.Again, then), at(h.Refresh, then), at(h.Lower, then), at(h.Extra, then), at(h.Lowered, then), at(h.Heard, then)}
}

func (s senders) handover() (all []SenderHandover) {
	for _, one := range s {
		all = append(all, SenderHandover{one.src, one.sequence})
	}
	return all
}

func takenOver(all []SenderHandover) (s senders) {
	for _, one := range all {
		s = append(s, sender{one.Src, one.Sequence})
	}
	return s
}

// takeOver is the reverse of handover. The timer of a BACKUP goes on where it
// stood: nobody has listened in between.
func (m *Machine) takeOver(h *InstanceHandover, then, now time.Time) {
	m.started, m.told, m.state = h.Started, h.Told, h.State
	m.deadline, m.expired = at(h.Due, then), h.Expired
	if m.state == config.Backup {
		m.deadline = at(h.Due, now)
	}
	m.changed, m.preemptAt, m.quiet = at(h.Changed, then), at(h.PreemptAt, then), at(h.Quiet, then)
	m.learned, m.master, m.masterPriority, m.cause = h.Learned, h.Master, h.MasterPriority, cmp.Or(h.Cause, ReasonSilence)
	m.rival = rivalry{at(h.Rival.Patience, then), at(h.Rival.Last, then), h.Rival.Reduced}
	m.announce.takeOver(h.Announce, then)
	m.sequence, m.numbers, m.stats = h.Sequence, takenOver(h.Numbers), h.Stats
	if m.hmac != nil {
		m.hmac.sent, m.hmac.heard = h.Signed, takenOver(h.Heard)
	}
	for _, known := range h.Trackers {
		for i := range m.trackers {
			if t := &m.trackers[i]; t.kind == known.Kind && t.Name == known.Name {
				t.known, t.up, t.value, t.held = known.Known, known.Up, known.Value, known.Held
			}
		}
	}
	m.priority = h.Priority
	m.homes.told = m.started
	m.compose()
}

// restore makes the groups that ran when a handover was made, then, of those
// instances that a resolved configuration still has. Links have to be told to
// them before anything else happens; [Regroup] leads on from there.
func restore(then, now time.Time, h *Handover, next *config.Config) (groups []*Group, states map[*Machine]*InstanceHandover) {
	machines := make([]*Machine, len(next.Instances))
	states = make(map[*Machine]*InstanceHandover)
	free := slices.Clone(h.Instances)
	take := func(i int, fits func(*InstanceHandover) bool) {
		key := next.Instances[i].Key()
		place := slices.IndexFunc(free, func(was InstanceHandover) bool { return was.Key == key && fits(&was) })
		if machines[i] == nil && place >= 0 {
			was := free[place]
			free = slices.Delete(free, place, place+1)
			machines[i] = NewMachine(next.Instances[i])
			states[machines[i]] = &was
		}
	}
	for i := range next.Instances {
		take(i, func(was *InstanceHandover) bool { return was.Name == next.Instances[i].Name })
	}
	for i := range next.Instances {
		take(i, func(*InstanceHandover) bool { return true })
	}
	told := make(map[string]config.State)
	for _, g := range h.Groups {
		told[g.Name] = g.State
	}
	groupOf, members := membership(machines, next)
	for _, m := range machines {
		cfg := groupOf[m]
		switch {
		case m == nil:
		case cfg == nil:
			groups = append(groups, NewGroup(nil, m))
		case members[cfg][0] == m:
			g := NewGroup(cfg, members[cfg]...)
			g.state = told[cfg.Name]
			groups = append(groups, g)
		}
	}
	for m, was := range states {
		m.takeOver(was, then, now)
	}
	for _, g := range groups {
		if g.sync == nil {
			g.state = g.members[0].state
		}
	}
	return groups, states
}
