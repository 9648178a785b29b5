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
// Go code: tens of milliseconds where a reload or a collection of garbage meets a
// machine that is starved of processor. So long the habits are not its own: a
// stand-in has them, another thread, which never runs Go code, and sends what is
// due meanwhile. The machines are told of that as of what was sent in a wait. What
// has woken the loop comes later then, as if it had waited in a socket.
type standIn struct {
	d      *doze
	timer  int
	whose  atomic.Uint32
	ending atomic.Bool
	ended  chan struct{}
	thread realtime.Thread

	clock   unix.Timespec
	setting unix.ItimerSpec
	count   uint64
}

// Whose the habits are.
const (
	theLoops  = iota
	lent      // to the stand-in
	beingUsed // by it
)

// grace is how late an advert is when the stand-in sends the first one: mostly
// the loop is there again by then.
const grace = int64(time.Millisecond)

func (s *standIn) open(d *doze) (err error) {
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	s.d, s.ended = d, make(chan struct{})
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
	s.set(1)
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
		if s.whose.CompareAndSwap(lent, beingUsed) {
			if s.send(true) {
				s.set(s.d.next())
			}
			s.whose.Store(lent)
		}
	}
	exitsyscall()
}

// send sends what is due, and reports whether that was all that was. The loop does
// that, too, but for what is late.
//
//go:norace
//go:nosplit
func (s *standIn) send(alone bool) bool {
	if s.d.count == 0 || s.d.rounds == mostRounds {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&s.clock)), 0)
	if errno != 0 {
		return false
	}
	s.d.send(s.clock.Sec*1e9+s.clock.Nsec, alone)
	return s.d.more
}

// set sets the timer, to ns of CLOCK_MONOTONIC; 0 stops it.
//
//go:norace
//go:nosplit
func (s *standIn) set(at int64) {
	s.setting.Value.Sec, s.setting.Value.Nsec = at/1e9, at%1e9
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(s.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&s.setting)), 0, 0, 0)
}

// lend gives the habits away, if there are adverts among them.
//
//go:norace
//go:nosplit
func (s *standIn) lend() {
	next := s.d.nextAdvert()
	if next == 0 {
		return
	}
	s.whose.Store(lent)
	s.set(next + grace)
}

// takeBack is the reverse.
//
//go:norace
func (s *standIn) takeBack() {
	if s.whose.Load() == theLoops {
		return
	}
	for !s.whose.CompareAndSwap(lent, theLoops) {
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	s.set(0)
}

// configure lets it run as the loop does, whose errors say what cannot be had.
func (s *standIn) configure(settings realtime.Settings) { _ = s.thread.Configure(settings) }
