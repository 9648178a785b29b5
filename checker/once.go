package checker

import (
	"context"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Trial is one run of a probe, told in full.
type Trial struct {
	Kind   config.CheckKind
	Target string // what is asked: an address, with the URL of HTTP_GET, or a script
	Took   time.Duration
	Steps  []Step
	Result
}

// Once runs a check a single time: each of its probes, whatever became of those
// before. The script of a MISC_CHECK has been ended when it returns.
func Once(ctx context.Context, check config.Check, run Script) ([]Trial, error) {
	s := New(Options{Script: run})
	how, err := s.recipe(&check)
	if err != nil {
		return nil, err
	}
	var all []Trial
	for _, probe := range how.probes {
		t := &trace{began: time.Now()}
		r := probe.Check(context.WithValue(ctx, traceKey{}, t))
		all = append(all, Trial{check.Kind, target(check, probe), time.Since(t.began), t.steps, r})
	}
	s.workers.Wait()
	return all, nil
}

// target is what a probe asks.
func target(c config.Check, probe Checker) string {
	switch p := probe.(type) {
	case plainGet:
		return c.Target().String() + " " + p.url.Path
	case *httpGet:
		return c.Target().String() + " " + p.url.Path
	case *misc:
		return p.name()
	case *ping:
		return c.Target().Addr().String()
	}
	return c.Target().String()
}
