package checker

import (
	"container/heap"
	"time"

	"go.uber.org/zap"
)

// agenda are checks by the time at which they are due, the next one in front: a
// heap.
type agenda []*job

// put puts a check where it belongs, which may have been on the agenda before.
func (a *agenda) put(j *job) {
	if j.place == 0 {
		heap.Push(a, j)
		return
	}
	heap.Fix(a, int(j.place-1))
}

// drop takes a check off.
func (a *agenda) drop(j *job) {
	if j.place > 0 {
		heap.Remove(a, int(j.place-1))
	}
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, k int) bool { return a[i].due < a[k].due }
func (a agenda) Swap(i, k int) {
	a[i], a[k] = a[k], a[i]
	a[i].place, a[k].place = int32(i+1), int32(k+1)
}

// Push is for package heap.
func (a *agenda) Push(j any) {
	*a = append(*a, j.(*job))
	j.(*job).place = int32(len(*a))
}

// Pop is for package heap.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	j := (*a)[last]
	(*a)[last] = nil
	*a, j.place = (*a)[:last], 0
	return j
}

// batch is how many probes are begun before what has come of others is looked at.
const batch = 256

// begin begins probes that are due.
func (s *Scheduler) begin() {
	for range batch {
		j := s.due()
		if j == nil {
			return
		}
		if s.polled(j) {
			s.work(j) // which does not wait
		} else {
			go s.work(j)
		}
	}
}

// due is a check that is due and has a place; nil: there is none.
func (s *Scheduler) due() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.moment(time.Now())
	for len(s.agenda) > 0 && s.agenda[0].due <= now {
		j := s.agenda[0]
		s.agenda.drop(j)
		if s.enlist(j) {
			return j
		}
	}
	return nil
}

// waiter waits for the next time, and for what is told by others. The loop of
// [Scheduler.Run] waits with it.
type waiter interface {
	wait(until time.Time) error // the zero time: for ever
	wake()                      // ends the wait that is under way, or the next one
}

// sleep waits until something is due or has happened.
func (s *Scheduler) sleep() {
	s.mu.Lock()
	var until time.Time
	s.until = 1<<63 - 1
	if len(s.agenda) > 0 {
		s.until = s.agenda[0].due
		until = s.born.Add(s.until)
	}
	s.asleep = true
	w := s.waiter
	s.mu.Unlock()
	err := w.wait(until)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asleep = false
	if err != nil {
		s.unpoll(err)
	}
}

func (s *Scheduler) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiter.wake()
}

// unpoll goes on without a poller. The lock is held.
func (s *Scheduler) unpoll(err error) {
	s.opts.Log.Error("polling connections", zap.Error(err))
	if p := s.poller; p != nil {
		go p.close() // which tells the ends of its flights
	}
	s.poller, s.waiter = nil, newBell()
}

// polling sets the poller up, and is who waits.
func (s *Scheduler) polling() waiter {
	if s.poll == nil {
		return newBell()
	}
	p, err := s.poll()
	if err != nil {
		s.opts.Log.Error("polling connections", zap.Error(err))
		return newBell()
	}
	s.poller = p
	return p
}

// bell is a waiter without sockets: for probes that all have a worker.
type bell struct{ rung chan struct{} }

func newBell() bell { return bell{make(chan struct{}, 1)} }

func (b bell) wait(until time.Time) error {
	if until.IsZero() {
		<-b.rung
		return nil
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-b.rung:
	case <-t.C:
	}
	return nil
}

func (b bell) wake() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}
