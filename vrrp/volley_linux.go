package vrrp

import (
	"net/netip"
	"time"
)

// A volley is the adverts that are due at the next deadline. They are written
// before the loop goes to sleep, and leave when the kernel wakes it, before it
// asks the runtime for the permission to run Go code: while the world is
// stopped, for a collection of garbage on a machine that is starved of
// processor, that takes tens of milliseconds. What the machine asks for at the
// deadline is the same then, and has been done.
//
// It belongs to groups that nothing has happened to in between: whatever wakes
// the loop earlier, another one is made.
type volley struct {
	group *group
	at    time.Time // the deadline, with the time of day as it is now
	n     int       // shots; 0: nothing leaves by itself
	fired bool
	shots [mostShots]shot
}

// mostShots is the most adverts that leave by themselves. Who has more peers,
// or members in a group, sends all of them when it may.
const mostShots = 8

// shot is one datagram.
type shot struct {
	letter
	member   *member
	dst      netip.Addr
	sequence uint64 // of the advert
	priority uint8
}

// fire sends. It runs without the permission to run Go code: no allocation, no
// growing stack, no pointer that is written.
//
//go:norace
//go:nosplit
func (v *volley) fire() {
	for i := 0; i < v.n && i < mostShots; i++ {
		v.shots[i].leave()
	}
	v.fired = true
}

// loader is a connection that can write letters.
type loader interface{ load(l *letter, o Outgoing) }

// aim makes the volley for a deadline.
func (r *Runner) aim(deadline time.Time) {
	v := &r.volley
	v.n, v.fired, v.group = 0, false, r.groups.first()
	if v.group == nil || !v.group.deadline.Equal(deadline) || v.group.failed {
		return
	}
	now := time.Now() // a deadline does not know that the clock was set
	v.at = now.Add(deadline.Sub(now))
	for _, machine := range v.group.Members() {
		m := r.members[machine.Name()]
		if m != nil && m.entrusted() {
			v.n = 0
			return
		}
		if e, ok := machine.forthcoming(v.at); ok && !v.add(r, m, &e) {
			v.n = 0
			return
		}
	}
}

// add writes the adverts of an instance.
func (v *volley) add(r *Runner, m *member, e *SendAdvert) bool {
	if m == nil || m.socket == nil {
		return false
	}
	conn, ok := m.socket.conn.(loader)
	if !ok || v.n+m.targets() > mostShots {
		return false
	}
	for i := range m.targets() {
		dst, ttl := m.target(i)
		payload, err := m.encode(r.payload[:0], e, dst)
		if err != nil {
			return false
		}
		r.payload = payload
		s := &v.shots[v.n]
		s.member, s.dst, s.sequence, s.priority = m, dst, e.Sequence, e.Advert.Priority
		conn.load(&s.letter, m.outgoing(e, dst, ttl, following(m.id), payload))
		v.n++
	}
	return true
}

// taken are the shots that were this very advert; none: it has to be sent.
func (v *volley) taken(e *SendAdvert, m *member) []shot {
	if !v.fired {
		return nil
	}
	first := 0
	for first < v.n && v.shots[first].member != m {
		first++
	}
	last := first
	for ; last < v.n && v.shots[last].member == m; last++ {
		if s := &v.shots[last]; s.sequence != e.Sequence || s.priority != e.Advert.Priority {
			return nil
		}
		v.shots[last].member = nil // no second time
	}
	return v.shots[first:last]
}
