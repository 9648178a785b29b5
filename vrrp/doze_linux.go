package vrrp

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// As long as nothing happens a MASTER sends the advert that it has sent before,
// and a BACKUP hears the one that it has heard before. Nobody needs to be awake
// for that: in a long wait, for which the loop has given back the permission to
// run Go code, the system calls follow each other without it. What has been done
// is told afterwards, round by round, before anything else is. So these adverts
// leave on time also while the world is stopped, and they do not wake the
// runtime's monitor, which would look several times, and put aside a thread that
// it believes to have been running since the advert before.

// doze is a wait in which what is habitual happens. Times are ns of CLOCK_MONOTONIC.
type doze struct {
	possible bool // all that is to come is habitual, until the limit
	limit    int64
	orders   *orders // of the MASTERs
	habits   [mostHabits]habit
	count    int
	happened [mostRounds]round
	rounds   int
	timer    int
	in       *inbox
	more     bool
	setting  unix.ItimerSpec
}

// habit is what a BACKUP hears again and again.
type habit struct {
	due, every int64 // it is MASTER otherwise
	conn       *watch
	copies     *echo
}

// round is a datagram that was heard, with the connection of a habit.
type round struct {
	at    int64
	habit int
}

// echo is a datagram as it was received, to be known again.
type echo struct {
	known           bool
	framed          bool // it begins with the IP header
	from            unix.RawSockaddrInet6
	bytes, controls []byte
}

// capture keeps the datagram that is being handed over.
func (c *rawConn) capture(e *echo) {
	b, controls, from := c.in.at(c.slot)
	e.bytes, e.controls, e.from = append(e.bytes[:0], b...), append(e.controls[:0], controls...), *from
	_, e.framed = c.family.(*ipv4)
	e.known = true
}

// doze forgets the habits of the last wait.
func (p *poller) doze(limit time.Time) {
	d := &p.dozing
	d.possible, d.count, d.limit = true, 0, p.nanoseconds(limit)
}

// hears is the habit of a BACKUP. The answer is whether the next wait can have it.
func (p *poller) hears(c Conn, e *echo, due time.Time, down time.Duration) bool {
	lead := time.Duration(0)
	if p.slumber.shortest < punctual {
		lead = early // to have the permission when silence has lasted too long
	}
	d := &p.dozing
	w, ok := c.(*watch)
	if !ok || d.count == mostHabits || p.slumber.shortest < hearing {
		return false
	}
	d.habits[d.count] = habit{p.nanoseconds(due.Add(-lead)), int64(down - lead), w, e}
	d.count++
	return true
}

func (p *poller) wakeful() { p.dozing.possible = false }

// nanoseconds is a moment on CLOCK_MONOTONIC.
func (p *poller) nanoseconds(t time.Time) int64 { return p.monotonic + int64(t.Sub(p.epoch)) }

// moment is the reverse. What was due before something is so again.
func (p *poller) moment(ns int64) time.Time { return p.epoch.Add(time.Duration(ns - p.monotonic)) }

// drowse waits while what is habitual happens.
func (p *poller) drowse() (int, error) {
	d := &p.dozing
	d.in, d.timer = &p.in, p.timer
	d.in.clear(true)
	p.armed = time.Time{}
	p.standIn.leave()
	n, errno := d.sleep(p.epoll, &p.events, &p.standIn)
	return n, failure(errno)
}

// sleep is epoll_wait(2) again and again, until something else than a habit
// happens. Nothing that it leads to may need more stack, write a pointer or
// allocate.
//
//go:norace
//go:nosplit
func (d *doze) sleep(epoll int, events *[64]unix.EpollEvent, s *standIn) (n int, errno syscall.Errno) {
	entersyscallblock()
	for d.more = true; d.more; {
		var got uintptr
		got, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(events)), uintptr(len(events)), ^uintptr(0), 0, 0)
		n = int(got)
		if d.more = errno == 0 && n == 1; d.more {
			d.stir(int(events[0].Fd))
		}
	}
	d.orders.take()
	s.lend(d.orders.now())
	d.orders.free()
	exitsyscall()
	return n, errno
}

// stir does what is to be done about one event.
//
//go:norace
//go:nosplit
func (d *doze) stir(fd int) {
	d.orders.take()
	now := d.orders.now()
	switch {
	case now == 0:
		d.more = false
	case fd == d.timer:
		d.send(now)
	default:
		d.hear(fd, now)
	}
	if d.more = d.more && d.rounds < mostRounds; d.more {
		d.arm()
	}
	d.orders.free()
}

// send follows the orders, unless there is something else to do.
//
//go:norace
//go:nosplit
func (d *doze) send(now int64) {
	d.more = now < d.limit
	for i := 0; i < d.count; i++ {
		d.more = d.more && d.habits[i].due > now
	}
	d.more = d.more && d.orders.send(now, false)
}

// hear receives a datagram from a connection of a BACKUP.
//
//go:norace
//go:nosplit
func (d *doze) hear(fd int, now int64) {
	d.more = false
	received := false
	for i := 0; i < d.count && !d.more; i++ {
		h := &d.habits[i]
		if h.conn.rx != fd {
			continue
		}
		if !received {
			n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&d.in.headers[d.rounds])), 1, unix.MSG_DONTWAIT, 0, 0)
			if errno != 0 || n != 1 {
				return
			}
			d.happened[d.rounds].at, d.happened[d.rounds].habit = now, i
			d.rounds++
			received = true
		}
		if d.more = h.copies.heard(d.in, d.rounds-1); d.more {
			h.due = now + h.every
		}
	}
}

// next is when something is due.
//
//go:norace
//go:nosplit
func (d *doze) next() int64 {
	next := min(d.limit, d.orders.next())
	for i := 0; i < d.count; i++ {
		next = min(next, d.habits[i].due)
	}
	return next
}

// arm sets the timer to what is next.
//
//go:norace
//go:nosplit
func (d *doze) arm() {
	next := d.next()
	d.setting.Value.Sec, d.setting.Value.Nsec = next/1e9, next%1e9
	_, _, errno := syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(d.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&d.setting)), 0, 0, 0)
	d.more = errno == 0
}

// heard reports whether a datagram is the same again. Its identification, and
// with that the sum of the header, is never the same.
//
//go:norace
//go:nosplit
func (e *echo) heard(in *inbox, slot int) bool {
	h := &in.headers[slot]
	if int(h.length) != len(e.bytes) || int(h.Controllen) != len(e.controls) || !e.framed && in.from[slot] != e.from {
		return false
	}
	for i := 0; i < len(e.bytes); i++ {
		if changes := e.framed && (i == 4 || i == 5 || i == 10 || i == 11); !changes && in.bytes[slot][i] != e.bytes[i] {
			return false
		}
	}
	for i := 0; i < len(e.controls); i++ {
		if in.controls[slot][i] != e.controls[i] {
			return false
		}
	}
	return true
}

// recall implements [waiter].
func (p *poller) recall(tell func(at time.Time, c Conn, heard *wire.Datagram)) (at time.Time) {
	d := &p.dozing
	if d.rounds == 0 {
		return at
	}
	now := time.Now()
	for i, r := range d.happened[:d.rounds] {
		at = now.Add(p.moment(r.at).Sub(now)) // with the time of day as it is now
		if w := d.habits[r.habit].conn; w.take(i) {
			tell(at, w, &w.heard)
		}
	}
	d.rounds = 0
	return at
}
