package checker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Exit is how a script ended.
type Exit struct {
	Status int   // what it exited with, or -n when signal n ended it
	NotRun error // it could not be run at all
}

// Script runs a script to its end. When ctx ends first it ends the script with
// its process group, and returns when they are gone.
type Script func(ctx context.Context, cmd config.Command) Exit

// misc is MISC_CHECK, keepalived.conf(5): the server is up when a script exits
// with 0 within misc_timeout. With misc_dynamic 2 to 255 are successes that
// say the weight, plus 2. A script that cannot be run at all is a success, as
// with keepalived, which says nothing of it.
type misc struct {
	command config.Command
	dynamic bool
	timeout time.Duration
	run     Script
	launch  func(func())  // a goroutine that is waited for
	turn    chan struct{} // full while the script runs: it never runs twice at a time
}

func newMisc(c config.Check, p *config.MiscParams, run Script, launch func(func())) *misc {
	return &misc{
		command: p.MiscPath, dynamic: p.MiscDynamic, timeout: c.Timing.ConnectTimeout.Value,
		run: run, launch: launch, turn: make(chan struct{}, 1),
	}
}

// Check runs the script. It has failed at its timeout, whatever it takes to end
// it: that goes on beside, and keeps the next Check waiting.
func (m *misc) Check(ctx context.Context) Result {
	waiting, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	select {
	case m.turn <- struct{}{}:
	case <-waiting.Done():
		return Result{Timeout: true, Reason: "the script of the last check cannot be ended"}
	}
	limited, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	t := traced(ctx)
	t.note("start", "running it as %s", runner(m.command.User))
	ended, broken := make(chan Exit, 1), make(chan Result, 1)
	m.launch(func() {
		defer recovered(func(r Result) { broken <- r })
		ended <- m.ran(limited)
	})
	select {
	case r := <-broken:
		return r
	case exit := <-ended:
		if limited.Err() == nil {
			t.note("exit", "it has ended")
			return m.judge(exit)
		}
	case <-limited.Done():
	}
	return Result{Timeout: true}
}

// ran runs the script and lets the next run have its turn.
func (m *misc) ran(ctx context.Context) Exit {
	defer func() { <-m.turn }()
	return m.run(ctx, m.command)
}

func (m *misc) judge(e Exit) Result {
	switch {
	case e.NotRun != nil:
		return Result{Up: true, Unsure: e.NotRun.Error()}
	case e.Status == 0:
		return Result{Up: true}
	case e.Status < 0:
		return Result{Reason: fmt.Sprintf("due to signal %d", -e.Status)}
	case m.dynamic && e.Status > 1:
		return Result{Up: true, Weight: config.WeightChange{To: config.Some(e.Status - 2)}}
	}
	return Result{Reason: fmt.Sprintf("exited with status %d", e.Status)}
}

// sentence is what keepalived says about an attempt.
func (m *misc) sentence(a attempt) string {
	outcome := "failed" + a.retries()
	switch {
	case a.result.Up && a.result.Unsure != "":
		outcome = "counts as succeeded without being run: " + a.result.Unsure
	case a.result.Up:
		outcome = "succeeded"
	case a.result.Timeout:
		outcome = "timed out" + a.retries()
	}
	if a.result.Reason != "" {
		outcome += " (" + a.result.Reason + ")"
	}
	return fmt.Sprintf("Misc check for [%s VS %s] by [%s] %s.", a.server, a.service, m.name(), outcome)
}

// runner is whom a script runs as.
func runner(u config.User) string {
	if u.Name == "" {
		return "the user of lvsd"
	}
	return strings.TrimSuffix(u.Name+":"+u.Group, ":")
}

// name is the program, or the line that a shell runs.
func (m *misc) name() string {
	if m.command.Shell || len(m.command.Args) == 0 {
		return m.command.Line
	}
	return m.command.Args[0]
}
