package vrrp

import "sync/atomic"

// posts is a list that any goroutine may add to and one takes from. There is
// no lock in it: a thread that the kernel puts aside in the middle of adding
// keeps nobody waiting.
type posts struct{ last atomic.Pointer[post] }

// post is something to be done. It may be added again once it has been taken
// and its successor has been asked for.
type post struct {
	run  func()
	next *post // in the list the one before it, when taken the one after it
}

func (p *posts) add(x *post) {
	for {
		x.next = p.last.Load()
		if p.last.CompareAndSwap(x.next, x) {
			return
		}
	}
}

// take empties the list and returns what was added first.
func (p *posts) take() (first *post) {
	for x := p.last.Swap(nil); x != nil; {
		x.next, first, x = first, x, x.next
	}
	return first
}

func (p *posts) empty() bool { return p.last.Load() == nil }

// do takes what there is and does it, in order, and reports whether there was
// anything.
func (p *posts) do() bool {
	first := p.take()
	for x := first; x != nil; {
		next := x.next
		x.run()
		x = next
	}
	return first != nil
}
