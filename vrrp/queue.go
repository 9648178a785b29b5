package vrrp

import "sync/atomic"

// queue carries out what is slower than an advert, in order, on a goroutine of
// its own. Pushing never blocks.
type queue struct {
	items   posts
	waiting atomic.Int64 // items that are not done
	closed  atomic.Bool
	wake    chan struct{} // holds one token: look at the items
	ended   chan struct{}
}

// newQueue starts a queue that ends after close, when everything is done.
func newQueue() *queue {
	q := &queue{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// push adds an item.
func (q *queue) push(item func()) {
	q.waiting.Add(1)
	q.items.add(&post{run: func() { item(); q.waiting.Add(-1) }})
	q.poke()
}

// len is the number of items that wait or are being done.
func (q *queue) len() int { return int(q.waiting.Load()) }

// mark is closed when everything that was pushed before it is done.
func (q *queue) mark() <-chan struct{} {
	passed := make(chan struct{})
	q.push(func() { close(passed) })
	return passed
}

// close lets the queue end when it is empty; nothing is pushed afterwards.
func (q *queue) close() {
	q.closed.Store(true)
	q.poke()
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	defer close(q.ended)
	for {
		closed := q.closed.Load()
		switch {
		case q.items.do():
		case closed:
			return
		default:
			<-q.wake
		}
	}
}
