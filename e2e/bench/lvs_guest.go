package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// sizes are how many services there are and with how many real servers each.
var sizes = []struct{ n, m int }{{100, 4}, {1000, 10}, {5000, 10}, {20000, 1}, {1, 10000}}

// bound is what one step of keepalived's life may take. 2.2.7 compares every check
// with every other: a reload of 10,000 takes it ten seconds natively, one of 20,000
// more than a minute.
const bound = 20 * time.Second

// runGuest is what the virtual machine runs: the sizes that only names, or all of
// them and TCP checks.
func runGuest(keepalived, lvsd string, only []string) error {
	dir, err := os.MkdirTemp("", "lvs-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, setup := range [][]string{{"modprobe", "ip_vs"}, {"ip", "link", "set", "lo", "up"}} {
		if out, err := exec.Command(setup[0], setup[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", setup, err, out)
		}
	}
	fmt.Printf("%-44s  %21s   %21s   %13s\n", "", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-44s  %10s %10s   %10s %10s   %6s %6s\n", "LVS, in the virtual machine", "wall ms", "cpu ms", "wall ms", "cpu ms", "wall", "cpu")
	// Checks are not due, but of those of thousands of servers some are.
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", checkedPort))
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	var accepted atomic.Int64
	go accept(listener, &accepted)
	for _, size := range sizes {
		if len(only) > 0 && !slices.Contains(only, fmt.Sprintf("%dx%d", size.n, size.m)) {
			continue
		}
		ours, err := life(dir, lvsd, size.n, size.m, time.Hour)
		if err != nil {
			return err
		}
		// Those of lvsd are there whatever becomes of keepalived.
		name := fmt.Sprintf("%d x %d", size.n, size.m)
		printPhases(name, nil, ours)
		theirs, err := life(dir, keepalived, size.n, size.m, bound)
		if len(theirs) > 0 {
			printPhases(name, theirs, ours)
		}
		switch {
		case errors.Is(err, errTooLong):
			fmt.Printf("    -: keepalived's %v\n", err)
		case err != nil:
			return err
		}
	}
	if len(only) > 0 {
		return nil
	}
	return compareChecks(dir, &accepted, keepalived, lvsd)
}

// phase is a part of a daemon's life and what it cost; of memory there are kB.
type phase struct {
	name      string
	wall, cpu time.Duration
	memory    int64
}

// idle is a service's checks, none of which runs.
const idle = 24 * time.Hour

// life starts a daemon, reloads it without and with a change, and stops it. With
// errTooLong the phases are those that ended in time.
func life(dir, path string, n, m int, limit time.Duration) (phases []phase, err error) {
	conf := filepath.Join(dir, "keepalived.conf")
	write := func(weight int) error { return os.WriteFile(conf, []byte(lvsServices(n, m, idle, weight)), 0o644) }
	if err := write(100); err != nil {
		return nil, err
	}
	p, err := launch(dir, path)
	if err != nil {
		return nil, err
	}
	defer p.forget()
	add := func(name string, step func() (phase, error)) {
		if err != nil {
			return
		}
		var cost phase
		if cost, err = step(); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			return
		}
		cost.name = name
		phases = append(phases, cost)
	}
	began := time.Now()
	add("start", func() (phase, error) {
		start, err := p.settled(began, 0, limit)
		return start, cmp.Or(err, p.complete(n*m))
	})
	add("memory, kB", func() (phase, error) { return phase{memory: p.memory()}, nil })
	for _, reload := range []struct {
		name   string
		weight int
	}{{"SIGHUP, no change", 100}, {"SIGHUP, one weight", 50}} {
		add(reload.name, func() (phase, error) { return p.reload(write(reload.weight), limit) })
	}
	add("memory after reloads, kB", func() (phase, error) { return phase{memory: p.memory()}, nil })
	add("stop", func() (phase, error) { return p.stop(limit) })
	return phases, err
}

// compareChecks measures the processor time of a TCP check that succeeds, which
// raises accepted.
func compareChecks(dir string, accepted *atomic.Int64, keepalived, lvsd string) error {
	const n, m = 50, 10
	const during = 20 * time.Second
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(lvsServices(n, m, time.Second, 100)), 0o644); err != nil {
		return err
	}
	var each [2]time.Duration
	for i, path := range []string{keepalived, lvsd} {
		p, err := launch(dir, path)
		if err != nil {
			return err
		}
		defer p.forget()
		time.Sleep(10 * time.Second) // warmup and first results
		cpu, count := p.cpu(), accepted.Load()
		time.Sleep(during)
		cpu, count = p.cpu()-cpu, accepted.Load()-count
		if count < int64(n*m*during/time.Second/2) {
			return fmt.Errorf("%s made %d checks in %v\n%s", path, count, during, p.log())
		}
		each[i] = cpu / time.Duration(count)
		if _, err := p.stop(time.Hour); err != nil {
			return err
		}
	}
	fmt.Printf("%-44s  %10s %10.3f   %10s %10.3f   %6s %6.2f\n", "a TCP_CHECK that succeeds", "", ms(each[0]), "", ms(each[1]), "", ratio(each[1], each[0]))
	return nil
}

func accept(listener net.Listener, accepted *atomic.Int64) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			accepted.Add(1)
			_ = conn.Close()
		}
	}
}

// checkedPort is where all real servers are asked.
const checkedPort = 8080

// lvsServices is a configuration of n services with m real servers each on the
// loopback device; weight is that of the last one. Of checks that are idle some
// run all the same, in the first part of their warmup, while their daemon has
// other things to do: one that failed would do so for a day.
func lvsServices(n, m int, delay time.Duration, weight int) string {
	var b strings.Builder
	fmt.Fprintln(&b, "global_defs {\n    router_id bench\n}")
	for i := range n {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n    delay_loop %d\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n", i>>8, i&255, delay/time.Second)
		for k := range m {
			r, w := i*m+k, 100
			if r == n*m-1 {
				w = weight
			}
			fmt.Fprintf(&b, "    real_server 127.%d.%d.%d %d {\n        weight %d\n        TCP_CHECK {\n            connect_timeout 600\n        }\n    }\n", 1+r>>16, r>>8&255, r&255, checkedPort, w)
		}
		fmt.Fprintln(&b, "}")
	}
	return b.String()
}

// destinations counts the real servers in the kernel's table. That in /proc
// loses lines between two reads.
func destinations() (int, error) {
	table, err := exec.Command("ipvsadm", "-Sn").Output()
	return strings.Count("\n"+string(table), "\n-a "), err
}

// printPhases prints the phases of both side by side.
func printPhases(size string, keepalived, lvsd []phase) {
	byName := map[string]phase{}
	for _, p := range keepalived {
		byName[p.name] = p
	}
	for _, l := range lvsd {
		k, ok := byName[l.name]
		name := size + " real servers: " + l.name
		switch {
		case l.memory > 0 && ok:
			fmt.Printf("%-44s  %10s %10d   %10s %10d   %6s %6.2f\n", name, "", k.memory, "", l.memory, "", float64(l.memory)/float64(k.memory))
		case l.memory > 0:
			fmt.Printf("%-44s  %10s %10s   %10s %10d\n", name, "", "-", "", l.memory)
		case ok:
			fmt.Printf("%-44s  %10.0f %10.0f   %10.0f %10.0f   %6.2f %6.2f\n", name, ms(k.wall), ms(k.cpu), ms(l.wall), ms(l.cpu), ratio(l.wall, k.wall), ratio(l.cpu, k.cpu))
		default:
			fmt.Printf("%-44s  %10s %10s   %10.0f %10.0f\n", name, "-", "-", ms(l.wall), ms(l.cpu))
		}
	}
}

// complete expects all real servers in the table.
func (p *process) complete(want int) error {
	got, err := destinations()
	switch {
	case err != nil:
		return fmt.Errorf("count real servers: %w", err)
	case got != want:
		return fmt.Errorf("%d of %d real servers are in the table\n%s", got, want, p.log())
	}
	return nil
}
