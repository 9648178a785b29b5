package bfd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/realtime"
)

// Options are what a [Runner] needs.
type Options struct {
	Log *zap.Logger
	// Rand makes discriminators, jitter and source ports; the Runner alone
	// uses it.
	Rand *rand.Rand
}

// ErrStopped is the answer of a Runner whose Run has returned.
var ErrStopped = errors.New("the BFD runner has stopped")

// Runner runs the sessions of a configuration. One loop, in [Runner.Run], owns
// them: the other methods ask the loop, so that they must not be called before
// Run.
type Runner struct {
	log     *zap.Logger
	random  *rand.Rand
	calls   chan func()
	waiter  waiter
	thread  realtime.Thread
	begun   chan struct{} // closed when the loop can be woken
	stopped chan struct{} // closed when Run has ended

	// What follows belongs to the loop.
	sessions  map[string]*session
	listeners map[listener]*ear
	followers map[string][]*follower
	retry     time.Time // when to open sockets again that could not be opened
	discarded uint64
	taking    *Taking // at the first Apply; nil: there are no sessions of a predecessor
}

// session is a [Session] with what the shell keeps about it.
type session struct {
	*Session
	cfg     config.BFDInstance
	my      uint32
	conn    *net.UDPConn // nil: could not be opened
	port    int          // that it had for a predecessor; 0: none
	failure string       // of the socket, which the log has been told
	up      bool         // which those who follow it have been told
}

// follower wants to know of a session. The loop leaves what it has to tell and
// goes on.
type follower struct {
	mu    sync.Mutex
	told  []bool
	woken chan struct{} // holds one token
}

func (f *follower) tell(up bool) {
	f.mu.Lock()
	f.told = append(f.told, up)
	f.mu.Unlock()
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

func (f *follower) take() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := f.told
	f.told = nil
	return told
}

// reopenAfter is the pause before a socket that could not be opened is tried
// again.
const reopenAfter = time.Second

// New makes a runner; nothing runs before [Runner.Run].
func New(o Options) *Runner {
	return &Runner{
		log: o.Log, random: o.Rand, calls: make(chan func(), 1), thread: realtime.Thread{Name: "BFD"},
		begun: make(chan struct{}), stopped: make(chan struct{}),
		sessions: make(map[string]*session), listeners: make(map[listener]*ear), followers: make(map[string][]*follower),
	}
}

// Run runs the loop until ctx ends; then every neighbor is told that the
// session is administratively down. The loop has a thread to itself.
func (r *Runner) Run(ctx context.Context) (err error) {
	defer close(r.stopped)
	if err := r.waiter.open(); err != nil {
		return err
	}
	defer r.waiter.close()
	close(r.begun)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.thread.Begin()
	defer r.thread.End()
	defer context.AfterFunc(ctx, r.waiter.wake)()
	for err == nil && ctx.Err() == nil {
		err = r.turn()
	}
	for _, s := range r.sessions {
		r.end(s)
	}
	for _, e := range r.listeners {
		_ = e.conn.Close() // the descriptor is gone in any case
	}
	return err
}

// turn is one turn of the loop.
func (r *Runner) turn() error {
	now := time.Now()
	until := r.until(now)
	r.thread.Pause()
	if err := r.waiter.wait(until.Sub(now), r.listeners); err != nil {
		return err
	}
	// What came before a deadline that is served late counts.
	r.hear()
	select {
	case call := <-r.calls:
		call()
	default:
	}
	now = time.Now()
	if raised := r.thread.Raise(now.Sub(until)); raised != "" {
		r.log.Info(raised)
	}
	r.fire(now)
	return nil
}

// hear takes what has arrived.
func (r *Runner) hear() {
	for l, e := range r.listeners {
		for range most {
			a, err := e.read(l)
			if err != nil {
				break // there is nothing, or what has happened to a datagram
			}
			r.receive(a)
		}
	}
}

func (r *Runner) fire(now time.Time) {
	for _, s := range r.sessions {
		if passed(s.Deadline(), now) {
			r.perform(s, s.Step(now, TimerFired{}))
		}
	}
	if passed(r.retry, now) {
		r.open()
	}
}

// until is when the loop must be awake again.
func (r *Runner) until(now time.Time) time.Time {
	const long = time.Hour
	until := now.Add(long)
	for _, s := range r.sessions {
		if d := s.Deadline(); !d.IsZero() && d.Before(until) {
			until = d
		}
	}
	if !r.retry.IsZero() && r.retry.Before(until) {
		until = r.retry
	}
	return until
}

// do runs f on the loop and waits for it.
func (r *Runner) do(f func()) error {
	select {
	case <-r.begun:
	case <-r.stopped:
		return ErrStopped
	}
	done := make(chan struct{})
	select {
	case r.calls <- func() { defer close(done); f() }:
	case <-r.stopped:
		return ErrStopped
	}
	r.waiter.wake()
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

// Apply makes these the sessions, at start and at every reload. One with the
// name and the addresses of a running one keeps its state; changed intervals
// are agreed upon with a poll. The thread runs as g says.
func (r *Runner) Apply(instances []config.BFDInstance, g *config.GlobalProcess) error {
	return r.do(func() {
		for _, err := range r.thread.Configure(realtime.BFD(g, len(instances) > 0)) {
			r.log.Warn(err.Error())
		}
		r.apply(instances)
	})
}

// Owns reports whether the runner has a thread to itself, by its id: the
// scheduling of that is nobody else's business.
func (r *Runner) Owns(thread int) bool { return thread == r.thread.ID() }

func (r *Runner) apply(instances []config.BFDInstance) {
	now := time.Now()
	keep := make(map[string]bool, len(instances))
	for _, cfg := range instances {
		keep[cfg.Name] = true
		was := r.sessions[cfg.Name]
		switch {
		case was == nil:
			r.begin(cfg, now)
		case !sameNeighbor(&was.cfg, &cfg):
			r.end(was)
			r.begin(cfg, now)
			if was.up {
				r.tell(cfg.Name, false)
			}
		default:
			was.cfg = cfg
			r.perform(was, was.Step(now, Reconfigured{cfg}))
		}
	}
	for name, s := range r.sessions {
		if !keep[name] {
			r.end(s)
			delete(r.sessions, name)
		}
	}
	r.taking = nil
	r.open()
}

// sameNeighbor reports that two configurations speak with the same neighbor
// over the same socket.
func sameNeighbor(a, b *config.BFDInstance) bool {
	return a.NeighborIP == b.NeighborIP && a.SourceIP == b.SourceIP && a.Multihop == b.Multihop && a.HopLimit() == b.HopLimit()
}

func (r *Runner) begin(cfg config.BFDInstance, now time.Time) {
	my := r.discriminator()
	s := &session{Session: NewSession(cfg, my, r.random, now), cfg: cfg, my: my}
	if was := r.expected(&cfg); was != nil {
		s.takeOver(was, r.taking.At, now)
		s.my, s.port, s.up = was.My, was.Port, was.State == wire.Up
	}
	r.sessions[cfg.Name] = s
}

// discriminator is a number that no session has.
func (r *Runner) discriminator() uint32 {
	for {
		n := r.random.Uint32()
		used := func(s *session) bool { return s.my == n }
		if n != 0 && !slices.ContainsFunc(slices.Collect(maps.Values(r.sessions)), used) {
			return n
		}
	}
}

func (r *Runner) end(s *session) {
	r.perform(s, s.Step(time.Now(), Shutdown{}))
	if s.conn != nil {
		_ = s.conn.Close() // the descriptor is gone in any case
	}
}

// open opens the sockets that are missing and closes those that nobody needs.
func (r *Runner) open() {
	r.retry = time.Time{}
	want := make(map[listener]bool)
	for _, s := range r.sessions {
		l := listener{ipv6: s.cfg.NeighborIP.Is6(), multihop: s.cfg.Multihop}
		want[l] = true
		err := r.listen(l)
		if s.conn == nil && err == nil {
			s.conn, err = dial(&s.cfg, s.port, r.random)
		}
		if err != nil {
			r.retry = time.Now().Add(reopenAfter)
		}
		s.complain(r.log, err)
	}
	for l, e := range r.listeners {
		if !want[l] {
			_ = e.conn.Close() // the descriptor is gone in any case
			delete(r.listeners, l)
		}
	}
}

func (r *Runner) listen(l listener) error {
	if r.listeners[l] != nil {
		return nil
	}
	e, err := listen(l)
	if err == nil {
		r.listeners[l] = e
	}
	return err
}

// complain tells the log that the socket does not work, and that it works
// again, once.
func (s *session) complain(log *zap.Logger, err error) {
	switch {
	case err == nil && s.failure != "":
		log.Info(fmt.Sprintf("(%s) the socket works again", s.cfg.Name))
		s.failure = ""
	case err != nil && s.failure != err.Error():
		log.Error(fmt.Sprintf("(%s) socket: %v", s.cfg.Name, err))
		s.failure = err.Error()
	}
}

// receive takes a datagram to its session: the one that it names, or that of
// its sender, RFC 5880 section 6.8.6. What does not belong to one is counted
// and dropped.
func (r *Runner) receive(a arrival) {
	p, err := wire.Parse(a.payload)
	if err != nil {
		r.discarded++
		return
	}
	for _, s := range r.sessions {
		if s.cfg.NeighborIP == a.src && s.cfg.Multihop == a.listener.multihop && (p.Your == 0 || p.Your == s.my) {
			if !s.near(a.ttl) {
				break
			}
			r.perform(s, s.Step(time.Now(), Received{p}))
			return
		}
	}
	r.discarded++
}

// near is the check of RFC 5881 section 5: the packet has not come over more
// routers than max_hops.
func (s *session) near(ttl int) bool {
	return s.cfg.MaxHops < 0 || ttl+s.cfg.MaxHops >= int(s.cfg.HopLimit())
}

// perform carries out effects.
func (r *Runner) perform(s *session, effects []Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			r.send(s, e.Packet)
		case Polling:
			r.log.Debug(fmt.Sprintf("(%s) Starting poll sequence", s.cfg.Name))
		case Became:
			text := fmt.Sprintf("(%s) Entering %s state", s.cfg.Name, e.State)
			if e.State == wire.Down {
				text += fmt.Sprintf(" (Local diagnostic - %s, Remote diagnostic - %s)", e.Local, e.Remote)
			}
			r.log.Info(text)
			if up := e.State == wire.Up; up != s.up && e.State != wire.AdminDown {
				s.up = up
				r.tell(s.cfg.Name, up)
			}
		}
	}
}

// send sends a packet. That nobody listens yet is no failure.
func (r *Runner) send(s *session, p wire.Packet) {
	if s.conn == nil {
		return
	}
	var buf [wire.Length]byte
	_, err := s.conn.Write(p.Append(buf[:0]))
	if refused(err) {
		err = nil
	}
	s.complain(r.log, err)
}

// tell tells those who follow a session.
func (r *Runner) tell(name string, up bool) {
	for _, f := range r.followers[name] {
		f.tell(up)
	}
}

// Follow reports whether a session is up, at once and at every change, until
// ctx ends. One that is not configured is down.
func (r *Runner) Follow(ctx context.Context, name string, report func(up bool)) {
	f := &follower{woken: make(chan struct{}, 1)}
	err := r.do(func() {
		r.followers[name] = append(r.followers[name], f)
		s := r.sessions[name]
		f.tell(s != nil && s.State() == wire.Up)
	})
	for err == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-f.woken:
			for _, up := range f.take() {
				report(up)
			}
		}
	}
	_ = r.do(func() { // once the runner has stopped nobody is told anything
		r.followers[name] = slices.DeleteFunc(r.followers[name], func(other *follower) bool { return other == f })
	})
}

// Snapshot is the status of every session, by name.
func (r *Runner) Snapshot() ([]Status, error) {
	var all []Status
	err := r.do(func() {
		for _, name := range slices.Sorted(maps.Keys(r.sessions)) {
			all = append(all, r.sessions[name].status())
		}
	})
	return all, err
}
