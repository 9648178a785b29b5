package sim_test

import (
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/sim"
)

var effectMutants = []sim.Mutant{
	{Name: "addresses before the first advert", Effects: sooner(isClaim)},
	{Name: "notified before the addresses are there", Effects: sooner(isTold)},
	{Name: "no advert when becoming MASTER", Effects: without(func(s *sim.Step, e vrrp.Effect) bool {
		return isAdvert(e) && !s.Was(config.Master) && s.Is(config.Master)
	})},
	{Name: "no gratuitous ARP when becoming MASTER", Effects: without(func(s *sim.Step, e vrrp.Effect) bool {
		return isAnnounce(e) && !s.Was(config.Master)
	})},
	{Name: "addresses announced and not claimed", Effects: without(func(_ *sim.Step, e vrrp.Effect) bool { return isClaim(e) })},
	{Name: "addresses kept when MASTER is lost", Effects: without(func(_ *sim.Step, e vrrp.Effect) bool { return isRelease(e) })},
	{Name: "addresses released before the farewell", Effects: sooner(isRelease)},
	{Name: "no farewell", Effects: without(func(_ *sim.Step, e vrrp.Effect) bool { return isFarewell(e) })},
	{Name: "no farewell when stopped", Effects: without(func(s *sim.Step, e vrrp.Effect) bool {
		_, stop := s.Event.(vrrp.Shutdown)
		return stop && isFarewell(e)
	})},
	{Name: "a farewell when giving way", Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for _, e := range out {
			if isAdvert(e) {
				s.Memory["last"] = e
			}
		}
		last, ok := s.Memory["last"].(vrrp.SendAdvert)
		if _, received := s.Event.(vrrp.Received); !ok || !received || !s.Was(config.Master) || s.Is(config.Master) {
			return out
		}
		last.Advert.Priority = 0
		return append([]vrrp.Effect{last}, out...)
	}},
	{Name: "the group is notified before its members", Effects: sooner(isGroupTold)},
	{Name: "the group is not notified", Effects: without(func(_ *sim.Step, e vrrp.Effect) bool { return isGroupTold(e) })},
	{Name: "notified twice", Effects: func(_ *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		if n := len(out); n > 0 && isTold(out[n-1]) {
			return append(out, out[n-1])
		}
		return out
	}},
	{Name: "FAULT is not notified", Effects: without(func(_ *sim.Step, e vrrp.Effect) bool {
		b, ok := e.(vrrp.Became)
		return ok && !b.Group && b.State == config.Fault
	})},
	{Name: "BACKUP is notified as FAULT", Effects: changed(func(e vrrp.Effect) vrrp.Effect {
		if b, ok := e.(vrrp.Became); ok && b.State == config.Backup {
			b.State = config.Fault
			return b
		}
		return e
	})},
	{Name: "notified of what the group has told", Effects: changed(func(e vrrp.Effect) vrrp.Effect {
		if b, ok := e.(vrrp.Became); ok {
			b.Silent = false
			return b
		}
		return e
	})},
	{Name: "notified with the configured priority", Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for i, e := range out {
			if b, ok := e.(vrrp.Became); ok && !b.Group {
				b.Priority = int(machine(s.Group, b.Name).Config().Priority.Value)
				out[i] = b
			}
		}
		return out
	}},
	{Name: "adverts with the configured priority", Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for i, e := range out {
			if a, ok := e.(vrrp.SendAdvert); ok && a.Advert.Priority > 0 {
				a.Advert.Priority = machine(s.Group, a.Instance).Config().Priority.Value
				out[i] = a
			}
		}
		return out
	}},
	{Name: "an advert in FAULT", Subtle: true, Effects: func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for _, e := range out {
			if isFarewell(e) && s.Is(config.Fault) {
				return append(out, e)
			}
		}
		return out
	}},
}

var configMutants = []sim.Mutant{
	{Name: "sync groups are ignored", Config: func(cfg *config.Config) { cfg.Groups = nil }},
	{Name: "the last member does not follow its group", Config: func(cfg *config.Config) {
		for i := range cfg.Groups {
			if g := &cfg.Groups[i]; len(g.Members) > 1 {
				g.Members = g.Members[:len(g.Members)-1]
			}
		}
	}},
	{Name: "higher_prio_send_advert is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.HigherPrioSendAdvert.Value = false })},
	{Name: "lower_prio_no_advert is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.LowerPrioNoAdvert.Value = false })},
	{Name: "timer_expired_backup is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.TimerExpiredBackup = 0 })},
	{Name: "owner_ignore_adverts is forgotten", Config: instances(func(c *config.Instance) { c.OwnerIgnoreAdverts.Value = false })},
	{Name: "vrrp_max_advert_interval is forgotten", Subtle: true, Config: instances(func(c *config.Instance) { c.MaxAdvertInterval = 0 })},
	{Name: "excluded addresses are forgotten", Config: instances(func(c *config.Instance) { c.VirtualIPAddressExcluded = nil })},
}
