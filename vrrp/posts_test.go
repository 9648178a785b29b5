package vrrp

import (
	"sync"
	"testing"
)

// Several add at the same time and one takes: nothing is lost or done twice,
// and what one of them added keeps its order.
func TestPosts(t *testing.T) {
	const adders, each = 8, 2000
	var p posts
	var adding sync.WaitGroup
	last := [adders]int{}
	done := 0
	for a := range adders {
		adding.Go(func() {
			for n := 1; n <= each; n++ {
				p.add(&post{run: func() {
					if last[a] != n-1 {
						t.Errorf("%d: %d after %d", a, n, last[a])
					}
					last[a] = n
					done++
				}})
			}
		})
	}
	finished := make(chan struct{})
	go func() { adding.Wait(); close(finished) }()
	for more := true; more; {
		select {
		case <-finished:
			more = false
		default:
		}
		p.do()
	}
	if done != adders*each || !p.empty() {
		t.Errorf("%d of %d done", done, adders*each)
	}
}

// A post that adds itself again, as a socket does, has its turn with the next
// ones.
func TestPostAgain(t *testing.T) {
	var p posts
	var got []string
	var again post
	again.run = func() {
		got = append(got, "again")
		if len(got) < 5 {
			p.add(&again)
		}
	}
	p.add(&again)
	p.add(&post{run: func() { got = append(got, "other") }})
	for p.do() {
	}
	if want := 5; len(got) != want || got[0] != "again" || got[1] != "other" {
		t.Errorf("%q", got)
	}
}
