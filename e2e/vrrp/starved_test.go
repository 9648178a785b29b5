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
