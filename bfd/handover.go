package bfd

import (
	"net"
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
)

// Handover is what a program that takes the place of this one has to know of a
// session; its neighbor goes on with it. Moments are counted from that of the
// handover, nil: there is none.
type Handover struct {
	Name             string
	Neighbor, Source netip.Addr
	Multihop         bool
	HopLimit         uint8
	Port             int // that the packets leave from, RFC 5881 section 4; 0: no matter which

	My           uint32
	State        wire.State
	Diag         wire.Diag
	Poll         bool
	MinTx, MinRx time.Duration
	Remote       wire.Packet
	Sent         *time.Duration
	Next         *time.Duration
	Expires      *time.Duration
	Seen         *time.Duration
}

// Taking are the sessions of a predecessor, at a moment.
type Taking struct {
	Sessions []Handover
	At       time.Time
}

func after(t, from time.Time) *time.Duration {
	if t.IsZero() {
		return nil
	}
	d := t.Sub(from)
	return &d
}

func at(d *time.Duration, from time.Time) time.Time {
	if d == nil {
		return time.Time{}
	}
	return from.Add(*d)
}

func (s *Session) handover(now time.Time) Handover {
	return Handover{
		Name: s.cfg.Name, Neighbor: s.cfg.NeighborIP, Source: s.cfg.SourceIP, Multihop: s.cfg.Multihop, HopLimit: s.cfg.HopLimit(),
		My: s.my, State: s.state, Diag: s.diag, Poll: s.poll, MinTx: s.minTx, MinRx: s.minRx, Remote: s.remote,
		Sent: after(s.sent, now), Next: after(s.next, now), Expires: after(s.expires, now), Seen: after(s.seen, now),
	}
}

// takeOver is the reverse of handover. The detection time goes on where it
// stood: nobody has listened in between.
func (s *Session) takeOver(h *Handover, then, now time.Time) {
	s.my, s.state, s.diag, s.poll = h.My, h.State, h.Diag, h.Poll
	s.minTx, s.minRx, s.remote = h.MinTx, h.MinRx, h.Remote
	s.sent, s.next, s.expires, s.seen = at(h.Sent, then), at(h.Next, then), at(h.Expires, now), at(h.Seen, then)
}

// Freeze ends what the runner does until thaw: nothing is sent and nothing is
// heard. The handover is of that moment.
func (r *Runner) Freeze() (all []Handover, thaw func()) {
	frozen, again := make(chan struct{}), make(chan struct{})
	go func() {
		_ = r.do(func() { // once the runner has stopped there is nothing to hand over
			now := time.Now()
			for _, s := range r.sessions {
				h := s.handover(now)
				if s.conn != nil {
					h.Port = s.conn.LocalAddr().(*net.UDPAddr).Port
				}
				all = append(all, h)
			}
			close(frozen)
			<-again
		})
	}()
	select {
	case <-frozen:
	case <-r.stopped:
	}
	return all, func() { close(again) }
}

// TakeOver says what was, at a moment, before the first [Runner.Apply].
func (r *Runner) TakeOver(t Taking) error { return r.do(func() { r.taking = &t }) }

// expected is what a predecessor knew of a session; nil: it had none.
func (r *Runner) expected(cfg *config.BFDInstance) *Handover {
	if r.taking == nil {
		return nil
	}
	for i := range r.taking.Sessions {
		h := &r.taking.Sessions[i]
		if h.Name == cfg.Name && h.Neighbor == cfg.NeighborIP && h.Source == cfg.SourceIP && h.Multihop == cfg.Multihop && h.HopLimit == cfg.HopLimit() {
			return h
		}
	}
	return nil
}
