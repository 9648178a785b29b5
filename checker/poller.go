package checker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller holds the connections of probes, thousands at a time with one
// goroutine: that costs half of what a goroutine and a [net.Dialer] for each do.
// Its epoll instance is itself polled by the runtime, so that no thread waits in
// it.
type poller struct {
	epoll  *os.File
	fd     int    // of epoll
	buffer []byte // of the goroutine of run
	mu     sync.Mutex
	flying map[int]*flight // by descriptor; nil once run has ended
	serial int32
}

// flight is a connection that is open. Its end is told once.
type flight struct {
	journey
	poller     *poller
	fd, serial int32 // the serial number is apart from earlier ones with the same descriptor
	done       func(error)
	end        time.Time // by which all has to be over

	mu        sync.Mutex // held while the descriptor is used
	over      bool       // the descriptor is closed
	connected bool
	saying    []byte // what has not been sent yet
	watched   uint32 // the events that are waited for
	timer     *time.Timer
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for the runtime to poll it
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &poller{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, buffer: make([]byte, 64<<10), flying: make(map[int]*flight)}, nil
}

// What is no server's failure.
var (
	errPollerEnded = os.NewSyscallError("epoll_wait", net.ErrClosed)
	errAborted     = os.NewSyscallError("close", net.ErrClosed)
)

// connect makes a connection and closes it again. done is told as by travel.
func (p *poller) connect(d dialer, timeout time.Duration, done func(error)) *flight {
	return p.travel(journey{dialer: d, network: "tcp", step: timeout}, done)
}

// travel makes a connection, talks on it, and closes it. done is told once, by
// any goroutine or before travel returns, how it went: of the connection what
// [dialer.dial] would have said. It must not block. The flight is nil when it has
// ended.
func (p *poller) travel(j journey, done func(error)) *flight {
	fd, err := j.socket()
	if err != nil {
		done(err)
		return nil
	}
	err = j.connect(fd, j.version())
	connected := err == nil && j.talk != nil // at once, as with datagrams
	if connected || errors.Is(err, unix.EINPROGRESS) {
		return p.takeOff(j, fd, connected, done)
	}
	_ = unix.Close(fd)
	done(err)
	return nil
}

// takeOff has what happens to a socket told to its flight.
func (p *poller) takeOff(j journey, fd int, connected bool, done func(error)) *flight {
	a := &flight{journey: j, poller: p, fd: int32(fd), done: done, end: j.limit(), connected: connected, watched: unix.EPOLLOUT}
	if connected {
		a.watched = unix.EPOLLIN
	}
	a.mu.Lock()
	err := p.await(a)
	landed := err != nil
	switch {
	case landed:
		_ = unix.Close(fd)
	case connected:
		if landed, err = p.begin(a); landed {
			p.land(a)
		}
	}
	a.mu.Unlock()
	if landed {
		done(err)
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
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(a.fd), &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	p.flying[int(a.fd)] = a
	a.timer = time.AfterFunc(a.step, func() { p.late(a) })
	return nil
}

func (a *flight) interest() unix.EpollEvent {
	return unix.EpollEvent{Events: a.watched, Fd: a.fd, Pad: a.serial}
}

// run waits for sockets until ctx ends, and then ends all flights.
func (p *poller) run(ctx context.Context) error {
	defer p.close()
	defer endWith(ctx, p.epoll)()
	conn, err := p.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("poll connections: %w", err)
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := p.wait(conn, events)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("poll connections: %w", err)
		}
		for _, e := range events[:n] {
			p.event(e)
		}
	}
}

// wait is epoll_wait, with the goroutine parked as in any other read.
func (p *poller) wait(conn syscall.RawConn, events []unix.EpollEvent) (n int, err error) {
	park := conn.Read(func(fd uintptr) bool {
		n, err = unix.EpollWait(int(fd), events, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	return max(n, 0), errors.Join(park, err)
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
	landed, err := p.proceed(a)
	if landed {
		p.land(a)
	}
	a.mu.Unlock()
	if landed {
		a.done(err)
	}
}

// land closes a flight. Its lock is held; who has landed it tells its end.
func (p *poller) land(a *flight) {
	a.over = true
	a.timer.Stop()
	p.mu.Lock()
	delete(p.flying, int(a.fd))
	p.mu.Unlock()
	_ = unix.Close(int(a.fd))
}

// late ends a flight whose time is over.
func (p *poller) late(a *flight) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	err := a.overdue()
	p.land(a)
	a.mu.Unlock()
	a.done(err)
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
		a.done(why)
	}
}

func (p *poller) close() {
	p.mu.Lock()
	flying := p.flying
	p.flying = nil
	p.mu.Unlock()
	for _, a := range flying {
		a.abort(errPollerEnded)
	}
	p.epoll.Close()
}
