package vrrp

import (
	"cmp"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Snapshot is what a [Runner] is doing.
type Snapshot struct {
	Instances []InstanceStatus // by name
	Groups    []GroupStatus    // by name, sync groups only
	Scripts   map[string]bool  // verdicts about vrrp_scripts that have one
	Counters  Counters
}

// Counters count what goes wrong in the shell.
type Counters struct {
	Panics     uint64 // groups that had to be given up
	Dropped    uint64 // announcements and log lines that were too many
	SendErrors uint64 // adverts that could not be sent
}

// InstanceStatus is an instance in a [Snapshot].
type InstanceStatus struct {
	Name     string
	State    config.State
	Priority uint8 // effective
	Silent   bool  // the sync group has told this state
	Source   config.Addr
	Stats    Stats

	Master         config.Addr   // who sent the last accepted advert; unset: nobody
	MasterPriority uint8         // in that advert
	MasterInterval time.Duration // what the timers of a BACKUP are made of
	Down           time.Duration // Active_Down_Interval, RFC 9568 section 6.1
	Due            time.Time     // the end of the running timer; zero: none runs
	Changed        time.Time     // the last transition; zero: none
	Faulty         bool          // it has a reason of its own to be in FAULT
	Undecided      bool          // it waits for a verdict
}

func (m *Machine) status() InstanceStatus {
	return InstanceStatus{
		Name: m.cfg.Name, State: m.state, Priority: m.priority, Source: m.Source(), Stats: m.stats,
		Master: m.master, MasterPriority: m.masterPriority, MasterInterval: m.masterInterval(), Down: m.down(),
		Due: m.deadline, Changed: m.changed, Faulty: m.faulty(), Undecided: m.undecided(),
	}
}

// GroupStatus is a sync group in a [Snapshot].
type GroupStatus struct {
	Name  string
	State config.State
}

// Snapshot is the state of everything at one moment.
func (r *Runner) Snapshot() (s Snapshot, err error) {
	err = r.do(func() { s = r.snapshot() })
	return s, err
}

// SendGarp announces the addresses of an instance once more, as D-Bus may ask
// for. One that is not MASTER has none to announce.
func (r *Runner) SendGarp(instance string) error {
	return r.do(func() {
		if m := r.members[instance]; m != nil && !m.group.failed && m.State() == config.Master {
			r.perform(m.group.queue, []Effect{Announce{Instance: instance, Addresses: m.Config().Addresses(), Rounds: 1}})
		}
	})
}

// ClearStats sets the counters of all instances to zero.
func (r *Runner) ClearStats() error {
	return r.do(func() {
		for _, m := range r.members {
			m.stats = Stats{}
		}
	})
}

func (r *Runner) snapshot() Snapshot {
	s := Snapshot{Counters: r.counters, Scripts: map[string]bool{}}
	for object, seen := range r.observers {
		if object.Kind == Script && seen.last != nil {
			s.Scripts[object.Name] = seen.last.Up
		}
	}
	for _, m := range r.members {
		status := m.status()
		status.Silent = m.group.sync != nil && m.state == m.group.State()
		if m.group.failed {
			status.State = config.Fault
		}
		s.Instances = append(s.Instances, status)
	}
	for _, g := range r.groups.all {
		if g.Name() == "" {
			continue
		}
		status := GroupStatus{g.Name(), g.State()}
		if g.failed {
			status.State = config.Fault
		}
		s.Groups = append(s.Groups, status)
	}
	slices.SortFunc(s.Instances, func(a, b InstanceStatus) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Groups, func(a, b GroupStatus) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
