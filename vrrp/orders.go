package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// What a MASTER sends until something happens is known beforehand: the same advert
// again and again. The loop writes it down as an order, which can be followed
// without the loop, and so without the permission to run Go code: when the kernel
// wakes its thread, in the long waits of doze_linux.go, and by the stand-in when
// the loop is late. Whoever is due to send looks first whether that has been done.

// entrust makes the orders of an instance say what it does from now on.
func (r *Runner) entrust(m *member) {
	if !r.regular(m) {
		r.withdraw(m)
		return
	}
	conn, made := m.socket.conn, &m.advert[0]
	targets := m.targets()
	for len(m.orders) < targets {
		m.orders = append(m.orders, &order{member: m})
	}
	for _, o := range m.orders[targets:] {
		r.waiter.withdraw(o)
	}
	for i, o := range m.orders[:targets] {
		if r.waiter.postpone(o, conn, made, m.id, m.deadline) {
			continue
		}
		e := (*made).(SendAdvert)
		dst, ttl := m.target(i)
		payload, err := m.encode(r.payload[:0], &e, dst)
		if err != nil {
			r.waiter.withdraw(o)
			continue
		}
		r.payload = payload
		r.waiter.entrust(o, conn, made, m.outgoing(&e, dst, ttl, m.id, payload), m.deadline, m.interval())
	}
}

func (r *Runner) entrustAll(g *group) {
	for _, machine := range g.members {
		if m := r.members[machine.Name()]; m != nil && (m.state == config.Master || len(m.orders) > 0) {
			r.entrust(m)
		}
	}
}

// regular says that an instance sends the same advert in equal distances. One with
// a number is not the same.
func (r *Runner) regular(m *member) bool {
	return m.state == config.Master && !m.deadline.IsZero() && m.ah == nil && m.hmac == nil &&
		!m.group.failed && !r.frozen && r.taking == nil && m.socket != nil && m.socket.conn != nil
}

// says that the order is, or was, for such an advert: a farewell has not left with
// an advert that left just before it.
func (o *order) says(e *SendAdvert) bool {
	if o.made == nil {
		return false
	}
	made, ok := (*o.made).(SendAdvert)
	return ok && made.Advert.Priority == e.Advert.Priority
}

// reconsider ends the orders of an instance that is to send no more, before it is
// told what comes instead.
func (r *Runner) reconsider(m *member) {
	if len(m.orders) > 0 && !r.regular(m) {
		r.withdraw(m)
	}
}

// renew is reconsider for a group, and changes orders where there is another advert
// from now on.
func (r *Runner) renew(g *group) {
	for _, machine := range g.members {
		m := r.members[machine.Name()]
		if m == nil || len(m.orders) == 0 {
			continue
		}
		if r.reconsider(m); m.orders[0].conn != nil && m.orders[0].made != &m.advert[0] {
			r.entrust(m)
		}
	}
}

// entrusted reports whether the adverts of an instance leave without the loop.
func (m *member) entrusted() bool {
	n := m.targets()
	if len(m.orders) < n {
		return false
	}
	for _, o := range m.orders[:n] {
		if o.conn == nil {
			return false
		}
	}
	return true
}

func (r *Runner) withdraw(m *member) {
	for _, o := range m.orders {
		r.waiter.withdraw(o)
	}
}

// told tells a machine that an order was followed at a time, as if the timer had
// fired then: what it sends because of that has been sent.
func (r *Runner) told(o *order, at time.Time) {
	if m := o.member; r.members[m.Name()] == m {
		r.stepAt(at, m.group, TimerFired{})
	}
}

// forget ends the orders of instances that are no more.
func (r *Runner) forget(m *member) {
	for _, o := range m.orders {
		r.waiter.forget(o)
	}
}
