package bfd

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/bfd/wire"
)

// Status is a session and how it stands, for people to read.
type Status struct {
	Name     string
	Neighbor netip.Addr
	State    wire.State
	Diag     wire.Diag
	My       uint32      // discriminator
	Remote   wire.Packet // the neighbor's last one; a silence of the detection time leaves Down alone
	Polling  bool        // new intervals are being agreed upon
	Seen     time.Time   // when the neighbor was heard last; zero: never

	Interval, RemoteInterval   time.Duration // between packets, without jitter
	Detection, RemoteDetection time.Duration // after which one is down for the other
}

// Up says that the neighbour answers.
func (s *Status) Up() bool { return s.State == wire.Up }

func (s *Session) status() Status {
	status := Status{
		Name: s.cfg.Name, Neighbor: s.cfg.NeighborIP, State: s.state, Diag: s.diag, My: s.my,
		Remote: s.remote, Polling: s.poll, Seen: s.seen, Interval: s.interval(),
	}
	if s.remote.My == 0 { // what is assumed of a neighbor that is silent is nothing to show
		status.Remote.MinRx = 0
		return status
	}
	status.RemoteInterval, status.Detection = max(s.minRx, s.remote.MinTx), s.detection()
	status.RemoteDetection = time.Duration(s.cfg.Multiplier) * status.Interval
	return status
}
