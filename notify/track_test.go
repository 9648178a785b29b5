package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		rise, fall int
		from       Verdict
		results    string // + passed, - failed
		want       string // U, D: changed to; a dot: not changed
	}{
		{1, 1, Unknown, "+-+--", "UDUD."},
		{2, 2, Unknown, "+---+-++", "U.D....U"},
		{3, 3, Unknown, "-++-+++", "D.....U"},
		{3, 1, Down, "+++-", "..UD"},
		{1, 3, Up, "--+---", ".....D"},
		{0, 0, Unknown, "+-+", "UDU"},
	} {
		j, got := Judge{Rise: tc.rise, Fall: tc.fall, Verdict: tc.from}, ""
		for _, r := range tc.results {
			switch changed := j.Result(r == '+'); {
			case !changed:
				got += "."
			case j.Verdict == Up:
				got += "U"
			default:
				got += "D"
			}
		}
		if got != tc.want {
			t.Errorf("rise %d fall %d from %d: %s gives %s, want %s", tc.rise, tc.fall, tc.from, tc.results, got, tc.want)
		}
	}
}

// track runs a tracker over scripted results, one a run, and returns what
// happened when, in seconds.
func track(t *testing.T, s config.TrackScript, last Verdict, results []outcome, took []time.Duration, total time.Duration) string {
	t.Helper()
	var b strings.Builder
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mu sync.Mutex
		log := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&b, "%4.1f %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
		}
		core, logs := observer.New(zapcore.DebugLevel)
		run := 0
		tr := Tracker{Script: s, Last: last, Log: zap.New(core), Report: func(up bool) { log("up=%v", up) }}
		tr.exec = func(ctx context.Context, _ config.Command, _ ...string) (int, error) {
			i := min(run, len(results)-1)
			run++
			log("run")
			select {
			case <-time.After(took[min(i, len(took)-1)]):
				return results[i].status, results[i].err
			case <-ctx.Done():
				time.Sleep(KillDelay)
				return 0, context.Cause(ctx)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), total)
		defer cancel()
		if err := tr.Run(ctx); err != nil {
			t.Error(err)
		}
		for _, e := range logs.All() {
			fmt.Fprintf(&b, "%s\n", e.Message)
		}
	})
	return b.String()
}

func TestTracker(t *testing.T) {
	s := config.TrackScript{Name: "chk", Interval: 2 * time.Second, Rise: 1, Fall: 2}
	s.Timeout.Value = time.Second
	quick := []time.Duration{100 * time.Millisecond}
	notRun := fmt.Errorf("%w /x: permission denied", ErrNotRun)
	initFail := s
	initFail.InitFail = true
	for _, tc := range []struct {
		name    string
		s       config.TrackScript
		last    Verdict
		results []outcome
		took    []time.Duration
		total   time.Duration
		want    string
	}{
		{"fall", s, Unknown, []outcome{{0, nil}, {3, nil}, {3, nil}}, quick, 5 * time.Second, ` 0.0 run
 0.1 up=true
 2.0 run
 4.0 run
 4.1 up=false
VRRP_Script(chk) succeeded
Script ` + "`chk`" + ` now returning 3
VRRP_Script(chk) failed (exited with status 3)
`},
		{"signal", s, Unknown, []outcome{{-9, nil}}, quick, time.Second, ` 0.0 run
 0.1 up=false
Script ` + "`chk`" + ` now returning 137
VRRP_Script(chk) failed (due to signal 9)
`},
		{"timeout", s, Unknown, []outcome{{0, nil}, {0, nil}}, []time.Duration{time.Hour, 0}, 5 * time.Second, ` 0.0 run
 1.0 up=false
 4.0 run
 4.0 up=true
VRRP_Script(chk) timed_out
VRRP_Script(chk) succeeded
`},
		{"not run", s, Up, []outcome{{0, notRun}, {0, notRun}, {0, nil}}, quick, 5 * time.Second, ` 0.0 run
 2.0 run
 4.0 run
VRRP_Script(chk) counts as succeeded without being run: cannot run script /x: permission denied
VRRP_Script(chk) can be run again
`},
		{"init_fail", initFail, Unknown, []outcome{{0, nil}}, quick, time.Second, ` 0.0 up=false
 0.0 run
 0.1 up=true
VRRP_Script(chk) succeeded
`},
		{"stopped while it runs", s, Unknown, []outcome{{0, nil}}, []time.Duration{time.Hour}, 500 * time.Millisecond, " 0.0 run\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := track(t, tc.s, tc.last, tc.results, tc.took, tc.total); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
		})
	}
}

// With a real script.
func TestTrackerReal(t *testing.T) {
	dir := t.TempDir()
	flag := dir + "/maintenance"
	s := config.TrackScript{Name: "m", Interval: 20 * time.Millisecond, Rise: 1, Fall: 1}
	s.Timeout.Value = time.Minute
	s.Script = command("/bin/sh -c '[ -e " + flag + " ]' && exit 1 || exit 0")
	verdicts := make(chan bool)
	ctx, cancel := context.WithCancel(t.Context())
	tr := Tracker{Script: s, Report: func(up bool) { verdicts <- up }}
	done := make(chan error)
	go func() { done <- tr.Run(ctx) }()
	if !<-verdicts {
		t.Error("the first verdict is down")
	}
	script(t, dir, "maintenance", "")
	if <-verdicts {
		t.Error("the second verdict is up")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	noChildren(t)
}

func TestPassed(t *testing.T) {
	for _, tc := range []struct {
		outcome
		want bool
	}{
		{outcome{0, nil}, true}, {outcome{1, nil}, false}, {outcome{0, errTimeout}, false},
		{outcome{127, fmt.Errorf("x: %w", ErrNotRun)}, true}, {outcome{0, errors.New("x")}, false},
	} {
		if Passed(tc.status, tc.err) != tc.want {
			t.Errorf("%+v", tc.outcome)
		}
	}
}
