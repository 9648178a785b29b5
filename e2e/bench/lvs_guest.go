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
	"syscall"
	"time"
)

// sizes are how many services there are and with how many real servers each.
var sizes = []struct {
	n, m    int
	reloads bool // keepalived is reloaded, too
}{{100, 4, true}, {1000, 10, true}, {5000, 10, false}}

// noReload is why keepalived is not.
const noReload = "keepalived 2.2.7 compares every check with every other: a reload of 10,000 takes ten seconds natively, one of 20,000 more than a minute"

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
		var of [2][]phase
		for i, path := range []string{keepalived, lvsd} {
			if of[i], err = life(dir, path, size.n, size.m, size.reloads || path == lvsd); err != nil {
				return err
			}
		}
		printPhases(fmt.Sprintf("%d x %d", size.n, size.m), of[0], of[1])
		if !size.reloads {
			fmt.Println("    -: " + noReload)
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

// life starts a daemon, reloads it without and with a change, and stops it.
func life(dir, path string, n, m int, reloads bool) (phases []phase, err error) {
	conf := filepath.Join(dir, "keepalived.conf")
	write := func(weight int) error { return os.WriteFile(conf, []byte(lvsServices(n, m, idle, weight)), 0o644) }
	if err := write(100); err != nil {
		return nil, err
	}
	began := time.Now()
	p, err := launch(dir, path)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	start, err := p.settled(began, 0)
	if err != nil {
		return nil, err
	}
	if err := p.complete(n * m); err != nil {
		return nil, err
	}
	phases = append(phases, named("start", start), phase{name: "memory, kB", memory: p.memory()})
	if reloads {
		for _, reload := range []struct {
			name   string
			weight int
		}{{"SIGHUP, no change", 100}, {"SIGHUP, one weight", 50}} {
			if err := write(reload.weight); err != nil {
				return nil, err
			}
			cost, err := p.after(syscall.SIGHUP)
			if err != nil {
				return nil, err
			}
			phases = append(phases, named(reload.name, cost))
		}
		phases = append(phases, phase{name: "memory after reloads, kB", memory: p.memory()})
	}
	return phases, p.stop()
}

func named(name string, p phase) phase {
	p.name = name
	return p
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
		defer p.kill()
		time.Sleep(10 * time.Second) // warmup and first results
		cpu, count := p.cpu(), accepted.Load()
		time.Sleep(during)
		cpu, count = p.cpu()-cpu, accepted.Load()-count
		if count < int64(n*m*during/time.Second/2) {
			return fmt.Errorf("%s made %d checks in %v\n%s", path, count, during, p.log())
		}
		each[i] = cpu / time.Duration(count)
		if err := p.stop(); err != nil {
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
// loopback device; weight is that of the last one.
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
			fmt.Fprintf(&b, "    real_server 127.%d.%d.%d %d {\n        weight %d\n        TCP_CHECK {\n            connect_timeout 3\n        }\n    }\n", 1+r>>16, r>>8&255, r&255, checkedPort, w)
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

// complete waits until all real servers are in the table. A check may fail while
// thousands begin, and succeeds the next time.
func (p *process) complete(want int) error {
	const patience = 3 * time.Minute
	for began := time.Now(); ; time.Sleep(time.Second) {
		got, err := destinations()
		switch {
		case err != nil:
			return fmt.Errorf("count real servers: %w", err)
		case got == want:
			return nil
		case time.Since(began) > patience:
			return fmt.Errorf("%d of %d real servers are in the table\n%s", got, want, p.log())
		}
	}
}
