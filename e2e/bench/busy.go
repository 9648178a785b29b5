package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

const (
	busyLoops  = 8
	busyAdvert = 10 * time.Millisecond
	busyTime   = 20 * time.Second
)

// compareBusy counts how often a backup takes over from a master that is well,
// on a machine on which others want all of the processor.
func compareBusy(ctx context.Context, keepalived, lvsd string) error {
	fmt.Printf("\n%-24s %8s  %31s   %31s\n", fmt.Sprintf("%d busy loops", busyLoops), "", "keepalived", "lvsd")
	fmt.Printf("%-24s %8s  %20s %10s   %20s %10s\n", "", "seconds", "false failovers", "worst gap", "false failovers", "worst gap")
	var times [2]int
	var gaps [2]time.Duration
	for i, program := range []string{keepalived, lvsd} {
		if err := onStage(ctx, func(s *stage) { times[i], gaps[i] = starve(s, program) }); err != nil {
			return err
		}
	}
	fmt.Printf("%-24s %8.0f  %20d %7.1f ms   %20d %7.1f ms\n", fmt.Sprintf("advert_int %g", busyAdvert.Seconds()), busyTime.Seconds(),
		times[0], ms(gaps[0]), times[1], ms(gaps[1]))
	return nil
}

// starve returns how often the backup became MASTER, and the longest time
// without an advert of the master.
func starve(s *stage, program string) (times int, gap time.Duration) {
	p := newPair(s, rig.New(s), "busy", program, 1, busyAdvert)
	p.backup.wire = p.backup.Capture("eth0")
	p.lead()
	p.becomes(p.master, "MASTER")
	time.Sleep(time.Second)
	mark, began := p.backup.Mark(), time.Now()
	for range busyLoops {
		s.occupy()
	}
	time.Sleep(busyTime)
	adverts := slices.DeleteFunc(p.backup.wire.Adverts(began), func(a rig.Advert) bool { return a.Source != p.master.address })
	for i := range adverts[:max(len(adverts)-1, 0)] {
		gap = max(gap, adverts[i+1].At.Sub(adverts[i].At))
	}
	return entered(p.backup.Lines(mark), "MASTER"), gap
}
