package bfd

import (
	"math/rand/v2"
	"time"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
)

// Event is something that happens to a [Session].
type Event interface{ event() }

// Received is a packet for the session: it names its discriminator, or none
// and came from its neighbor.
type Received struct{ Packet wire.Packet }

// TimerFired says that the deadline has passed.
type TimerFired struct{}

// Reconfigured brings the parameters of a reload. The neighbor stays the same.
type Reconfigured struct{ Config config.BFDInstance }

// Shutdown ends the session.
type Shutdown struct{}

func (Received) event()     {}
func (TimerFired) event()   {}
func (Reconfigured) event() {}
func (Shutdown) event()     {}

// Effect is what a step asks of the shell, in the order given.
type Effect interface{ effect() }

// Send is a packet for the neighbor.
type Send struct{ Packet wire.Packet }

// Became says that the session has another state.
type Became struct {
	State         wire.State
	Local, Remote wire.Diag
}

// Polling says that new intervals are being agreed upon.
type Polling struct{}

func (Send) effect()    {}
func (Became) effect()  {}
func (Polling) effect() {}

// Session is the machine of RFC 5880 section 6.8 for one neighbor.
type Session struct {
	cfg    config.BFDInstance
	my     uint32 // bfd.LocalDiscr
	jitter *rand.Rand

	state wire.State
	diag  wire.Diag
	poll  bool          // a Poll Sequence is running
	minTx time.Duration // Desired Min TX Interval in use: an increase waits for the end of the poll
	minRx time.Duration // Required Min RX Interval in use: a decrease waits for the end of the poll

	remote  wire.Packet // the last one; before and after a silence zero but for MinRx
	sent    time.Time   // when the last periodic packet left
	next    time.Time   // when the next one is due; zero: none is
	expires time.Time   // end of the detection time; zero: nothing was heard
	seen    time.Time   // when the last packet came; zero: none has
}

// NewSession is a session that is down and begins to speak at now, unless it
// is passive. The discriminator is not 0 and no other session's.
func NewSession(cfg config.BFDInstance, discriminator uint32, jitter *rand.Rand, now time.Time) *Session {
	s := &Session{cfg: cfg, my: discriminator, jitter: jitter, state: wire.Down}
	s.forget()
	s.minTx, s.minRx = s.desired(), cfg.MinRx
	if s.speaks() {
		s.next = now
	}
	return s
}

// Step takes an event and answers with effects.
func (s *Session) Step(now time.Time, ev Event) []Effect {
	if s.state == wire.AdminDown {
		return nil
	}
	switch e := ev.(type) {
	case Received:
		return s.receive(now, e.Packet)
	case TimerFired:
		return s.fire(now)
	case Reconfigured:
		return s.reconfigure(e.Config)
	case Shutdown:
		out := s.become(now, wire.AdminDown, wire.AdministrativelyDown)
		s.next, s.expires = time.Time{}, time.Time{}
		return out
	}
	return nil
}

// State is the state of the session.
func (s *Session) State() wire.State { return s.state }

// Deadline is when the shell must send [TimerFired]; zero: never.
func (s *Session) Deadline() time.Time {
	if s.next.IsZero() || !s.expires.IsZero() && s.expires.Before(s.next) {
		return s.expires
	}
	return s.next
}

// receive is RFC 5880 section 6.8.6 from the point where the packet is known
// to be for this session.
func (s *Session) receive(now time.Time, p wire.Packet) (out []Effect) {
	s.remote, s.seen = p, now
	if s.poll && p.Final {
		s.poll, s.minTx, s.minRx = false, s.desired(), s.cfg.MinRx
	}
	switch state := s.react(p.State); state {
	case s.state:
	case wire.Down:
		out = s.become(now, wire.Down, wire.NeighborSignaledDown)
	default:
		out = s.become(now, state, wire.NoDiagnostic)
	}
	if p.Poll {
		answer := s.packet()
		answer.Poll, answer.Final = false, true
		out = append(out, Send{answer})
	}
	s.expires = now.Add(s.detection())
	s.schedule(now)
	return out
}

// react is the state machine of section 6.2.
func (s *Session) react(remote wire.State) wire.State {
	switch {
	case remote == wire.AdminDown:
		return wire.Down
	case s.state == wire.Down && remote == wire.Down:
		return wire.Init
	case s.state == wire.Down && remote == wire.Init, s.state == wire.Init && remote >= wire.Init:
		return wire.Up
	case s.state == wire.Up && remote == wire.Down:
		return wire.Down
	}
	return s.state
}

// become changes the state and tells the neighbor at once, section 6.8.7.
func (s *Session) become(now time.Time, state wire.State, diag wire.Diag) []Effect {
	s.state, s.diag = state, diag
	s.poll = false
	out := []Effect{Became{state, diag, s.remote.Diag}}
	was := s.minTx
	s.minTx, s.minRx = s.desired(), s.cfg.MinRx
	if state == wire.Up && s.minTx != was {
		s.poll = true
		out = append(out, Polling{})
	}
	if !s.speaks() && state != wire.AdminDown {
		return out
	}
	s.sent = now
	s.next = now.Add(s.jittered(s.interval()))
	return append(out, Send{s.packet()})
}

func (s *Session) fire(now time.Time) (out []Effect) {
	if passed(s.expires, now) {
		s.expires = time.Time{}
		s.forget()
		if s.state != wire.Down {
			out = s.become(now, wire.Down, wire.DetectionTimeExpired)
		}
	}
	switch {
	case !passed(s.next, now):
	case !s.speaks():
		s.next = time.Time{}
	default:
		s.sent = now
		s.next = now.Add(s.jittered(s.interval()))
		out = append(out, Send{s.packet()})
	}
	return out
}

// forget is what a whole detection time without a packet does to what is known
// of the neighbor, section 6.8.1.
func (s *Session) forget() { s.remote = wire.Packet{State: wire.Down, MinRx: time.Microsecond} }

// reconfigure takes new parameters over; intervals of a session that is up
// change with a poll, section 6.8.3.
func (s *Session) reconfigure(next config.BFDInstance) []Effect {
	prev := s.cfg
	s.cfg = next
	if s.state != wire.Up {
		s.minTx, s.minRx = s.desired(), next.MinRx
		return nil
	}
	if next.MinTx == prev.MinTx && next.MinRx == prev.MinRx {
		return nil
	}
	s.minTx, s.minRx = min(s.minTx, next.MinTx), max(s.minRx, next.MinRx)
	s.poll = true
	return []Effect{Polling{}}
}

// packet is the next one, with the intervals that are wanted.
func (s *Session) packet() wire.Packet {
	return wire.Packet{
		Diag: s.diag, State: s.state, Poll: s.poll, Multiplier: s.cfg.Multiplier,
		My: s.my, Your: s.remote.My, MinTx: s.desired(), MinRx: s.cfg.MinRx,
	}
}

// desired is bfd.DesiredMinTxInterval: slow while the session is not up.
func (s *Session) desired() time.Duration {
	if s.state == wire.Up {
		return s.cfg.MinTx
	}
	return max(s.cfg.IdleTx, s.cfg.MinTx)
}

// interval is the transmission interval before jitter, section 6.8.2.
func (s *Session) interval() time.Duration { return max(s.minTx, s.remote.MinRx) }

// detection is the detection time, section 6.8.4.
func (s *Session) detection() time.Duration {
	return time.Duration(s.remote.Multiplier) * max(s.minRx, s.remote.MinTx)
}

// speaks reports whether packets are sent periodically, section 6.8.7.
func (s *Session) speaks() bool {
	switch {
	case s.cfg.Passive && s.remote.My == 0, s.remote.MinRx == 0:
		return false
	case s.remote.Demand && s.state == wire.Up && s.remote.State == wire.Up:
		return s.poll
	}
	return true
}

// schedule brings the next packet forward when the interval has become
// shorter, and begins or ends to send.
func (s *Session) schedule(now time.Time) {
	switch {
	case !s.speaks():
		s.next = time.Time{}
	case s.next.IsZero():
		s.next = now
	default:
		if soon := s.sent.Add(s.interval()); soon.Before(s.next) {
			s.next = soon
		}
	}
}

// jittered is an interval less up to a quarter; with a multiplier of 1 at
// least a tenth less, section 6.8.7.
func (s *Session) jittered(interval time.Duration) time.Duration {
	least := 0.0
	if s.cfg.Multiplier == 1 {
		least = 0.10
	}
	return time.Duration(float64(interval) * (1 - least - s.jitter.Float64()*(0.25-least)))
}

// passed reports whether a deadline is set and has come.
func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !deadline.After(now) }
