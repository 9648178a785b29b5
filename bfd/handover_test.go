package bfd

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/bfd/wire"
)

// A session that goes on in another program is what it was, to its neighbor
// too, and notices its end as late as if nobody had been away.
func TestHandover(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1000, 0)
	cfg := anyParameters(random)
	cfg.Name, cfg.NeighborIP, cfg.SourceIP = "B", netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1")
	s := NewSession(cfg, 7, random, now)
	for _, state := range []wire.State{wire.Down, wire.Init, wire.Up} {
		s.Step(now, Received{wire.Packet{State: state, My: 9, Your: 7, Multiplier: 3, MinTx: time.Second, MinRx: time.Second}})
	}
	if s.State() != wire.Up {
		t.Fatalf("the session is %s", s.State())
	}
	then := now.Add(100 * time.Millisecond)
	want := s.handover(then)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var read Handover
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	next := NewSession(cfg, 8, random, then)
	next.takeOver(&read, then, then)
	if diff := cmp.Diff(want, next.handover(then), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	a, b := *s, *next
	a.jitter, b.jitter = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("was %+v\nis  %+v", a, b)
	}
	away := time.Second
	next.takeOver(&read, then, then.Add(away))
	if late := next.expires.Sub(s.expires); late != away {
		t.Errorf("the end of the neighbor is noticed %s later, want %s", late, away)
	}
	if got, expires := next.packet(), next.Step(then.Add(away), TimerFired{}); got.My != 7 || got.Your != 9 || got.State != wire.Up || len(expires) > 1 {
		t.Errorf("the next packet is %+v, then %v", got, expires)
	}
}
