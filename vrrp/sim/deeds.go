package sim

import (
	"fmt"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// deeds are the effects of a step for one instance. A place is that in the
// list of effects, from 1; 0: there was none.
type deeds struct {
	adverts, farewells, lower int
	advert, farewell          int // the first
	claim, release            int // the last
	announce                  int // the last
	became                    int
}

// order is the place of the notifications of a group among those of its
// members.
type order struct {
	group  int // the last of the group
	member int // the last of a member
}

// carryOut is what the shell does.
func (r *router) carryOut(d *domain, effects []vrrp.Effect) {
	var seen order
	told := config.Init // by the group, before
	if d != nil {
		told = d.told
	}
	for i, e := range effects {
		if r.w.tracing() {
			r.w.note("r%d -> %s", r.id, describe(e))
		}
		r.one(&seen, i+1, e)
	}
	if d != nil && d.cfg != nil && told != config.Init && seen.group > 0 && seen.member > seen.group {
		r.w.failf("order", "r%d: %s tells its state before its members do", r.id, d.name())
	}
}

func (r *router) one(seen *order, at int, e vrrp.Effect) {
	switch e := e.(type) {
	case vrrp.SendAdvert:
		s := r.named(e.Instance)
		if complaint := s.numbered(&e); complaint != "" {
			r.w.failf("number", "r%d: %s %s", r.id, e.Instance, complaint)
		}
		if e.Advert.Priority == 0 {
			s.did.farewells++
			first(&s.did.farewell, at)
			r.w.send(r, s, e)
		} else {
			s.did.adverts++
			first(&s.did.advert, at)
			if e.Advert.Priority != s.priority {
				r.w.failf("priority", "r%d: %s sends %d, its priority is %d", r.id, e.Instance, e.Advert.Priority, s.priority)
			}
			r.w.send(r, s, e)
		}
	case vrrp.Claim:
		r.claim(at, e)
	case vrrp.Announce:
		s := r.named(e.Instance)
		s.did.announce = at
		if len(r.held[e.Instance]) == 0 {
			r.w.failf("announce", "r%d: %s announces addresses that it has not", r.id, e.Instance)
		}
		r.w.announced(r, s, e)
	case vrrp.Became:
		r.became(seen, at, e)
	case vrrp.ReceivedLowerPriority:
		r.named(e.Instance).did.lower++
	}
}

func first(place *int, at int) {
	if *place == 0 {
		*place = at
	}
}

func (r *router) named(instance string) *shadow {
	s := r.shadows[instance]
	if s == nil {
		r.w.failf("name", "r%d: an effect is for %s, which is not configured", r.id, instance)
	}
	return s
}

func (r *router) claim(at int, e vrrp.Claim) {
	if s := r.shadows[e.Instance]; s != nil && len(e.Addresses) > 0 {
		s.did.claim = at
	} else if s != nil {
		s.did.release = at
	}
	if len(e.Addresses) == 0 && len(r.held[e.Instance]) == 0 {
		r.w.failf("held", "r%d: %s gives back what it has not", r.id, e.Instance)
	}
	r.hold(e.Instance, e.Addresses)
}

// legal are the states that may follow a state.
var legal = map[config.State][]config.State{
	config.Init:   {config.Backup, config.Master, config.Fault, config.Stop},
	config.Backup: {config.Master, config.Fault, config.Stop},
	config.Master: {config.Backup, config.Fault, config.Stop},
	config.Fault:  {config.Backup, config.Master, config.Stop},
}

func follows(from, to config.State) bool {
	for _, s := range legal[from] {
		if s == to {
			return true
		}
	}
	return false
}

func (r *router) became(seen *order, at int, e vrrp.Became) {
	w := r.w
	w.happened("r%d %s %s", r.id, e.Name, e.State)
	if e.Group {
		d := r.syncs[e.Name]
		if d == nil {
			w.failf("name", "r%d: group %s is not configured", r.id, e.Name)
		}
		if !follows(d.told, e.State) {
			w.failf("notify", "r%d: group %s becomes %s after %s", r.id, e.Name, e.State, d.told)
		}
		d.told, seen.group = e.State, at
		return
	}
	s := r.named(e.Name)
	if !follows(s.told, e.State) {
		w.failf("notify", "r%d: %s becomes %s after %s", r.id, e.Name, e.State, s.told)
	}
	waited := s.told == config.Init && !s.quiet.IsZero() // an owner then, during the startup delay, untold
	if e.State == config.Master && s.told != config.Backup && s.m.Priority() != config.Owner && !waited {
		w.failf("notify", "r%d: %s becomes MASTER from %s and does not own the address", r.id, e.Name, s.told)
	}
	if silent := s.d.cfg != nil && s.spoken && s.d.told == e.State; silent != e.Silent {
		w.failf("silent", "r%d: %s becomes %s, silent: %t, its group has told %s", r.id, e.Name, e.State, e.Silent, s.d.told)
	}
	if e.Priority != int(s.entered) {
		w.failf("priority", "r%d: %s tells priority %d, it was %d", r.id, e.Name, e.Priority, s.entered)
	}
	s.told, s.spoken, s.did.became, seen.member = e.State, true, at, at
	w.counts[e.State.String()]++
}

// ordered looks at what came of a step for an instance, and when.
func (s *shadow) ordered() string {
	did := &s.did
	sent := did.farewell
	if sent == 0 {
		sent = did.advert
	}
	switch {
	case s.state == s.was:
		return ""
	case did.became == 0 && s.started:
		return "tells nobody"
	case s.state == config.Master && !(0 < did.advert && did.advert < did.claim && did.claim < did.announce && did.announce < did.became):
		return "must send, claim, announce and tell, in this order"
	case s.was == config.Master && !(0 < did.release && did.release < did.became):
		return "must release its addresses and then tell"
	case s.was == config.Master && sent > did.release:
		return "must send before it releases its addresses"
	case s.was == config.Master && did.announce > did.release:
		return "announces what it has released"
	}
	return ""
}

// cadence is when an instance has sent.
type cadence struct {
	last        time.Time
	least, most time.Duration // of the intervals configured since
	late        time.Duration // the last advert was late, the next one is not
	answers     [3]time.Time  // the last adverts out of turn
}

func (c *cadence) configured(interval time.Duration) {
	c.least, c.most = min(c.least, interval), max(c.most, interval)
	c.answers = [3]time.Time{}
}

// beat checks that adverts do not come too soon, nor too late.
func (s *shadow) beat(now, due time.Time, ev vrrp.Event) string {
	c := &s.cadence
	if s.did.adverts == 0 {
		return ""
	}
	if s.did.adverts > 1 {
		return fmt.Sprintf("sends %d adverts at once", s.did.adverts)
	}
	gap, still := now.Sub(c.last), s.was == config.Master && s.state == config.Master
	var complaint string
	switch ev.(type) {
	case vrrp.TimerFired:
		late := now.Sub(due)
		switch {
		case !still:
		case gap < c.least-c.late && !s.r.w.o.Blind:
			complaint = fmt.Sprintf("sends again after %s", gap)
		case gap > c.most+2 && !s.r.resuming:
			complaint = fmt.Sprintf("has been silent for %s", gap)
		}
		if c.late = 0; still && late < s.interval() {
			c.late = late
		}
	case vrrp.Received:
		if !still {
			break
		}
		c.answers = [3]time.Time{c.answers[1], c.answers[2], now}
		if third := c.answers[0]; !third.IsZero() && now.Sub(third) < s.interval() {
			complaint = "answers three times in an interval"
		}
	}
	if !still {
		c.answers = [3]time.Time{}
	}
	c.last, c.least, c.most = now, s.interval(), s.interval()
	return complaint
}
