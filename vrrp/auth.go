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
	case !authenticates(&m.cfg):
		m.ah = nil
	case m.ah == nil || was != now:
		m.ah = wire.NewAH(string(now.Pass))
	}
}

// authenticates says that adverts have an authentication header.
func authenticates(cfg *config.Instance) bool {
	return cfg.Authentication.Type == config.AuthAH && cfg.Version.Value == 2 && !cfg.IPv6()
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
// new one: a copy of an old advert proves nothing. keepalived wants it to be
// higher than any it has sent or heard. Two routers that begin to speak at the
// same moment have the same numbers then, and would never listen to each other.
func (m *Machine) inspectAH(d *wire.Datagram) reason {
	if !m.ah.Verify(d) {
		return wrongICV
	}
	last, known := m.numbers.last(d.Src)
	if known && uint64(d.Sequence()) <= last || !known && (d.Sequence() < m.sequence || d.Sequence() == 0) {
		return replayed
	}
	return fine
}

// authentic remembers the numbers of an advert that is believed in all
// respects: from now on copies of it are worth nothing.
func (m *Machine) authentic(d *wire.Datagram) {
	most := multicastSenders
	if m.cfg.Unicast() {
		most = len(m.cfg.UnicastPeers)
	}
	if m.ah != nil {
		m.sequence = max(m.sequence, d.Sequence())
		m.numbers.remember(d.Src, uint64(d.Sequence()), max(most, 1))
	}
	if trailer := m.heard.Trailer; m.hmac != nil && len(trailer) > 0 {
		m.hmac.heard.remember(d.Src, trailer.Sequence(), most)
	}
}
