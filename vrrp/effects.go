package vrrp

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
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
		if !e.Silent {
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
	if m.id++; m.id == 0 {
		m.id = 1 // with 0 the kernel would choose one
	}
	cfg := m.Config()
	s := m.socket
	if s == nil || s.conn == nil {
		r.counters.SendErrors++
		return
	}
	if !cfg.Unicast() {
		const multicastTTL = 255 // RFC 9568 section 5.1.1.3
		r.sendTo(m, s, e, cfg.McastDstIP, multicastTTL)
		return
	}
	for _, peer := range cfg.UnicastPeers {
		r.sendTo(m, s, e, peer.Addr, cfg.UnicastTTL.Value)
	}
}

func (r *Runner) sendTo(m *member, s *socket, e SendAdvert, dst config.Addr, ttl uint8) {
	payload, err := m.encode(r.payload[:0], &e, dst)
	if err == nil {
		r.payload = payload
		err = s.conn.Send(Outgoing{Src: e.Src, Dst: dst, TTL: ttl, ID: m.id, Payload: payload, AH: m.ah, Sequence: uint32(e.Sequence)})
	}
	if err != nil {
		r.counters.SendErrors++
	}
	if link := m.Config().AdvertDevice(); link == "" || r.links[link].Up {
		r.report(s, err) // over a link that is down nobody expects to send
	}
}
