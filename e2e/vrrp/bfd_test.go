package vrrp

import (
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// bfdWith is a session with a neighbor. 10 ms, the default, is too short for a
// busy test machine.
func bfdWith(neighbor string) string {
	return "bfd_instance peer {\n\tneighbor_ip " + neighbor + "\n\tmin_rx 50\n\tmin_tx 50\n\tmultiplier 20\n}\n"
}

// TestTrackBFD: an instance that tracks a BFD session is in FAULT until the
// session is up, and again when the neighbor has gone. The neighbor is
// keepalived when the instance is lvsd's, and the other way round.
func TestTrackBFD(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]struct{ tracks, answers string }{
		"lvsd tracks keepalived": {rig.Binary(), rig.Keepalived},
		"keepalived tracks lvsd": {rig.Keepalived, rig.Binary()},
		"lvsd tracks lvsd":       {rig.Binary(), rig.Binary()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			r, peer := s.router(1), s.router(2)
			i := instance{priority: 150, more: "track_bfd {\n\tpeer\n}"}
			r.run(who.tracks, bfdWith("10.9.0.2"), i)
			r.Wait(0, "ntering FAULT", patience) // keepalived begins with another sentence than later
			r.owns(false, time.Second)
			mark := r.Mark()
			peer.run(who.answers, bfdWith("10.9.0.1"))
			r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
			r.owns(true, patience)
			mark = r.Mark()
			peer.Kill()
			r.becomes(mark, "VI_1", "FAULT", patience)
			r.owns(false, patience)
			mark = r.Mark()
			peer.run(who.answers, bfdWith("10.9.0.1"))
			r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
			if who.tracks == rig.Keepalived {
				return // after a reload 2.2.7 hears of its sessions no more
			}
			mark = r.Mark()
			r.Reload(mark)
			peer.Stop(patience)
			r.becomes(mark, "VI_1", "FAULT", patience)
		})
	}
}
