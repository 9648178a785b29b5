package vrrp

import "sync"

// queue carries out what is slower than an advert, in order, on a goroutine of
// its own. Pushing never blocks.
type queue struct {
	mu     sync.Mutex
	items  []func()
	closed bool
	wake   chan struct{} // holds one token: look at the items
	ended  chan struct{}
}

// newQueue starts a queue that ends after close, when everything is done.
func newQueue() *queue {
	q := &queue{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// push adds an item.
func (q *queue) push(item func()) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.poke()
}

// len is the number of items that wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// mark is closed when everything that was pushed before it is done.
func (q *queue) mark() <-chan struct{} {
	passed := make(chan struct{})
	q.push(func() { close(passed) })
	return passed
}

// close lets the queue end when it is empty; nothing is pushed afterwards.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
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
		item, closed := q.pop()
		switch {
		case item != nil:
			item()
		case closed:
			return
		default:
			<-q.wake
		}
	}
}

func (q *queue) pop() (item func(), closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, q.closed
	}
	item = q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	return item, false
}
