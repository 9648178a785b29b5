package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// load is a number of instances and how often they send. Loads of a stage run
// at the same time, with both programs: together they leave the machine idle.
type load struct {
	instances int
	advert    time.Duration
}

// stages are the loads that are compared, and how long they are watched.
var stages = []struct {
	loads []load
	watch time.Duration
}{
	{[]load{{1, time.Second}, {100, time.Second}, {250, time.Second}}, 15 * time.Second},
	{[]load{{250, 100 * time.Millisecond}}, 10 * time.Second},
}

// cost is what a pair of routers uses.
type cost struct {
	master, backup time.Duration // of processor, in a minute
	memory         int           // of the master, kB resident
	cadence        float64       // adverts sent, of those that should be
}

func compareCosts(ctx context.Context, keepalived, lvsd string) error {
	fmt.Printf("\n%-24s  %38s   %38s   %20s\n", "MASTER and BACKUP", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-24s  %9s %9s %9s %8s   %9s %9s %9s %8s   %6s %6s %6s\n", "cpu ms in a minute", "master", "backup", "RSS kB", "adverts",
		"master", "backup", "RSS kB", "adverts", "master", "backup", "memory")
	for _, st := range stages {
		var k, l []cost
		if err := onStage(ctx, func(s *stage) { k, l = watchLoads(s, st.loads, st.watch, keepalived, lvsd) }); err != nil {
			return err
		}
		for i, load := range st.loads {
			k, l := k[i], l[i]
			fmt.Printf("%-24s  %9.0f %9.0f %9d %7.1f%%   %9.0f %9.0f %9d %7.1f%%   %6.2f %6.2f %6.2f\n",
				fmt.Sprintf("%d x advert_int %g", load.instances, load.advert.Seconds()),
				ms(k.master), ms(k.backup), k.memory, 100*k.cadence, ms(l.master), ms(l.backup), l.memory, 100*l.cadence,
				ratio(l.master, k.master), ratio(l.backup, k.backup), float64(l.memory)/float64(k.memory))
		}
	}
	return nil
}

// watchLoads lets pairs of both programs run for a while.
func watchLoads(s *stage, loads []load, watch time.Duration, keepalived, lvsd string) (k, l []cost) {
	lab := rig.New(s)
	var all []*pair
	for _, load := range loads {
		for _, program := range []string{keepalived, lvsd} {
			all = append(all, newPair(s, lab, fmt.Sprint(len(all)), program, load.instances, load.advert))
		}
	}
	for _, p := range all {
		p.lead()
	}
	for _, p := range all {
		p.becomes(p.master, "MASTER")
	}
	time.Sleep(2 * time.Second) // what begins is over
	before := make([]usage, len(all))
	for i, p := range all {
		before[i] = p.usage()
	}
	time.Sleep(watch)
	for i, p := range all {
		c := p.usage().since(before[i], p)
		if p.program == lvsd {
			l = append(l, c)
		} else {
			k = append(k, c)
		}
	}
	return k, l
}

// usage is what a pair has used until a moment.
type usage struct {
	at             time.Time
	master, backup time.Duration
	sent           int
}

// usage is taken between two intervals: instances that were started together
// send together, and a burst is counted whole or not at all.
func (p *pair) usage() usage {
	sent := p.master.Packets("eth0")
	for began := sent; sent == began; sent = p.master.Packets("eth0") {
		time.Sleep(p.advert / 20)
	}
	for still := time.Now().Add(p.advert); time.Now().Before(still); {
		time.Sleep(p.advert / 20)
		now := p.master.Packets("eth0")
		if now == sent {
			break
		}
		sent = now
	}
	return usage{time.Now(), processorTime(p.master), processorTime(p.backup), sent}
}

// since is the cost from a moment on.
func (u usage) since(before usage, p *pair) cost {
	took := u.at.Sub(before.at)
	minute := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * float64(time.Minute) / float64(took))
	}
	want := float64(p.instances) * float64(took) / float64(p.advert)
	return cost{
		master: minute(u.master - before.master), backup: minute(u.backup - before.backup),
		memory: resident(p.master), cadence: float64(u.sent-before.sent) / want,
	}
}

func processorTime(r *router) time.Duration { return processorTimeOf(r.PIDs()) }

// processorTimeOf is that of all threads of processes, as the scheduler has
// counted it.
func processorTimeOf(pids []int) (total time.Duration) {
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, name := range threads {
			stat, _ := os.ReadFile(name) // a thread may have ended
			if fields := bytes.Fields(stat); len(fields) > 0 {
				n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
				total += time.Duration(n)
			}
		}
	}
	return total
}

// resident is the memory of all processes of a daemon in kB.
func resident(r *router) (total int) {
	for _, pid := range r.PIDs() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, _ := strconv.Atoi(strings.Fields(value)[0])
				total += n
			}
		}
	}
	return total
}
