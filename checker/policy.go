package checker

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// Result is the outcome of one probe.
type Result struct {
	Up      bool
	Timeout bool   // it failed for want of an answer
	Reason  string // why it is not up
	// Local is a sentence for the log when the probe could not be tried at
	// all, which says nothing about the server.
	Local string
}

// Policy decides what the results of a check mean. The zero value, with its
// Timing set, has not seen a result.
type Policy struct {
	// Timing is the resolved timing of the check. It may be replaced between
	// two steps: a survivor of a reload keeps its state.
	Timing config.Timing

	ran     bool
	up      bool
	retries int // failed attempts after the first, while up
}

// Verdict is what a result means.
type Verdict struct {
	Changed bool // the check came up or went down; its first result always counts
	Up      bool
	Retries int // further attempts that were made before it went down
	Next    time.Time
}

// Step takes the result of a probe that ended now.
//
// The very first result decides at once. A check that is up and fails is tried
// again, up to retry times and delay_before_retry apart, before it is down.
// One that is down comes up with its first success. All other probes are
// delay_loop apart, from the end of one to the start of the next.
func (p *Policy) Step(now time.Time, r Result) Verdict {
	t := p.Timing
	next := now.Add(t.DelayLoop.Value)
	switch {
	case r.Local != "":
		return Verdict{Up: p.up, Next: next}
	case r.Up:
		v := Verdict{Changed: !p.ran || !p.up, Up: true, Next: next}
		p.ran, p.up, p.retries = true, true, 0
		return v
	case p.ran && !p.up:
		return Verdict{Next: next}
	case p.ran && p.retries < t.Retry.Value:
		p.retries++
		return Verdict{Up: true, Next: now.Add(t.DelayBeforeRetry.Value)}
	}
	v := Verdict{Changed: true, Retries: p.retries, Next: next}
	p.ran, p.up, p.retries = true, false, 0
	return v
}

// Up reports whether the last results make the check up. Before the first one
// it is not.
func (p *Policy) Up() bool { return p.up }
