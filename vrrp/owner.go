package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// rivalry is what an owner of the addresses, RFC 9568 section 5.2.4, knows of
// another router that takes itself for the owner too.
type rivalry struct {
	patience time.Time // until when the other one may not have heard us
	last     time.Time // its last advert
	reduced  bool      // we have given in
}

// twoOwners is for an advert of another owner. The one with the higher address
// is to stay MASTER. When the other one, although its address is lower, has
// heard two adverts of ours and goes on, it ignores them, and somebody has to
// give in: then our priority is 254 for as long as the other one is there.
func (m *Machine) twoOwners(now time.Time, higher bool, d *wire.Datagram, out *effects) {
	m.report(now, secondOwner, d, out)
	longest := max(m.interval(), m.heard.Interval)
	r := &m.rival
	fresh := r.last.IsZero() || now.Sub(r.last) > 3*longest
	r.last = now
	switch {
	case higher:
	case fresh:
		r.patience = now.Add(2*m.interval() + longest*6/5)
	case now.After(r.patience):
		m.say(out, "CONFIGURATION ERROR: the other address owner does not give way - reducing local priority")
		r.reduced = true
		m.weigh(now, out)
	}
}

// reinstate gives an owner its priority back.
func (m *Machine) reinstate(now time.Time, out *effects) {
	was := m.rival.reduced
	m.rival = rivalry{}
	if was {
		m.weigh(now, out)
	}
}

// ignores says that an owner of the addresses listens to nobody
// (owner_ignore_adverts): nobody can be better.
func (m *Machine) ignores() bool {
	return m.cfg.OwnerIgnoreAdverts.Value && m.cfg.Priority.Value == config.Owner
}
