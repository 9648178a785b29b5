package main

import (
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

// bound is what one step of a daemon's life may take. keepalived 2.2.7 compares
// every check with every other at a reload: of 10,000 that takes it ten seconds
// natively, of 20,000 more than a minute.
const bound = 10 * time.Second

// startBound is what a start may take. Without it there are no other steps.
const startBound = 2 * time.Minute

// runGuest is what the virtual machine runs: a size, or [singleChecks].
func runGuest(keepalived, lvsd, work string) error {
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
	// Checks are not due, but of those of thousands of servers some are.
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", checkedPort))
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	var accepted atomic.Int64
	go accept(listener, &accepted)
	if work == singleChecks {
		return compareChecks(dir, &accepted, keepalived, lvsd)
	}
	s, err := sized(work)
	if err != nil {
		return err
	}
	ours := make(map[string]phase)
	// Those of lvsd are there whatever becomes of keepalived.
	if err := live(dir, lvsd, s, func(p phase) { ours[p.name] = p; printPhase(s, nil, p) }); err != nil {
		return err
	}
	return live(dir, keepalived, s, func(p phase) { printPhase(s, &p, ours[p.name]) })
}

// phase is a part of a daemon's life and what it cost; of memory there are kB.
type phase struct {
	name      string
	wall, cpu time.Duration
	memory    int64
	over      time.Duration // it was given up after so long; 0: it ended
}

// afterReloads is a step that is left out when a reload was given up.
const afterReloads = "memory after reloads, kB"

// idle is a service's checks, none of which runs.
const idle = 24 * time.Hour

// live starts a daemon, reloads it without and with a change, and stops it, and
// tells what each of that cost. A step that takes longer than bound is given up,
// and the next one begins with another daemon.
func live(dir, path string, s scale, tell func(phase)) error {
	conf := filepath.Join(dir, "keepalived.conf")
	const before, after = 100, 50 // the weight that changes
	write := func(weight int) error { return os.WriteFile(conf, []byte(lvsServices(s, idle, weight)), 0o644) }
	if err := write(before); err != nil {
		return err
	}
	p, start, err := fill(dir, path, s)
	defer func() {
		if p != nil {
			p.forget()
		}
	}()
	if start.name = "start"; errors.Is(err, errTooLong) {
		start.over = startBound
		tell(start)
		return nil
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	tell(start)
	tell(phase{name: "memory, kB", memory: p.memory()})
	reload := func(weight int) func() (phase, error) {
		return func() (phase, error) {
			cost, err := p.reload(write(weight), bound)
			if err == nil && weight != before { // to look takes longer than such a reload
				err = p.complete(s, weight)
			}
			return cost, err
		}
	}
	reloaded := true
	for _, step := range []struct {
		name string
		do   func() (phase, error)
	}{
		{"SIGHUP, no change", reload(before)},
		{"SIGHUP, one weight", reload(after)},
		{afterReloads, func() (phase, error) { return phase{memory: p.memory()}, nil }},
		{"stop", func() (phase, error) { return p.stop(bound) }},
	} {
		if step.name == afterReloads && !reloaded {
			tell(phase{name: step.name})
			continue
		}
		cost, err := step.do()
		if errors.Is(err, errTooLong) {
			cost, reloaded = phase{over: bound}, false
			p.forget()
			p, _, err = fill(dir, path, s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		cost.name = step.name
		tell(cost)
	}
	return nil
}

// fill starts a daemon and waits until all real servers are in the table.
func fill(dir, path string, s scale) (*process, phase, error) {
	began := time.Now()
	p, err := launch(dir, path)
	if err != nil {
		return nil, phase{}, err
	}
	start, err := p.settled(began, 0, startBound)
	if err == nil {
		err = p.complete(s, 0)
	}
	return p, start, err
}

// compareChecks measures the processor time of a TCP check that succeeds, which
// raises accepted.
func compareChecks(dir string, accepted *atomic.Int64, keepalived, lvsd string) error {
	const n, m = 50, 10
	const during = 20 * time.Second
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(lvsServices(scale{n, m}, time.Second, 100)), 0o644); err != nil {
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

// lvsServices is a configuration of services on the loopback device; weight is
// that of the last real server. Of checks that are idle some
// run all the same, in the first part of their warmup, while their daemon has
// other things to do: one that failed would do so for a day.
func lvsServices(s scale, delay time.Duration, weight int) string {
	var b strings.Builder
	fmt.Fprintln(&b, "global_defs {\n    router_id bench\n}")
	for i := range s.n {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n    delay_loop %d\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n", i>>8, i&255, delay/time.Second)
		for k := range s.m {
			r, w := i*s.m+k, 100
			if r == s.n*s.m-1 {
				w = weight
			}
			fmt.Fprintf(&b, "    real_server 127.%d.%d.%d %d {\n        weight %d\n        TCP_CHECK {\n            connect_timeout 600\n        }\n    }\n", 1+r>>16, r>>8&255, r&255, checkedPort, w)
		}
		fmt.Fprintln(&b, "}")
	}
	return b.String()
}

// table is what ipvsadm says about all real servers. That in /proc loses lines
// between two reads.
func table() (destinations []string, err error) {
	text, err := exec.Command("ipvsadm", "-Sn").Output()
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "-a ") {
			destinations = append(destinations, strings.TrimSpace(line))
		}
	}
	return destinations, err
}

// complete expects all real servers in the table, and one with a weight, unless
// that is 0.
func (p *process) complete(s scale, weight int) error {
	all, err := table()
	switch {
	case err != nil:
		return fmt.Errorf("list real servers: %w", err)
	case len(all) != s.n*s.m:
		return fmt.Errorf("%d of %d real servers are in the table\n%s", len(all), s.n*s.m, p.log())
	case weight != 0 && !slices.ContainsFunc(all, func(d string) bool { return strings.HasSuffix(d, fmt.Sprintf(" -w %d", weight)) }):
		return fmt.Errorf("no real server has the weight %d\n%s", weight, p.log())
	}
	return nil
}

// printPhase prints a phase of both side by side; keepalived may be nil.
func printPhase(s scale, keepalived *phase, lvsd phase) {
	fmt.Printf("%-44s  %s   %s", fmt.Sprintf("%d x %d real servers: %s", s.n, s.m, lvsd.name), keepalived.cells(), lvsd.cells())
	switch {
	case keepalived == nil:
	case keepalived.memory > 0 && lvsd.memory > 0:
		fmt.Printf("   %6s %6.2f", "", float64(lvsd.memory)/float64(keepalived.memory))
	case keepalived.wall > 0 && lvsd.wall > 0:
		fmt.Printf("   %6.2f %6.2f", ratio(lvsd.wall, keepalived.wall), ratio(lvsd.cpu, keepalived.cpu))
	}
	fmt.Println()
}

// cells are the two columns of a phase: wall and processor time, or memory.
func (p *phase) cells() string {
	first, second := "", "-"
	switch {
	case p == nil:
		second = ""
	case p.over > 0:
		first, second = fmt.Sprintf("> %d", p.over.Milliseconds()), ""
	case p.memory > 0:
		second = fmt.Sprint(p.memory)
	case p.wall > 0:
		first, second = fmt.Sprintf("%.0f", ms(p.wall)), fmt.Sprintf("%.0f", ms(p.cpu))
	}
	return fmt.Sprintf("%10s %10s", first, second)
}
