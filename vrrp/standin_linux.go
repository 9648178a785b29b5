package vrrp

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/internal/realtime"
)

// A thread that something has woken may have to wait for the permission to run
// Go code, and one that runs Go code may lose it: tens of milliseconds where a
// reload or a collection of garbage meets a machine that is starved of processor.
// Therefore there is a stand-in, another thread, which never runs Go code, and
// follows the orders when the loop is late. The machines are told of that as of
// what the loop's own thread has sent. What has woken the loop comes later then, as
// if it had waited in a socket.
type standIn struct {
	orders *orders
	timer  int
	armed  int64 // when it looks next; 0: not. Of who holds the orders
	ending atomic.Bool
	ended  chan struct{}
	thread realtime.Thread

	setting unix.ItimerSpec
	count   uint64
}

// grace is how late an advert is when the stand-in sends the first one: mostly
// the loop is there again by then.
const grace = int64(time.Millisecond)

// ahead is how soon something must be due for the stand-in to look at it: nothing
// keeps the loop for longer.
const ahead = int64(time.Second)

func (s *standIn) open(o *orders) (err error) {
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	s.orders, s.ended = o, make(chan struct{})
	s.ending.Store(false)
	begun := make(chan struct{})
	go func() {
		defer close(s.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		s.thread.Begin()
		defer s.thread.End()
		close(begun)
		s.watch()
	}()
	<-begun
	return nil
}

func (s *standIn) close() error {
	s.ending.Store(true)
	s.orders.hold() // nobody sets it to something else
	s.set(1, unix.TFD_TIMER_ABSTIME)
	s.orders.release()
	<-s.ended
	return unix.Close(s.timer)
}

// watch waits for adverts that nobody has sent.
//
//go:norace
//go:nosplit
func (s *standIn) watch() {
	entersyscallblock()
	for !s.ending.Load() {
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(s.timer), uintptr(unsafe.Pointer(&s.count)), unsafe.Sizeof(s.count))
		if s.orders.try() {
			s.look()
			s.orders.free()
		} else {
			s.set(int64(grace), 0) // the loop has them, and may have been stopped
		}
	}
	exitsyscall()
}

// look sends what is late, and all that comes later when it is due.
//
//go:norace
//go:nosplit
func (s *standIn) look() {
	s.armed = 0
	now := s.orders.now()
	switch next := s.orders.next(); {
	case now == 0 || next == never:
	case next > now: // the loop has sent what the timer was set for
		s.arm(next + grace)
	case s.orders.send(now, true):
		s.arm(s.orders.next())
	}
}

// arm sets the timer.
//
//go:norace
//go:nosplit
func (s *standIn) arm(at int64) {
	s.armed = at
	s.set(at, unix.TFD_TIMER_ABSTIME)
}

//go:norace
//go:nosplit
func (s *standIn) set(at int64, flags uintptr) {
	s.setting.Value.Sec, s.setting.Value.Nsec = at/1e9, at%1e9
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(s.timer), flags, uintptr(unsafe.Pointer(&s.setting)), 0, 0, 0)
}

// lend is called when the loop is about to run Go code, by who holds the orders.
//
//go:norace
//go:nosplit
func (s *standIn) lend(now int64) {
	next := s.orders.next()
	if at := max(next, now) + grace; next < now+ahead && at != s.armed {
		s.arm(at)
	}
}

// soon is called when an order has another time, by who holds the orders.
func (s *standIn) soon(due int64) {
	if s.armed != 0 && due+grace < s.armed {
		s.arm(due + grace)
	}
}

// leave is for the long waits, in which nobody is late.
func (s *standIn) leave() {
	s.orders.hold()
	defer s.orders.release()
	if s.armed != 0 {
		s.armed = 0
		s.set(0, 0)
	}
}

// configure lets it run as the loop does, whose errors say what cannot be had.
func (s *standIn) configure(settings realtime.Settings) { _ = s.thread.Configure(settings) }
