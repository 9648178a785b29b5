package checker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Options are what a [Scheduler] needs.
type Options struct {
	Log *zap.Logger
	// OnResult is told when a check comes up, goes down or says another weight;
	// the first result of a check always counts. Calls about one check are in
	// order. It may block a worker, and must not call the Scheduler.
	OnResult func(Report)
	// Script runs the scripts of MISC_CHECK.
	Script Script
	// Rand spreads the first probes. Only the Scheduler uses it.
	Rand *rand.Rand
	// InFlight bounds the probes at a time and so the descriptors; 0 means
	// [DefaultInFlight].
	InFlight int
}

// Report is what a check has found out about its real server.
type Report struct {
	Service config.ServiceKey
	Server  netip.AddrPort
	Check   config.CheckID
	Up      bool
	Weight  config.WeightChange // while it is up
	Reason  string              // why it is not up
	Timeout bool                // it is not up for want of an answer
}

// DefaultInFlight is how many probes run at a time unless told otherwise.
const DefaultInFlight = 1024

// bootstrapDelay is how long after its activation a check runs at the
// earliest, as keepalived's BOOTSTRAP_DELAY.
const bootstrapDelay = time.Second

// Scheduler runs the checks of all real servers.
type Scheduler struct {
	opts  Options
	build func(config.Check) (recipe, error)

	workers sync.WaitGroup
	mu      sync.Mutex      // guards what follows and the jobs
	ctx     context.Context // of Run, for the probes that timers start; nil before
	jobs    map[jobKey]*job
	queue   []*job // due, all workers are busy
	working int
	idle    map[config.ServiceKey]bool // services whose checks are suspended
}

type jobKey struct {
	service config.ServiceKey
	server  netip.AddrPort
	check   config.CheckID
}

// job is a check. Its timer runs when it is neither queued nor at a worker.
type job struct {
	key     jobKey
	name    string // the real server in the log
	recipe  recipe
	policy  Policy
	due     time.Time
	timer   *time.Timer
	busy    bool // queued or at a worker
	removed bool
	cancel  func() // ends the probe that is under way
	unsure  string // the last [Result.Unsure]
}

// New prepares a Scheduler; nothing is probed before Run.
func New(opts Options) *Scheduler {
	if opts.InFlight == 0 {
		opts.InFlight = DefaultInFlight
	}
	s := &Scheduler{opts: opts, jobs: make(map[jobKey]*job)}
	s.build = s.recipe
	return s
}

// Run probes until ctx ends and the last probe has returned. It must be called
// once.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	for _, j := range s.jobs {
		s.start(j)
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	for _, j := range s.jobs {
		s.remove(j)
	}
	s.mu.Unlock()
	s.workers.Wait()
	return nil
}

// Apply makes these the services whose servers are checked, at start and at
// every reload. An unchanged check is not touched: it keeps its state, its
// retries and its timer. One of which only the timing changed keeps its state.
// Any other is new: it runs after one second and a random part of its warmup.
// The error names checks that cannot be run; all others are.
func (s *Scheduler) Apply(services []config.Service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed error
	keep := make(map[jobKey]bool, len(s.jobs))
	for i := range services {
		service := &services[i]
		for k := range service.Servers {
			server := &service.Servers[k]
			for _, check := range server.Checks {
				if check.Kind.Told() {
					continue // Watch has it
				}
				key := jobKey{service.Key, server.Addr, check.ID()}
				if keep[key] {
					continue // the same check twice
				}
				keep[key] = true
				if err := s.apply(key, server.String(service.Key.Protocol), check); err != nil && failed == nil {
					failed = fmt.Errorf("check %s: %w", server.Addr, err)
				}
			}
		}
	}
	for key, j := range s.jobs {
		if !keep[key] {
			s.remove(j)
		}
	}
	return failed
}

func (s *Scheduler) apply(key jobKey, name string, check config.Check) error {
	j, ok := s.jobs[key]
	if ok && j.policy.Timing == *check.Timing {
		return nil
	}
	how, err := s.build(check)
	if err != nil {
		return err
	}
	if ok {
		j.recipe, j.policy.Timing = how, *check.Timing
		if soon := time.Now().Add(check.Timing.DelayLoop.Value); !j.busy && soon.Before(j.due) && s.running() {
			s.arm(j, soon)
		}
		return nil
	}
	policy := Policy{Timing: *check.Timing, Kind: check.Kind, Probes: len(how.probes), FastRecovery: how.fastRecovery}
	j = &job{key: key, name: name, recipe: how, policy: policy}
	s.jobs[key] = j
	s.opts.Log.Info(s.activation(j, "Deactivating"))
	if s.running() {
		s.start(j)
	}
	return nil
}

func (s *Scheduler) running() bool { return s.ctx != nil && s.ctx.Err() == nil }

// start arms a new check, away from all others.
func (s *Scheduler) start(j *job) {
	delay := bootstrapDelay
	if warmup := j.policy.Timing.Warmup.Value; warmup > 0 {
		delay += time.Duration(s.opts.Rand.Int64N(int64(warmup)))
	}
	s.arm(j, time.Now().Add(delay))
}

func (s *Scheduler) arm(j *job, at time.Time) {
	j.due = at
	if j.timer == nil {
		j.timer = time.AfterFunc(time.Until(at), func() { s.fire(j) })
		return
	}
	j.timer.Reset(time.Until(at))
}

func (s *Scheduler) remove(j *job) {
	j.removed = true
	if j.timer != nil {
		j.timer.Stop()
	}
	if j.cancel != nil {
		j.cancel()
	}
	delete(s.jobs, j.key)
}

// fire is a timer's own goroutine. It becomes a worker if one more is allowed.
func (s *Scheduler) fire(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.removed || j.busy {
		return
	}
	if s.idle[j.key.service] {
		s.arm(j, time.Now().Add(j.policy.Timing.DelayLoop.Value))
		return
	}
	j.busy = true
	if s.working == s.opts.InFlight {
		s.queue = append(s.queue, j)
		return
	}
	s.working++
	s.workers.Add(1)
	defer s.workers.Done()
	for j != nil {
		s.work(j)
		j = s.dequeue()
	}
	s.working--
}

// dequeue is the check that waits longest, nil when none does.
func (s *Scheduler) dequeue() *job {
	for len(s.queue) > 0 && s.running() {
		j := s.queue[0]
		s.queue = s.queue[1:]
		if !j.removed {
			return j
		}
	}
	return nil
}

// work runs one probe and acts on its result. The lock is held on entry and
// exit, not while probing and telling.
func (s *Scheduler) work(j *job) {
	how := j.recipe
	checker := how.probes[j.policy.Probe()]
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	j.cancel = cancel
	s.mu.Unlock()
	began := time.Now()
	result := s.probe(ctx, j, checker)
	now := time.Now()
	s.mu.Lock()
	if j.removed || ctx.Err() != nil {
		return
	}
	wasDown := j.policy.Down()
	logAll := j.policy.Timing.LogAllFailures.Value
	verdict := j.policy.Step(began, now, result)
	a := attempt{result: result, before: j.unsure, verdict: verdict, failed: j.policy.retries, limit: j.policy.Timing.Retry.Value}
	j.unsure = result.Unsure
	s.mu.Unlock()

	if how.sentence != nil {
		a.server, a.service = j.name, j.key.service.String()
		s.narrate(how.sentence, a, logAll && !wasDown)
	} else {
		s.log(j, result, verdict, wasDown, logAll)
	}
	if verdict.Changed {
		s.opts.OnResult(Report{j.key.service, j.key.server, j.key.check, verdict.Up, verdict.Weight, result.Reason, result.Timeout})
	}

	s.mu.Lock()
	j.busy = false
	if !j.removed && s.running() {
		s.arm(j, verdict.Next)
	}
}

// probe is one call of the checker. A panic is this probe's failure.
func (s *Scheduler) probe(ctx context.Context, j *job, c Checker) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Log.Error("a check has panicked", zap.String("server", j.name), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			r = Result{Reason: fmt.Sprintf("panic: %v", p)}
		}
	}()
	return c.Check(ctx)
}
