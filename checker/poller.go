package checker

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// poller holds the connections of probes, thousands at a time. One goroutine
// waits for all of them, and brings each on as far as it goes: that costs half
// of what a goroutine and a [net.Dialer] for each do.
type poller struct {
	epoll, bell int    // bell is an event that ends a wait
	buffer      []byte // of the goroutine that waits
	events      [256]unix.EpollEvent

	mu      sync.Mutex
	flying  map[int]*flight // by descriptor; nil once it is closed
	limits  limits
	serial  int32
	until   time.Time // when the wait that is under way ends
	waiting bool
}

// flight is a connection that is open. Its end is told once.
type flight struct {
	journey
	poller     *poller
	fd, serial int32 // the serial number is apart from earlier ones with the same descriptor
	place      int32 // among the limits of the poller; -1: none
	judge      func(error) Result
	done       func(Result)
	end        time.Time // by which all has to be over
	limit      time.Time // of this step; the poller's lock guards it

	mu        sync.Mutex // held while the descriptor is used
	over      bool       // the descriptor is closed
	connected bool
	saying    []byte // what has not been sent yet
	watched   uint32 // the events that are waited for
}

func newPoller() (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{epoll: epoll, buffer: make([]byte, 64<<10), flying: make(map[int]*flight)}
	if p.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, p.bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.bell)}); err != nil {
		p.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return p, nil
}

// What is no server's failure.
var (
	errPollerEnded = os.NewSyscallError("epoll_wait", net.ErrClosed)
	errAborted     = os.NewSyscallError("close", net.ErrClosed)
)

// travel makes a connection, talks on it, and closes it. judge is told how it
// went, once: of the connection what [dialer.dial] would have said. What it makes
// of that is told to done, by any goroutine or before travel returns; neither may
// block, but the judge of a journey that has a slow one. The flight is nil when
// it has ended.
func (p *poller) travel(j journey, judge func(error) Result, done func(Result)) *flight {
	a := &flight{journey: j, poller: p, place: -1, judge: judge, done: done}
	fd, err := j.socket()
	if err != nil {
		a.told(err)
		return nil
	}
	a.fd = int32(fd)
	err = j.connect(fd, j.version())
	a.connected = err == nil && j.talk != nil // at once, as with datagrams
	if a.connected || errors.Is(err, unix.EINPROGRESS) {
		return p.takeOff(a)
	}
	_ = unix.Close(fd)
	a.told(err)
	return nil
}

// takeOff has what happens to a socket told to its flight.
func (p *poller) takeOff(a *flight) *flight {
	a.end, a.watched = a.latest(), unix.EPOLLOUT
	if a.connected {
		a.watched = unix.EPOLLIN
	}
	a.mu.Lock()
	err := p.await(a)
	landed := err != nil
	switch {
	case landed:
		_ = unix.Close(int(a.fd))
	case a.connected:
		if landed, err = p.proceed(a, p.open); landed {
			p.land(a)
		}
	}
	a.mu.Unlock()
	if landed {
		a.told(err)
		return nil
	}
	return a
}

// await waits for what happens to a flight. Its lock is held.
func (p *poller) await(a *flight) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flying == nil {
		return errPollerEnded
	}
	p.serial++
	a.serial = p.serial
	event := a.interest()
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, int(a.fd), &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	p.flying[int(a.fd)] = a
	a.limit = time.Now().Add(a.step)
	heap.Push(&p.limits, a)
	p.early(a.limit)
	return nil
}

func (a *flight) interest() unix.EpollEvent {
	return unix.EpollEvent{Events: a.watched, Fd: a.fd, Pad: a.serial}
}

// run is a poller by itself, until ctx ends.
func (p *poller) run(ctx context.Context) error {
	defer p.close()
	defer context.AfterFunc(ctx, p.wake)()
	for ctx.Err() == nil {
		if err := p.wait(time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for sockets until a time, the zero one for ever, or until [poller.wake],
// and brings their flights on. One goroutine waits.
func (p *poller) wait(until time.Time) error {
	n, err := epollWait(p.epoll, p.events[:], p.sleep(until))
	p.mu.Lock()
	p.waiting = false
	p.mu.Unlock()
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll connections: %w", os.NewSyscallError("epoll_wait", err))
	}
	for _, e := range p.events[:max(n, 0)] {
		if int(e.Fd) == p.bell {
			var b [8]byte
			_, _ = unix.Read(p.bell, b[:])
			continue
		}
		p.event(e)
	}
	if n < len(p.events) { // nobody is late who may only have been out of luck
		p.endLate()
	}
	return nil
}

// sleep begins a wait and is how many milliseconds it may take.
func (p *poller) sleep(until time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.limits) > 0 && (until.IsZero() || p.limits[0].limit.Before(until)) {
		until = p.limits[0].limit
	}
	p.until, p.waiting = until, true
	if until.IsZero() {
		return -1
	}
	return int(max(0, time.Until(until)+time.Millisecond-1) / time.Millisecond)
}

// early ends a wait that would end after a time. The lock is held.
func (p *poller) early(at time.Time) {
	if p.waiting && (p.until.IsZero() || at.Before(p.until)) {
		p.ring()
	}
}

// wake ends the wait that is under way, or the next one.
func (p *poller) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ring()
}

// ring is wake. The lock is held.
func (p *poller) ring() {
	if p.flying != nil {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(p.bell, one[:]) // full, it has been rung
	}
	p.waiting = false
}

// event brings a flight on, if it is still there.
func (p *poller) event(e unix.EpollEvent) {
	p.mu.Lock()
	a := p.flying[int(e.Fd)]
	p.mu.Unlock()
	if a == nil || a.serial != e.Pad {
		return
	}
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	landed, err := p.proceed(a, p.ready)
	if landed {
		p.land(a)
	}
	a.mu.Unlock()
	if landed {
		a.told(err)
	}
}

// land closes a flight. Its lock is held; who has landed it tells its end.
func (p *poller) land(a *flight) {
	a.over = true
	p.mu.Lock()
	delete(p.flying, int(a.fd))
	if a.place >= 0 {
		heap.Remove(&p.limits, int(a.place))
	}
	p.mu.Unlock()
	_ = unix.Close(int(a.fd))
}

// endLate ends the flights whose time is over.
func (p *poller) endLate() {
	for now := time.Now(); ; {
		p.mu.Lock()
		if len(p.limits) == 0 || p.limits[0].limit.After(now) {
			p.mu.Unlock()
			return
		}
		a := heap.Pop(&p.limits).(*flight)
		p.mu.Unlock()
		p.late(a)
	}
}

// late ends a flight whose time is over.
func (p *poller) late(a *flight) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	err := context.DeadlineExceeded
	if a.connected {
		_, err = p.proceed(a, p.silent)
	}
	p.land(a)
	a.mu.Unlock()
	a.told(err)
}

// abort ends a flight at once, if it is still there.
func (a *flight) abort(why error) {
	a.mu.Lock()
	ended := a.over
	if !ended {
		a.poller.land(a)
	}
	a.mu.Unlock()
	if !ended {
		a.told(why)
	}
}

// close ends all flights. Nobody waits any more.
func (p *poller) close() {
	p.mu.Lock()
	flying := p.flying
	p.flying = nil
	p.mu.Unlock()
	if flying == nil {
		return // it is closed
	}
	for _, a := range flying {
		a.abort(errPollerEnded)
	}
	_ = unix.Close(p.bell)
	_ = unix.Close(p.epoll)
}

// limits are flights by the end of their step, the next one in front: a heap.
type limits []*flight

func (l limits) Len() int           { return len(l) }
func (l limits) Less(i, k int) bool { return l[i].limit.Before(l[k].limit) }
func (l limits) Swap(i, k int) {
	l[i], l[k] = l[k], l[i]
	l[i].place, l[k].place = int32(i), int32(k)
}

// Push is for package heap.
func (l *limits) Push(a any) {
	a.(*flight).place = int32(len(*l))
	*l = append(*l, a.(*flight))
}

// Pop is for package heap.
func (l *limits) Pop() any {
	last := len(*l) - 1
	a := (*l)[last]
	(*l)[last] = nil
	*l, a.place = (*l)[:last], -1
	return a
}
