package sim_test

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/sim"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// waiting moves the deadline while nobody in the group is MASTER.
func waiting(by func(*vrrp.Machine) time.Duration) func(*sim.Step, time.Time) time.Time {
	return func(s *sim.Step, d time.Time) time.Time {
		if s.Is(config.Master) {
			return d
		}
		return d.Add(by(s.Group.Members()[0]))
	}
}

var timerMutants = []sim.Mutant{
	{Name: "skew of 255 - priority", Deadline: waiting(func(m *vrrp.Machine) time.Duration { return -m.Config().AdvertInt / 256 })},
	{Name: "skew of 257 - priority", Subtle: true, Deadline: waiting(func(m *vrrp.Machine) time.Duration { return m.Config().AdvertInt / 256 })},
	{Name: "no skew", Deadline: waiting(func(m *vrrp.Machine) time.Duration {
		return -time.Duration(256-int(m.Priority())) * m.Config().AdvertInt / 256
	})},
	{Name: "one interval more before a take-over", Config: instances(func(c *config.Instance) { c.DownTimerAdverts.Value++ })},
	{Name: "one interval less before a take-over", Config: instances(func(c *config.Instance) { c.DownTimerAdverts.Value-- })},
	{Name: "adverts a millisecond late", Deadline: func(s *sim.Step, d time.Time) time.Time {
		if s.Is(config.Master) {
			return d.Add(time.Millisecond)
		}
		return d
	}},
	{Name: "a deadline that is never served", Deadline: func(s *sim.Step, d time.Time) time.Time {
		if s.Is(config.Backup) && s.Now.Nanosecond()%7 == 0 {
			return time.Time{}
		}
		return d
	}},
	{Name: "the interval of a v3 master is not learned", Subtle: true, Event: hearing(config.Backup, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		if a.Version == 3 {
			a.Interval = m.Config().AdvertInt
		}
		return true
	})},
	{Name: "state MASTER waits as long as others", Subtle: true, Config: instances(func(c *config.Instance) { c.State.Value = config.Backup })},
	{Name: "a lower priority restarts the timer", Event: hearing(config.Backup, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		if a.Priority > 0 && a.Priority < m.Priority() {
			a.Priority = m.Priority()
		}
		return true
	})},
	{Name: "an equal priority does not restart the timer (> for >=)", Event: hearing(config.Backup, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		return a.Priority != m.Priority()
	})},
	{Name: "priority 0 is not heard by a BACKUP", Event: hearing(config.Backup, func(_ *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		return a.Priority > 0
	})},
	{Name: "priority 0 restarts the whole timer", Event: hearing(config.Backup, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		if a.Priority == 0 {
			a.Priority = 255
		}
		return true
	})},
	{Name: "the advert timer is not cancelled in BACKUP", Effects: afterwards(isAdvert)},
	{Name: "gratuitous ARP is not cancelled in BACKUP", Effects: afterwards(isAnnounce)},
	{Name: "the advert timer fires twice", Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		if _, timer := s.Event.(vrrp.TimerFired); timer && len(out) == 1 && isAdvert(out[0]) {
			return append(out, out[0])
		}
		return out
	}},
}

// afterwards repeats an effect of the MASTER in the first step after it.
func afterwards(which func(vrrp.Effect) bool) func(*sim.Step, []vrrp.Effect) []vrrp.Effect {
	return func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for _, e := range out {
			if which(e) && s.Is(config.Master) {
				s.Memory["last"] = e
			}
		}
		if last, ok := s.Memory["last"].(vrrp.Effect); ok && !s.Is(config.Master) && !s.Was(config.Master) {
			delete(s.Memory, "last")
			return append(out, last)
		}
		return out
	}
}

var electionMutants = []sim.Mutant{
	{Name: "no tie-break by address", Event: hearing(config.Master, func(m *vrrp.Machine, a *wire.Advert, d *wire.Datagram) bool {
		return a.Priority != m.Priority() || d.Src.Less(m.Source())
	})},
	{Name: "the lower address wins a tie", Event: hearing(config.Master, func(m *vrrp.Machine, a *wire.Advert, d *wire.Datagram) bool {
		if a.Priority == m.Priority() {
			d.Src = mirror(m.Source(), d.Src)
		}
		return true
	})},
	{Name: "a MASTER ignores a higher priority", Event: hearing(config.Master, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		return a.Priority <= m.Priority()
	})},
	{Name: "a MASTER gives way to a lower priority", Event: hearing(config.Master, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		if a.Priority > 0 && a.Priority < m.Priority() {
			a.Priority = 255
		}
		return true
	})},
	{Name: "a MASTER does not answer priority 0", Event: hearing(config.Master, func(_ *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		return a.Priority > 0
	})},
	{Name: "a MASTER does not assert itself", Event: hearing(config.Master, func(m *vrrp.Machine, a *wire.Advert, _ *wire.Datagram) bool {
		return a.Priority == 0 || a.Priority >= m.Priority()
	})},
	{Name: "a flood of lower priorities is answered each time", Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for _, e := range out {
			if isAdvert(e) {
				s.Memory["last"] = e
			}
		}
		_, received := s.Event.(vrrp.Received)
		if last, ok := s.Memory["last"].(vrrp.Effect); ok && received && len(out) == 0 && s.Is(config.Master) {
			return append(out, last)
		}
		return out
	}},
	{Name: "who is better for a part of a sync group tries again at once", Subtle: true, Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		r, received := s.Event.(vrrp.Received)
		if !received || !s.Was(config.Master) || s.Is(config.Master) {
			return out
		}
		for _, m := range s.Group.Members() {
			if m.Name() != r.Instance && m.Config().Authentication.Type != config.AuthAH && m.Config().AuthHMAC == nil {
				s.Group.Step(s.Now, equal(m)) // whose timer begins anew, and is the usual one
			}
		}
		return out
	}},
	{Name: "nopreempt is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.NoPreempt = false })},
	{Name: "nobody preempts", Config: instances(func(c *config.Instance) { c.NoPreempt = true })},
	{Name: "preempt_delay is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.PreemptDelay = 0 })},
	{Name: "the owner is like others", Config: instances(func(c *config.Instance) {
		if c.Priority.Value == config.Owner {
			c.Priority.Value--
		}
	})},
}

// mirror is the address on the other side of the middle.
func mirror(middle, addr netip.Addr) netip.Addr {
	switch addr.Compare(middle) {
	case -1:
		return middle.Next()
	case 1:
		return middle.Prev()
	}
	return addr
}
