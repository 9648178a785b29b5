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
			s.start(ev.Quiet)
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
		d.inTurn(now, ev.Link, true, func(s *shadow) {
			s.learn(ev.Link, true, ev.Exists && ev.Up)
			if ev.Link == s.cfg.Interface {
				s.up, s.addressed = ev.Exists && ev.Up, len(ev.IPv4) > 0
			}
		})
	case vrrp.SocketChanged:
		for _, s := range d.members {
			if s.cfg.Name == ev.Instance {
				s.deaf = !ev.Open
			}
		}
		d.settle(now, false)
	case vrrp.Tracked:
		d.inTurn(now, ev.Name, false, func(s *shadow) { s.learn(ev.Name, false, ev.Up) })
	case vrrp.Shutdown:
		for _, s := range d.members {
			s.toStop()
		}
	}
	return true
}

// start: a link that nobody has spoken of is not there.
func (s *shadow) start(quiet time.Time) {
	if s.started {
		return
	}
	s.started, s.quiet = true, quiet
	for i := range s.trackers {
		if t := &s.trackers[i]; t.link {
			t.known = true
		}
	}
}

func (d *domain) any(is func(*shadow) bool) bool { return slices.ContainsFunc(d.members, is) }

// inTurn: each member draws its conclusions before the next one knows, first
// those that track it themselves, in the order of the configuration.
func (d *domain) inTurn(now time.Time, name string, link bool, tell func(*shadow)) {
	for _, own := range []bool{true, false} {
		for _, s := range slices.SortedFunc(slices.Values(d.members), func(a, b *shadow) int { return a.place - b.place }) {
			if s.tracks(name, link) != own {
				continue
			}
			faulty, undecided := s.faulty(), s.undecided()
			tell(s)
			s.weigh(now)
			if s.faulty() != faulty || s.undecided() != undecided {
				d.conclude(now, false)
			}
		}
	}
	d.settle(now, false)
}

// settle: one FAULT faults all, and all recover together.
func (d *domain) settle(now time.Time, starting bool) {
	for _, s := range d.members {
		s.weigh(now)
	}
	d.conclude(now, starting)
}

func (d *domain) conclude(now time.Time, starting bool) {
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
	owners := !d.any(func(s *shadow) bool { return s.priority != config.Owner })
	if owners && !now.Before(d.members[slices.IndexFunc(d.members, (*shadow).waiting)].quiet) {
		d.win(now)
		return
	}
	for _, s := range d.members {
		if !s.waiting() {
			continue
		}
		if owners && s.state == config.Init {
			s.deadline = s.quiet // and nobody is told
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

// yield: to is the member that has heard a better router, nil if none has. The
// others let that one speak first, the longer the later their place is.
func (d *domain) yield(now time.Time, to *shadow) {
	var longest time.Duration
	place := 0
	for _, s := range d.members {
		if longest = max(longest, s.masterInterval()); to != nil && s.before(to) {
			place++
		}
	}
	for _, s := range d.members {
		down := s.down()
		if to != nil && s != to {
			down += time.Duration(2+2*place) * longest
		}
		if s.state == config.Master {
			s.toBackup(now, down)
		}
	}
}

// before is the order by VRID, and then by addresses.
func (s *shadow) before(o *shadow) bool {
	a, b := s.cfg, o.cfg
	if a.VirtualRouterID != b.VirtualRouterID {
		return a.VirtualRouterID < b.VirtualRouterID
	}
	return a.VirtualIPAddress[0].Prefix.Addr().Less(b.VirtualIPAddress[0].Prefix.Addr())
}

func (d *domain) timers(now time.Time) {
	for _, s := range d.members {
		if s.deadline.IsZero() || s.deadline.After(now) {
			continue
		}
		if s.state == config.Master && s.lost(now) {
			s.r.w.counts["timers expired"]++
			d.yield(now, nil)
			continue
		}
		if s.state == config.Master {
			s.adverts++
			s.sends(now)
			due := s.deadline
			if s.deadline = due.Add(s.interval()); !s.deadline.After(now) {
				s.deadline = now.Add(s.interval())
			}
			continue
		}
		if s.state == config.Init { // an owner, and the startup delay is over
			s.deadline = time.Time{}
			d.settle(now, false)
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
	ignores := s.cfg.OwnerIgnoreAdverts.Value
	if ignores && s.ah != nil && s.state == config.Master && s.accepts(dg) {
		s.remember(dg) // or nobody would believe its numbers
	}
	if s.state != config.Backup && s.state != config.Master || now.Before(s.quiet) || ignores || !s.accepts(dg) {
		return false
	}
	s.remember(dg)
	theirs := s.heard.Priority
	if s.state == config.Backup && theirs != config.Owner {
		s.reinstate(now)
	}
	switch {
	case s.state == config.Master:
		d.masterHears(now, s, dg)
	case theirs == 0:
		s.deadline, s.expired = now.Add(s.skew(s.priority)), false
	case s.obeys(now, theirs < s.priority):
		s.follow()
		s.deadline, s.expired = now.Add(s.down()), false
		d.yield(now, s)
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
		if most := s.cfg.MaxAdvertInterval; most > 0 {
			s.learned = min(s.learned, max(most, s.interval()))
		}
	}
}

func (d *domain) masterHears(now time.Time, s *shadow, dg *wire.Datagram) {
	theirs, tie := s.heard.Priority, dg.Src.Compare(address(s.v6, s.link, s.r.id))
	if theirs == config.Owner && s.priority == config.Owner && tie != 0 {
		s.twoOwners(now, tie > 0)
	}
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
		d.yield(now, s)
	case theirs == s.priority && tie == 0:
	case s.mayAnswer(now):
		s.lower++
		if s.ah != nil {
			s.highest++ // as keepalived does
		}
		if !s.cfg.LowerPrioNoAdvert.Value {
			s.answer(now)
		}
	}
}

func (s *shadow) answer(now time.Time) {
	s.adverts++
	s.deadline = now.Add(s.interval())
}

// mayAnswer: two adverts in an interval are enough.
func (s *shadow) mayAnswer(now time.Time) bool {
	if last := s.sent[0]; !last.IsZero() && now.Sub(last) < s.interval() {
		return false
	}
	s.sends(now)
	return true
}

func (s *shadow) sends(now time.Time) { s.sent = [2]time.Time{s.sent[1], now} }

// lost is timer_expired_backup: an advert so late that a router of that
// priority is MASTER.
func (s *shadow) lost(now time.Time) bool {
	highest := s.cfg.TimerExpiredBackup
	silent := now.Sub(s.deadline) + s.interval()
	return highest > 0 && silent > time.Duration(s.cfg.DownTimerAdverts.Value)*s.interval()+s.skew(uint8(highest))
}

// twoOwners: who has the higher address stays MASTER. One that sees the other
// go on after two adverts of its own gives in.
func (s *shadow) twoOwners(now time.Time, higher bool) {
	s.r.w.counts["two owners"]++
	longest := max(s.interval(), s.heard.Interval)
	fresh := s.rival.last.IsZero() || now.Sub(s.rival.last) > 3*longest
	s.rival.last = now
	switch {
	case higher:
	case fresh:
		s.rival.patience = now.Add(2*s.interval() + longest*6/5)
	case now.After(s.rival.patience):
		s.r.w.counts["owners reduced"]++
		s.rival.reduced = true
		s.weigh(now)
	}
}

// reinstate gives an owner its priority back.
func (s *shadow) reinstate(now time.Time) {
	was := s.rival.reduced
	if s.rival = (rival{}); was {
		s.weigh(now)
	}
}
