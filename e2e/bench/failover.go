package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// failover is a crash of the master again and again, or a stop: how much later
// than Active_Down_Interval, or Skew_Time, the backup sends its first advert.
type failover struct {
	advert        time.Duration
	pairs, rounds int // of each program
	stop          bool
}

// failovers are compared. Several pairs at once save time where the interval is
// long and the machine idle.
var failovers = []failover{
	{time.Second, 5, 2, false},
	{100 * time.Millisecond, 3, 4, false},
	{10 * time.Millisecond, 1, 11, false},
	{time.Second, 5, 2, true},
	{100 * time.Millisecond, 3, 4, true},
	{10 * time.Millisecond, 1, 11, true},
}

// chosenFailovers are those of the command's second argument, an advert_int, as
// many as the third says.
func chosenFailovers(args []string) ([]failover, error) {
	if len(args) == 0 {
		return failovers, nil
	}
	var chosen []failover
	for _, f := range failovers {
		if fmt.Sprintf("%g", f.advert.Seconds()) != args[0] {
			continue
		}
		if len(args) > 1 {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return nil, err
			}
			f.rounds = (n + f.pairs - 1) / f.pairs
		}
		chosen = append(chosen, f)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("there is no advert_int %q", args[0])
	}
	return chosen, nil
}

func compareFailovers(ctx context.Context, keepalived, lvsd string) error {
	chosen, err := chosenFailovers(os.Args[min(2, len(os.Args)):])
	if err != nil {
		return err
	}
	fmt.Printf("\n%-24s %8s  %38s   %38s   %20s\n", "end of the MASTER", "theory", "keepalived: ms over theory", "lvsd: ms over theory", "lvsd / keepalived")
	fmt.Printf("%-24s %8s  %8s %9s %9s %9s   %8s %9s %9s %9s   %6s\n", "", "ms", "median", "99 %", "worst", "runs", "median", "99 %", "worst", "runs", "median")
	for _, f := range chosen {
		var k, l []time.Duration
		if err := onStage(ctx, func(s *stage) { k, l = f.run(s, keepalived, lvsd) }); err != nil {
			return err
		}
		if len(k) == 0 || len(l) == 0 {
			return fmt.Errorf("advert_int %g: the machine is too busy: all backups had taken over before the end", f.advert.Seconds())
		}
		fmt.Printf("%-24s %8.1f  %8.2f %9.2f %9.2f %9d   %8.2f %9.2f %9.2f %9d   %6.2f\n", f, ms(f.theory()),
			ms(middle(k)), ms(most(k)), ms(slices.Max(k)), len(k), ms(middle(l)), ms(most(l)), ms(slices.Max(l)), len(l), ratio(middle(l), middle(k)))
	}
	return nil
}

func (f failover) String() string {
	how := "kill -9"
	if f.stop {
		how = "SIGTERM"
	}
	return fmt.Sprintf("%s, advert_int %g", how, f.advert.Seconds())
}

// theory is Active_Down_Interval, or Skew_Time after a farewell.
func (f failover) theory() time.Duration {
	p := pair{advert: f.advert}
	if f.stop {
		return p.skew()
	}
	return p.down()
}

// run ends the masters of both programs in turn.
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
		ended := make([]time.Time, len(all))
		for i, p := range all {
			ended[i] = time.Now()
			if f.stop {
				p.master.Signal(syscall.SIGTERM)
			} else {
				p.master.Kill()
			}
			time.Sleep(f.advert / 10)
		}
		for i, p := range all {
			switch after, ok := p.takeOver(ended[i]); {
			case !ok:
			case p.program == lvsd:
				l = append(l, after-f.theory())
			default:
				k = append(k, after-f.theory())
			}
			p.master.Kill() // what takes its time to stop
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

// takeOver waits for the first advert of the backup after the end of the master,
// and returns how long after the last one of the master it came. Both are
// measured by the clock of one kernel, on the backup's link. It is not ok when the
// backup had taken over before, as it does on a busy machine.
func (p *pair) takeOver(ended time.Time) (after time.Duration, ok bool) {
	isBackup := func(a rig.Advert) bool { return a.Source == p.backup.address }
	var adverts []rig.Advert
	since := ended.Add(-2 * p.advert)
	rig.Until(p.s, fmt.Sprintf("%s to take over", p.backup.Daemon), patience+8*p.advert, func() bool {
		adverts = p.backup.wire.Adverts(since)
		return slices.ContainsFunc(adverts, isBackup)
	})
	first := slices.IndexFunc(adverts, isBackup)
	if adverts[first].At.Before(ended) || first == 0 {
		return 0, false
	}
	return adverts[first].At.Sub(adverts[first-1].At), true
}

func middle[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// most is what 99 of a hundred do not exceed.
func most(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)*99+99)/100-1]
}
