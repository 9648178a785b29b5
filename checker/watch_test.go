package checker

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// toldService is a service with a server for each list of checks.
func toldService(servers ...[]config.Params) config.Service {
	s := web(len(servers), "")
	for i, checks := range servers {
		s.Servers[i].Checks = nil
		for _, p := range checks {
			kind := config.FileCheck
			if _, session := p.(*config.BFDParams); session {
				kind = config.BFDCheck
			}
			s.Servers[i].Checks = append(s.Servers[i].Checks, config.Check{Kind: kind, Params: p, Timing: new(config.Timing)})
		}
	}
	return s
}

func file(name string, weight int) config.Params {
	return &config.FileParams{TrackFile: name, Weight: config.Some(weight)}
}

func TestWatch(t *testing.T) {
	core, log := observer.New(zapcore.InfoLevel)
	var told []string
	note := func(r Report) {
		told = append(told, fmt.Sprintf("%s %s %v %+d %s", r.Server, r.Check.Params, r.Up, r.Weight.By, r.Reason))
	}
	w := NewWatch(zap.New(core), note)
	apply := func(services ...config.Service) (known []string) {
		t.Helper()
		told = nil
		failed := errors.New("the kernel's")
		err := w.Apply(services, func(reports []Report) error {
			for _, r := range reports {
				note(r)
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Error(err)
		}
		known, told = told, nil
		return known
	}
	expect := func(want ...string) {
		t.Helper()
		equal(t, want, told)
		told = nil
	}

	// What is known at first is handed on before anything is reported, and
	// what is not known is as alpha has it.
	w.File("n", 3)
	w.File("z", 1)
	service := toldService([]config.Params{file("n", 2), file("n", -1)}, []config.Params{file("z", 0)}, []config.Params{&config.BFDParams{Name: "b"}, file("late", 1)})
	service.Servers[2].Checks[0].Timing.Alpha.Value = true
	equal(t, []string{
		`10.0.0.2:80 "n" 2 false true +6 `, `10.0.0.2:80 "n" -1 false true -3 `, `10.0.0.3:80 "z" 0 false false +0 FILE_CHECK z`,
	}, apply(service))
	expect()
	equal(t, []string{"([10.0.0.3]:tcp:80): tracked file z now FAULT state"}, messages(log))
	for _, s := range w.Snapshot() {
		if want := s.Check.Kind == config.FileCheck && s.Check.Params != `"z" 0 false`; s.Up != want {
			t.Errorf("%+v", s)
		}
	}

	// A number that changes, and one that does not matter.
	w.File("n", 4)
	expect(`10.0.0.2:80 "n" 2 false true +8 `, `10.0.0.2:80 "n" -1 false true -4 `)
	w.File("n", 4)
	w.File("z", 2)
	w.File("unknown", 2)
	expect()
	w.File("z", 0)
	w.File("late", 7)
	expect(`10.0.0.3:80 "z" 0 false true +0 `, `10.0.0.4:80 "late" 1 false true +7 `)
	w.File("n", -40000)
	expect(`10.0.0.2:80 "n" 2 false false +0 FILE_CHECK n`, `10.0.0.2:80 "n" -1 false true +40000 `)

	// Sessions.
	w.Session("b", true)
	w.Session("b", true)
	expect(`10.0.0.4:80 b true +0 `)
	w.Session("b", false)
	expect(`10.0.0.4:80 b false +0 BFD_CHECK b`)
	equal(t, []string{
		"([10.0.0.3]:tcp:80): tracked file z leaving FAULT state",
		"([10.0.0.2]:tcp:80): tracked file n now FAULT state",
		"BFD check of [b] RS([10.0.0.4]:tcp:80) is UP",
		"BFD check of [b] RS([10.0.0.4]:tcp:80) is DOWN",
	}, messages(log))

	// A reload with another weight: the verdict is known from the beginning. What
	// has not changed is not said again.
	equal(t, []string{`10.0.0.2:80 "n" 1 false true -40000 `, `10.0.0.3:80 b false +0 BFD_CHECK b`},
		apply(toldService([]config.Params{file("n", 1)}, []config.Params{&config.BFDParams{Name: "b"}})))
	equal(t, []string{"BFD check of [b] RS([10.0.0.3]:tcp:80) is DOWN"}, messages(log))
	apply(toldService([]config.Params{file("n", 1)}, []config.Params{&config.BFDParams{Name: "b"}}))
	equal(t, nil, messages(log))

	// A file that nobody follows any more is not known any more.
	w.Forget("n")
	if _, known := w.Numbers()["n"]; known {
		t.Error("it remembers the number")
	}
	equal(t, nil, apply(toldService([]config.Params{file("n", 1)})))
}

// The scheduler leaves to Watch what is its own.
func TestSchedulerLeavesTold(t *testing.T) {
	s := New(Options{Log: zap.NewNop()})
	if err := s.Apply([]config.Service{toldService([]config.Params{file("n", 1), &config.BFDParams{Name: "b"}})}); err != nil || len(s.Snapshot()) > 0 {
		t.Error(err, s.Snapshot())
	}
}
