package vrrp

import (
	"cmp"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// Snapshot is what a [Runner] is doing.
type Snapshot struct {
	Instances []InstanceStatus // by name
	Groups    []GroupStatus    // by name, sync groups only
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

func (r *Runner) snapshot() Snapshot {
	s := Snapshot{Counters: r.counters}
	for name, m := range r.members {
		status := InstanceStatus{
			Name: name, State: m.State(), Priority: m.Priority(), Source: m.Source(), Stats: m.Stats(),
			Silent: m.group.sync != nil && m.State() == m.group.State(),
		}
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
