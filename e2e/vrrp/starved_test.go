package vrrp

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestStarved: a master and its backup of adverts each 10 ms, on a machine
// whose processors are wanted by eight others, stay what they are. Nothing
// runs beside it.
func TestStarved(t *testing.T) {
	const loops, length = 8, 20 * time.Second
	high, low := instance{version: 3, priority: 150, advert: "0.01"}, instance{version: 3, priority: 100, advert: "0.01"}
	s := newSegment(t)
	master, backup := s.router(1), s.router(2)
	control := newSegment(t).router(1)
	control.run(rig.Keepalived, instance{version: 3, priority: 150, advert: high.advert, before: "global_defs {\n\tvrrp_rt_priority 50\n\tvrrp_rlimit_rttime 1000000\n}\n"})
	master.run(rig.Binary(), high)
	backup.run(rig.Binary(), low)
	control.becomes(0, "VI_1", "MASTER", high.down()+patience)
	master.becomes(0, "VI_1", "MASTER", high.down()+patience)
	master.owns(true, patience)
	backup.owns(false, patience)
	time.Sleep(time.Second)
	calms := [2]*calm{{r: master, log: master.Mark()}, {r: backup, log: backup.Mark()}}

	stop := spin(t, loops)
	began := time.Now()
	time.Sleep(length)
	ended := time.Now()
	stop()
	adverts, possible := master.between(began, ended), control.between(began, ended)
	t.Logf("%d loops, gaps between adverts: %s", loops, spread(adverts))
	t.Logf("those of keepalived with vrrp_rt_priority: %s", spread(possible))
	if stall := longest(possible); stall > 2*high.interval() {
		t.Skipf("this machine keeps a real-time process waiting for %s, so that nothing can be said", stall)
	}
	for _, c := range calms {
		if states := c.r.states(c.log); len(states) > 0 {
			t.Errorf("%s: changes of state: %q", c.r, states)
		}
	}
	if sent := backup.sent(began); len(sent) > 0 {
		t.Errorf("the backup advertised %d times, first %s", len(sent), sent[0])
	}
	if least := int(length/high.interval()) * 99 / 100; len(adverts) < least {
		t.Errorf("%d adverts in %s, want at least %d", len(adverts), length, least)
	}
}

// between are the adverts that the router has sent in a time.
func (r *router) between(began, ended time.Time) []rig.Advert {
	return slices.DeleteFunc(r.sent(began), func(a rig.Advert) bool { return a.At.After(ended) })
}

// longest is the longest gap between adverts.
func longest(adverts []rig.Advert) (gap time.Duration) {
	for i := 1; i < len(adverts); i++ {
		gap = max(gap, adverts[i].At.Sub(adverts[i-1].At))
	}
	return gap
}

// spin keeps the processors busy with so many endless loops, until stop.
func spin(t *testing.T, loops int) (stop func()) {
	t.Helper()
	var running []*exec.Cmd
	stop = func() {
		for _, c := range running {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		running = nil
	}
	t.Cleanup(func() { stop() })
	for range loops {
		c := exec.Command("sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	return stop
}

// spread describes the gaps between adverts.
func spread(adverts []rig.Advert) string {
	var gaps []time.Duration
	for i := 1; i < len(adverts); i++ {
		gaps = append(gaps, adverts[i].At.Sub(adverts[i-1].At))
	}
	if len(gaps) == 0 {
		return "none"
	}
	slices.Sort(gaps)
	var b strings.Builder
	for _, q := range []struct {
		name string
		of   float64
	}{{"shortest", 0}, {"1%", 0.01}, {"median", 0.5}, {"99%", 0.99}, {"99.9%", 0.999}, {"longest", 1}} {
		fmt.Fprintf(&b, "%s %s, ", q.name, gaps[int(q.of*float64(len(gaps)-1))].Round(10*time.Microsecond))
	}
	fmt.Fprintf(&b, "of %d", len(gaps))
	return b.String()
}
