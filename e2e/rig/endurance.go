package rig

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// An Endurance says how long the tests of endurance go on, and with which
// random numbers.
type Endurance struct {
	rounds *int
	seed   *uint64
}

// EnduranceFlags makes the flags -endure.rounds and -endure.seed of a test
// program.
func EnduranceFlags() Endurance {
	return Endurance{
		rounds: flag.Int("endure.rounds", 0, "rounds of each test of endurance; 0: few"),
		seed:   flag.Uint64("endure.seed", 0, "the first random seed of the tests of endurance; 0: another each time"),
	}
}

// Rounds is how often a test does what it does: few times, unless it was asked
// for more, of which it does a multiple.
func (e Endurance) Rounds(few, times int) int {
	if *e.rounds == 0 {
		return few
	}
	return *e.rounds * times
}

// Random are random numbers for a piece of a test. They can be had again: a
// test that fails says how.
func (e Endurance) Random(t interface {
	T
	Name() string
}, piece int) *rand.Rand {
	t.Helper()
	seed := *e.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) / 1000 * 1000 // pieces count on from here
	}
	seed += uint64(piece)
	t.Cleanup(func() {
		if t.Failed() {
			test, _, _ := strings.Cut(t.Name(), "/")
			t.Logf("again: %s -test.run '^%s$' -endure.seed %d -endure.rounds %d", os.Args[0], test, seed, *e.rounds)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// OneOf is any of several values.
func OneOf[V any](r *rand.Rand, values ...V) V { return values[r.IntN(len(values))] }
