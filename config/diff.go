package config

// Plan is what a reload does: for each list what goes, what comes and what
// stays but changes. A survivor that is equal is in none of them and is not
// touched.
type Plan struct {
	Global    *Change[Global] // nil when nothing changed
	Scripts   Delta[TrackScript]
	Groups    Delta[SyncGroup]
	Instances Delta[Instance]
	Services  Delta[Service]
}

// Delta is the difference of two lists that are matched by key.
type Delta[T any] struct {
	Removed []T
	Added   []T
	Changed []Change[T]
}

// Change is a survivor that differs.
type Change[T any] struct{ Prev, Next T }

// Empty reports that the lists are equal.
func (d Delta[T]) Empty() bool { return len(d.Removed)+len(d.Added)+len(d.Changed) == 0 }

// Empty reports that the plan does nothing.
func (p Plan) Empty() bool {
	return p.Global == nil && p.Scripts.Empty() && p.Groups.Empty() && p.Instances.Empty() && p.Services.Empty()
}

// Diff is the plan that leads from one resolved configuration to another. At
// start prev is an empty configuration.
func Diff(prev, next *Config) Plan {
	var p Plan
	if !equal(&prev.Global, &next.Global) {
		p.Global = &Change[Global]{prev.Global, next.Global}
	}
	p.Scripts = diffList(prev.Scripts, next.Scripts, func(s *TrackScript) string { return s.Name })
	p.Groups = diffList(prev.Groups, next.Groups, func(g *SyncGroup) string { return g.Name })
	p.Instances = diffList(prev.Instances, next.Instances, (*Instance).Key)
	p.Services = diffList(prev.KernelServices(), next.KernelServices(), func(s *Service) ServiceKey { return s.Key })
	return p
}

func diffList[T any, K comparable](prev, next []T, key func(*T) K) Delta[T] {
	var d Delta[T]
	old := make(map[K]*T, len(prev))
	for i := range prev {
		old[key(&prev[i])] = &prev[i]
	}
	kept := make(map[K]bool, len(next))
	same := comparisonOf[T]()
	for i := range next {
		k := key(&next[i])
		kept[k] = true
		switch was, ok := old[k]; {
		case !ok:
			d.Added = append(d.Added, next[i])
		case !same(was, &next[i]):
			d.Changed = append(d.Changed, Change[T]{*was, next[i]})
		}
	}
	for i := range prev {
		if !kept[key(&prev[i])] {
			d.Removed = append(d.Removed, prev[i])
		}
	}
	return d
}
