package sim_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/lvsd/lvsd/vrrp/sim"
)

// TestMutants runs machines that are wrong on purpose. The simulation proves
// something only if it finds each of them soon: with every step foretold, and,
// but for the subtle ones, by what everybody can see too. The second shows that
// a mistake which the foretelling shares with the machine would be found.
func TestMutants(t *testing.T) {
	const limit = 10_000
	all := slices.Concat(timerMutants, electionMutants, effectMutants, configMutants, trackMutants, reloadMutants, rejectMutants, proofMutants)
	type catch struct {
		seed uint64
		err  error
	}
	caught := make([][2]catch, len(all))
	work := make(chan [2]int)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for w := range work {
				c := &caught[w[0]][w[1]]
				for c.err == nil && c.seed < limit {
					c.seed++
					_, c.err = sim.Run(sim.Generate(c.seed), sim.Options{Mutant: &all[w[0]], Blind: w[1] == 1})
				}
			}
		})
	}
	for i, m := range all {
		work <- [2]int{i, 0}
		if !m.Subtle {
			work <- [2]int{i, 1}
		}
	}
	close(work)
	wait.Wait()
	names := map[string]bool{}
	for i, m := range all {
		if names[m.Name] {
			t.Errorf("two mutants with the name %q", m.Name)
		}
		names[m.Name] = true
		seen, blind := caught[i][0], caught[i][1]
		if seen.err == nil || !m.Subtle && blind.err == nil {
			t.Errorf("%s: not caught within %d seeds", m.Name, limit)
			continue
		}
		t.Logf("%-55s foretold: %s, seen: %s", m.Name, kind(seen.seed, seen.err), kind(blind.seed, blind.err))
	}
}

func kind(seed uint64, err error) string {
	var v *sim.Violation
	if errors.As(err, &v) {
		return fmt.Sprintf("seed %d (%s)", seed, v.Kind)
	}
	return "-"
}
