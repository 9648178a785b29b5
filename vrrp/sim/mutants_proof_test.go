package sim_test

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/sim"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// headed is a mutant that spoils datagrams with an authentication header,
// before they are looked at. With a number it makes a new header, with the key
// of the machine; with false one that is wrong.
func headed(spoil func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram) (number uint32, keep bool)) func(*sim.Step, vrrp.Event) vrrp.Event {
	return func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		r, ok := ev.(vrrp.Received)
		m := machine(s.Group, r.Instance)
		if !ok || m == nil || r.Datagram.Headers == nil || m.Config().Authentication.Type != config.AuthAH {
			return ev
		}
		d := &r.Datagram
		number, keep := spoil(s, m, d)
		switch {
		case !keep:
			d.Headers = broken(d.Headers)
		case number > 0:
			all := wire.NewAH(string(m.Config().Authentication.Pass)).AppendIPv4(nil, d.Src, d.Dst, 255, 0, number, d.Payload)
			d.Headers, d.Payload = all[:len(d.Headers)], all[len(d.Headers):]
		}
		return r
	}
}

// sealed says that a header was made with the key of the machine.
func sealed(m *vrrp.Machine, d *wire.Datagram) bool {
	return wire.NewAH(string(m.Config().Authentication.Pass)).Verify(d)
}

// trailed is a mutant that spoils datagrams with a trailer. With a key it makes
// a new trailer, with what the machine has for that number of a key; with false
// one that is wrong.
func trailed(spoil func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) (key uint8, number uint64, keep bool)) func(*sim.Step, vrrp.Event) vrrp.Event {
	return func(s *sim.Step, ev vrrp.Event) vrrp.Event {
		r, ok := ev.(vrrp.Received)
		m := machine(s.Group, r.Instance)
		if !ok || m == nil || m.Config().AuthHMAC == nil {
			return ev
		}
		d := &r.Datagram
		a, err := wire.Parse(d.Payload, d.Pseudo())
		if err != nil || !a.Trailer.WellFormed() {
			return ev
		}
		id, number, keep := spoil(s, m, d, a.Trailer)
		if !keep {
			d.Payload = broken(d.Payload)
		} else if key := secret(m, id); key != nil {
			if payload, err := a.AppendSigned(nil, d.Pseudo(), key, number); err == nil {
				d.Payload = payload
			}
		}
		return r
	}
}

// broken is a copy whose last byte is another.
func broken(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// secret is a key of the machine; nil: it has none of that number.
func secret(m *vrrp.Machine, id uint8) *wire.HMAC {
	for i := range m.Config().AuthHMAC.Keys {
		if k := &m.Config().AuthHMAC.Keys[i]; k.ID == id {
			return wire.NewHMAC(id, k.Bytes())
		}
	}
	return nil
}

// signed says that a trailer was made with a key of the machine.
func signed(m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) bool {
	key := secret(m, t.KeyID())
	return key != nil && key.Verify(d.Payload[:len(d.Payload)-len(t)], t, d.Src)
}

// seconds is how far a number is ahead of a clock.
func seconds(number uint64, now time.Time) time.Duration {
	return time.Duration(int32(uint32(number>>32)-uint32(now.Unix()))) * time.Second
}

// hmacs is a mutant that reads auth_hmac wrongly.
func hmacs(change func(*config.AuthHMAC)) func(*config.Config) {
	return instances(func(c *config.Instance) {
		if c.AuthHMAC != nil {
			change(c.AuthHMAC)
		}
	})
}

// renumbered is a mutant that sends other numbers.
func renumbered(ah bool, number func(s *sim.Step, e vrrp.SendAdvert) uint64) func(*sim.Step, []vrrp.Effect) []vrrp.Effect {
	return func(s *sim.Step, out []vrrp.Effect) []vrrp.Effect {
		for i, e := range out {
			a, ok := e.(vrrp.SendAdvert)
			if m := machine(s.Group, a.Instance); !ok || a.Sequence == 0 || m == nil || (m.Config().AuthHMAC == nil) != ah {
				continue
			}
			a.Sequence = number(s, a)
			out[i] = a
		}
		return out
	}
}

var proofMutants = []sim.Mutant{
	{Name: "AH: the key is not checked", Event: headed(func(_ *sim.Step, _ *vrrp.Machine, d *wire.Datagram) (uint32, bool) {
		return d.Sequence(), true
	})},
	{Name: "AH: the number is not checked", Event: headed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram) (uint32, bool) {
		if !sealed(m, d) {
			return 0, true
		}
		last, _ := s.Memory[m.Name()].(uint32)
		number := max(last+1, d.Sequence())
		s.Memory[m.Name()] = number
		return number, true
	})},
	{Name: "AH: a number must be higher than any", Event: headed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram) (uint32, bool) {
		last, _ := s.Memory[m.Name()].(uint32)
		if sealed(m, d) && d.Sequence() > last {
			s.Memory[m.Name()] = d.Sequence()
			return 0, true
		}
		return 0, !sealed(m, d)
	}), Effects: renumbered(true, func(s *sim.Step, e vrrp.SendAdvert) uint64 {
		last, _ := s.Memory[e.Instance].(uint32)
		s.Memory[e.Instance] = max(last, uint32(e.Sequence))
		return e.Sequence
	})},
	{Name: "AH: numbers do not grow", Effects: renumbered(true, func(*sim.Step, vrrp.SendAdvert) uint64 { return 7 })},
	{Name: "AH: numbers do not go on from what was heard", Effects: renumbered(true, func(s *sim.Step, e vrrp.SendAdvert) uint64 {
		n, _ := s.Memory[e.Instance].(uint64)
		s.Memory[e.Instance] = n + 1
		return n + 1
	})},
	{Name: "AH: an owner that ignores others does not know their numbers", Event: headed(func(_ *sim.Step, m *vrrp.Machine, _ *wire.Datagram) (uint32, bool) {
		return 0, m.State() != config.Master || !m.Config().OwnerIgnoreAdverts.Value
	})},
	{Name: "HMAC: the key is not checked", Event: trailed(func(_ *sim.Step, m *vrrp.Machine, _ *wire.Datagram, t wire.Trailer) (uint8, uint64, bool) {
		return m.Config().AuthHMAC.ActiveKey, t.Sequence(), true
	})},
	{Name: "HMAC: only the active key is known", Subtle: true, Config: hmacs(func(a *config.AuthHMAC) {
		for i := range a.Keys {
			if a.Keys[i].ID == a.ActiveKey {
				a.Keys = a.Keys[i : i+1]
				break
			}
		}
	})},
	{Name: "HMAC: copies are not noticed", Event: trailed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) (uint8, uint64, bool) {
		if !signed(m, d, t) {
			return 0, 0, true
		}
		key := m.Name() + d.Src.String()
		last, _ := s.Memory[key].(uint64)
		number := t.Sequence()
		if last != 0 && int64(number-last) <= 0 && seconds(number, s.Now).Abs() <= time.Second {
			number = last + 1
		}
		s.Memory[key] = number
		return t.KeyID(), number, true
	})},
	{Name: "HMAC: clocks are not compared", Event: trailed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) (uint8, uint64, bool) {
		if !signed(m, d, t) || seconds(t.Sequence(), s.Now).Abs() < time.Minute {
			return 0, 0, true
		}
		number := t.Sequence()&0xffffffff | uint64(uint32(s.Now.Unix()))<<32
		return t.KeyID(), number, true
	})},
	{Name: "HMAC: the clock need not be compared (monotonic for time)", Config: hmacs(func(a *config.AuthHMAC) { a.AntiReplay = config.ReplayMonotonic })},
	{Name: "HMAC: a clock that was set back makes all others deaf", Event: trailed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) (uint8, uint64, bool) {
		key := [2]any{m.Name(), d.Src}
		seen, _ := s.Memory["highest"].(map[[2]any]uint64)
		if seen == nil {
			seen = map[[2]any]uint64{}
			s.Memory["highest"] = seen
		}
		last, known := seen[key]
		if !signed(m, d, t) || known && int64(t.Sequence()-last) <= 0 {
			return 0, 0, false
		}
		if seconds(t.Sequence(), s.Now).Abs() < 3*time.Second {
			seen[key] = t.Sequence()
		}
		return 0, 0, true
	})},
	{Name: "HMAC: no trailer is as good as one", Subtle: true, Config: hmacs(func(a *config.AuthHMAC) { a.Mode = config.HMACPermissive })},
	{Name: "HMAC: permissive is enforced", Subtle: true, Config: hmacs(func(a *config.AuthHMAC) { a.Mode = config.HMACEnforce })},
	{Name: "HMAC: adverts are not signed", Config: hmacs(func(a *config.AuthHMAC) { a.Mode = config.HMACReceiveOnly })},
	{Name: "HMAC: numbers do not grow", Effects: renumbered(false, func(s *sim.Step, e vrrp.SendAdvert) uint64 {
		first, ok := s.Memory[e.Instance].(uint64)
		if !ok {
			first = e.Sequence
			s.Memory[e.Instance] = first
		}
		return first
	})},
	{Name: "HMAC: a clock that was set back is not followed", Effects: renumbered(false, func(s *sim.Step, e vrrp.SendAdvert) uint64 {
		last, _ := s.Memory[e.Instance].(uint64)
		n := e.Sequence
		if last != 0 && int64(n-last) <= 0 {
			n = last + 1
		}
		s.Memory[e.Instance] = n
		return n
	})},
	{Name: "HMAC: peers are not checked", Subtle: true, Event: trailed(func(s *sim.Step, m *vrrp.Machine, d *wire.Datagram, t wire.Trailer) (uint8, uint64, bool) {
		peers := m.Config().UnicastPeers
		if !signed(m, d, t) || len(peers) == 0 || isPeer(peers, d.Src) || m.Config().CheckUnicastSrc.Value {
			return 0, 0, true
		}
		d.Src = peers[0].Addr
		return t.KeyID(), t.Sequence(), true
	})},
}

func isPeer(peers []config.Peer, addr netip.Addr) bool {
	return slices.ContainsFunc(peers, func(p config.Peer) bool { return p.Addr == addr })
}
