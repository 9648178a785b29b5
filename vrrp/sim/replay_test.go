package sim_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/vrrp/sim"
)

var update = flag.Bool("update", false, "write the histories in testdata/sim anew")

// TestReplay runs the scenarios in testdata/sim: those that found something,
// and some that are good to read. Below ---- is what comes of them, the changes
// of state.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("../testdata/sim/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			scenario, _, _ := strings.Cut(string(in), "----\n")
			sc, err := sim.Parse(scenario)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimRight(scenario, "\n") + "\n----\n" + history(t, sc, false)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(in), got); diff != "" {
				t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
			}
		})
	}
}
