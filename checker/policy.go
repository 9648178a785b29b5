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
	// Unsure says why nobody knows whether the server is up, which counts as up:
	// a script could not be run.
	Unsure string
	// Said is the sentence for the log where it is not that of the kind of check,
	// with the same verbs. That of a success is logged while the check is down.
	Said string
	// Remark is a sentence for the log whatever comes of the probe.
	Remark string
	Path   string // %p in these two
	// Weight is what the probe says about the weight of its server.
	Weight config.WeightChange
	// Stack is where the probe has panicked, for the log.
	Stack string
	// Local is a sentence for the log when the probe could not be tried at
	// all, which says nothing about the server.
	Local string
}

// Policy decides what the results of a check mean. The zero value, with its
// Timing set, has not seen a result.
type Policy struct {
	// Timing is the resolved timing of the check, which many share. It may be
	// replaced between two steps: a survivor of a reload keeps its state.
	Timing *config.Timing
	Kind   config.CheckKind
	Probes int32 // that have to succeed in turn; 0 means 1
	// FastRecovery takes away the delay between the probes while the check is not
	// up: fast_recovery of HTTP_GET.
	FastRecovery bool

	failed  bool // HTTP_GET is down, and this probe has failed last
	ran     bool
	up      bool
	probe   int32  // the next one
	retries uint32 // failed attempts after the first of a round
	weight  config.WeightChange
}

// Verdict is what a result means.
type Verdict struct {
	Changed bool // the check came up or went down, its first result, or it says another weight
	Turned  bool // it came up or went down, or this is its first result
	First   bool // it had none before
	Up      bool
	Weight  config.WeightChange
	Retries int // further attempts that were made before it went down
	Next    time.Time
}

// Step takes the result of a probe that began and ended at these times.
//
// The very first result decides at once, but of SMTP_CHECK. When HTTP_GET has
// alpha and fails at first nothing is new: its server was down. A check that is up
// and fails is tried again, up to retry times and delay_before_retry apart,
// before it is down. One that is down comes up with its first success. All
// other probes are delay_loop apart. Both delays count from the end of one
// probe to the start of the next, of MISC_CHECK from start to start.
//
// HTTP_GET tries one URL each time, and has succeeded when all have in a row.
// One that is down tries the URL that failed until it succeeds, and then all
// from the first one.
func (p *Policy) Step(began, now time.Time, r Result) Verdict {
	retries, first := int(p.retries), !p.ran
	if first && (p.http() || p.Kind == config.MiscCheck) {
		retries = p.Timing.Retry.Value // as keepalived counts
	}
	turned, again := p.judge(r)
	delay := p.Timing.DelayLoop.Value
	switch {
	case again:
		delay = p.Timing.DelayBeforeRetry.Value
	case r.Up && !p.up && p.FastRecovery:
		delay = 0
	case p.failed && r.Local == "":
		delay = max(delay, p.Timing.DelayBeforeRetry.Value)
	}
	v := Verdict{Turned: turned, First: first, Up: p.up, Weight: p.weight, Next: p.after(delay, began, now)}
	if turned && !p.up {
		v.Retries = retries
	}
	if r.Local == "" && p.up && r.Up && p.weight != r.Weight {
		p.weight, v.Weight, v.Changed = r.Weight, r.Weight, true
	}
	v.Changed = v.Changed || turned
	return v
}

// judge notes a result. It tells whether the check came up or went down, its
// first result included, and whether to try again soon.
func (p *Policy) judge(r Result) (turned, again bool) {
	switch {
	case r.Local != "":
		return false, false
	case r.Up && p.failed:
		p.probe, p.failed = 0, false
		return false, false
	case r.Up && p.probe+1 < p.Probes:
		p.probe, p.retries = p.probe+1, 0
		return false, false
	case r.Up:
		p.probe = 0
		turned = !p.ran || !p.up
		p.ran, p.up, p.retries = true, true, 0
		return turned, false
	case (p.up || p.retriesAlways()) && int(p.retries) < p.Timing.Retry.Value:
		p.retries++
		return false, true
	}
	turned = p.up || !p.ran && !(p.http() && p.Timing.Alpha.Value)
	p.ran, p.up, p.retries = true, false, 0
	p.failed = p.http()
	return turned, false
}

// retriesAlways: a round of SMTP_CHECK has all its attempts while it is down
// and before its first result, too.
func (p *Policy) retriesAlways() bool { return p.Kind == config.SMTPCheck }

func (p *Policy) http() bool { return p.Kind == config.HTTPGet || p.Kind == config.SSLGet }

// after is when the next probe begins.
func (p *Policy) after(delay time.Duration, began, now time.Time) time.Time {
	if p.Kind != config.MiscCheck {
		return now.Add(delay)
	}
	if next := began.Add(delay); next.After(now) {
		return next
	}
	return now
}

// Probe is the number of the probe that is next, from 0.
func (p *Policy) Probe() int { return int(p.probe) }

// Down reports whether the check keeps its server down: its last results have,
// or it waits for the first one with alpha.
func (p *Policy) Down() bool { return !p.up && (p.ran || p.Timing.Alpha.Value) }

// failing reports whether one more failure is no news. Before the first result of
// a check with alpha it is, of HTTP_GET and SMTP_CHECK.
func (p *Policy) failing() bool {
	return p.Down() && (p.ran || !p.http() && p.Kind != config.SMTPCheck)
}

// Up reports whether the last results make the check up. Before the first one
// it is not.
func (p *Policy) Up() bool { return p.up }
