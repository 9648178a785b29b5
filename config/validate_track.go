package config

import (
	"path"
	"slices"
)

// trackFiles drops what is in a directory that does not exist.
func (v *validator) trackFiles() {
	t := &v.c.Trackers
	t.Files = slices.DeleteFunc(t.Files, func(f TrackFile) bool {
		dir := path.Dir(f.File)
		if v.env == nil || v.env.HasDirectory(dir) {
			return false
		}
		v.add(f.End, ClassGeneral, "missing-directory", "realpath() error 2 (No such file or directory) for %s", f.Name).Late = false
		return true
	})
}

// trackers drops what names an object that is not there.
func (v *validator) trackers(owner string, files, processes, bfd *[]Track) {
	t := &v.c.Trackers
	known := func(what string, list *[]Track, known []string) {
		*list = slices.DeleteFunc(*list, func(t Track) bool {
			if slices.Contains(known, t.Name) {
				return false
			}
			if what == "bfd" && slices.Contains(v.c.Trackers.Disabled, t.Name) {
				return true
			}
			v.add(t.Origin, ClassGeneral, "unknown-tracker", "(%s) track %s %s not found, ignoring...", owner, what, t.Name).Hint = DidYouMean(t.Name, known)
			return true
		})
	}
	if len(*files) > 0 {
		known("file", files, names(t.Files, func(f *TrackFile) string { return f.Name }))
	}
	if len(*processes) > 0 {
		known("process", processes, names(t.Processes, func(p *TrackProcess) string { return p.Name }))
	}
	if len(*bfd) > 0 {
		known("bfd", bfd, names(t.BFD, func(b *BFDInstance) string { return b.Name }))
	}
}

// memberWeights: the members of a group change state together, so that a
// weight on one of them has no meaning.
func (v *validator) memberWeights(i *Instance) {
	t := &v.c.Trackers
	i.TrackFile = slices.DeleteFunc(i.TrackFile, func(l Track) bool {
		weight := l.Weight.Value
		if !l.Weight.Set {
			k := slices.IndexFunc(t.Files, func(f TrackFile) bool { return f.Name == l.Name })
			weight = t.Files[k].weight()
		}
		if weight != 0 && weight != 1 {
			v.fixed(l.Origin, "weight-in-group", "(%s) ignoring tracked file %s with weight %d due to SYNC group", i.Name, l.Name, weight)
			return true
		}
		return false
	})
	for k := range i.TrackFile {
		l := &i.TrackFile[k]
		if l.Weight.Set && l.Weight.Value == 0 {
			continue
		}
		v.fixed(l.Origin, "weight-in-group", "(%s) ignoring weight from tracked file %s due to SYNC group. specify weight 0", i.Name, l.Name)
		l.Weight = Some(0)
	}
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, func(l Track) bool {
		weight := l.Weight.Value
		if !l.Weight.Set {
			k := slices.IndexFunc(t.BFD, func(b BFDInstance) bool { return b.Name == l.Name })
			weight = t.BFD[k].Weight
		}
		if weight != 0 {
			v.fixed(l.Origin, "weight-in-group", "(%s) ignoring tracked bfd %s with weight %d due to SYNC group", i.Name, l.Name, weight)
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
