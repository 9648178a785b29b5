package vrrp

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/lvsd/lvsd/config"
)

func TestQueueKeepsOrder(t *testing.T) {
	q := newQueue()
	var got []int
	for i := range 1000 {
		q.push(func() { got = append(got, i) })
	}
	<-q.mark()
	if len(got) != 1000 || !slices.IsSorted(got) {
		t.Errorf("got %v", got)
	}
	last := false
	q.push(func() { last = true })
	q.close()
	<-q.ended
	if !last {
		t.Error("closed before everything was done")
	}
}

// stuck is a host that answers when it is told to.
type stuck struct{ answer chan struct{} }

func (s stuck) Claim(context.Context, string, config.Claims) error { <-s.answer; return nil }
func (s stuck) Sweep(context.Context, config.Claims) error         { return nil }
func (s stuck) Hold() func()                                       { return func() {} }
func (s stuck) Announce(context.Context, []config.Address) error   { panic("nothing works") }

// When the host is stuck, what can be done without is dropped; state changes
// and claims never are. A panic in an effect ends that effect.
func TestQueueIsBounded(t *testing.T) {
	host := stuck{make(chan struct{})}
	var written tape
	r := New(Options{Host: host, Notifier: &written})
	q := newQueue()
	r.enqueue(q, Claim{Instance: "VI_1"})
	for range 2 * queueLimit {
		r.enqueue(q, Log{Text: "again"})
		r.enqueue(q, Announce{Rounds: 1})
	}
	var want []string
	for i := range 10 {
		r.enqueue(q, Became{Name: fmt.Sprint("VI_", i), State: config.Fault})
		want = append(want, fmt.Sprintf("VI_%d FAULT", i))
	}
	if least := uint64(3*queueLimit - 1); r.counters.Dropped < least {
		t.Errorf("dropped %d, want at least %d", r.counters.Dropped, least)
	}
	close(host.answer)
	<-q.mark()
	q.close()
	<-q.ended
	if got := written.read(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
