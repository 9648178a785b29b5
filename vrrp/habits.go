package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// mostHabits is how much a waiter does by itself. Where there is more, the rest
// costs more than to be woken.
const mostHabits = 8

// doze tells the waiter what it may do by itself, see doze_linux.go: all that
// is to be expected of all instances, or nothing.
func (r *Runner) doze(now time.Time) {
	limit := r.aside(now)
	if len(r.members) > mostHabits {
		r.waiter.wakeful()
		return
	}
	for _, m := range r.members {
		limit = earliest(limit, m.announce.due())
	}
	r.waiter.doze(limit)
	for _, m := range r.members {
		if r.frozen || !m.deadline.IsZero() && !r.habitual(m) {
			r.waiter.wakeful()
			return
		}
	}
}

// habitual reports whether it is known what an instance does until something happens.
func (r *Runner) habitual(m *member) bool {
	s := m.socket
	if m.group.failed || s == nil || s.conn == nil || m.ah != nil || m.hmac != nil {
		return false
	}
	switch m.state {
	case config.Backup:
		return m.echo.known && r.waiter.hears(s.conn, &m.echo, m.deadline, m.down())
	case config.Master:
		return m.entrusted()
	}
	return false
}

// becomeFamiliar: the advert that has been accepted just now made the timer start
// again. One like it will do no more than that, unless a delay runs out.
func (m *member) becomeFamiliar(now time.Time) {
	m.echo.known = false
	c, ok := m.socket.conn.(interface{ capture(*echo) })
	if ok && m.state == config.Backup && m.preemptAt.IsZero() && m.deadline.Equal(now.Add(m.down())) {
		c.capture(&m.echo)
	}
}

// unfamiliar: something else has happened to a group.
func (r *Runner) unfamiliar(g *group) {
	for _, machine := range g.members {
		if m := r.members[machine.Name()]; m != nil {
			m.echo.known = false
		}
	}
}

// relive tells the machines what was heard in the wait.
func (r *Runner) relive(at time.Time, c Conn, heard *wire.Datagram) {
	if s := r.socketWith(c); s != nil {
		r.receive(at, s, heard)
	}
}

func (r *Runner) socketWith(c Conn) *socket {
	for _, s := range r.sockets {
		if s.conn == c {
			return s
		}
	}
	return nil
}
