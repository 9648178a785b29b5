package sim

import (
	"errors"
	"slices"
)

// Shrink leaves out of a scenario what it does not need to break the same
// invariant. It returns the violation of what is left.
func Shrink(sc *Scenario, failed error) (*Scenario, error) {
	var want *Violation
	if !errors.As(failed, &want) {
		return sc, failed
	}
	s := shrinker{best: sc, err: failed, kind: want.Kind}
	for again := true; again; {
		again = false
		for size := max(len(s.best.Faults)/2, 1); size > 0; size /= 2 {
			for at := 0; at < len(s.best.Faults); {
				if try := s.best.clone(); s.fails(try, without(&try.Faults, at, size)) {
					again = true
				} else {
					at += size
				}
			}
		}
		for _, simpler := range simplifications {
			for n := 0; n < 8; n++ {
				if try := s.best.clone(); s.fails(try, simpler(try, n)) {
					again = true
				}
			}
		}
	}
	return s.best, s.err
}

type shrinker struct {
	best *Scenario
	err  error
	kind string
}

// fails keeps a scenario that was changed and still fails in the same way.
func (s *shrinker) fails(try *Scenario, changed bool) bool {
	if !changed {
		return false
	}
	_, err := Run(try, Options{})
	var v *Violation
	if !errors.As(err, &v) || v.Kind != s.kind {
		return false
	}
	s.best, s.err = try, err
	return true
}

func without[T any](list *[]T, at, n int) bool {
	if at >= len(*list) {
		return false
	}
	*list = slices.Delete(*list, at, min(at+n, len(*list)))
	return true
}

// simplifications change a scenario in its n-th place and say whether there was
// anything to change.
var simplifications = []func(sc *Scenario, n int) bool{
	func(sc *Scenario, n int) bool {
		if n > 0 || len(sc.Routers) < 3 {
			return false
		}
		sc.Routers = sc.Routers[:len(sc.Routers)-1]
		return true
	},
	func(sc *Scenario, n int) bool {
		return n == 0 && len(sc.Instances) > 1 && without(&sc.Instances, len(sc.Instances)-1, 1)
	},
	func(sc *Scenario, n int) bool { return n < len(sc.Instances) && set(&sc.Instances[n].Off, true) },
	func(sc *Scenario, n int) bool { return n < len(sc.Groups) && set(&sc.Groups[n].Off, true) },
	func(sc *Scenario, n int) bool {
		return n < len(sc.Routers) && set(&sc.Routers[n], Router{Boot: sc.Routers[n].Boot})
	},
	func(sc *Scenario, n int) bool { return n == 0 && set(&sc.Net, Net{Latency: sc.Net.Latency}) },
	func(sc *Scenario, n int) bool { return n == 0 && set(&sc.Split, 0) },
	func(sc *Scenario, n int) bool { return n == 0 && set(&sc.Drill, NoDrill) },
	func(sc *Scenario, n int) bool { return n < len(sc.Instances) && plain(&sc.Instances[n]) },
	func(sc *Scenario, n int) bool { return n < len(sc.Instances) && set(&sc.Instances[n].Script, Track{}) },
	func(sc *Scenario, n int) bool { return n < len(sc.Instances) && set(&sc.Instances[n].Track, Track{}) },
	func(sc *Scenario, n int) bool {
		return n < len(sc.Groups) && (set(&sc.Groups[n].Script, Track{}) || set(&sc.Groups[n].Track, Track{}))
	},
}

func set[T comparable](at *T, value T) bool {
	changed := *at != value
	*at = value
	return changed
}

// plain takes the options of an instance away, all at once.
func plain(i *Instance) bool {
	was := *i
	*i = Instance{
		Name: was.Name, VRID: was.VRID, Link: was.Link, Version: was.Version, V6: was.V6, Interval: was.Interval,
		Prio: was.Prio, Adverts: 3, VIPs: 1, First: was.First, Off: was.Off, Script: was.Script, Track: was.Track,
	}
	return words(instanceFields, i) != words(instanceFields, &was)
}
