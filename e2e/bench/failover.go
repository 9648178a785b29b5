package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// failover is a crash of the master again and again: how much later than
// Active_Down_Interval the backup sends its first advert.
type failover struct {
	advert        time.Duration
	pairs, rounds int // of each program
}

// failovers are compared. Several pairs at once save time where the interval is
// long and the machine idle.
var failovers = []failover{
	{time.Second, 5, 2},
	{100 * time.Millisecond, 3, 4},
	{10 * time.Millisecond, 1, 11},
}

func compareFailovers(ctx context.Context, keepalived, lvsd string) error {
	fmt.Printf("\n%-24s %8s  %31s   %31s   %20s\n", "kill -9 of the MASTER", "theory", "keepalived: ms over theory", "lvsd: ms over theory", "lvsd / keepalived")
	fmt.Printf("%-24s %8s  %9s %10s %10s   %9s %10s %10s   %6s\n", "", "ms", "median", "worst", "runs", "median", "worst", "runs", "median")
	for _, f := range failovers {
		var k, l []time.Duration
		if err := onStage(ctx, func(s *stage) { k, l = f.run(s, keepalived, lvsd) }); err != nil {
			return err
		}
		if len(k) == 0 || len(l) == 0 {
			return fmt.Errorf("advert_int %g: the machine is too busy: all backups had taken over before the crash", f.advert.Seconds())
		}
		theory := (&pair{advert: f.advert}).down()
		fmt.Printf("%-24s %8.1f  %9.2f %10.2f %10d   %9.2f %10.2f %10d   %6.2f\n", fmt.Sprintf("advert_int %g", f.advert.Seconds()), ms(theory),
			ms(middle(k)), ms(slices.Max(k)), len(k), ms(middle(l)), ms(slices.Max(l)), len(l), ratio(middle(l), middle(k)))
	}
	return nil
}

// run crashes the masters of both programs in turn.
func (f failover) run(s *stage, keepalived, lvsd string) (k, l []time.Duration) {
	lab := rig.New(s)
	var all []*pair
	for range f.pairs {
		for _, program := range []string{keepalived, lvsd} {
			p := newPair(s, lab, fmt.Sprint(len(all)), program, 1, f.advert)
			p.backup.wire = p.backup.Capture("eth0")
			all = append(all, p)
		}
	}
	for range f.rounds {
		for _, p := range all {
			p.lead()
		}
		for _, p := range all {
			p.becomes(p.master, "MASTER")
		}
		time.Sleep(3 * f.advert)
		crashed := make([]time.Time, len(all))
		for i, p := range all {
			crashed[i] = time.Now()
			p.master.Kill()
			time.Sleep(f.advert / 10)
		}
		for i, p := range all {
			switch late, ok := p.takeOver(crashed[i]); {
			case !ok:
			case p.program == lvsd:
				l = append(l, late)
			default:
				k = append(k, late)
			}
		}
	}
	return k, l
}

// lead starts what does not run yet, the master last: it preempts.
func (p *pair) lead() {
	if p.backup.Daemon == nil {
		p.start(p.backup)
	}
	p.start(p.master)
}

// takeOver waits for the first advert of the backup after a crash, and returns
// how much later than in theory it came. Both ends are measured by the clock of
// one kernel, on the backup's link. It is not ok when the backup had taken over
// before, as it does on a busy machine.
func (p *pair) takeOver(crashed time.Time) (late time.Duration, ok bool) {
	isBackup := func(a rig.Advert) bool { return a.Source == p.backup.address }
	var adverts []rig.Advert
	since := crashed.Add(-2 * p.advert)
	rig.Until(p.s, fmt.Sprintf("%s to take over", p.backup.Daemon), patience+8*p.advert, func() bool {
		adverts = p.backup.wire.Adverts(since)
		return slices.ContainsFunc(adverts, isBackup)
	})
	first := slices.IndexFunc(adverts, isBackup)
	if adverts[first].At.Before(crashed) || first == 0 {
		return 0, false
	}
	return adverts[first].At.Sub(adverts[first-1].At) - p.down(), true
}

func middle[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
