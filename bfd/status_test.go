package bfd

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
)

// What is told of a session: nothing of a neighbor that has never spoken, the
// intervals that were agreed upon, and what is left when it has gone.
func TestStatus(t *testing.T) {
	now := time.Unix(1000, 0)
	cfg := config.BFDInstance{
		Name: "B", NeighborIP: netip.MustParseAddr("10.0.0.2"), MinRx: 100 * time.Millisecond, MinTx: 150 * time.Millisecond, IdleTx: time.Second, Multiplier: 4,
	}
	s := NewSession(cfg, 7, rand.New(rand.NewPCG(1, 2)), now)
	silent := Status{Name: "B", Neighbor: cfg.NeighborIP, State: wire.Down, My: 7, Remote: wire.Packet{State: wire.Down}, Interval: time.Second}
	check := func(want Status) {
		t.Helper()
		if diff := cmp.Diff(want, s.status(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	check(silent)
	packet := wire.Packet{State: wire.Init, My: 9, Your: 7, Multiplier: 3, MinTx: 130 * time.Millisecond, MinRx: 120 * time.Millisecond}
	s.Step(now, Received{packet})
	packet.Final = true // of the poll that begins now
	s.Step(now, Received{packet})
	up := Status{
		Name: "B", Neighbor: cfg.NeighborIP, State: wire.Up, My: 7, Remote: packet, Seen: now,
		Interval: 150 * time.Millisecond, RemoteInterval: 130 * time.Millisecond, Detection: 390 * time.Millisecond, RemoteDetection: 600 * time.Millisecond,
	}
	check(up)
	if up := s.status(); !up.Up() {
		t.Error("a session that is up is not")
	}
	s.Step(now.Add(time.Second), TimerFired{})
	silent.Diag, silent.Seen = wire.DetectionTimeExpired, now
	check(silent)
}
