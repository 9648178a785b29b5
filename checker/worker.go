package checker

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// polled is a [Checker] whose probe can do without a goroutine that waits.
type polled interface {
	// start begins a probe. done is told once, by any goroutine or before
	// start returns; it does not block. The flight ends it early; nil: it has
	// ended.
	start(p *poller, done func(Result)) *flight
}

// polled reports whether the next probe of a check needs no worker.
func (s *Scheduler) polled(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := j.recipe.probes[j.policy.Probe()].(polled)
	return ok && s.poller != nil
}

// enlist takes a place among the workers for a check that is due. When all are
// taken the check waits in line. The lock is held.
func (s *Scheduler) enlist(j *job) bool {
	if j.removed || j.busy || s.frozen {
		return false
	}
	if s.idle[j.service.key] {
		s.arm(j, time.Now().Add(j.policy.Timing.DelayLoop.Value))
		return false
	}
	j.busy = true
	if s.working == s.opts.InFlight {
		s.queue = append(s.queue, j)
		return false
	}
	s.working++
	s.workers.Add(1)
	return true
}

// next is the check that waits longest, for the place of one that has ended.
// When none waits the place is given up.
func (s *Scheduler) next() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && s.running() && !s.frozen {
		j := s.queue[0]
		s.queue = s.queue[1:]
		if !j.removed {
			return j
		}
	}
	s.working--
	s.workers.Done()
	return nil
}

// work probes until no check waits. The end of a probe that is polled takes
// the place over.
func (s *Scheduler) work(j *job) {
	for ; j != nil; j = s.next() {
		s.mu.Lock()
		checker, poller := j.recipe.probes[j.policy.Probe()], s.poller
		j.serial++
		s.mu.Unlock()
		began := time.Now()
		if p, ok := checker.(polled); ok && poller != nil {
			s.fly(j, began, p, poller)
			return
		}
		if o, ok := s.conclude(j, began, s.probe(j, checker)); ok {
			s.tell(j, o)
		}
	}
}

// fly begins a probe that is polled.
func (s *Scheduler) fly(j *job, began time.Time, c polled, p *poller) {
	done := func(r Result) { s.ended(j, began, r) }
	defer recovered(done)
	s.mu.Lock()
	serial := j.serial
	s.mu.Unlock()
	f := c.start(p, done)
	if f == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case j.serial != serial: // it has ended meanwhile
	case j.removed:
		go f.abort(errAborted)
	default:
		j.flight = f
	}
}

// ended is the end of a probe that was polled. It does not block.
func (s *Scheduler) ended(j *job, began time.Time, r Result) {
	o, telling := s.conclude(j, began, r)
	if telling {
		s.tellBeside(j, o)
		return
	}
	if j := s.next(); j != nil {
		go s.work(j)
	}
}

// tellBeside tells in a goroutine, and goes on to work there. It is apart from
// ended so that an outcome that is not told is not allocated.
func (s *Scheduler) tellBeside(j *job, o outcome) {
	go func() {
		s.tell(j, o)
		s.work(s.next())
	}()
}

// outcome is what a probe has come to.
type outcome struct {
	attempt
	how     recipe
	wasDown bool
	tells   bool // a failure that changes nothing, too
	id      jobID
}

// silent reports that there is nothing to tell.
func (o outcome) silent() bool {
	r := o.result
	switch {
	case o.verdict.Changed, r.Local != "", r.Remark != "", r.Unsure != o.before, r.Stack != "":
		return false
	case r.Up:
		return !o.wasDown || r.Said == ""
	}
	return !o.tells
}

// conclude steps the policy. When there is something to tell the check goes on
// after that only, so that what is told is in order.
func (s *Scheduler) conclude(j *job, began time.Time, r Result) (o outcome, telling bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.serial++
	j.flight = nil
	if j.removed || !s.running() || s.frozen {
		return outcome{}, false
	}
	p := &j.policy
	o = outcome{how: j.recipe, wasDown: p.Down(), tells: p.Timing.LogAllFailures.Value && !p.failing()}
	verdict := p.Step(began, time.Now(), r)
	o.attempt = attempt{result: r, before: j.unsure, verdict: verdict, failed: int(p.retries), limit: p.Timing.Retry.Value}
	j.unsure = r.Unsure
	if o.silent() {
		s.again(j, verdict.Next)
		return o, false
	}
	s.telling++
	o.server, o.service, o.id = j.name(), j.service.key.String(), j.id() // a reload may replace them meanwhile
	return o, true
}

// again makes a check due at a time. The lock is held.
func (s *Scheduler) again(j *job, at time.Time) {
	j.busy = false
	if !j.removed && s.running() {
		s.arm(j, at)
	}
}

// tell logs an outcome and passes a change on.
func (s *Scheduler) tell(j *job, o outcome) {
	if o.result.Stack != "" {
		s.opts.Log.Error("a check has panicked", zap.String("server", o.server), zap.String("panic", o.result.Reason), zap.String("stack", o.result.Stack))
	}
	if o.how.sentence != nil {
		s.narrate(o.how.sentence, o.attempt, o.tells)
	} else {
		s.log(o)
	}
	if v := o.verdict; v.Changed {
		s.opts.OnResult(Report{j.service.key, o.id.server, o.id.check, v.Up, v.Weight, o.result.Reason, o.result.Timeout})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.telling--
	s.again(j, o.verdict.Next)
}

// probe is one call of the checker, which ends when the check is removed. A
// panic is this probe's failure.
func (s *Scheduler) probe(j *job, c Checker) (r Result) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.mu.Lock()
	j.cancel = cancel
	s.probing++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.probing--
		s.mu.Unlock()
	}()
	defer recovered(func(failed Result) { r = failed })
	return c.Check(ctx)
}
