package config

import "slices"

// trackers drops what names an object that is not there.
func (v *validator) trackers(owner string, files, processes, bfd *[]Track) {
	t := &v.c.Trackers
	known := func(what string, list *[]Track, has func(name string) bool) {
		*list = slices.DeleteFunc(*list, func(t Track) bool {
			if has(t.Name) {
				return false
			}
			if what == "bfd" && slices.Contains(v.c.Trackers.Disabled, t.Name) {
				return true
			}
			v.add(t.Origin, ClassGeneral, "unknown-tracker", "(%s) track %s %s not found, ignoring...", owner, what, t.Name)
			return true
		})
	}
	known("file", files, func(name string) bool {
		return slices.ContainsFunc(t.Files, func(f TrackFile) bool { return f.Name == name })
	})
	known("process", processes, func(name string) bool {
		return slices.ContainsFunc(t.Processes, func(p TrackProcess) bool { return p.Name == name })
	})
	known("bfd", bfd, func(name string) bool {
		return slices.ContainsFunc(t.BFD, func(b BFDInstance) bool { return b.Name == name })
	})
}

// owners: the priority of an address owner does not change, so that only
// trackers without a weight have a meaning.
func (v *validator) owners() {
	owners := make(map[string]bool)
	for k := range v.c.Instances {
		if i := &v.c.Instances[k]; i.owner() {
			owners[i.Name] = true
			v.ownerTracking(i)
		}
	}
	for k := range v.c.Groups {
		g := &v.c.Groups[k]
		if slices.ContainsFunc(g.Members, func(name string) bool { return owners[name] }) {
			v.ownersGroup(g)
		}
	}
}

// ownersGroup: what a sync group tracks counts for its owners too.
func (v *validator) ownersGroup(g *SyncGroup) {
	clear := func(list []Track, weight func(*Track) int, what, remedy string) {
		for k := range list {
			if t := &list[k]; weight(t) != 0 {
				v.fixed(t.Origin, "weight-of-owner", "(%s) Cannot have weighted track %s '%s' with member having priority %d - %s", g.Name, what, t.Name, Owner, remedy)
				t.Weight = Some(0)
			}
		}
	}
	clear(g.TrackInterface, func(t *Track) int { return t.Weight.Value }, "interface", "clearing weight")
	clear(g.TrackScript, func(t *Track) int { return v.weight(*t) }, "script", "clearing weight")
	clear(g.TrackFile, v.fileWeight, "file", "setting weight 0")
	clear(g.TrackProcess, v.processWeight, "process", "setting weight 0")
	clear(g.TrackBFD, v.bfdWeight, "bfd", "setting weight 0")
}

func (v *validator) processWeight(t *Track) int {
	all := v.c.Trackers.Processes
	if k := slices.IndexFunc(all, func(p TrackProcess) bool { return p.Name == t.Name }); !t.Weight.Set && k >= 0 {
		return all[k].Weight.Value
	}
	return t.Weight.Value
}

func (v *validator) bfdWeight(t *Track) int {
	all := v.c.Trackers.BFD
	if k := slices.IndexFunc(all, func(b BFDInstance) bool { return b.Name == t.Name }); !t.Weight.Set && k >= 0 {
		return all[k].Weight
	}
	return t.Weight.Value
}

// fileWeight is that of the line, or else that of the file.
func (v *validator) fileWeight(t *Track) int {
	all := v.c.Trackers.Files
	if k := slices.IndexFunc(all, func(f TrackFile) bool { return f.Name == t.Name }); !t.Weight.Set && k >= 0 {
		return all[k].weight()
	}
	return t.Weight.Value
}

// ownerTracking leaves out what cannot have an effect on an owner.
func (v *validator) ownerTracking(i *Instance) {
	i.TrackInterface = slices.DeleteFunc(i.TrackInterface, func(t Track) bool {
		if t.Weight.Value != 0 {
			v.fixed(t.Origin, "weight-of-owner", "(%s) ignoring %s tracked interface due to address owner", i.Name, t.Name)
		}
		return t.Weight.Value != 0
	})
	i.TrackScript = slices.DeleteFunc(i.TrackScript, func(t Track) bool {
		weighted := v.weight(t) != 0
		if weighted {
			v.fixed(t.Origin, "weight-of-owner", "(%s) ignoring tracked script %s with weights due to address_owner", i.Name, t.Name)
		}
		return weighted
	})
	v.ignoreWeights(i, "weight-of-owner", "address_owner")
}

// owner reports priority 255, given or because of state MASTER without one.
func (i *Instance) owner() bool {
	return i.Priority.Value == Owner || !i.Priority.Set && i.State.Set && i.State.Value == Master
}

// ignoreWeights drops trackers with a weight that has no meaning, and takes the
// weight that nobody wrote from those of files.
func (v *validator) ignoreWeights(i *Instance, code, reason string) {
	i.TrackFile = slices.DeleteFunc(i.TrackFile, func(l Track) bool {
		weight := v.fileWeight(&l)
		if weight != 0 && weight != 1 {
			v.fixed(l.Origin, code, "(%s) ignoring tracked file %s with weight %d due to %s", i.Name, l.Name, weight, reason)
			return true
		}
		return false
	})
	for k := range i.TrackFile {
		l := &i.TrackFile[k]
		if l.Weight.Set && l.Weight.Value == 0 {
			continue
		}
		v.fixed(l.Origin, code, "(%s) ignoring weight from tracked file %s due to %s. specify weight 0", i.Name, l.Name, reason)
		l.Weight = Some(0)
	}
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, func(l Track) bool {
		weight := v.bfdWeight(&l)
		if weight != 0 {
			v.fixed(l.Origin, code, "(%s) ignoring tracked bfd %s with weight %d due to %s", i.Name, l.Name, weight, reason)
		}
		return weight != 0
	})
}

// weight is that of the file's lines that say none.
func (f *TrackFile) weight() int {
	if f.Weight.Set {
		return f.Weight.Value
	}
	return 1
}
