package checker

import (
	"container/heap"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turns is how often in a row one connection is read, so that a server that
// floods does not delay the others.
const turns = 4

// proceed takes a step, and tells whether the flight has come to its end, and
// how. A panic is its end. The lock of the flight is held.
func (p *poller) proceed(a *flight, step func(*flight) (bool, error)) (landed bool, err error) {
	defer caught(&landed, &err)
	return step(a)
}

// told tells how a flight has ended.
func (a *flight) told(err error) {
	if a.slow {
		go func() { a.done(judged(a.judge, err)) }()
		return
	}
	a.done(judged(a.judge, err))
}

// ready does what a socket is ready for.
func (p *poller) ready(a *flight) (landed bool, err error) {
	if !a.connected {
		if err := connected(int(a.fd)); err != nil || a.talk == nil {
			return true, err
		}
		a.connected = true
		p.expect(a)
		return p.open(a)
	}
	if len(a.saying) > 0 {
		return p.say(a, a.saying)
	}
	return p.listen(a)
}

// open begins to talk.
func (p *poller) open(a *flight) (landed bool, err error) { return p.say(a, a.talk.begin()) }

// silent ends a talk that has run out of time.
func (p *poller) silent(a *flight) (landed bool, err error) {
	_, _, err = a.talk.hear(nil, a.late(a.end))
	return true, err
}

// say sends what the socket takes, and waits for what comes back, or until it
// takes more.
func (p *poller) say(a *flight, text []byte) (landed bool, err error) {
	if len(text) > 0 {
		n, err := unix.Write(int(a.fd), text)
		if err != nil && !again(err) {
			_, _, err = a.talk.hear(nil, os.NewSyscallError("write", err))
			return true, err
		}
		text = text[max(n, 0):]
	}
	a.saying = text
	if len(text) > 0 {
		return p.watch(a, unix.EPOLLOUT)
	}
	return p.watch(a, unix.EPOLLIN)
}

// watch waits for events of a flight, and for no others.
func (p *poller) watch(a *flight, events uint32) (landed bool, err error) {
	if a.watched == events {
		return false, nil
	}
	a.watched = events
	e := a.interest()
	err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, int(a.fd), &e))
	return err != nil, err
}

// listen hears what has come.
func (p *poller) listen(a *flight) (landed bool, err error) {
	for range turns {
		n, err := unix.Read(int(a.fd), p.buffer)
		switch {
		case again(err):
			return false, nil
		case err != nil:
			_, _, err = a.talk.hear(nil, os.NewSyscallError("read", err))
			return true, err
		case n == 0 && a.network == "tcp":
			_, _, err = a.talk.hear(nil, io.EOF)
			return true, err
		}
		say, over, err := a.talk.hear(p.buffer[:n], nil)
		if over || err != nil {
			return true, err
		}
		if a.pieces || len(say) > 0 {
			p.expect(a)
		}
		if len(say) > 0 {
			return p.say(a, say)
		}
	}
	return false, nil // what is left brings another event
}

// expect gives the server the time of one more step.
func (p *poller) expect(a *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.limit = time.Now().Add(a.step); a.end.Before(a.limit) {
		a.limit = a.end
	}
	if a.place >= 0 {
		heap.Fix(&p.limits, int(a.place))
	}
}

func again(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) }

// connected is how a connection attempt has ended, connect(2).
func connected(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case errno != 0:
		return os.NewSyscallError("connect", unix.Errno(errno))
	}
	return nil
}
