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

// poller connects sockets, thousands at a time with one goroutine: that costs
// half of what a goroutine and a [net.Dialer] for each do. Its epoll instance
// is itself polled by the runtime, so that no thread waits in it.
type poller struct {
	epoll  *os.File
	fd     int // of epoll
	mu     sync.Mutex
	flying map[int]*flight // by descriptor; nil once run has ended
	serial int32
}

// flight is a connection that is being made. Who takes it out of
// poller.flying closes it and says how it ended.
type flight struct {
	serial int32 // apart from earlier ones with the same descriptor
	timer  *time.Timer
	done   func(error)
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
	return &poller{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, flying: make(map[int]*flight)}, nil
}

// errPollerEnded is no server's failure.
var errPollerEnded = os.NewSyscallError("epoll_wait", net.ErrClosed)

// connect makes a connection and closes it again. done is told once, by any
// goroutine or before connect returns, what [dialer.dial] would have said. It
// must not block.
func (p *poller) connect(d dialer, timeout time.Duration, done func(error)) {
	family, network := unix.AF_INET, "tcp4"
	if d.target.Addr().Is6() {
		family, network = unix.AF_INET6, "tcp6"
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		done(os.NewSyscallError("socket", err))
		return
	}
	err = d.connect(fd, network)
	if errors.Is(err, unix.EINPROGRESS) {
		if err = p.await(fd, timeout, done); err == nil {
			return
		}
	}
	_ = unix.Close(fd)
	done(err)
}

// await has done told when a socket is connected.
func (p *poller) await(fd int, timeout time.Duration, done func(error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flying == nil {
		return errPollerEnded
	}
	p.serial++
	a := &flight{serial: p.serial, done: done}
	event := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLONESHOT, Fd: int32(fd), Pad: a.serial}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	p.flying[fd] = a
	a.timer = time.AfterFunc(timeout, func() { p.end(fd, a.serial, context.DeadlineExceeded) })
	return nil
}

// run waits for sockets until ctx ends, and then ends all attempts.
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
			p.end(int(e.Fd), e.Pad, nil)
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

// end ends an attempt, if it is still flying: with err, or with what the
// socket says.
func (p *poller) end(fd int, serial int32, err error) {
	p.mu.Lock()
	a := p.flying[fd]
	if a == nil || a.serial != serial {
		p.mu.Unlock()
		return
	}
	delete(p.flying, fd)
	p.mu.Unlock()
	a.timer.Stop()
	if err == nil {
		err = connected(fd)
	}
	_ = unix.Close(fd)
	a.done(err)
}

// connected is how a connection attempt has ended, connect(2).
func connected(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case errno != 0:
		return os.NewSyscallError("connect", syscall.Errno(errno))
	}
	return nil
}

func (p *poller) close() {
	p.mu.Lock()
	flying := p.flying
	p.flying = nil
	p.mu.Unlock()
	for fd, a := range flying {
		a.timer.Stop()
		_ = unix.Close(fd)
		a.done(errPollerEnded)
	}
	p.epoll.Close()
}
