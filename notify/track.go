package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Verdict is what is known about a tracked script, after rise and fall.
type Verdict uint8

// Unknown is the verdict before the first result, unless the script has
// init_fail.
const (
	Unknown Verdict = iota
	Down
	Up
)

// Judge counts the results of a vrrp_script. The first one decides at once;
// after that rise successes, or fall failures, in a row change the verdict.
type Judge struct {
	Rise, Fall int
	Verdict    Verdict
	run        int // results in a row that contradict the verdict
}

// Result counts a result and reports whether the verdict changed.
func (j *Judge) Result(passed bool) (changed bool) {
	next, need := Down, j.Fall
	if passed {
		next, need = Up, j.Rise
	}
	if next == j.Verdict {
		j.run = 0
		return false
	}
	if j.run++; j.Verdict != Unknown && j.run < need {
		return false
	}
	j.Verdict, j.run = next, 0
	return true
}

// Tracker runs one vrrp_script. Set its fields before Run.
type Tracker struct {
	Script config.TrackScript
	Log    *zap.Logger
	// Last is the verdict to begin with: that of a predecessor with the same
	// command, so that a reload changes nothing.
	Last Verdict
	// Report is told every change of the verdict. It must not block.
	Report func(up bool)

	exec   func(ctx context.Context, cmd config.Command, extra ...string) (int, error) // nil: Exec
	status int
	notRun bool
}

// Run runs the script until ctx ends: at once, and then at its interval from
// start to start. It never runs twice at a time: one that is not over keeps
// the next from starting. A script that exceeds its timeout has failed at that
// moment, whatever it takes to end it.
func (t *Tracker) Run(ctx context.Context) error {
	if t.Log == nil {
		t.Log = zap.NewNop()
	}
	if t.exec == nil {
		t.exec = Exec
	}
	judge := Judge{Rise: t.Script.Rise, Fall: t.Script.Fall, Verdict: t.Last}
	if t.Script.InitFail && t.Last == Unknown {
		judge.Verdict = Down
		t.Report(false)
	}
	ticker := time.NewTicker(max(t.Script.Interval, time.Millisecond))
	defer ticker.Stop()
	for ctx.Err() == nil {
		t.once(ctx, &judge)
		select { // a start that was missed while the script ran
		case <-ticker.C:
		default:
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return nil
}

type outcome struct {
	status int
	err    error
}

func (t *Tracker) once(ctx context.Context, judge *Judge) {
	limit := t.Script.Timeout.Value
	if limit <= 0 {
		limit = max(t.Script.Interval, time.Millisecond)
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		status, err := t.exec(limited, t.Script.Script)
		done <- outcome{status, err}
	}()
	select {
	case o := <-done:
		if ctx.Err() == nil {
			t.judge(judge, o)
		}
	case <-limited.Done():
		if ctx.Err() == nil {
			t.judge(judge, outcome{err: context.Cause(limited)})
		}
		<-done
	}
}

func (t *Tracker) judge(judge *Judge, o outcome) {
	passed := Passed(o.status, o.err)
	t.shout(o)
	if !judge.Result(passed) {
		return
	}
	t.Log.Info(fmt.Sprintf("VRRP_Script(%s) %s", t.Script.Name, describe(o)))
	t.Report(passed)
}

// shout tells what the verdict alone would hide: a change of the status, and a
// script that cannot be run, which counts as a success.
func (t *Tracker) shout(o outcome) {
	notRun := errors.Is(o.err, ErrNotRun)
	switch {
	case notRun && !t.notRun:
		t.Log.Error(fmt.Sprintf("VRRP_Script(%s) counts as succeeded without being run: %v", t.Script.Name, o.err))
	case !notRun && t.notRun:
		t.Log.Warn(fmt.Sprintf("VRRP_Script(%s) can be run again", t.Script.Name))
	}
	t.notRun = notRun
	status := o.status
	if status < 0 {
		status = 128 - status // as a shell numbers what a signal ended
	}
	if o.err == nil && status != t.status {
		t.Log.Info(fmt.Sprintf("Script `%s` now returning %d", t.Script.Name, status))
		t.status = status
	}
}

func describe(o outcome) string {
	switch {
	case errors.Is(o.err, ErrNotRun), o.err == nil && o.status == 0:
		return "succeeded"
	case o.err != nil:
		return "timed_out"
	case o.status < 0:
		return fmt.Sprintf("failed (due to signal %d)", -o.status)
	}
	return fmt.Sprintf("failed (exited with status %d)", o.status)
}
