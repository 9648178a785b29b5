package vrrp

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestGarbage pours adverts that must be rejected on a master and its backup:
// neither shows it. The master's adverts keep their interval, the backup takes
// over when the master is killed and not before, the logs say the same about
// states as without, and little else.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for _, i := range []instance{{pass: "s3cret"}, {version: 3}, {ah: "s3cret"}} {
		version := max(2, i.version)
		name, lies := fmt.Sprintf("v%d", version), forgeries(version)
		if i.ah != "" {
			name, lies = "AH", headed(i.ah)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			high, low := i, i
			high.priority, low.priority = 150, 100
			master, backup := s.router(1), s.router(2)
			master.run(rig.Binary(), high)
			backup.run(rig.Binary(), low)
			master.becomes(0, "VI_1", "MASTER", high.down()+patience)
			backup.becomes(0, "VI_1", "BACKUP", patience)
			backup.owns(false, patience)
			time.Sleep(2 * time.Second)
			calms := [2]*calm{{r: master, log: master.Mark(), began: time.Now()}, {r: backup, log: backup.Mark(), began: time.Now()}}

			stop := s.router(66).pour(lies)
			time.Sleep(6 * time.Second)
			calms[0].cadence(t, high.interval())
			calms[1].cadence(t, 0)
			for _, c := range calms {
				if states := c.r.states(c.log); len(states) > 0 {
					t.Errorf("%s: changes of state: %q", c.r, states)
				}
			}
			master.Kill()
			last := master.lastAdvert().At
			first := backup.nextAdvert(last, low.priority, low.down()+patience).At
			within(t, "from the last advert of the killed master to the first of the other", first.Sub(last), low.down(), low.down()+busy)
			afterwards := &calm{r: backup, began: time.Now()}
			time.Sleep(3 * time.Second)
			poured := stop()
			afterwards.cadence(t, low.interval())
			if states := backup.states(calms[1].log); !slices.Equal(states, []string{"(VI_1) Entering MASTER STATE"}) {
				t.Errorf("%s: changes of state: %q", backup, states)
			}
			backup.owns(true, patience)
			for _, c := range calms {
				if lines := len(c.r.Lines(c.log)); lines > 200 {
					t.Errorf("%s: %d lines of log for %d packets", c.r, lines, poured)
				}
			}
			t.Logf("%d packets, lines of log: %d, %d", poured, len(master.Lines(calms[0].log)), len(backup.Lines(calms[1].log)))
		})
	}
}

// TestForgeriesAreNearlyTrue proves that the stream of TestGarbage is made of
// the right stuff: without its one lie, the same advert deposes a master.
func TestForgeriesAreNearlyTrue(t *testing.T) {
	t.Parallel()
	for _, i := range []instance{{pass: "s3cret", priority: 150}, {version: 3, priority: 150}} {
		version := max(2, i.version)
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			r, liar := s.router(1), s.router(66)
			r.run(rig.Binary(), i)
			r.becomes(0, "VI_1", "MASTER", i.down()+patience)
			r.owns(true, patience)
			mark := r.Mark()
			if err := liar.wire.Send(validAdvert(version, 250).frame()); err != nil {
				t.Fatal(err)
			}
			r.becomes(mark, "VI_1", "BACKUP", patience)
			r.owns(false, patience)
		})
	}
}

// pour sends frames, over and over, 2000 a second, until stop is called, which
// answers with their number.
func (r *router) pour(forgeries []forgery) (stop func() int) {
	const tick, perTick = 10 * time.Millisecond, 20
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	var sent int
	var pouring sync.WaitGroup
	pouring.Go(func() {
		for ticker := time.NewTicker(tick); ctx.Err() == nil; <-ticker.C {
			for range perTick {
				if err := r.wire.Send(forgeries[sent%len(forgeries)].frame); err != nil {
					r.t.Errorf("%s: %v", forgeries[sent%len(forgeries)].reason, err)
					return
				}
				sent++
			}
		}
	})
	return func() int {
		cancel()
		pouring.Wait()
		return sent
	}
}
