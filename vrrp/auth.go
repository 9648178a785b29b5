package vrrp

import (
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// lastSequence is the highest number that is sent. keepalived sends it again
// and again when it has got there, which takes 136 years at one a second.
const lastSequence = 1<<32 - 2

// authenticate takes the keys of the configuration. The number of the last
// advert stays: peers remember it, whatever we reload.
func (m *Machine) authenticate(was config.Authentication) {
	switch now := m.cfg.Authentication; {
	case now.Type != config.AuthAH || m.cfg.Version.Value != 2 || m.cfg.IPv6():
		m.ah = nil
	case m.ah == nil || was != now:
		m.ah = wire.NewAH(string(now.Pass))
	}
}

// numbered is an advert with the next number, where it must have one. All
// routers of an instance count on from the highest they have seen.
func (m *Machine) numbered(e SendAdvert) SendAdvert {
	if m.ah != nil {
		m.count()
		e.Sequence = uint64(m.sequence)
	}
	return e
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
