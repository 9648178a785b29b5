package sim_test

import (
	"slices"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/sim"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var trackMutants = []sim.Mutant{
	{Name: "weights have the wrong sign", Config: trackers(each(func(t *config.Track) { t.Weight.Value = -t.Weight.Value }))},
	{Name: "weights are forgotten", Config: trackers(func(list []config.Track) []config.Track {
		return slices.DeleteFunc(list, func(t config.Track) bool { return t.Weight.Value != 0 })
	})},
	{Name: "a weight is FAULT", Config: trackers(each(func(t *config.Track) { t.Weight.Value = 0 }))},
	{Name: "reverse is forgotten", Config: trackers(each(func(t *config.Track) { t.Reverse.Value = false }))},
	{Name: "trackers of sync groups are forgotten", Config: groupTrackers(func([]config.Track) []config.Track { return nil })},
	{Name: "dont_track_primary is forgotten", Config: instances(func(c *config.Instance) { c.DontTrackPrimary = false })},
	{Name: "a link that comes up is not noticed", Event: func(_ *sim.Step, ev vrrp.Event) vrrp.Event {
		if l, ok := ev.(vrrp.LinkChanged); ok && l.Up {
			return nil
		}
		return ev
	}},
	{Name: "a link that goes down is not noticed", Event: func(_ *sim.Step, ev vrrp.Event) vrrp.Event {
		if l, ok := ev.(vrrp.LinkChanged); ok && !l.Up {
			return nil
		}
		return ev
	}},
	{Name: "an address that is lost is not noticed", Event: func(_ *sim.Step, ev vrrp.Event) vrrp.Event {
		if l, ok := ev.(vrrp.LinkChanged); ok && len(l.IPv4) == 0 {
			return nil
		}
		return ev
	}},
	{Name: "a link that comes up ends every other FAULT", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if l, ok := ev.(vrrp.LinkChanged); ok && l.Up && s.Was(config.Fault) {
			s.Group.Step(s.Now, sim.Verdict("chk1", true))
		}
		return ev
	}},
	{Name: "a socket that fails is not noticed", Event: socket(func(_ *sim.Step, open bool) bool { return open })},
	{Name: "a socket that opens is not noticed", Event: socket(func(_ *sim.Step, open bool) bool { return !open })},
	{Name: "a MASTER needs no socket", Event: socket(func(s *sim.Step, open bool) bool { return open || !s.Was(config.Master) })},
	{Name: "one socket is enough for a sync group", Event: socket(func(s *sim.Step, open bool) bool {
		return open || len(s.Group.Members()) < 2
	})},
	{Name: "a link that comes up is a socket", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if l, ok := ev.(vrrp.LinkChanged); ok && l.Up {
			openAll(s)
		}
		return ev
	}},
	{Name: "a reload believes that sockets can be opened", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if _, ok := ev.(vrrp.Start); ok {
			openAll(s)
		}
		return ev
	}},
	{Name: "a script without a verdict is good", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if _, ok := ev.(vrrp.Start); ok && s.Was(config.Init) {
			for _, m := range s.Group.Members() {
				for _, t := range m.Config().TrackScript {
					s.Group.Step(s.Now, sim.Verdict(t.Name, true))
				}
			}
		}
		return ev
	}},
	{Name: "the startup delay is forgotten", Event: func(_ *sim.Step, ev vrrp.Event) vrrp.Event {
		if _, ok := ev.(vrrp.Start); ok {
			return vrrp.Start{}
		}
		return ev
	}},
	{Name: "a verdict is not noticed by a MASTER", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if _, ok := ev.(vrrp.Tracked); ok && s.Was(config.Master) {
			return nil
		}
		return ev
	}},
}

// socket is a mutant that notices only some of what sockets do.
func socket(noticed func(s *sim.Step, open bool) bool) func(*sim.Step, vrrp.Event) vrrp.Event {
	return func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if c, ok := ev.(vrrp.SocketChanged); ok && !noticed(s, c.Open) {
			return nil
		}
		return ev
	}
}

// openAll takes the sockets of a group for open.
func openAll(s *sim.Step) {
	for _, m := range s.Group.Members() {
		s.Group.Step(s.Now, vrrp.SocketChanged{Instance: m.Name(), Open: true})
	}
}

var reloadMutants = []sim.Mutant{
	{Name: "a reload begins anew", Regroup: func([]*vrrp.Group, *config.Config) []*vrrp.Group { return nil }},
	{Name: "a renamed instance begins anew", Regroup: func(running []*vrrp.Group, next *config.Config) []*vrrp.Group {
		return slices.DeleteFunc(running, func(g *vrrp.Group) bool {
			return slices.ContainsFunc(g.Members(), func(m *vrrp.Machine) bool {
				return !slices.ContainsFunc(next.Instances, func(c config.Instance) bool { return c.Name == m.Name() })
			})
		})
	}},
	{Name: "an instance that joins a sync group begins anew", Regroup: func(running []*vrrp.Group, next *config.Config) []*vrrp.Group {
		return slices.DeleteFunc(running, func(g *vrrp.Group) bool {
			return g.Name() == "" && slices.ContainsFunc(next.Groups, func(s config.SyncGroup) bool {
				return slices.Contains(s.Members, g.Members()[0].Name())
			})
		})
	}},
	{Name: "a reload does not claim new addresses", Reloaded: forget(isClaim)},
	{Name: "a reload does not announce new addresses", Reloaded: forget(isAnnounce)},
	{Name: "a reload leaves addresses to an old name", Reloaded: forget(isRelease)},
	{Name: "a removed instance does not say farewell", Reloaded: forget(isFarewell)},
	{Name: "a removed instance is not notified", Reloaded: forget(isTold)},
	{Name: "a reload starts again what runs", Event: func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		if _, ok := ev.(vrrp.Start); ok && s.Was(config.Backup) {
			for _, m := range s.Group.Members() {
				down := vrrp.LinkChanged{Link: m.Config().Interface}
				s.Group.Step(s.Now, down)
			}
		}
		return ev
	}},
}

func forget(which func(vrrp.Effect) bool) func([]vrrp.Effect) []vrrp.Effect {
	return func(out []vrrp.Effect) []vrrp.Effect { return slices.DeleteFunc(slices.Clone(out), which) }
}

// heard is a mutant that takes what is wrong for right.
func heard(repair func(m *vrrp.Machine, d *wire.Datagram)) func(*sim.Step, vrrp.Event) vrrp.Event {
	return func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		r, ok := ev.(vrrp.Received)
		if m := machine(s.Group, r.Instance); ok && m != nil {
			repair(m, &r.Datagram)
			return r
		}
		return ev
	}
}

var rejectMutants = []sim.Mutant{
	{Name: "the TTL is not checked", Event: heard(func(_ *vrrp.Machine, d *wire.Datagram) { d.TTL = 255 })},
	{Name: "the destination is not checked", Event: heard(func(m *vrrp.Machine, d *wire.Datagram) {
		if c := m.Config(); !c.Unicast() && !d.Dst.IsMulticast() && !c.IPv6() {
			d.Dst = c.McastDstIP
			resum(d)
		}
	})},
	{Name: "the checksum is not checked", Event: heard(func(_ *vrrp.Machine, d *wire.Datagram) {
		if _, err := wire.Parse(d.Payload, d.Pseudo()); err != nil {
			d.Payload = slices.Clone(d.Payload)
			resum(d)
		}
	})},
	{Name: "the password is not checked", Event: heard(authentic)},
	{Name: "the interval of v2 is not checked", Event: heard(func(m *vrrp.Machine, d *wire.Datagram) {
		if a, err := wire.Parse(d.Payload, d.Pseudo()); err == nil && a.Version == 2 {
			a.Interval = m.Config().AdvertInt
			d.Payload, _ = a.AppendTo(nil, d.Pseudo())
		}
	})},
	{Name: "the version is not checked", Event: heard(func(m *vrrp.Machine, d *wire.Datagram) {
		if a, err := wire.Parse(d.Payload, d.Pseudo()); err == nil && a.Version != m.Config().Version.Value {
			a.Version, a.Interval = m.Config().Version.Value, m.Config().AdvertInt
			d.Payload, _ = a.AppendTo(nil, d.Pseudo())
			authentic(m, d)
		}
	})},
	{Name: "check_unicast_src is forgotten", Config: instances(func(c *config.Instance) { c.CheckUnicastSrc.Value = false })},
	{Name: "a rejected datagram restarts the timer", Event: heard(func(m *vrrp.Machine, d *wire.Datagram) {
		if _, err := wire.Parse(d.Payload, d.Pseudo()); err != nil && m.State() == config.Backup {
			speak(m, 254, d)
		}
	})},
}

// speak makes a datagram an advert that the machine accepts.
func speak(m *vrrp.Machine, priority uint8, d *wire.Datagram) {
	c := m.Config()
	a := wire.Advert{Version: c.Version.Value, VRID: c.VirtualRouterID, Priority: priority, Interval: c.AdvertInt}
	for _, addr := range c.VirtualIPAddress {
		a.Addrs = append(a.Addrs, addr.Prefix.Addr())
	}
	d.Payload, _ = a.AppendTo(nil, d.Pseudo())
	authentic(m, d)
}

// equal is what a machine hears of a router with its own priority.
func equal(m *vrrp.Machine) vrrp.Received {
	c := m.Config()
	d := wire.Datagram{Src: m.Source().Next(), Dst: c.McastDstIP, TTL: 255}
	if c.Unicast() {
		d.Src, d.Dst = c.UnicastPeers[0].Addr, m.Source()
	}
	speak(m, m.Priority(), &d)
	return vrrp.Received{Instance: m.Name(), Datagram: d}
}

// authentic puts the right password into a valid advert.
func authentic(m *vrrp.Machine, d *wire.Datagram) {
	a, err := wire.Parse(d.Payload, d.Pseudo())
	if err != nil || a.Version != 2 {
		return
	}
	auth := m.Config().Authentication
	a.AuthType, a.Auth = uint8(auth.Type), [8]byte{}
	copy(a.Auth[:], auth.Pass)
	d.Payload, _ = a.AppendTo(nil, d.Pseudo())
}

// resum makes the checksum right, in the form without a pseudo-header where
// there are two.
func resum(d *wire.Datagram) {
	b := d.Payload
	if len(b) < 8 {
		return
	}
	b[6], b[7] = 0, 0
	var sum uint32
	add := func(b []byte) {
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
	}
	add(b)
	if d.Src.Is6() {
		add(d.Src.AsSlice())
		add(d.Dst.AsSlice())
		sum += uint32(len(b)) + wire.Protocol
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	b[6], b[7] = byte(^sum>>8), byte(^sum)
}
