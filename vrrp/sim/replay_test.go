package sim_test

import (
	"strings"
	"testing"

	"github.com/lvsd/lvsd/internal/golden"
	"github.com/lvsd/lvsd/vrrp/sim"
)

// TestReplay runs the scenarios in testdata/sim: those that found something,
// and some that are good to read. Below ---- is what comes of them, the changes
// of state.
func TestReplay(t *testing.T) {
	golden.Play(t, "../testdata/sim/*.txt", func(t *testing.T, script string) string {
		scenario, _, _ := strings.Cut(script, "----\n")
		sc, err := sim.Parse(scenario)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimRight(scenario, "\n") + "\n----\n" + history(t, sc, false)
	})
}
