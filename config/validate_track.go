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

// told drops the checks that name a file or a BFD session that is not there.
func (v *validator) told() {
	t := &v.c.Trackers
	files := names(t.Files, func(f *TrackFile) string { return f.Name })
	sessions := names(t.BFD, func(b *BFDInstance) string { return b.Name })
	for k := range v.c.Services {
		s := &v.c.Services[k]
		for j := range s.RealServers {
			r := &s.RealServers[j]
			if slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Kind.Told() }) {
				v.toldServer(r, endpointLabel(r.Addr, s.Protocol.Value), files, sessions)
			}
		}
	}
}

func (v *validator) toldServer(r *RealServer, label string, files, sessions []string) {
	var seen []string
	r.Checks = slices.DeleteFunc(r.Checks, func(c Check) bool {
		switch p := c.Params.(type) {
		case *FileParams:
			if slices.Contains(files, p.TrackFile) {
				return false
			}
			v.add(p.Origin, ClassGeneral, "unknown-tracker", "track_file %s not found", p.TrackFile).Hint = DidYouMean(p.TrackFile, files)
			return true
		case *BFDParams:
			switch {
			case slices.Contains(seen, p.Name):
				v.add(p.Origin, ClassGeneral, "duplicate", "(%s) BFD_CHECK - RS already monitoring %s", label, p.Name)
				return true
			case !slices.Contains(sessions, p.Name):
				v.add(p.Origin, ClassGeneral, "unknown-tracker", "(%s) BFD_CHECK - BFD %s not configured", label, p.Name).Hint = DidYouMean(p.Name, sessions)
				return true
			}
			seen = append(seen, p.Name)
		}
		return false
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

// clearWeights drops the files and BFD sessions of an instance that have a
// weight, and says due to what.
func (v *validator) clearWeights(i *Instance, code, due string) {
	i.TrackFile = slices.DeleteFunc(i.TrackFile, func(l Track) bool {
		weight := v.fileWeight(l)
		if weight != 0 && weight != 1 {
			v.fixed(l.Origin, code, "(%s) ignoring tracked file %s with weight %d due to %s", i.Name, l.Name, weight, due)
			return true
		}
		return false
	})
	for k := range i.TrackFile {
		l := &i.TrackFile[k]
		if v.fileWeight(*l) == 0 {
			continue
		}
		v.fixed(l.Origin, code, "(%s) ignoring weight from tracked file %s due to %s. specify weight 0", i.Name, l.Name, due)
		l.Weight = Some(0)
	}
	i.TrackBFD = slices.DeleteFunc(i.TrackBFD, func(l Track) bool {
		weight := v.bfdWeight(l)
		if weight != 0 {
			v.fixed(l.Origin, code, "(%s) ignoring tracked bfd %s with weight %d due to %s", i.Name, l.Name, weight, due)
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

// fileWeight is that of the line, or else that of the file.
func (v *validator) fileWeight(t Track) int {
	if t.Weight.Set {
		return t.Weight.Value
	}
	for k := range v.c.Trackers.Files {
		if f := &v.c.Trackers.Files[k]; f.Name == t.Name {
			return f.weight()
		}
	}
	return 0
}

// bfdWeight is that of the line, or else that of the session.
func (v *validator) bfdWeight(t Track) int {
	if t.Weight.Set {
		return t.Weight.Value
	}
	for k := range v.c.Trackers.BFD {
		if b := &v.c.Trackers.BFD[k]; b.Name == t.Name {
			return b.Weight
		}
	}
	return 0
}

// processWeight is that of the line, or else that of the process.
func (v *validator) processWeight(t Track) int {
	if t.Weight.Set {
		return t.Weight.Value
	}
	for k := range v.c.Trackers.Processes {
		if p := &v.c.Trackers.Processes[k]; p.Name == t.Name {
			return p.Weight.Value
		}
	}
	return 0
}
