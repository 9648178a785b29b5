package vrrp

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"

	"go.uber.org/zap"
)

// perform sends adverts at once and leaves everything else to a queue.
func (r *Runner) perform(q *queue, effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case SendAdvert:
			r.send(e)
		case *SendAdvert:
			r.send(*e)
		default:
			r.enqueue(q, e)
		}
	}
}

// queueLimit is how many effects of a group may wait before those that others
// can do without are dropped.
const queueLimit = 1024

func (r *Runner) enqueue(q *queue, e Effect) {
	ctx := context.Background() // a release is not given up because lvsd stops
	switch e := e.(type) {
	case Claim:
		r.required(q, func() {
			r.pacer.keep(e.Instance, e.Addresses)
			r.complain(e.Instance, r.host.Claim(ctx, e.Instance, e.claims()))
		})
	case Announce:
		r.optional(q, func() { r.complain(e.Instance, r.pacer.announce(e)) })
	case Became:
		switch {
		case e.Silent:
		case r.farewells.waiting:
			r.farewells.told = append(r.farewells.told, e)
		default:
			r.required(q, func() { r.notifier.Notify(e) })
		}
	case ReceivedLowerPriority:
		r.optional(q, func() { r.notifier.ReceivedLowerPriority(e) })
	case Reprioritised:
		r.optional(q, func() { r.notifier.Reprioritised(e) })
	case Log:
		r.optional(q, func() { r.say(e) })
	}
}

func (r *Runner) optional(q *queue, item func()) {
	if q.len() >= queueLimit {
		r.counters.Dropped++
		return
	}
	r.required(q, item)
}

// required pushes an item whose panic would end nothing but itself.
func (r *Runner) required(q *queue, item func()) {
	q.push(func() {
		defer func() {
			if cause := recover(); cause != nil {
				r.log.Error("VRRP effect failed", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
			}
		}()
		item()
	})
}

func (r *Runner) complain(instance string, err error) {
	if err != nil {
		r.log.Warn(fmt.Sprintf("(%s) %v", instance, err), zap.String("VRRP_INSTANCE", instance))
	}
}

// say logs a line, with fields for programs in capitals, as journald has them.
func (r *Runner) say(l Log) {
	level := zap.InfoLevel
	switch {
	case l.Detail:
		level = zap.DebugLevel
	case l.Warn:
		level = zap.WarnLevel
	}
	about := zap.String("VRRP_INSTANCE", l.Instance)
	if l.Group != "" {
		about = zap.String("VRRP_GROUP", l.Group)
	}
	r.log.Log(level, l.Text, about, zap.Stringer("VRRP_STATE", l.State))
}

// send sends an advert to the group, or to each unicast peer.
func (r *Runner) send(e SendAdvert) {
	m := r.members[e.Instance]
	if m == nil {
		return
	}
	m.last = e
	m.id = following(m.id)
	s := m.socket
	if s == nil || s.conn == nil {
		r.counters.SendErrors++
		return
	}
	if shots := r.volley.taken(&e, m); len(shots) > 0 {
		for i := range shots {
			r.sent(m, s, unsent(shots[i].dst, shots[i].errno))
		}
		return
	}
	for i := range m.targets() {
		if i < len(m.orders) && m.orders[i].says(&e) {
			if ok, err := r.waiter.deliver(m.orders[i], m.deadline); ok {
				r.sent(m, s, err)
				continue
			}
		}
		r.sendTo(m, s, &e, i)
	}
}

func (r *Runner) sendTo(m *member, s *socket, e *SendAdvert, i int) {
	dst, ttl := m.target(i)
	payload, err := m.encode(r.payload[:0], e, dst)
	if err == nil {
		r.payload = payload
		err = s.conn.Send(m.outgoing(e, dst, ttl, m.id, payload))
	}
	r.sent(m, s, err)
}

func (r *Runner) sent(m *member, s *socket, err error) {
	if err != nil {
		r.counters.SendErrors++
	}
	if link := m.Config().AdvertDevice(); link == "" || r.links[link].Up {
		r.report(s, err) // over a link that is down nobody expects to send
	}
}

// targets is how many datagrams an advert is: one to the group, or one to each
// unicast peer.
func (m *member) targets() int {
	if cfg := m.Config(); cfg.Unicast() {
		return len(cfg.UnicastPeers)
	}
	return 1
}

// target is where one of them goes, and how far it may go.
func (m *member) target(i int) (dst netip.Addr, ttl uint8) {
	cfg := m.Config()
	if cfg.Unicast() {
		return cfg.UnicastPeers[i].Addr, cfg.UnicastTTL.Value
	}
	const multicastTTL = 255 // RFC 9568 section 5.1.1.3
	return cfg.McastDstIP, multicastTTL
}

func (m *member) outgoing(e *SendAdvert, dst netip.Addr, ttl uint8, id uint16, payload []byte) Outgoing {
	return Outgoing{Src: e.Src, Dst: dst, TTL: ttl, ID: id, Payload: payload, AH: m.ah, Sequence: uint32(e.Sequence)}
}
