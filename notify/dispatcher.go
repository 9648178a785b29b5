package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Object is what an event is about. Events of the same object keep their
// order.
type Object struct {
	Kind string // INSTANCE, GROUP, RS, VS
	Name string
}

// String is the object as keepalived's notifications write it.
func (o Object) String() string { return o.Kind + " " + o.Name }

// Call is a script with the arguments that lvsd appends.
type Call struct {
	Command config.Command
	Args    []string
}

// Event is something that happened to an object, and the scripts that are to
// be run for it, in this order.
type Event struct {
	Object Object
	What   string // the state entered: MASTER, DOWN
	// Repeats marks an event that is not a state, and may happen often: while
	// one waits to be told, another one like it is not kept.
	Repeats bool
	Mail    bool // smtp_alert: the [Mailer] tells it
	Gone    bool // the object has left the configuration
	Calls   []Call
}

// Defaults and limits of the [Dispatcher].
const (
	// Timeout is what a notify script has, before it is ended.
	Timeout = 60 * time.Second
	// StopGrace is what all scripts together have once lvsd stops, unless
	// [Dispatcher.Grace] says otherwise.
	StopGrace = 5 * time.Second
	// LastWord is what each script of an object's last event has when
	// StopGrace is over, as keepalived has it for notify_stop.
	LastWord = time.Second
	// QueueLength is how many events wait for an object. When its scripts are
	// slower than its changes, the oldest ones are skipped; the last never.
	QueueLength = 16
	// Parallel is how many scripts run at the same time, of all objects.
	Parallel = 256
)

// Options of a [Dispatcher]; a zero duration means its default.
type Options struct {
	Log       *zap.Logger
	Timeout   time.Duration
	StopGrace time.Duration
	LastWord  time.Duration
}

// Dispatcher runs scripts for events.
type Dispatcher struct {
	o     Options
	wake  chan struct{} // something is ready
	slots chan struct{} // scripts that run

	mu     sync.Mutex
	queues map[Object]*queue // only objects that have something to do
	ready  []*queue          // those that have no worker yet
	closed bool
	grace  time.Duration
}

// New makes a dispatcher that does nothing before Run.
func New(o Options) *Dispatcher {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	for _, d := range []struct {
		value  *time.Duration
		preset time.Duration
	}{{&o.Timeout, Timeout}, {&o.StopGrace, StopGrace}, {&o.LastWord, LastWord}} {
		if *d.value == 0 {
			*d.value = d.preset
		}
	}
	return &Dispatcher{
		o: o, grace: o.StopGrace, queues: make(map[Object]*queue),
		wake: make(chan struct{}, 1), slots: make(chan struct{}, Parallel),
	}
}

// Grace sets what all scripts together have once lvsd stops: child_wait_time.
func (d *Dispatcher) Grace(limit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.grace = limit
}

// Notify queues an event. It never blocks. Events from before Run wait for
// it; those from after its end are lost, which the log tells.
func (d *Dispatcher) Notify(e Event) {
	if len(e.Calls) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.o.Log.Warn(fmt.Sprintf("%s %s: no script is run any more", e.Object, e.What))
		return
	}
	q := d.queues[e.Object]
	if q == nil {
		q = &queue{object: e.Object}
		d.queues[e.Object] = q
		d.ready = append(d.ready, q)
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	if skipped, ok := q.push(e); ok {
		d.o.Log.Warn(fmt.Sprintf("%s: scripts are slower than changes, skipping %s", e.Object, skipped.What))
	}
}

// Run runs the scripts until ctx ends, and then until all events that were
// queued by that time are told: stop whoever notifies first, then Run. What
// is not over after the grace is ended; the last event of each object is told
// in any case. When Run returns no script is left.
func (d *Dispatcher) Run(ctx context.Context) error {
	grace, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	var workers sync.WaitGroup
	work := func(ready []*queue) {
		for _, q := range ready {
			workers.Go(func() { d.work(grace, q) })
		}
	}
	for ctx.Err() == nil {
		work(d.takeReady(false))
		select {
		case <-d.wake:
		case <-ctx.Done():
		}
	}
	work(d.takeReady(true))
	d.mu.Lock()
	limit := d.grace
	d.mu.Unlock()
	timer := time.AfterFunc(limit, func() { end(errStopping) })
	defer timer.Stop()
	workers.Wait()
	return nil
}

var (
	errStopping = errors.New("lvsd stops")
	errTimeout  = errors.New("it takes too long")
)

// takeReady are the queues that need a worker. With last it is the last time:
// nothing is queued any more.
func (d *Dispatcher) takeReady(last bool) []*queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	ready := d.ready
	d.ready, d.closed = nil, last
	return ready
}

// work tells the events of one object until there are none.
func (d *Dispatcher) work(grace context.Context, q *queue) {
	for {
		e, ok := d.next(q, grace.Err() != nil)
		if !ok {
			return
		}
		for _, call := range e.Calls {
			d.call(grace, e, call)
		}
	}
}

// next takes the next event from a queue, or gives the idle queue up.
func (d *Dispatcher) next(q *queue, onlyLast bool) (Event, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if onlyLast {
		for _, e := range q.keepLast() {
			d.o.Log.Warn(fmt.Sprintf("%s: stopping, skipping %s", e.Object, e.What))
		}
	}
	e, ok := q.pop()
	if !ok {
		delete(d.queues, q.object)
	}
	return e, ok
}

func (d *Dispatcher) call(grace context.Context, e Event, call Call) {
	d.slots <- struct{}{}
	defer func() { <-d.slots }()
	limit := d.o.Timeout
	if grace.Err() != nil {
		grace, limit = context.WithoutCancel(grace), d.o.LastWord
	}
	ctx, cancel := context.WithTimeoutCause(grace, limit, errTimeout)
	defer cancel()
	switch status, err := Exec(ctx, call.Command, call.Args...); {
	case err != nil:
		d.o.Log.Warn(fmt.Sprintf("%s %s: %v", e.Object, e.What, err))
	case status < 0:
		d.o.Log.Info(fmt.Sprintf("%s %s: %s terminated by signal %d", e.Object, e.What, call.Command.Line, -status))
	case status != 0:
		d.o.Log.Info(fmt.Sprintf("%s %s: %s exited with status %d", e.Object, e.What, call.Command.Line, status))
	}
}
