package vrrp

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// received is an advert, or what pretends to be one.
func (g *Group) received(now time.Time, m *Machine, d *wire.Datagram, out *effects) {
	switch {
	case !m.hear(now, d, out):
	case m.state == config.Backup:
		g.backupHears(now, m, d, out)
	default:
		g.masterHears(now, m, d, out)
	}
}

// backupHears is RFC 9568 section 6.4.2, with nopreempt and preempt_delay.
func (g *Group) backupHears(now time.Time, m *Machine, d *wire.Datagram, out *effects) {
	if m.heard.Priority != config.Owner {
		m.reinstate(now, out)
	}
	if m.heard.Priority == 0 {
		m.detail(out, "Backup received priority 0 advertisement")
		m.deadline, m.expired = now.Add(m.skew(m.priority)), false
		m.cause = ReasonPriority
		return
	}
	if !m.obeys(now, out) {
		m.report(now, lowerPriority, d, out) // and the timer keeps running
		m.cause = ReasonPreempted
		return
	}
	m.follow(now, d, out)
	m.deadline, m.expired = now.Add(m.down()), false
	// Only after a reload can a sync group hold a MASTER and a BACKUP. Now
	// somebody else is MASTER here for good.
	if slices.ContainsFunc(g.members, func(m *Machine) bool { return m.state == config.Master }) {
		g.yield(now, m, g.contest(m), out)
	}
}

// obeys decides whether an advert may keep a BACKUP in its place.
func (m *Machine) obeys(now time.Time, out *effects) bool {
	lower := m.heard.Priority < m.priority
	switch {
	case !lower && !m.preemptAt.IsZero():
		m.preemptAt = time.Time{}
		m.detail(out, "stop preempt delay")
	case lower && !m.cfg.NoPreempt && m.cfg.PreemptDelay > 0 && m.preemptAt.IsZero():
		m.preemptAt = now.Add(m.cfg.PreemptDelay)
		m.say(out, "start preempt delay (%f)", m.cfg.PreemptDelay.Seconds())
	}
	return !lower || m.cfg.NoPreempt || now.Before(m.preemptAt)
}

// follow learns who is MASTER and, in version 3, how often it speaks.
func (m *Machine) follow(now time.Time, d *wire.Datagram, out *effects) {
	if m.cfg.Version.Value == 3 {
		m.followInterval(now, d, out)
	}
	m.masterPriority, m.cause = m.heard.Priority, ReasonSilence
	if d.Src != m.master {
		m.master = d.Src
		m.reported.forgive(now)
	}
}

// followInterval: RFC 9568 section 6.1 has the MASTER choose. One that chooses
// a very long interval, by mistake or with bad intent, keeps everybody from
// noticing its end: that is said, and vrrp_max_advert_interval ends it.
func (m *Machine) followInterval(now time.Time, d *wire.Datagram, out *effects) {
	const long = 10
	theirs := m.heard.Interval
	if theirs >= long*m.interval() {
		m.report(now, longInterval, d, out)
	}
	if most := m.cfg.MaxAdvertInterval; most > 0 {
		theirs = min(theirs, max(most, m.interval()))
	}
	if theirs != m.learned {
		m.detail(out, "advertisement interval updated from %dms to %dms by master", m.learned.Milliseconds(), theirs.Milliseconds())
		m.learned = theirs
	}
}

// masterHears is RFC 9568 section 6.4.3.
func (g *Group) masterHears(now time.Time, m *Machine, d *wire.Datagram, out *effects) {
	theirs, tie := m.heard.Priority, d.Src.Compare(m.source)
	if theirs == config.Owner && m.priority == config.Owner && tie != 0 {
		m.twoOwners(now, tie > 0, d, out)
	}
	switch {
	case theirs == 0:
		if m.mayAnswer(now) {
			m.detail(out, "Master received priority 0 message")
			m.answer(now, out)
		}
	case theirs > m.priority || theirs == m.priority && tie > 0:
		g.resignTo(now, m, d, out)
	case theirs == m.priority && tie == 0:
		m.report(now, ownAddress, d, out)
	default:
		g.insist(now, m, d, out)
	}
}

// resignTo gives way to a better router. That one is sending already, so that
// no advert of priority 0 is needed.
func (g *Group) resignTo(now time.Time, m *Machine, d *wire.Datagram, out *effects) {
	if m.cfg.HigherPrioSendAdvert.Value {
		m.send(now, out)
	}
	if m.heard.Priority > m.priority {
		m.say(out, "Master received advert from %s with higher priority %d, ours %d", d.Src, m.heard.Priority, m.priority)
	} else {
		m.say(out, "Master received advert from %s with same priority %d but higher IP address than ours", d.Src, m.priority)
	}
	m.follow(now, d, out)
	m.toBackup(now, m.down(), out)
	g.tell(m, out)
	g.yield(now, m, g.contest(m), out)
	g.told(config.Backup, out)
}

// loses is timer_expired_backup: who has not spoken for so long waits whether
// somebody else is MASTER before it speaks again.
func (g *Group) loses(now time.Time, m *Machine, out *effects) {
	m.say(out, "timer expired %dms late, another router may be MASTER", now.Sub(m.deadline).Milliseconds())
	m.toBackup(now, m.down(), out)
	g.tell(m, out)
	g.yield(now, m, 0, out)
	g.told(config.Backup, out)
}

// yield takes the other members of a sync group out of MASTER after m. They
// wait that much longer than usual.
func (g *Group) yield(now time.Time, m *Machine, longer time.Duration, out *effects) {
	g.syncing(config.Backup, out)
	for _, other := range g.members {
		if other == m || other.state != config.Master {
			continue
		}
		other.toBackup(now, other.down()+longer, out)
		g.tell(other, out)
	}
	g.told(config.Backup, out)
}

// insist answers an advert of lower priority: RFC 9568 section 6.4.3 has the
// MASTER assert itself at once, keepalived also for the rest of the sync group.
func (g *Group) insist(now time.Time, m *Machine, d *wire.Datagram, out *effects) {
	may := m.mayAnswer(now)
	if may {
		if m.ah != nil {
			m.count() // as keepalived does
		}
		if !m.cfg.LowerPrioNoAdvert.Value {
			m.answer(now, out)
		}
		m.report(now, forcingElection, d, out)
		if m.ah != nil {
			m.report(now, syncingSequence, d, out)
		}
	}
	for _, member := range g.members {
		member.reclaim(now, out)
	}
	if may {
		out.add(ReceivedLowerPriority{Instance: m.cfg.Name, Priority: int(m.priority)})
	}
}

// answer is an advert out of turn.
func (m *Machine) answer(now time.Time, out *effects) {
	m.send(now, out)
	m.deadline = now.Add(m.interval())
}

// mayAnswer allows two adverts in any interval, the one that is due included, so
// that a flood of adverts is not amplified.
func (m *Machine) mayAnswer(now time.Time) bool {
	if last := m.spoken[0]; !last.IsZero() && now.Sub(last) < m.interval() {
		return false
	}
	m.spoke(now)
	return true
}

func (m *Machine) spoke(now time.Time) { m.spoken = [2]time.Time{m.spoken[1], now} }

// ready goes MASTER when the timers of all members have run out. A member that
// must wait starts its timer again.
func (g *Group) ready(now time.Time, m *Machine, out *effects) {
	m.detail(out, "Receive advertisement timeout")
	m.expired = true
	for _, other := range g.members {
		if !other.expired && other.state != config.Master {
			m.deadline = now.Add(m.down())
			return
		}
	}
	g.win(now, m, out)
}

// win makes m MASTER and then the rest of its sync group.
func (g *Group) win(now time.Time, m *Machine, out *effects) {
	m.toMaster(now, out)
	g.tell(m, out)
	g.syncing(config.Master, out)
	for _, other := range g.members {
		if other.state == config.Master {
			continue
		}
		other.toMaster(now, out)
		g.tell(other, out)
	}
	g.told(config.Master, out)
}
