package main

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const rounds = 9

// figures are what one run of a process cost.
type figures struct {
	wall, cpu time.Duration
	peak      int64 // kB
	lines     int   // of the file
}

// lineCost is the processor time of a line in microseconds, start-up left
// aside. It is steadier than wall time where the machine has other work.
func (f figures) lineCost(start figures) float64 {
	return float64(f.cpu-start.cpu) / float64(time.Microsecond) / float64(max(f.lines-start.lines, 1))
}

// compare runs two programs in turn.
func compare(ctx context.Context, a, b string, args ...string) (fa, fb figures, err error) {
	var as, bs []figures
	for i := range rounds + 1 {
		fa, errA := measure(ctx, a, args...)
		fb, errB := measure(ctx, b, args...)
		if err := cmp.Or(errA, errB); err != nil {
			return fa, fb, err
		}
		if i > 0 { // the first round fills caches
			as, bs = append(as, fa), append(bs, fb)
		}
	}
	return median(as), median(bs), nil
}

func measure(ctx context.Context, program string, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return figures{}, fmt.Errorf("%s: %w: %s", cmd, err, first)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return figures{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: usage.Maxrss}, nil
}

func median(all []figures) figures {
	pick := func(less func(a, b figures) int) figures {
		slices.SortFunc(all, less)
		return all[len(all)/2]
	}
	return figures{
		wall: pick(func(a, b figures) int { return cmp.Compare(a.wall, b.wall) }).wall,
		cpu:  pick(func(a, b figures) int { return cmp.Compare(a.cpu, b.cpu) }).cpu,
		peak: pick(func(a, b figures) int { return cmp.Compare(a.peak, b.peak) }).peak,
	}
}

func printHead() {
	fmt.Printf("%-24s %8s  %31s   %31s   %20s\n", "", "", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-24s %8s  %9s %10s %10s   %9s %10s %10s   %6s %6s %6s\n", fmt.Sprintf("-t, median of %d runs", rounds), "lines",
		"wall ms", "cpu ms", "peak kB", "wall ms", "cpu ms", "peak kB", "wall", "cpu", "memory")
}

func printRow(name string, k, l figures) {
	fmt.Printf("%-24s %8d  %9.1f %10.1f %10d   %9.1f %10.1f %10d   %6.2f %6.2f %6.2f\n", name, k.lines,
		ms(k.wall), ms(k.cpu), k.peak, ms(l.wall), ms(l.cpu), l.peak,
		ratio(l.wall, k.wall), ratio(l.cpu, k.cpu), float64(l.peak)/float64(k.peak))
}

// growth are the costs of a line at each size, and how often the last is the
// first: 1 is linear.
func growth(costs []float64) string {
	var each []string
	for _, c := range costs {
		each = append(each, fmt.Sprintf("%.2f", c))
	}
	return fmt.Sprintf("%s us (x%.1f)", strings.Join(each, ", "), costs[len(costs)-1]/max(costs[0], 0.001))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(b, a time.Duration) float64 { return float64(b) / float64(max(a, 1)) }
