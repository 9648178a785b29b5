package config

import "slices"

// owner reports whether the instance has the priority of the owner of its
// addresses, which never changes: MASTER without a priority has it, too.
// Before [Config.Resolve] as well as after it.
func (i *Instance) owner() bool {
	if i.Priority.Set || i.Priority.Value != 0 {
		return i.Priority.Value == Owner
	}
	return i.State.Set && i.State.Value == Master
}

// ownerWeights drops the trackers that would change the priority of an owner.
func (v *validator) ownerWeights(i *Instance) {
	const code = "weight-of-owner"
	i.TrackInterface = slices.DeleteFunc(i.TrackInterface, func(t Track) bool {
		if t.Weight.Value != 0 {
			v.fixed(t.Origin, code, "(%s) ignoring %s tracked interface due to address owner", i.Name, t.Name)
		}
		return t.Weight.Value != 0
	})
	i.TrackScript = slices.DeleteFunc(i.TrackScript, func(t Track) bool {
		weighted := v.weight(t) != 0
		if weighted {
			v.fixed(t.Origin, code, "(%s) ignoring tracked script %s with weights due to address_owner", i.Name, t.Name)
		}
		return weighted
	})
	v.clearWeights(i, code, "address_owner")
}

// ownersGroup clears the weights of a group that has an owner.
func (v *validator) ownersGroup(g *SyncGroup) {
	if !slices.ContainsFunc(v.c.Instances, func(i Instance) bool { return i.owner() && slices.Contains(g.Members, i.Name) }) {
		return
	}
	clear := func(what, does string, list []Track, weight func(Track) int) {
		for k := range list {
			if t := &list[k]; weight(*t) != 0 {
				v.fixed(t.Origin, "weight-of-owner", "(%s) Cannot have weighted track %s '%s' with member having priority %d - %s", g.Name, what, t.Name, Owner, does)
				t.Weight = Some(0)
			}
		}
	}
	clear("interface", "clearing weight", g.TrackInterface, func(t Track) int { return t.Weight.Value })
	clear("script", "clearing weight", g.TrackScript, v.weight)
	clear("file", "setting weight 0", g.TrackFile, v.fileWeight)
	clear("process", "setting weight 0", g.TrackProcess, v.processWeight)
	clear("bfd", "setting weight 0", g.TrackBFD, v.bfdWeight)
}
