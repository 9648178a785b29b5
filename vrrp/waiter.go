package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// waiter is where the loop waits for its next input: epoll on a thread of its
// own (poller), or channels where the sockets are somebody else's (sleeper).
// All but wake belongs to the loop.
type waiter interface {
	Opener
	// open takes hold of what close gives back.
	open() error
	close() error
	// prepare begins to open a connection, which Open will finish, and answers
	// with what may take its time and is not for the loop; nil: nothing.
	prepare(s Socket) (slow func())
	// abandon gives up what was prepared and not opened.
	abandon()
	// entrust puts an order in force: an advert that leaves again and again, or
	// changes it, and postpone its time alone; the answer is no when it is not in
	// force like that. withdraw ends it, forget does so for good.
	entrust(o *order, c Conn, made *Effect, out Outgoing, due time.Time, every time.Duration)
	postpone(o *order, c Conn, made *Effect, id uint16, due time.Time) bool
	withdraw(o *order)
	forget(o *order)
	// deliver sends the advert of an order, unless that has been done, and says when
	// the next one is due; the answer is no when it is not in force.
	deliver(o *order, next time.Time) (ok bool, err error)
	// relate tells which orders were followed, and when. It answers with the time of
	// the last, zero when there is none. cease says when that must end.
	relate(tell func(o *order, at time.Time)) time.Time
	cease(at time.Time)
	// doze begins to say what the next wait need not end for: what a BACKUP hears.
	// The answer is no where that cannot be, and wakeful takes it back.
	doze(limit time.Time)
	hears(c Conn, e *echo, due time.Time, down time.Duration) bool
	wakeful()
	// recall tells what was heard then, in order. It answers with the time of the
	// last, zero when there is none.
	recall(tell func(at time.Time, c Conn, heard *wire.Datagram)) time.Time
	// wait returns at a time, after wake, or when a connection has something to
	// receive, which the connection has told then. It may return early. A
	// volley may be fired at that time, if there was nothing else before.
	wait(until time.Time, v *volley) error
	// look lets the connections tell what they have received until now.
	look() error
	// wake ends wait, or the next one. Anybody may call it; it never blocks.
	wake()
	// schedule says how the thread is to run from now on, and the shortest
	// interval of adverts; each answer is something that could not be had.
	schedule(g *config.GlobalProcess, shortest time.Duration) []error
	// late is told how late a deadline was served: max_auto_priority.
	late(by time.Duration) (raised string)
	// owns reports whether a thread is one of the waiter's. Anybody may ask.
	owns(thread int) bool
}

// sleeper waits with channels and package time. Its connections tell by
// themselves what they have received.
type sleeper struct {
	Opener
	woken chan struct{} // holds one token
	timer *time.Timer
}

func newSleeper(o Opener) *sleeper { return &sleeper{Opener: o, woken: make(chan struct{}, 1)} }

func (s *sleeper) open() error {
	s.timer = time.NewTimer(0)
	return nil
}

func (s *sleeper) close() error {
	s.timer.Stop()
	return nil
}

func (s *sleeper) wait(until time.Time, _ *volley) error {
	s.timer.Reset(time.Until(until))
	select {
	case <-s.woken:
	case <-s.timer.C:
	}
	return nil
}

func (s *sleeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// preparer is an [Opener] that can prepare.
type preparer interface{ Prepare(s Socket) (slow func()) }

func (s *sleeper) prepare(k Socket) (slow func()) {
	if p, ok := s.Opener.(preparer); ok {
		return p.Prepare(k)
	}
	return nil
}

func (*sleeper) doze(time.Time)                                                    {}
func (*sleeper) entrust(*order, Conn, *Effect, Outgoing, time.Time, time.Duration) {}
func (*sleeper) postpone(*order, Conn, *Effect, uint16, time.Time) bool            { return false }
func (*sleeper) withdraw(*order)                                                   {}
func (*sleeper) forget(*order)                                                     {}
func (*sleeper) deliver(*order, time.Time) (bool, error)                           { return false, nil }
func (*sleeper) relate(func(*order, time.Time)) (t time.Time)                      { return t }
func (*sleeper) cease(time.Time)                                                   {}
func (*sleeper) hears(Conn, *echo, time.Time, time.Duration) bool                  { return false }
func (*sleeper) wakeful()                                                          {}
func (*sleeper) recall(func(time.Time, Conn, *wire.Datagram)) (t time.Time)        { return t }
func (*sleeper) abandon()                                                          {}
func (*sleeper) look() error                                                       { return nil }
func (*sleeper) schedule(*config.GlobalProcess, time.Duration) []error             { return nil }
func (*sleeper) owns(int) bool                                                     { return false }
func (*sleeper) late(time.Duration) string                                         { return "" }
