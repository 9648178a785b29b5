package vrrp

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime takes its permission to run Go code from a thread that has waited
// in a system call for 10 ms, and on a machine that is starved of processor, or
// while the world is stopped, it can take as long to get it back. Therefore,
// where milliseconds count, a wait ends early, and begins again for a time that
// is too short to lose it.
//
// Until it takes the permission the runtime looks sixty times whether it should,
// which costs many times what an advert does. And a thread that wakes up while it
// looks waits for the runtime's own thread, without sleeping: where that one cannot
// run meanwhile, as on a machine of one processor, until the kernel ends that (RT
// throttling), a second later. Therefore a wait gives it back at once, but for short
// ones, in a flood, which it would make dearer, and where adverts are so frequent
// that those of others must be heard within milliseconds.
const early, shortly = 7 * time.Millisecond, 9 * time.Millisecond

// The shortest intervals of adverts that do without: with a second between them
// none of that matters, three of 100 ms are longer than any delay of the runtime.
const (
	punctual = 300 * time.Millisecond // no wait ends early
	hearing  = 100 * time.Millisecond // long ones give the permission back
)

// slumber tells how to wait.
type slumber struct {
	shortest time.Duration // interval
	last     time.Time     // when the last wait began
	rested   time.Time     // when a socket was last put to rest: there is a flood
}

// plan makes of the time of a deadline the end of a wait, and tells whether
// that one gives the permission back. Adverts that leave by themselves need no
// wait that ends early, and habits none that is short.
func (s *slumber) plan(now, deadline time.Time, loaded, habits bool) (until time.Time, freely bool) {
	far := deadline.Sub(now) > shortly
	seldom := now.Sub(s.last) > shortly
	calm := now.Sub(s.rested) > shortly
	s.last = now
	if habits && far && (seldom || loaded) {
		return deadline, seldom || calm && s.shortest >= hearing
	}
	if far && s.shortest < punctual && !(loaded && s.shortest >= hearing) {
		deadline = deadline.Add(-early)
	}
	return deadline, far && s.shortest >= hearing && (seldom || calm)
}

// What package syscall does before and after a system call, and before one that
// is known to take long. gVisor waits for packets in this way, and for its sake
// these names of the runtime stay (go.dev/issue/67401).
//
//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// sleep is epoll_wait(2) without an end. If nothing but the timer has ended it,
// the volley is fired at once, and the orders are followed. The stack must not grow
// between the two calls.
//
//go:norace
//go:nosplit
func sleep(epoll, timer int, events *[64]unix.EpollEvent, v *volley, s *standIn, freely bool) (int, syscall.Errno) {
	if freely {
		entersyscallblock()
	} else {
		entersyscall()
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(events)), uintptr(len(events)), ^uintptr(0), 0, 0)
	timely := errno == 0 && n == 1 && events[0].Fd == int32(timer)
	if timely && v.n > 0 {
		v.fire()
	}
	s.orders.take()
	now := s.orders.now()
	if timely {
		s.orders.send(now, false)
	}
	s.lend(now)
	s.orders.free()
	exitsyscall()
	return int(n), errno
}
