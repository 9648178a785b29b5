package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reach is how far the priority of an instance can go.
type reach struct{ lowest, highest int }

func (r reach) String() string {
	if r.lowest == r.highest {
		return fmt.Sprint(r.lowest)
	}
	return fmt.Sprintf("%d to %d", r.lowest, r.highest)
}

// reach is how far the weighted trackers of an instance, which it returns, move
// its priority: from 1 to 254, and not at all that of an owner. The value of a
// file has a sign of its own.
func (l *linter) reach(i *Instance) (reach, []Track) {
	base := int(i.Priority.Value)
	r := reach{base, base}
	var all []Track
	add := func(list []Track, file bool) {
		for _, t := range list {
			up, down := max(t.Weight.Value, 0), max(-t.Weight.Value, 0)
			switch {
			case up+down == 0:
				continue
			case file:
				up, down = Owner, Owner
			case t.Reverse.Value:
				up, down = up+down, up+down
			}
			r.lowest, r.highest = r.lowest-down, r.highest+up
			all = append(all, t)
		}
	}
	add(i.TrackInterface, false)
	add(i.TrackScript, false)
	add(i.TrackFile, true)
	add(i.TrackProcess, false)
	add(i.TrackBFD, false)
	if g := l.groups[i.Name]; g != nil {
		add(g.TrackInterface, false)
		add(g.TrackScript, false)
		add(g.TrackFile, true)
		add(g.TrackProcess, false)
		add(g.TrackBFD, false)
	}
	if base == Owner {
		return reach{base, base}, all
	}
	return reach{max(r.lowest, 1), min(max(r.highest, 1), Owner-1)}, all
}

// uselessWeights: trackers that cannot move a priority decide nothing.
func (l *linter) uselessWeights() {
	for k := range l.c.Instances {
		i := &l.c.Instances[k]
		r, tracks := l.reach(i)
		switch {
		case len(tracks) == 0 || r.lowest < r.highest:
		case r.highest == Owner:
			l.warn(tracks[0].Origin, "useless-weight", "(%s) the weight of %s changes nothing: priority %d is that of the owner of the addresses and stays", i.Name, tracks[0].Name, Owner)
		default:
			l.warn(tracks[0].Origin, "useless-weight", "(%s) the weight of %s changes nothing: priority %d can only go from 1 to 254", i.Name, tracks[0].Name, r.lowest)
		}
	}
}

// LintPeers names weights that never change who is MASTER, given what the same
// file says for the other routers, by their configuration ids. Call it after
// [Config.Resolve], which the others have seen, too.
func (c *Config) LintPeers(peers map[string]*Config) []Problem {
	l := newLinter(c, nil)
	others := map[string]*linter{}
	for id, peer := range peers {
		others[id] = newLinter(peer, nil)
	}
	for k := range c.Instances {
		i := &c.Instances[k]
		own, tracks := l.reach(i)
		if len(tracks) == 0 || own.lowest == own.highest {
			continue
		}
		apart := true
		var say []string
		for _, id := range slices.Sorted(maps.Keys(others)) {
			if j := others[id].c.sameRouter(i); j != nil {
				other, _ := others[id].reach(j)
				apart = apart && (own.lowest > other.highest || own.highest < other.lowest)
				say = append(say, fmt.Sprintf("%s for @%s", other, id))
			}
		}
		if apart && len(say) > 0 {
			l.warn(tracks[0].Origin, "useless-weight", "(%s) the weight of %s never changes who is MASTER: the priority is %s here, and %s", i.Name, tracks[0].Name, own, strings.Join(say, ", "))
		}
	}
	return l.problems
}

// sameRouter is the instance that is the same virtual router as one of another
// configuration: it has its number and one of its addresses.
func (c *Config) sameRouter(i *Instance) *Instance {
	for k := range c.Instances {
		j := &c.Instances[k]
		if j.VirtualRouterID == i.VirtualRouterID && j.IPv6() == i.IPv6() && slices.ContainsFunc(j.VirtualIPAddress, func(a Address) bool {
			return slices.ContainsFunc(i.VirtualIPAddress, func(b Address) bool { return a.Prefix.Addr() == b.Prefix.Addr() })
		}) {
			return j
		}
	}
	return nil
}
