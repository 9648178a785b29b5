package vrrp

import (
	"net/netip"
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

// mostRounds is how often something is done in a wait, at the most.
const mostRounds = batch

// pauses is how many intervals late is a pause.
const pauses = 2

// doze is a wait with habits. Times are ns of CLOCK_MONOTONIC.
type doze struct {
	habits    [mostHabits]habit
	count     int
	happened  [mostRounds]round
	rounds    int
	limit     int64 // when something is due that is no habit
	timer     int
	in        *inbox
	more      bool
	recalling int // the round that is told, from 1; 0: none
	clock     unix.Timespec
	setting   unix.ItimerSpec
}

// habit is what happens again and again.
type habit struct {
	due, every int64
	conn       *watch
	copies     *echo // of what a BACKUP hears, before it is due; nil: a MASTER's
	letter     letter
	dst        netip.Addr
	late       int64 // than this an advert must not be: the rest is for the loop
}

// round is something that was done.
type round struct {
	at    int64
	habit int // with the connection that was asked for a datagram; -1: what was due was sent
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
	p.dozing.count, p.dozing.limit = 0, p.nanoseconds(limit)
}

// sends is the habit of a MASTER, hears that of a BACKUP. The answer is whether
// the next wait can have it.
func (p *poller) sends(c Conn, o Outgoing, due time.Time, every time.Duration) bool {
	h := p.habit(c, due, every)
	if h == nil || o.AH != nil {
		return false
	}
	h.copies, h.dst, h.letter.errno, h.late = nil, o.Dst, 0, int64(every/2)
	if most := p.thread.Most(); most > 0 {
		h.late = min(h.late, int64(most))
	}
	h.conn.load(&h.letter, o)
	return true
}

func (p *poller) hears(c Conn, e *echo, due time.Time, down time.Duration) bool {
	lead := time.Duration(0)
	if p.slumber.shortest < punctual {
		lead = early // to have the permission when silence has lasted too long
	}
	h := p.habit(c, due.Add(-lead), down-lead)
	if h == nil {
		return false
	}
	h.copies = e
	return true
}

func (p *poller) habit(c Conn, due time.Time, every time.Duration) *habit {
	d := &p.dozing
	w, ok := c.(*watch)
	if !ok || d.count == mostHabits {
		return nil
	}
	h := &d.habits[d.count]
	h.due, h.every, h.conn = p.nanoseconds(due), int64(every), w
	d.count++
	return h
}

func (p *poller) wakeful() { p.dozing.count = 0 }

// nanoseconds is a moment on CLOCK_MONOTONIC.
func (p *poller) nanoseconds(t time.Time) int64 { return p.monotonic + int64(t.Sub(p.epoch)) }

// moment is the reverse. What was due before something is so again.
func (p *poller) moment(ns int64) time.Time { return p.epoch.Add(time.Duration(ns - p.monotonic)) }

// drowse waits with habits.
func (p *poller) drowse() (int, error) {
	d := &p.dozing
	d.in, d.timer = &p.in, p.timer
	d.in.clear(true)
	p.armed = time.Time{}
	n, errno := d.sleep(p.epoll, &p.events, &p.standIn)
	p.standIn.takeBack()
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
	s.lend()
	exitsyscall()
	return n, errno
}

// stir does what is to be done about one event.
//
//go:norace
//go:nosplit
func (d *doze) stir(fd int) {
	_, _, errno := syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&d.clock)), 0)
	now := d.clock.Sec*1e9 + d.clock.Nsec
	switch {
	case errno != 0:
		d.more = false
	case fd == d.timer:
		d.send(now, false)
	default:
		d.hear(fd, now)
	}
	if d.more = d.more && d.rounds < mostRounds; d.more {
		d.arm()
	}
}

// send sends what is due: all of it, or nothing when the loop has to see to it.
// Where the loop cannot, advert after advert may be late; after a pause of several
// intervals it has to look before it speaks.
//
//go:norace
//go:nosplit
func (d *doze) send(now int64, alone bool) {
	d.more = now < d.limit
	for i := 0; i < d.count; i++ {
		h := &d.habits[i]
		late := h.late
		if alone {
			late = pauses * h.every
		}
		if h.due <= now && (h.copies != nil || now-h.due > late) {
			d.more = false
		}
	}
	if !d.more {
		return
	}
	sent := false
	for i := 0; i < d.count; i++ {
		h := &d.habits[i]
		if h.due > now {
			continue
		}
		sent = true
		h.letter.renew()
		h.letter.leave()
		d.more = d.more && h.letter.errno == 0
		if h.due += h.every; h.due <= now {
			h.due = now + h.every // as the machine has it
		}
	}
	if sent {
		d.note(now, -1)
	}
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
		if h.copies == nil || h.conn.rx != fd {
			continue
		}
		if !received {
			n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&d.in.headers[d.rounds])), 1, unix.MSG_DONTWAIT, 0, 0)
			if errno != 0 || n != 1 {
				return
			}
			d.note(now, i)
			received = true
		}
		if d.more = h.copies.heard(d.in, d.rounds-1); d.more {
			h.due = now + h.every
		}
	}
}

//go:norace
//go:nosplit
func (d *doze) note(now int64, habit int) {
	d.happened[d.rounds].at, d.happened[d.rounds].habit = now, habit
	d.rounds++
}

// next is when something is due.
//
//go:norace
//go:nosplit
func (d *doze) next() int64 {
	next := d.limit
	for i := 0; i < d.count; i++ {
		next = min(next, d.habits[i].due)
	}
	return next
}

// nextAdvert is when the next advert is due; 0: none will be, or the last one did
// not leave.
//
//go:norace
//go:nosplit
func (d *doze) nextAdvert() (next int64) {
	for i := 0; i < d.count; i++ {
		h := &d.habits[i]
		if h.copies != nil {
			continue
		}
		if h.letter.errno != 0 {
			return 0
		}
		if next == 0 || h.due < next {
			next = h.due
		}
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

// recall implements [waiter]: adverts that have been sent are not sent again.
func (p *poller) recall(tell func(at time.Time, c Conn, heard *wire.Datagram)) (at time.Time) {
	d := &p.dozing
	if d.rounds == 0 {
		return at
	}
	now := time.Now()
	for i, r := range d.happened[:d.rounds] {
		at = now.Add(p.moment(r.at).Sub(now)) // with the time of day as it is now
		if r.habit < 0 {
			d.recalling = i + 1
			tell(at, nil, nil)
			d.recalling = 0
			continue
		}
		if w := d.habits[r.habit].conn; w.take(i) {
			tell(at, w, &w.heard)
		}
	}
	d.rounds = 0
	return at
}

// Send implements [Conn].
func (w *watch) Send(o Outgoing) error {
	if d := &w.poller.dozing; d.recalling > 0 {
		return d.outcome(w, o.Dst)
	}
	return w.rawConn.Send(o)
}

// outcome is that of what was sent in the round that is told. After a failure
// there was no other one.
func (d *doze) outcome(w *watch, dst netip.Addr) error {
	for i := range d.habits[:d.count] {
		if h := &d.habits[i]; h.conn == w && h.dst == dst && d.recalling == d.rounds {
			return unsent(dst, h.letter.errno)
		}
	}
	return nil
}
