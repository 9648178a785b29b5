package vrrp

import (
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// order is an advert that is to leave again and again. What is sent without the
// loop belongs to who holds [orders], the rest to the loop. Times are ns of
// CLOCK_MONOTONIC.
type order struct {
	letter
	dst    netip.Addr
	member *member
	made   *Effect // the advert in it
	conn   *watch  // nil: not in force
	place  int     // in orders, from 1; 0: none
	every  int64
	late   int64 // than this it must not be, or the loop has to see to it
	sent   int   // times that the machine has not been told of
	last   int64 // when it left
	news   bool  // it is among the news
	claims int   // times that the machine asked for what had been sent
}

// orders are those of all instances. The loop's thread and the stand-in hold them
// in turn, for moments.
type orders struct {
	held  atomic.Bool
	all   []*order // nil: an empty place
	due   []int64  // when each one leaves next
	news  []int    // places of what was sent; has room for all
	fresh int      // how many of them
	limit int64    // from then on nobody follows them
	clock unix.Timespec
}

const never = math.MaxInt64

// pauses is how many intervals late is a pause.
const pauses = 2

// mostRounds is how often something is done without the loop, at the most: if it
// has come to grief nobody is to believe that this router is well.
const mostRounds = batch

//go:norace
//go:nosplit
func (s *orders) try() bool { return s.held.CompareAndSwap(false, true) }

// What package sync does where it must not be put aside. Its name stays for the
// sake of others (go.dev/issue/67401).
//
//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// hold is take for Go code, which the runtime does not stop until release: it must
// not wait for anything else.
func (s *orders) hold() {
	procPin()
	s.take()
}

func (s *orders) release() {
	s.free()
	procUnpin()
}

// take waits for the stand-in, which keeps them for no longer than it takes to send.
//
//go:norace
//go:nosplit
func (s *orders) take() {
	for !s.try() {
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

//go:norace
//go:nosplit
func (s *orders) free() { s.held.Store(false) }

// now is the time; 0: there is none.
//
//go:norace
//go:nosplit
func (s *orders) now() int64 {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&s.clock)), 0)
	if errno != 0 {
		return 0
	}
	return s.clock.Sec*1e9 + s.clock.Nsec
}

// next is when the next advert is due.
//
//go:norace
//go:nosplit
func (s *orders) next() int64 {
	next := int64(never)
	for _, due := range s.due {
		next = min(next, due)
	}
	return next
}

// send follows the orders that are due, but for those that are for the loop to look
// at, and reports whether there was none of them. Where the loop cannot, advert
// after advert may be late; after a pause of several intervals it has to look
// before it speaks.
//
//go:norace
//go:nosplit
func (s *orders) send(now int64, alone bool) (all bool) {
	if now >= s.limit {
		return false
	}
	all = true
	for i := range s.due {
		if s.due[i] > now {
			continue
		}
		o := s.all[i]
		late := o.late
		if alone {
			late = pauses * o.every
		}
		if now-s.due[i] > late || o.sent >= mostRounds || o.errno != 0 {
			all = false
			continue
		}
		o.renew()
		o.leave()
		o.sent++
		o.last = now
		if !o.news {
			o.news = true
			s.news[s.fresh] = i
			s.fresh++
		}
		if s.due[i] += o.every; s.due[i] <= now {
			s.due[i] = now + o.every // as the machine has it
		}
		all = all && o.errno == 0 && o.sent < mostRounds
	}
	return all
}

// add finds a place for an order.
func (s *orders) add(o *order) {
	i := slices.Index(s.all, nil)
	if i < 0 {
		i = len(s.all)
		s.all, s.due, s.news = append(s.all, nil), append(s.due, never), append(s.news, 0)
	}
	s.all[i], s.due[i], o.place = o, never, i+1
}

// postpone sets when an order is due that is in force as it should be; the answer
// is no for another one. What has left, and the machine does not know of, counts.
func (p *poller) postpone(o *order, c Conn, made *Effect, id uint16, due time.Time) bool {
	s := &p.orders
	s.hold()
	defer s.release()
	switch {
	case o.conn == nil || Conn(o.conn) != c || o.made != made:
		return false
	case o.sent > 0:
		return true
	case !o.identified(id):
		return false
	}
	s.due[o.place-1] = p.nanoseconds(due)
	p.standIn.soon(s.due[o.place-1])
	return true
}

// entrust puts an order in force, or changes it.
func (p *poller) entrust(o *order, c Conn, made *Effect, out Outgoing, due time.Time, every time.Duration) {
	w, ok := c.(*watch)
	if !ok {
		return
	}
	p.withdraw(o)
	w.load(&o.letter, out)
	late := int64(every / 2)
	if most := p.thread.Most(); most > 0 {
		late = min(late, int64(most))
	}
	o.dst, o.conn, o.made, o.errno, o.every, o.late = out.Dst, w, made, 0, int64(every), late
	p.orders.begin(o, p.nanoseconds(due), &p.standIn)
}

func (s *orders) begin(o *order, due int64, standIn *standIn) {
	s.hold()
	defer s.release()
	if o.place == 0 {
		s.add(o)
	}
	if o.sent > 0 { // of which the machine does not know
		due = max(due, o.last+o.every)
	}
	s.due[o.place-1] = due
	standIn.soon(due)
}

// withdraw ends that an order is in force.
func (p *poller) withdraw(o *order) {
	if o.conn == nil {
		return
	}
	p.orders.hold()
	defer p.orders.release()
	p.orders.end(o)
}

func (s *orders) end(o *order) { o.conn, s.due[o.place-1] = nil, never }

// forget withdraws an order for good.
func (p *poller) forget(o *order) {
	if o.place == 0 {
		return
	}
	s := &p.orders
	s.hold()
	defer s.release()
	s.end(o)
	s.all[o.place-1] = nil
	if at := slices.Index(s.news[:s.fresh], o.place-1); at >= 0 {
		s.fresh--
		s.news[at] = s.news[s.fresh]
	}
	o.place = 0
}

// abandon withdraws the orders that need a connection.
func (s *orders) abandon(w *watch) {
	s.hold()
	defer s.release()
	for _, o := range s.all {
		if o != nil && o.conn == w {
			s.end(o)
		}
	}
}

// deliver sees to it that the advert of an order has left that the machine asks for
// now, and when the next one does; no: it is not in force.
func (p *poller) deliver(o *order, next time.Time) (ok bool, err error) {
	ok, errno := p.orders.deliver(o, p.nanoseconds(next), &p.standIn)
	return ok, unsent(o.dst, errno)
}

func (s *orders) deliver(o *order, next int64, standIn *standIn) (ok bool, errno unix.Errno) {
	s.hold()
	defer s.release()
	switch {
	case o.sent > 0:
		o.sent--
		o.claims++
	case o.conn != nil:
		o.renew()
		o.leave()
		s.due[o.place-1] = next
		standIn.soon(next)
	default:
		return false, 0
	}
	if o.sent == 0 { // after a failure nothing was sent
		errno, o.errno = o.errno, 0
	}
	return true, errno
}

// relate implements [waiter].
func (p *poller) relate(tell func(o *order, at time.Time)) (last time.Time) {
	for o := p.orders.latest(); o != nil; o = p.orders.latest() {
		for at := p.orders.first(o); at != 0; at = p.orders.first(o) {
			now, claims := time.Now(), o.claims
			last = now.Add(p.moment(at).Sub(now)) // with the time of day as it is now
			if tell(o, last); o.claims == claims {
				p.orders.lose(o)
			}
		}
	}
	return last
}

// latest is an order that was followed.
func (s *orders) latest() (o *order) {
	s.hold()
	defer s.release()
	for o == nil && s.fresh > 0 {
		s.fresh--
		o = s.all[s.news[s.fresh]]
	}
	if o != nil {
		o.news = false
	}
	return o
}

// first is when an advert left that the machine has not been told of; 0: there is
// none.
func (s *orders) first(o *order) int64 {
	s.hold()
	defer s.release()
	if o.sent == 0 {
		return 0
	}
	return o.last - int64(o.sent-1)*o.every
}

// lose forgets an advert that the machine does not want to have sent.
func (s *orders) lose(o *order) {
	s.hold()
	defer s.release()
	if o.sent > 0 {
		o.sent--
	}
}

// cease implements [waiter].
func (p *poller) cease(at time.Time) {
	p.orders.hold()
	defer p.orders.release()
	if p.orders.limit = never; !at.IsZero() {
		p.orders.limit = p.nanoseconds(at)
	}
}
