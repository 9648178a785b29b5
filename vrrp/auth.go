package vrrp

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// lastSequence is the highest number that is sent. keepalived sends it again
// and again when it has got there, which takes 136 years at one a second.
const lastSequence = 1<<32 - 2

// authenticate takes the keys of the configuration. The number of the last
// advert stays: peers remember it, whatever we reload.
func (m *Machine) authenticate(was config.Authentication) {
	m.trailerKeys()
	switch now := m.cfg.Authentication; {
	case now.Type != config.AuthAH || m.cfg.Version.Value != 2 || m.cfg.IPv6():
		m.ah = nil
	case m.ah == nil || was != now:
		m.ah = wire.NewAH(string(now.Pass))
	}
}

// numbered is an advert with the next number, where it must have one. With
// authentication headers all routers of an instance count on from the highest
// they have seen; the numbers of trailers are a sender's own.
func (m *Machine) numbered(now time.Time, e SendAdvert) SendAdvert {
	switch {
	case m.ah != nil:
		m.count()
		e.Sequence = uint64(m.sequence)
	case m.signs():
		e.Sequence = m.hmac.next(now)
	}
	return e
}

// signs says that adverts have a trailer of auth_hmac.
func (m *Machine) signs() bool { return m.hmac != nil && m.hmac.signer != nil }

// encode appends an advert as it goes to dst.
func (m *Machine) encode(b []byte, e *SendAdvert, dst netip.Addr) ([]byte, error) {
	p := wire.Pseudo{Src: e.Src, Dst: dst}
	if m.signs() {
		return e.Advert.AppendSigned(b, p, m.hmac.signer, e.Sequence)
	}
	return e.Advert.AppendTo(b, p)
}

func (m *Machine) count() {
	if m.sequence < lastSequence {
		m.sequence++
	}
}

// inspectAH checks the authentication header, and that the number in it is a
// new one: a copy of an old advert proves nothing.
func (m *Machine) inspectAH(d *wire.Datagram) reason {
	switch {
	case !m.ah.Verify(d):
		return wrongICV
	case d.Sequence() <= m.sequence:
		return replayed
	}
	return fine
}

// authentic remembers the numbers of an advert that is believed in all
// respects: from now on copies of it are worth nothing.
func (m *Machine) authentic(d *wire.Datagram) {
	m.sequence = max(m.sequence, d.Sequence())
	if m.hmac == nil {
		return
	}
	senders := multicastSenders
	if m.cfg.Unicast() {
		senders = len(m.cfg.UnicastPeers)
	}
	m.hmac.accept(d.Src, m.heard.Trailer, senders)
}
