package sim

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// expect is what must come of an event. It says whether the event has a
// meaning at all: a rejected datagram has none.
func (d *domain) expect(now time.Time, ev vrrp.Event) bool {
	for _, s := range d.members {
		s.was, s.adverts, s.farewells, s.lower, s.did = s.state, 0, 0, 0, deeds{}
	}
	switch ev := ev.(type) {
	case vrrp.Start:
		for _, s := range d.members {
			s.start()
		}
		d.settle(now, true)
	case vrrp.Received:
		for _, s := range d.members {
			if s.cfg.Name == ev.Instance {
				return d.hears(now, s, &ev.Datagram)
			}
		}
		return false
	case vrrp.TimerFired:
		d.timers(now)
	case vrrp.LinkChanged:
		for _, s := range d.members {
			s.learn(ev.Link, true, ev.Exists && ev.Up)
			if ev.Link == s.cfg.Interface {
				s.up, s.addressed = ev.Exists && ev.Up, len(ev.IPv4) > 0
			}
		}
		d.settle(now, false)
	case vrrp.Tracked:
		for _, s := range d.members {
			s.learn(ev.Name, false, ev.Up)
		}
		d.settle(now, false)
	case vrrp.Shutdown:
		for _, s := range d.members {
			s.toStop()
		}
	}
	return true
}

// start: a link that nobody has spoken of is not there.
func (s *shadow) start() {
	if s.started {
		return
	}
	s.started = true
	for i := range s.trackers {
		if t := &s.trackers[i]; t.link {
			t.known = true
		}
	}
}

func (d *domain) any(is func(*shadow) bool) bool { return slices.ContainsFunc(d.members, is) }

// settle: one FAULT faults all, and all recover together.
func (d *domain) settle(now time.Time, starting bool) {
	for _, s := range d.members {
		s.weigh(now)
	}
	switch {
	case !d.any((*shadow).running):
	case d.any(func(s *shadow) bool { return s.running() && s.faulty() }):
		for _, s := range d.members {
			if s.started && s.state != config.Fault {
				s.toFault(s.faulty())
			}
		}
	case d.any(func(s *shadow) bool { return !s.started || s.undecided() }):
	default:
		d.recover(now, starting)
	}
}

func (d *domain) recover(now time.Time, starting bool) {
	if !d.any((*shadow).waiting) {
		return
	}
	if !d.any(func(s *shadow) bool { return s.priority != config.Owner }) {
		d.win(now)
		return
	}
	for _, s := range d.members {
		if !s.waiting() {
			continue
		}
		down := s.down()
		if starting && s.state == config.Init && d.cfg == nil && s.cfg.State.Value == config.Master {
			down = s.masterInterval() + s.skew(config.Owner)
		}
		s.toBackup(now, down)
	}
}

func (d *domain) win(now time.Time) {
	for _, s := range d.members {
		if s.state != config.Master {
			s.toMaster(now)
		}
	}
}

func (d *domain) yield(now time.Time) {
	for _, s := range d.members {
		if s.state == config.Master {
			s.toBackup(now, s.down())
		}
	}
}

func (d *domain) timers(now time.Time) {
	for _, s := range d.members {
		if s.deadline.IsZero() || s.deadline.After(now) {
			continue
		}
		if s.state == config.Master {
			s.adverts++
			due := s.deadline
			if s.deadline = due.Add(s.interval()); !s.deadline.After(now) {
				s.deadline = now.Add(s.interval())
			}
			continue
		}
		s.expired = true
		if d.any(func(o *shadow) bool { return !o.expired && o.state != config.Master }) {
			s.deadline = now.Add(s.down())
			continue
		}
		d.win(now)
	}
}

// hears is sections 6.4.2 and 6.4.3 with keepalived's additions.
func (d *domain) hears(now time.Time, s *shadow, dg *wire.Datagram) bool {
	if s.state != config.Backup && s.state != config.Master || !s.accepts(dg) {
		return false
	}
	theirs := s.heard.Priority
	switch {
	case s.state == config.Master:
		d.masterHears(now, s, dg)
	case theirs == 0:
		s.deadline, s.expired = now.Add(s.skew(s.priority)), false
	case s.obeys(now, theirs < s.priority):
		s.follow()
		s.deadline, s.expired = now.Add(s.down()), false
		d.yield(now)
	}
	return true
}

func (s *shadow) obeys(now time.Time, lower bool) bool {
	if !lower {
		s.preemptAt = time.Time{}
		return true
	}
	if s.cfg.NoPreempt {
		return true
	}
	if s.cfg.PreemptDelay > 0 && s.preemptAt.IsZero() {
		s.preemptAt = now.Add(s.cfg.PreemptDelay)
		s.r.w.counts["preempt delays"]++
	}
	return now.Before(s.preemptAt)
}

func (s *shadow) follow() {
	s.master = true
	if s.cfg.Version.Value == 3 {
		s.learned = s.heard.Interval
	}
}

func (d *domain) masterHears(now time.Time, s *shadow, dg *wire.Datagram) {
	theirs, tie := s.heard.Priority, dg.Src.Compare(address(s.v6, s.link, s.r.id))
	switch {
	case theirs == 0:
		if s.mayAnswer(now) {
			s.answer(now)
		}
	case theirs > s.priority || theirs == s.priority && tie > 0:
		if s.cfg.HigherPrioSendAdvert.Value {
			s.adverts++
		}
		s.follow()
		d.yield(now)
	case theirs == s.priority && tie == 0:
	case s.mayAnswer(now):
		s.lower++
		if !s.cfg.LowerPrioNoAdvert.Value {
			s.answer(now)
		}
	}
}

func (s *shadow) answer(now time.Time) {
	s.adverts++
	s.deadline = now.Add(s.interval())
}

// mayAnswer: two answers in an interval are enough.
func (s *shadow) mayAnswer(now time.Time) bool {
	if first := s.answered[0]; !first.IsZero() && now.Sub(first) < s.interval() {
		return false
	}
	s.answered = [2]time.Time{s.answered[1], now}
	return true
}
