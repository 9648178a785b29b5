package vrrp

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// effects is what a step has asked for so far.
type effects []Effect

func (e *effects) add(x Effect) { *e = append(*e, x) }

// advert is the effect that sends the instance's advert: made once and sent
// many times, so that a MASTER's timer costs no allocation. The slice is full,
// so that whoever appends to it gets a copy.
type advert []Effect

// compose makes the advert again.
func (m *Machine) compose() {
	e := m.message(m.priority)
	m.own, m.advert, m.inTurn = e.Advert, advert{e}, nil
}

func (m *Machine) message(priority uint8) SendAdvert {
	a := wire.Advert{
		Version:  m.cfg.Version.Value,
		VRID:     m.cfg.VirtualRouterID,
		Priority: priority,
		Interval: m.interval(),
	}
	v6 := m.cfg.IPv6()
	if a.Version == 2 && m.cfg.Authentication.Type == config.AuthPass {
		a.AuthType = wire.AuthPass
		if !v6 { // keepalived names the type and has no room for the password
			copy(a.Auth[:], m.cfg.Authentication.Pass)
		}
	}
	if m.ah != nil {
		a.AuthType = wire.AuthAH
	}
	if a.Version == 3 && !v6 {
		a.MessageChecksum = m.cfg.V3ChecksumAsV2.Value
		a.OldChecksum = m.cfg.Unicast() && m.cfg.OldUnicastChecksum == config.ChecksumOld
	}
	for i := range m.cfg.VirtualIPAddress {
		if addr := m.cfg.VirtualIPAddress[i].Prefix.Addr(); addr.Is6() == v6 && len(a.Addrs) < wire.MaxAddrs {
			a.Addrs = append(a.Addrs, addr)
		}
	}
	return SendAdvert{Instance: m.cfg.Name, Src: m.source, Advert: a}
}

// send sends the advert out of its turn, too.
func (m *Machine) send(now time.Time, out *effects) {
	if m.ah != nil || m.signs() {
		m.stats.AdvertSent++
		out.add(m.numbered(now, m.advert[0].(SendAdvert)))
		return
	}
	m.sendAs(m.advert, out)
}

// sendInTurn is send once in a step. An advert that must have a number is made
// in the place of the one before.
func (m *Machine) sendInTurn(now time.Time, out *effects) {
	if m.ah == nil && !m.signs() {
		m.sendAs(m.advert, out)
		return
	}
	if m.inTurn == nil {
		m.inTurn = advert{new(SendAdvert)}
	}
	*m.inTurn[0].(*SendAdvert) = m.numbered(now, m.advert[0].(SendAdvert))
	m.sendAs(m.inTurn, out)
}

func (m *Machine) sendAs(a advert, out *effects) {
	m.stats.AdvertSent++
	if len(*out) == 0 {
		*out = effects(a)
		return
	}
	out.add(a[0])
}

// silent is how long ago the last advert was when the next one is due and late.
func (m *Machine) silent(now time.Time) time.Duration { return now.Sub(m.deadline) + m.interval() }

// lost says that the advert is so late that a router of priority
// timer_expired_backup has become MASTER, if there is one.
func (m *Machine) lost(now time.Time) bool {
	highest := m.cfg.TimerExpiredBackup
	return highest > 0 && m.silent(now) > time.Duration(m.cfg.DownTimerAdverts.Value)*m.interval()+m.skew(uint8(highest))
}

// beat is the advert in its turn. Whoever has slept so long that somebody else
// may have been MASTER in the meantime tells the neighbours too.
func (m *Machine) beat(now time.Time, out *effects) {
	slept := m.silent(now) > time.Duration(m.cfg.DownTimerAdverts.Value)*m.interval()
	m.sendInTurn(now, out)
	m.spoke(now)
	m.deadline = next(m.deadline, now, m.interval())
	if slept {
		m.gratuitous(out, m.cfg.Addresses(), m.cfg.GarpMasterRepeat.Value)
	}
}

// forthcoming is the advert of a [TimerFired] at a deadline that is not late, if
// nothing happens before.
func (m *Machine) forthcoming(at time.Time) (e SendAdvert, ok bool) {
	if m.state != config.Master || !m.deadline.Equal(at) {
		return e, false
	}
	e = m.advert[0].(SendAdvert)
	switch {
	case m.ah != nil:
		e.Sequence = uint64(min(m.sequence, lastSequence-1)) + 1
	case m.signs():
		e.Sequence = m.hmac.number(at)
	}
	return e, true
}

// resign sends priority 0: the backups need not wait, RFC 9568 section 6.4.3.
func (m *Machine) resign(now time.Time, out *effects) {
	m.stats.AdvertSent++
	m.stats.PriZeroSent++
	out.add(m.numbered(now, m.message(0)))
}

// announcer holds the times of gratuitous ARP to come; zero: none.
type announcer struct {
	again   time.Time // garp_master_delay after becoming MASTER
	refresh time.Time // garp_master_refresh
	lower   time.Time // the next one because of adverts of lower priority
	extra   time.Time // garp_extra_if

	lowered time.Time // the last one because of adverts of lower priority
	heard   time.Time // the last such advert
}

func (a *announcer) due() time.Time { return earliest(a.again, a.refresh, a.lower, a.extra) }

// schedule is called when an instance has become MASTER.
func (a *announcer) schedule(now time.Time, cfg *config.Instance) {
	if d := cfg.GarpMasterDelay.Value; d > 0 && cfg.GarpMasterRepeat.Value > 0 {
		a.again = now.Add(d)
	}
	if d := cfg.GarpMasterRefresh.Value; d > 0 {
		a.refresh = now.Add(d)
	}
	if d := cfg.GarpExtraIf.Value.Interval; d > 0 && len(extraAddresses(cfg)) > 0 {
		a.extra = now.Add(d)
	}
}

// extraAddresses has an address, the first one, of each VMAC, or of each link at
// all, that addresses are on and no adverts leave from: a switch there would
// forget the link's MAC.
func extraAddresses(cfg *config.Instance) (extra []config.Address) {
	for _, a := range cfg.Addresses() {
		vmac := slices.ContainsFunc(cfg.Links, func(l config.VirtualLink) bool { return l.Name == a.Dev })
		has := slices.ContainsFunc(extra, func(b config.Address) bool { return a.Dev == b.Dev })
		if a.Dev != cfg.AdvertDevice() && !has && (vmac || cfg.GarpExtraIf.Value.All) {
			extra = append(extra, a)
		}
	}
	return extra
}

func (m *Machine) gratuitous(out *effects, addrs []config.Address, rounds int) {
	if rounds > 0 && len(addrs) > 0 {
		out.add(Announce{Instance: m.cfg.Name, Addresses: addrs, Rounds: rounds})
	}
}

// announceDue sends what gratuitous ARP is due.
func (m *Machine) announceDue(now time.Time, out *effects) {
	a := &m.announce
	if passed(a.again, now) {
		a.again = time.Time{}
		m.gratuitous(out, m.cfg.Addresses(), m.cfg.GarpMasterRepeat.Value)
	}
	if passed(a.lower, now) {
		m.assert(now, out)
	}
	if passed(a.extra, now) {
		a.extra = next(a.extra, now, m.cfg.GarpExtraIf.Value.Interval)
		m.gratuitous(out, extraAddresses(&m.cfg), 1)
	}
	if passed(a.refresh, now) {
		a.refresh = next(a.refresh, now, m.cfg.GarpMasterRefresh.Value)
		m.gratuitous(out, m.cfg.Addresses(), m.cfg.GarpMasterRefreshRepeat.Value)
	}
}

// reclaim is the gratuitous ARP of a MASTER that has seen another one of lower
// priority: neighbours may have learned the wrong one. There is one burst in an
// interval, so that a flood is not amplified; what comes too early waits.
func (m *Machine) reclaim(now time.Time, out *effects) {
	if m.state != config.Master || m.cfg.GarpLowerPrioRepeat.Value == 0 {
		return
	}
	a := &m.announce
	a.heard = now
	if early := a.lowered.Add(m.interval()); !a.lowered.IsZero() && now.Before(early) {
		a.lower = early
		return
	}
	m.assert(now, out)
}

// assert is such a burst, and another one garp_lower_prio_delay after the last
// advert of lower priority.
func (m *Machine) assert(now time.Time, out *effects) {
	a := &m.announce
	a.lowered, a.lower = now, time.Time{}
	m.gratuitous(out, m.cfg.Addresses(), m.cfg.GarpLowerPrioRepeat.Value)
	if again := a.heard.Add(m.cfg.GarpLowerPrioDelay.Value); again.After(now) {
		a.lower = again
	}
}
