package vrrp

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// Options is the world of a [Runner]. Host and Notifier are required.
type Options struct {
	Log      *zap.Logger // nil: no log
	Host     Host
	Notifier Notifier
	Opener   Opener // nil: raw sockets of the network namespace in which Run is called
	Observe  Observers
	// Uptime is how long the machine has been up, for vrrp_delay_after_boot;
	// nil: asked of the kernel.
	Uptime func() time.Duration
	Taking *Taking // of the place of another one, with the first configuration; nil: a start like any other
}

// ErrStopped is returned for a request to a [Runner] that has ended.
var ErrStopped = errors.New("the VRRP runner has stopped")

// Runner is the shell around the groups of a configuration. One loop, in
// [Runner.Run], owns all of them: every other method asks the loop and waits
// until it has answered, so that it must not be called before Run.
type Runner struct {
	log      *zap.Logger
	host     Host
	notifier Notifier
	uptime   func() time.Duration
	observes Observers
	pacer    *pacer

	posts    posts         // what others ask the loop to do
	waiter   waiter        // where it waits for that
	stopped  chan struct{} // closed when Run has ended
	applying sync.Mutex    // one Apply at a time

	// What follows belongs to the loop.
	groups     deadlines
	members    map[string]*member // by instance name
	addresses  map[config.Addr]bool
	links      map[string]LinkChanged
	delays     map[string]*debounce // by link
	sockets    map[Socket]*socket
	retry      time.Time // when to open sockets again that could not be opened
	observers  map[Object]*watched
	tracking   sync.WaitGroup // what has not ended: observers, sockets on the way
	counters   Counters
	journal    *queue   // of lines for the log that belong to no group
	payload    []byte   // of the advert being sent
	volley     volley   // the adverts that are due next
	heard      Received // the event of the datagram being looked at
	memory     func(time.Time, Conn, *wire.Datagram)
	news       func(*order, time.Time)
	logUnknown bool // log_unknown_vrids
	receiving  config.ReceiveBuffers
	process    config.GlobalProcess
	clock      clock
	taking     *Taking   // nil: a start like any other, or taken over
	freezing   *freezing // soon; nil: not so
	frozen     bool      // for a handover: nothing is sent and nothing heard
	begun      bool      // a configuration has been applied
	quiet      time.Time // end of vrrp_startup_delay
	farewells  farewells
}

// group is a [Group] with what the shell keeps about it.
type group struct {
	*Group
	label    string // in the log: the sync group, or the lone instance
	queue    *queue
	deadline time.Time
	failed   bool // a step panicked
	concerns map[Object]bool
}

// member is an instance with what the shell keeps about it.
type member struct {
	*Machine
	group  *group
	socket *socket    // nil: there is no link or no address for it
	deaf   bool       // it could not be opened, which the machine has been told
	id     uint16     // of the last datagram
	last   SendAdvert // the last advert; none before it names the instance
	orders []*order   // one for each destination of its adverts
	echo   echo       // of the MASTER's advert, while one like it would change nothing
}

// New makes a runner; nothing runs before [Runner.Run].
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Uptime == nil {
		o.Uptime = uptime
	}
	r := &Runner{
		log: o.Log, taking: o.Taking, clock: newClock(o.Opener), host: o.Host, notifier: o.Notifier, observes: o.Observe, uptime: o.Uptime, pacer: newPacer(o.Host, o.Log),
		stopped: make(chan struct{}),
		members: make(map[string]*member), links: make(map[string]LinkChanged),
		sockets: make(map[Socket]*socket), observers: make(map[Object]*watched),
	}
	r.memory, r.news = r.relive, r.told
	r.waiter = newPoller(&r.posts)
	if o.Opener != nil {
		r.waiter = newSleeper(o.Opener)
	}
	return r
}

// Run runs the loop until ctx ends. Then every instance says farewell: Run
// returns when the adverts of priority 0 are sent, the addresses released and
// the STOP notifications handed over.
func (r *Runner) Run(ctx context.Context) (err error) {
	defer close(r.stopped)
	if err := r.waiter.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.waiter.close()) }()
	defer context.AfterFunc(ctx, r.waiter.wake)()
	r.journal = newQueue()
	for err == nil && ctx.Err() == nil {
		err = r.turn()
	}
	r.shutdown()
	return err
}

// Owns reports whether the runner has a thread to itself, by its id: the
// scheduling of that is nobody else's business.
func (r *Runner) Owns(thread int) bool { return r.waiter.owns(thread) }

// turn is one turn of the loop. What came before a deadline that is served late
// counts: a backup that was not running must not mistake that for a silent
// master. Therefore the time up to which deadlines are served is taken first,
// and what has arrived until then is heard before them.
func (r *Runner) turn() error {
	now := time.Now()
	until := r.until(now)
	r.doze(now)
	r.aim(until)
	if err := r.waiter.wait(until, &r.volley); err != nil {
		return err
	}
	if last := latest(r.waiter.recall(r.memory), r.waiter.relate(r.news)); !last.IsZero() {
		until = r.until(last)
	}
	now = time.Now()
	if r.volley.fired { // nothing had arrived then
		r.stepAt(r.volley.at, r.volley.group, TimerFired{})
		r.volley.fired = false
	} else if !until.After(now) {
		if err := r.waiter.look(); err != nil {
			return err
		}
		if raised := r.waiter.late(now.Sub(until)); raised != "" {
			r.write(zap.InfoLevel, raised)
		}
	}
	r.posts.do()
	r.fire(now)
	return nil
}

// post lets the loop do something. It does not wait.
func (r *Runner) post(x *post) {
	r.posts.add(x)
	r.waiter.wake()
}

// write adds a line to the log. The loop itself never waits for the log.
func (r *Runner) write(level zapcore.Level, text string, fields ...zap.Field) {
	r.journal.push(func() { r.log.Log(level, text, fields...) })
}

// fire serves the deadlines that have passed.
func (r *Runner) fire(now time.Time) {
	if r.frozen {
		return
	}
	if f := r.freezing; f != nil && !f.at.After(now) {
		r.waiter.relate(r.news)
		r.serve(f.at.Add(-1))
		f.do(now)
		return
	}
	r.serve(now)
	if !r.retry.IsZero() && !r.retry.After(now) {
		r.reopen()
	}
	r.fireDelays(now)
}

// serve serves the deadlines that have passed at a moment, no group more often
// than there are groups: one whose deadline does not move must not keep the
// others out.
func (r *Runner) serve(now time.Time) {
	for range r.groups.Len() {
		g := r.groups.first()
		if g.deadline.IsZero() || g.deadline.After(now) {
			break
		}
		r.stepAt(now, g, TimerFired{})
	}
}

// until is when the loop must be awake again.
func (r *Runner) until(now time.Time) time.Time {
	until := r.aside(now)
	if r.frozen {
		return until
	}
	if g := r.groups.first(); g != nil && !g.deadline.IsZero() && g.deadline.Before(until) {
		until = g.deadline
	}
	return until
}

// aside is until for what is not about groups.
func (r *Runner) aside(now time.Time) time.Time {
	const long = time.Hour
	until := now.Add(long)
	if r.frozen {
		return until
	}
	if r.freezing != nil {
		until = earliest(until, r.freezing.at)
	}
	if !r.retry.IsZero() && r.retry.Before(until) {
		until = r.retry
	}
	for _, d := range r.delays {
		if !d.due.IsZero() && d.due.Before(until) {
			until = d.due
		}
	}
	return until
}

// do runs f on the loop and waits for it.
func (r *Runner) do(f func()) error {
	done := make(chan struct{})
	r.post(&post{run: func() { defer close(done); f() }})
	select {
	case <-done:
		return nil
	case <-r.stopped:
	}
	select {
	case <-done:
		return nil
	default:
		return ErrStopped
	}
}

// Link tells the state of a link, as it is now.
func (r *Runner) Link(l LinkChanged) error {
	if err := r.prepare(func() []Socket { return r.wantedOn(l) }); err != nil {
		return err
	}
	return r.do(func() {
		if d := r.delays[l.Link]; d == nil || d.step(time.Now(), l) {
			r.linkChanged(l)
		}
	})
}

func (r *Runner) linkChanged(l LinkChanged) {
	was, known := r.links[l.Link]
	r.links[l.Link] = l
	if !l.Exists {
		delete(r.links, l.Link)
		r.waiter.abandon() // a socket does not survive its link
	}
	concerned := r.concerned(Object{link, l.Link})
	if len(concerned) == 0 {
		return
	}
	if known && was.Up != l.Up {
		who := "Netlink"
		if l.Polled {
			who = "Linkbeat"
		}
		r.write(zap.InfoLevel, who+" reports "+l.Link+" "+upOrDown(l.Up))
	}
	r.listen()
	for _, g := range concerned {
		r.step(g, r.link(l.Link))
	}
	r.listen() // an instance may have another source now
}

func upOrDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// concerned are the groups to which something tracked, or a link, means anything.
func (r *Runner) concerned(o Object) []*group {
	var found []*group
	for _, g := range r.groups.all {
		if g.concernedBy(o) {
			found = append(found, g)
		}
	}
	return found
}

// link is a link that is known, without the addresses that instances hold:
// those are no source of adverts, not even if a predecessor left them behind.
func (r *Runner) link(name string) LinkChanged {
	l := r.links[name]
	mine := func(a config.Addr) bool { return r.addresses[a] }
	l.Link = name
	l.IPv4 = slices.DeleteFunc(slices.Clone(l.IPv4), mine)
	l.IPv6 = slices.DeleteFunc(slices.Clone(l.IPv6), mine)
	return l
}

// step takes an event to a group and carries out the effects. A panic ends the
// group and nothing else.
func (r *Runner) step(g *group, ev Event) { r.stepAt(time.Now(), g, ev) }

// stepAt reports whether the group has only taken note.
func (r *Runner) stepAt(now time.Time, g *group, ev Event) (quiet bool) {
	if g.failed || r.frozen {
		return false
	}
	before := g.deadline
	defer func() {
		if cause := recover(); cause != nil {
			r.bury(g, cause, debug.Stack())
		}
		if g.deadline != before {
			r.groups.moved(g)
		}
	}()
	effects := g.step(now, ev)
	g.deadline = g.Deadline()
	r.renew(g)
	r.perform(g.queue, effects)
	r.entrustAll(g)
	if _, received := ev.(*Received); received && len(effects) == 0 {
		return true
	}
	r.unfamiliar(g)
	return false
}

// bury takes a group out of the running after a panic: its masters resign, its
// addresses are released, and it is in FAULT until the next reload makes it
// anew. What the group itself says is not trusted any more.
func (r *Runner) bury(g *group, cause any, stack []byte) {
	g.failed, g.deadline = true, time.Time{}
	r.counters.Panics++
	r.write(zap.ErrorLevel, "VRRP group failed", zap.String("group", g.label), zap.Any("panic", cause), zap.ByteString("stack", stack))
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		m := r.members[name]
		if m.group != g {
			continue
		}
		r.withdraw(m)
		if farewell := m.last; farewell.Instance != "" && farewell.Advert.Priority != 0 {
			farewell.Advert.Priority = 0
			if farewell.Sequence > 0 {
				farewell.Sequence++ // or peers take it for a copy
			}
			r.send(farewell)
		}
		r.perform(g.queue, []Effect{
			Claim{Instance: name},
			Log{Warn: true, Text: "(" + name + ") Entering FAULT STATE", Instance: name, State: config.Fault},
			Became{Name: name, State: config.Fault},
		})
	}
	if g.Name() != "" {
		r.perform(g.queue, []Effect{Became{Group: true, Name: g.Name(), State: config.Fault}})
	}
}
