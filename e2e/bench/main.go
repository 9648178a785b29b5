// Command bench runs keepalived and lvsd on the same work in one run, in
// turn, and prints the figures of both with their ratio. It compares whole
// processes: wall and processor time and peak memory as the kernel accounts
// them to a finished child.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const rounds = 9

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "lvsd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lvsd := filepath.Join(dir, "lvsd")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", lvsd, "./cmd/lvsd").CombinedOutput(); err != nil {
		return fmt.Errorf("build lvsd: %w\n%s", err, out)
	}
	keepalived, err := exec.LookPath(cmp.Or(os.Getenv("KEEPALIVED"), "keepalived"))
	if err != nil {
		return fmt.Errorf("there is nothing to compare with: %w (apt-get install keepalived)", err)
	}
	fmt.Printf("%-28s %31s   %31s   %s\n", "", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-28s %9s %10s %10s   %9s %10s %10s   %6s %6s %6s\n", "median of "+fmt.Sprint(rounds)+" runs",
		"wall ms", "cpu ms", "peak kB", "wall ms", "cpu ms", "peak kB", "wall", "cpu", "memory")
	for _, size := range []struct{ services, servers int }{{0, 0}, {100, 4}, {1000, 10}, {10000, 10}} {
		file := filepath.Join(dir, fmt.Sprintf("%dx%d.conf", size.services, size.servers))
		if err := writeServices(file, size.services, size.servers); err != nil {
			return err
		}
		name := fmt.Sprintf("-t, %d x %d real servers", size.services, size.servers)
		if err := compare(name, keepalived, lvsd, "-t", "-f", file); err != nil {
			return err
		}
	}
	return nil
}

// figures are what one run of a process cost.
type figures struct {
	wall, cpu time.Duration
	peak      int64 // kB
}

func compare(name, a, b string, args ...string) error {
	var as, bs []figures
	for i := range rounds + 1 {
		fa, errA := measure(a, args...)
		fb, errB := measure(b, args...)
		if err := cmp.Or(errA, errB); err != nil {
			return err
		}
		if i > 0 { // the first round fills caches
			as, bs = append(as, fa), append(bs, fb)
		}
	}
	ma, mb := median(as), median(bs)
	fmt.Printf("%-28s %9.1f %10.1f %10d   %9.1f %10.1f %10d   %6.2f %6.2f %6.2f\n", name,
		ms(ma.wall), ms(ma.cpu), ma.peak, ms(mb.wall), ms(mb.cpu), mb.peak,
		ratio(mb.wall, ma.wall), ratio(mb.cpu, ma.cpu), float64(mb.peak)/float64(ma.peak))
	return nil
}

func measure(program string, args ...string) (figures, error) {
	cmd := exec.Command(program, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		return figures{}, fmt.Errorf("%s %v: %w\n%s", program, args, err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return figures{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss}, nil
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

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(b, a time.Duration) float64 { return float64(b) / float64(max(a, 1)) }

// writeServices writes a configuration of n services with m real servers each.
func writeServices(name string, n, m int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "global_defs {\n    router_id bench\n}")
	for i := range n {
		fmt.Fprintf(w, "virtual_server 10.%d.%d.1 80 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n", i>>8, i&255)
		for k := range m {
			fmt.Fprintf(w, "    real_server 11.%d.%d.%d 80 {\n        weight 100\n        TCP_CHECK {\n            connect_timeout 3\n        }\n    }\n", i>>8, i&255, k+1)
		}
		fmt.Fprintln(w, "}")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
