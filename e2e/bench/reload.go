package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// reloads are the loads of a MASTER that reads its configuration again and
// again, with busy loops beside it and without.
var reloads = []struct {
	load
	busy int
}{
	{load{1, 10 * time.Millisecond}, 0},
	{load{1, 10 * time.Millisecond}, busyLoops},
	{load{100, 10 * time.Millisecond}, 0},
	{load{100, 100 * time.Millisecond}, busyLoops},
	{load{250, 100 * time.Millisecond}, 0},
	{load{250, 100 * time.Millisecond}, busyLoops},
}

const reloadTimes = 12

// compareReloads measures how late adverts are while a MASTER reloads.
func compareReloads(ctx context.Context, keepalived, lvsd string) error {
	fmt.Printf("\n%-34s  %42s   %42s\n", fmt.Sprintf("%d reloads of a MASTER", reloadTimes), "keepalived: ms late", "lvsd: ms late")
	fmt.Printf("%-34s  %9s %10s %10s %10s   %9s %10s %10s %10s\n", "the latest advert of each reload", "median", "9 of 10", "worst", "> 1 int.", "median", "9 of 10", "worst", "> 1 int.")
	for _, c := range reloads {
		var late [2]lateness
		for i, program := range []string{keepalived, lvsd} {
			if err := onStage(ctx, func(s *stage) { late[i] = reloadAgain(s, program, c.load, c.busy) }); err != nil {
				return err
			}
		}
		fmt.Printf("%-34s  %s   %s\n", fmt.Sprintf("%d x advert_int %g, %d busy loops", c.instances, c.advert.Seconds(), c.busy), &late[0], &late[1])
	}
	return nil
}

// lateness is that of the latest adverts of reloads, and how many adverts were a
// whole interval late or more.
type lateness struct {
	latest []time.Duration
	lost   int
}

func (l *lateness) String() string {
	slices.Sort(l.latest)
	n := len(l.latest)
	return fmt.Sprintf("%9.1f %10.1f %10.1f %10d", ms(l.latest[n/2]), ms(l.latest[n*9/10]), ms(l.latest[n-1]), l.lost)
}

// reloadAgain reloads a MASTER, with a priority that changes each time and an
// instance that comes and goes.
func reloadAgain(s *stage, program string, l load, busy int) (late lateness) {
	p := newPair(s, rig.New(s), "reload", program, l.instances, l.advert)
	wire := p.backup.Capture("eth0")
	p.start(p.master)
	p.becomes(p.master, "MASTER")
	for range busy {
		s.occupy()
	}
	time.Sleep(time.Second)
	for n := range reloadTimes {
		var conf strings.Builder
		p.configuration(&conf, masterPriority+n%2)
		text := conf.String()
		if n%2 == 0 {
			text += "vrrp_instance more {\n    interface eth0\n    virtual_router_id 255\n    priority 10\n    virtual_ipaddress {\n        10.9.2.1/16\n    }\n}\n"
		}
		p.master.File("keepalived.conf", text)
		began := time.Now()
		p.master.Signal(syscall.SIGHUP)
		time.Sleep(600*time.Millisecond + 2*l.advert)
		worst := time.Duration(0)
		for _, gap := range gaps(wire.Adverts(began.Add(-2*l.advert)), l.instances, time.Now()) {
			worst = max(worst, gap-l.advert)
			if gap >= 2*l.advert {
				late.lost++
			}
		}
		late.latest = append(late.latest, worst)
	}
	return late
}

// gaps are those between the adverts of each instance, until a time.
func gaps(adverts []rig.Advert, instances int, until time.Time) (all []time.Duration) {
	var last [256]time.Time
	for _, a := range adverts {
		if int(a.VRID) > instances {
			continue
		}
		if was := last[a.VRID]; !was.IsZero() {
			all = append(all, a.At.Sub(was))
		}
		last[a.VRID] = a.At
	}
	for _, at := range last[1 : instances+1] {
		all = append(all, until.Sub(at))
	}
	return all
}

// occupy starts a busy loop, until the end of the play.
func (s *stage) occupy() {
	loop := exec.Command("sh", "-c", "while :; do :; done")
	loop.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := loop.Start(); err != nil {
		s.Fatalf("start a busy loop: %w", err)
	}
	s.Cleanup(func() {
		_ = loop.Process.Kill()
		_ = loop.Wait()
	})
}
