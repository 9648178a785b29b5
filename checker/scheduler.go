package checker

import (
	"context"
	"iter"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

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
	// InFlight bounds the probes at a time and so the descriptors; 0 means half
	// of what this process may open, and [MaxInFlight] at most.
	InFlight int
	// Taking are the checks of a predecessor in whose place the Scheduler goes
	// on at its first Apply; nil: a start like any other.
	Taking *Taking
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

// MaxInFlight is how many probes run at a time unless told otherwise. So many
// mute servers are needed for checks of others to wait in line.
const MaxInFlight = 32768

// inFlight is how many probes may run at a time. The runtime has raised the
// soft limit of descriptors to the hard one.
func inFlight() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1
	}
	return int(min(max(limit.Cur/2, 1), MaxInFlight))
}

// bootstrapDelay is how long after its activation a check runs at the
// earliest, as keepalived's BOOTSTRAP_DELAY.
const bootstrapDelay = time.Second

// Scheduler runs the checks of all real servers.
type Scheduler struct {
	opts  Options
	born  time.Time // see together
	build func(*config.Check) (recipe, error)
	poll  func() (*poller, error) // nil: every probe has a worker

	workers sync.WaitGroup
	mu      sync.Mutex      // guards what follows and the jobs
	ctx     context.Context // of Run, for the probes that begin; nil before
	agenda  agenda          // those that wait for their time
	waiter  waiter          // of Run
	asleep  bool            // it waits
	until   time.Duration   // to this moment; see moment
	poller  *poller         // for probes that need no worker to wait; nil: none
	queue   []*job          // due, all places are taken
	working int             // places that are taken
	frozen  bool            // for a handover: no probe begins, none counts
	probing int             // probes that a worker waits for
	telling int             // outcomes that are being told

	services map[config.ServiceKey]*service
	applied  uint32                     // how often
	patterns patterns                   // of this Apply
	idle     map[config.ServiceKey]bool // services whose checks are suspended
}

// service has the checks of a virtual service, in the order of the
// configuration.
type service struct {
	key  config.ServiceKey
	jobs []*job
}

// job is a check. It is on the agenda when it is neither queued nor under way.
// There are tens of thousands.
type job struct {
	service *service
	server  *config.Server // as configured last, and so is
	check   *config.Check
	params  string // of its identity, which are not cheap to find
	recipe  recipe
	policy  Policy
	due     time.Duration // see moment
	place   int32         // on the agenda, from 1; 0: it is not
	seen    uint32        // the last Apply that named it
	serial  uint32        // counts beginnings and ends of its probes
	busy    bool          // queued or under way
	removed bool
	cancel  func()  // ends the probe that a worker waits for; nil: it ends by itself
	flight  *flight // the probe that is polled; nil: none
	unsure  string  // the last [Result.Unsure]
}

// jobID is a check among those of its service.
type jobID struct {
	server netip.AddrPort
	check  config.CheckID
}

func (j *job) id() jobID { return jobID{j.server.Addr, j.checkID()} }

func (j *job) checkID() config.CheckID { return j.check.IDWith(j.params) }

// name is the real server in the log.
func (j *job) name() string { return j.server.String(j.service.key.Protocol) }

// New prepares a Scheduler; nothing is probed before Run.
func New(opts Options) *Scheduler {
	s := &Scheduler{opts: opts, born: time.Now(), poll: newPoller, services: make(map[config.ServiceKey]*service)}
	s.build = s.recipe
	s.patterns = make(patterns)
	return s
}

// Run probes until ctx ends and the last probe has returned. It must be called
// once.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	s.waiter = s.polling()
	if s.opts.InFlight == 0 {
		s.opts.InFlight = inFlight()
	}
	s.ctx = ctx
	for j := range s.all() {
		s.start(j)
	}
	s.mu.Unlock()

	defer context.AfterFunc(ctx, s.wake)()
	for ctx.Err() == nil {
		s.begin()
		s.sleep()
	}
	s.mu.Lock()
	for j := range s.all() {
		s.remove(j)
	}
	p := s.poller
	s.poller = nil
	s.mu.Unlock()
	if p != nil {
		p.close()
	}
	s.workers.Wait()
	return nil
}

// all are all checks. The lock is held.
func (s *Scheduler) all() iter.Seq[*job] {
	return func(yield func(*job) bool) {
		for _, v := range s.services {
			for _, j := range v.jobs {
				if !yield(j) {
					return
				}
			}
		}
	}
}

func (s *Scheduler) running() bool { return s.ctx != nil && s.ctx.Err() == nil }

// start arms a new check, away from all others.
func (s *Scheduler) start(j *job) {
	if j.due != 0 { // as it was for a predecessor
		s.arm(j, s.born.Add(j.due))
		return
	}
	delay := bootstrapDelay
	if warmup := j.policy.Timing.Warmup.Value; warmup > 0 {
		delay += time.Duration(s.opts.Rand.Int64N(int64(warmup)))
	}
	s.arm(j, time.Now().Add(delay+tick/2-1)) // not before
}

// arm makes a check due at a time.
func (s *Scheduler) arm(j *job, at time.Time) {
	j.due = s.moment(s.together(at))
	s.agenda.put(j)
	if s.asleep && j.due < s.until {
		s.asleep = false
		s.waiter.wake()
	}
}

// moment is a time as it is kept for each check: since the Scheduler was made.
func (s *Scheduler) moment(at time.Time) time.Duration { return at.Sub(s.born) }

// Checks that are due at about the same time are due together, if that is not
// soon: to wake up for each of them costs more than a probe.
const (
	tick = 10 * time.Millisecond
	far  = 50 * tick
)

// together is a time nearby for everybody. It is the nearest, so that one that is
// a round trip late is not later the next time.
func (s *Scheduler) together(at time.Time) time.Time {
	if time.Until(at) < far {
		return at
	}
	return s.born.Add(at.Sub(s.born).Round(tick))
}

func (s *Scheduler) remove(j *job) {
	j.removed = true
	s.agenda.drop(j)
	if j.cancel != nil {
		j.cancel()
	}
	if j.flight != nil {
		go j.flight.abort(errAborted) // whose end takes the lock
	}
}
