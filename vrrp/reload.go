package vrrp

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Reload is what a new configuration makes of the running groups. The shell
// carries out Ended, then Effects, and then sends the links and verdicts that
// it knows and [Start] to the groups, all of that under one [Host.Hold].
type Reload struct {
	// Groups are those that run from now on, in configuration order. A group
	// that stays is the same object; one of the running groups that is not
	// among them has no machine left and is forgotten.
	Groups  []*Group
	Ended   []Effect // farewells of the instances that are no more
	Effects []Effect // what changes for those that stay; none for one that is unchanged
}

// Regroup leads from the running groups, none at start, to a new resolved
// configuration. An instance survives when its [config.InstanceKey] does: the
// machine itself moves, whatever its name or sync group, and keeps its state.
// Of the groups only those that come out of it may be stepped afterwards.
func Regroup(now time.Time, running []*Group, next *config.Config) Reload {
	var r Reload
	machines := matchMachines(running, next)
	kept := make(map[*Machine]bool, len(machines))
	for _, m := range machines {
		kept[m] = true
	}
	for _, g := range running {
		for _, m := range g.members {
			if !kept[m] && m.state != config.Stop {
				m.delete(now, (*effects)(&r.Ended))
			}
		}
	}
	reconfigureAll(now, machines, next, (*effects)(&r.Effects))
	r.Groups = regroup(machines, running, next)
	for _, g := range r.Groups {
		g.resume(now, (*effects)(&r.Effects))
	}
	return r
}

// matchMachines finds the machine of each instance of the configuration, in
// its order, and makes those that are new. Keys may be equal when unicast peers
// are disjoint; there the names decide.
func matchMachines(running []*Group, next *config.Config) []*Machine {
	free := make(map[config.InstanceKey][]*Machine)
	for _, g := range running {
		for _, m := range g.members {
			if m.state != config.Stop {
				free[m.cfg.Key()] = append(free[m.cfg.Key()], m)
			}
		}
	}
	machines := make([]*Machine, len(next.Instances))
	take := func(i int, fits func(*Machine) bool) {
		key := next.Instances[i].Key()
		if at := slices.IndexFunc(free[key], fits); machines[i] == nil && at >= 0 {
			machines[i] = free[key][at]
			free[key] = slices.Delete(free[key], at, at+1)
		}
	}
	for i := range next.Instances {
		take(i, func(m *Machine) bool { return m.cfg.Name == next.Instances[i].Name })
	}
	for i := range next.Instances {
		take(i, func(*Machine) bool { return true })
	}
	for i := range machines {
		if machines[i] == nil {
			machines[i] = NewMachine(next.Instances[i])
		}
		machines[i].place = i
	}
	return machines
}

// delete is the farewell of an instance that is no longer configured.
// keepalived calls it FAULT unless notify_deleted asks for DELETED.
func (m *Machine) delete(now time.Time, out *effects) {
	m.end(now, config.Stop, out)
	state := config.Fault
	if m.cfg.NotifyDeleted.Set {
		state = config.Deleted
	}
	out.add(Became{Name: m.cfg.Name, State: state, Priority: int(m.priority)})
}

// reconfigureAll gives each survivor its new configuration. Addresses are
// claimed under the name of the instance: what a MASTER has claimed under its
// old one is given back, unless the MASTER that has this name now has claimed
// under it instead.
func reconfigureAll(now time.Time, machines []*Machine, next *config.Config, out *effects) {
	var left []string
	for i, m := range machines {
		was := m.cfg.Name
		m.reconfigure(now, next.Instances[i], out)
		if m.state == config.Master && was != m.cfg.Name {
			left = append(left, was)
		}
	}
	for _, name := range left {
		claims := func(m *Machine) bool { return m.cfg.Name == name && m.state == config.Master }
		if !slices.ContainsFunc(machines, claims) {
			out.add(Claim{Instance: name})
		}
	}
}

// regroup puts the machines into groups, in the order of their instances. A
// sync group that stays is known by its name, a lone instance by its machine.
func regroup(machines []*Machine, running []*Group, next *config.Config) (groups []*Group) {
	syncs := make(map[string]*Group)
	lone := make(map[*Machine]*Group)
	for _, g := range running {
		if g.sync != nil {
			syncs[g.sync.Name] = g
		} else {
			lone[g.members[0]] = g
		}
	}
	groupOf, members := membership(machines, next)
	done := make(map[*config.SyncGroup]bool)
	for _, m := range machines {
		cfg := groupOf[m]
		switch {
		case cfg == nil:
			groups = append(groups, lone[m].assemble(nil, []*Machine{m}))
		case !done[cfg]:
			done[cfg] = true
			syncs[cfg.Name] = syncs[cfg.Name].assemble(cfg, members[cfg])
			groups = append(groups, syncs[cfg.Name])
		}
	}
	for i := range next.Groups {
		if g := syncs[next.Groups[i].Name]; g != nil {
			g.place = i
		}
	}
	return groups
}

// membership says which sync group each machine is in, the first one that
// names it, and which machines a sync group has, in its own order.
func membership(machines []*Machine, next *config.Config) (map[*Machine]*config.SyncGroup, map[*config.SyncGroup][]*Machine) {
	named := make(map[string]*Machine, len(machines))
	for i, m := range machines {
		named[next.Instances[i].Name] = m
	}
	groupOf := make(map[*Machine]*config.SyncGroup)
	members := make(map[*config.SyncGroup][]*Machine)
	for i := range next.Groups {
		cfg := &next.Groups[i]
		for _, name := range cfg.Members {
			if m := named[name]; m != nil && groupOf[m] == nil {
				groupOf[m] = cfg
				members[cfg] = append(members[cfg], m)
			}
		}
	}
	return groupOf, members
}

// resume draws the conclusions of a reload. A sync group whose members bring
// another state along than it has told, or that is new, tells that.
func (g *Group) resume(now time.Time, out *effects) {
	var running, masters, waiting int
	faulty := false
	for _, m := range g.members {
		if !m.started {
			continue
		}
		running++
		faulty = faulty || m.faulty()
		switch {
		case m.state == config.Master:
			masters++
		case m.waiting():
			waiting++
		}
	}
	switch {
	case running == waiting && g.state != config.Fault:
		g.state = config.Init // nothing to tell before Start
	case g.sync == nil:
		g.state = g.members[0].state
	case running == waiting: // FAULT is told already, and Start says what follows
	case faulty: // and settle brings all to FAULT
	case masters == running:
		g.told(config.Master, out)
	case g.state == config.Init, g.state == config.Master && masters == 0, g.state == config.Fault && waiting == 0:
		g.told(config.Backup, out)
	}
	g.settle(now, false, out)
}

// reconfigured is for the one instance of the group that has this identity.
func (g *Group) reconfigured(now time.Time, cfg config.Instance, out *effects) {
	for _, m := range g.members {
		if m.cfg.Key() == cfg.Key() {
			m.reconfigure(now, cfg, out)
			m.track(g.sync)
			g.settle(now, false, out)
			return
		}
	}
}

// reconfigure puts a new configuration into effect without a change of state.
// Nothing happens for what is equal.
func (m *Machine) reconfigure(now time.Time, cfg config.Instance, out *effects) {
	was, down := m.cfg, m.down()
	m.cfg = cfg
	if trackedSource(&was) != trackedSource(&cfg) {
		m.homes = homes{}
	}
	if was.Device() != cfg.Device() {
		m.device.Link = cfg.Device() // it is as the former one until its state is told
	}
	m.authenticate(was.Authentication)
	m.refreshSource()
	if m.state != config.Backup || !m.master.IsValid() || was.Version.Value != cfg.Version.Value {
		m.learned = m.interval()
	}
	m.shift(now, m.down()-down)
	if cfg.PreemptDelay == 0 {
		m.preemptAt = time.Time{}
	}
	if m.state != config.Master {
		return
	}
	m.deadline = earliest(m.deadline, now.Add(m.interval()))
	if was.GarpMasterRefresh.Value != cfg.GarpMasterRefresh.Value {
		m.announce.refresh = time.Time{}
		if d := cfg.GarpMasterRefresh.Value; d > 0 {
			m.announce.refresh = now.Add(d)
		}
	}
	if was.GarpExtraIf.Value != cfg.GarpExtraIf.Value || len(extraAddresses(&was)) != len(extraAddresses(&cfg)) {
		m.announce.extra = time.Time{}
		if d := cfg.GarpExtraIf.Value.Interval; d > 0 && len(extraAddresses(&cfg)) > 0 {
			m.announce.extra = now.Add(d)
		}
	}
	m.reclaimAll(was, out)
}

// reclaimAll tells the difference in what is claimed, or in the name under
// which it is.
func (m *Machine) reclaimAll(was config.Instance, out *effects) {
	old, addrs := was.Addresses(), m.cfg.Addresses()
	var added []config.Address
	for _, a := range addrs {
		if !slices.ContainsFunc(old, func(b config.Address) bool { return sameAddress(a, b) }) || hardware(&was, a.Dev) != hardware(&m.cfg, a.Dev) {
			added = append(added, a)
		}
	}
	if was.Name != m.cfg.Name || !was.Claims().Equal(m.cfg.Claims()) {
		out.add(claim(&m.cfg))
	}
	m.gratuitous(out, added, m.cfg.GarpMasterRepeat.Value)
}

// hardware is the MAC of a link that the instance has for itself.
func hardware(cfg *config.Instance, link string) (mac [6]byte) {
	if i := slices.IndexFunc(cfg.Links, func(l config.VirtualLink) bool { return l.Name == link }); i >= 0 {
		mac = cfg.Links[i].MAC
	}
	return mac
}

func sameAddress(a, b config.Address) bool {
	a.Origin, b.Origin = config.Origin{}, config.Origin{}
	return a == b
}
