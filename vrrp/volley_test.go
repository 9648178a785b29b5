package vrrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
)

// quiver is a connection that can write letters.
type quiver struct {
	mouth
	loaded, out []Outgoing
}

func (q *quiver) Open(s Socket, vrids []uint8, arrived func()) (Conn, error) {
	_, _ = q.mouth.Open(s, vrids, arrived)
	return q, nil
}

func (q *quiver) load(_ *letter, o Outgoing) { q.loaded = append(q.loaded, lasting(o)) }
func (q *quiver) Send(o Outgoing) error      { q.out = append(q.out, lasting(o)); return nil }

func lasting(o Outgoing) Outgoing {
	o.Payload = bytes.Clone(o.Payload)
	return o
}

// shot lets one deadline pass, with what leaves by itself, or without.
func (q *quiver) shot(r *Runner, fires bool) (loaded, out []Outgoing, stats Stats) {
	q.loaded, q.out = nil, nil
	r.aim(r.until(r.groups.first().deadline))
	r.volley.fired = fires
	r.fire(r.volley.at)
	r.volley.fired = false
	return q.loaded, q.out, r.members["VI_1"].Stats()
}

// The adverts that leave by themselves are those that the machine asks for then,
// which are not sent again.
func TestVolley(t *testing.T) {
	for name, change := range adverts {
		t.Run(name, func(t *testing.T) {
			var q quiver
			r := aloneOn(t, &q, change)
			equal := cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Outgoing{}, "AH")}
			for range 3 {
				loaded, out, before := q.shot(r, false)
				if diff := cmp.Diff(out, loaded, equal); diff != "" || len(loaded) == 0 {
					t.Fatalf("sent (-), leaves by itself (+):\n%s", diff)
				}
				last := loaded
				id := r.members["VI_1"].id
				loaded, out, after := q.shot(r, true)
				if len(out) > 0 || len(loaded) != len(last) || after.AdvertSent != before.AdvertSent+1 || r.members["VI_1"].id != following(id) {
					t.Fatalf("sent again: %v, loaded %v, %d adverts after %d", out, loaded, after.AdvertSent, before.AdvertSent)
				}
			}
		})
	}
}

// What is not the advert of a deadline that is to come does not leave by itself.
func TestNoVolley(t *testing.T) {
	var q quiver
	r := aloneOn(t, &q, nil)
	next := r.groups.first().deadline
	many := func(i *config.Instance) {
		for n := range byte(mostShots + 1) {
			i.UnicastPeers = append(i.UnicastPeers, config.Peer{Addr: netip.AddrFrom4([4]byte{10, 0, 1, n})})
		}
	}
	var crowd quiver
	crowded := aloneOn(t, &crowd, many)
	m := r.members["VI_1"]
	for name, n := range map[string]func() int{
		"before the deadline": func() int { r.aim(next.Add(-time.Millisecond)); return r.volley.n },
		"after it":            func() int { r.aim(next.Add(time.Millisecond)); return r.volley.n },
		"too many peers":      func() int { crowded.aim(crowded.groups.first().deadline); return crowded.volley.n },
		"without a socket": func() int {
			s := m.socket
			m.socket = nil
			defer func() { m.socket = s }()
			r.aim(next)
			return r.volley.n
		},
		"another advert": func() int {
			r.aim(next)
			r.volley.fired = true
			e := m.last
			e.Advert.Priority = 0
			return len(r.volley.taken(&e, m))
		},
	} {
		if got := n(); got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
	r.aim(next)
	if r.volley.n != 1 {
		t.Errorf("at the deadline: %d", r.volley.n)
	}
}

// A datagram that did not leave is an error, as any other.
func TestVolleyFails(t *testing.T) {
	var q quiver
	r := aloneOn(t, &q, nil)
	before := r.counters.SendErrors
	r.aim(r.groups.first().deadline)
	r.volley.fired, r.volley.shots[0].errno = true, 101 // ENETUNREACH
	r.fire(r.volley.at)
	if n := r.counters.SendErrors - before; n != 1 {
		t.Errorf("%d errors", n)
	}
}
