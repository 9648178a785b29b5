package vrrp

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A socket that has something to say again and again is asked once in a while
// only: a flood costs what its datagrams cost, not a wake-up for each of them,
// and waits in the kernel's buffer. Deadlines are served with what is there, at
// rest or not.

// rest is how long a socket is left alone.
const rest = time.Millisecond

// A socket may wake the loop so many times a millisecond, and so many times
// more once.
const (
	beats = 4
	burst = 32
)

// pulse counts how often a socket has something to say.
type pulse struct {
	spare int
	since time.Time
}

// fast reports whether a beat is one too many.
func (p *pulse) fast(now time.Time) bool {
	if passed := now.Sub(p.since) / time.Millisecond; passed > 0 {
		p.spare = int(min(burst, time.Duration(p.spare)+passed*beats))
		p.since = now
	}
	if p.spare == 0 {
		p.since = now.Add(rest) // of which nothing is earned
		return true
	}
	p.spare--
	return false
}

// rest lets a socket be for a while.
func (w *watch) rest() {
	p := w.poller
	if !w.until.IsZero() || p.control(unix.EPOLL_CTL_MOD, w.rx, 0) != nil {
		return
	}
	p.slumber.rested = time.Now()
	w.until = p.slumber.rested.Add(rest)
	p.resting = append(p.resting, w)
}

// awaken lets sockets speak again that have rested enough.
func (p *poller) awaken() {
	if len(p.resting) == 0 {
		return
	}
	now := time.Now()
	for len(p.resting) > 0 && passed(p.resting[0].until, now) {
		w := p.resting[0]
		p.wakeUp(w)
		_ = p.control(unix.EPOLL_CTL_MOD, w.rx, unix.EPOLLIN) // it is watched
	}
}

// wakeUp takes a socket from those that rest.
func (p *poller) wakeUp(w *watch) {
	w.until = time.Time{}
	if i := slices.Index(p.resting, w); i >= 0 {
		p.resting = slices.Delete(p.resting, i, i+1)
	}
}
