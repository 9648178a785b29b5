package sim_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/vrrp/sim"
)

var (
	seeds = flag.Int("sim.seeds", 5000, "number of simulated clusters")
	first = flag.Uint64("sim.first", 1, "the first seed")
	one   = flag.Uint64("sim.seed", 0, "simulate this seed alone, and print what happens")
	save  = flag.String("sim.save", "", "a folder for the scenarios of seeds that fail")
)

// TestSimulation lets clusters live through everything that the generator can
// think of, and looks at every step.
func TestSimulation(t *testing.T) {
	if *one != 0 {
		if _, err := sim.Run(sim.Generate(*one), sim.Options{Trace: func(line string) { fmt.Println(line) }}); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := *seeds
	if testing.Short() {
		n /= 10
	}
	began := time.Now()
	total, failed := simulate(*first, n, nil)
	took := time.Since(began)
	for i, f := range failed {
		if i < 3 {
			report(t, f)
		} else {
			t.Errorf("seed %d: %.200v", f.seed, f.err)
		}
	}
	t.Logf("%d clusters, %.0f a second, %s", n, float64(n)/took.Seconds(), describe(total))
	if n >= 500 {
		rough(t, total)
	}
}

// rough: a world in which something never happens proves less than it says.
func rough(t *testing.T, total sim.Counts) {
	t.Helper()
	for _, what := range []string{
		"MASTER", "BACKUP", "FAULT", "STOP", "lost", "twice", "late", "boots", "loads", "crash", "stop", "pause", "stun",
		"link", "script", "socket", "split", "cut", "set", "group", "garbage", "flood", "drills", "two masters",
		"preempt delays", "timers expired", "two owners", "masters reloaded", "instances removed",
		"AH", "HMAC", "clock", "replays",
	} {
		if total[what] == 0 {
			t.Errorf("%q has never happened", what)
		}
	}
}

type failure struct {
	seed uint64
	err  error
}

// simulate runs seeds on all processors. The seeds that fail are in order.
func simulate(first uint64, n int, mutant *sim.Mutant) (sim.Counts, []failure) {
	var (
		next   atomic.Int64
		mu     sync.Mutex
		wait   sync.WaitGroup
		total  = sim.Counts{}
		failed []failure
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			counts := sim.Counts{}
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					break
				}
				seed := first + uint64(i)
				c, err := sim.Run(sim.Generate(seed), sim.Options{Mutant: mutant})
				for what, n := range c {
					counts[what] += n
				}
				if err == nil {
					continue
				}
				mu.Lock()
				failed = append(failed, failure{seed, err})
				mu.Unlock()
				if mutant != nil {
					next.Store(int64(n)) // one is enough
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for what, n := range counts {
				total[what] += n
			}
		})
	}
	wait.Wait()
	slices.SortFunc(failed, func(a, b failure) int { return int(int64(a.seed) - int64(b.seed)) })
	return total, failed
}

func describe(c sim.Counts) string {
	var words []string
	for _, what := range slices.Sorted(maps.Keys(c)) {
		words = append(words, fmt.Sprintf("%s %d", what, c[what]))
	}
	return strings.Join(words, ", ")
}

// report shrinks a scenario that fails and prints it with its history.
func report(t *testing.T, f failure) {
	t.Helper()
	sc, err := sim.Shrink(sim.Generate(f.seed), f.err)
	var history []string
	_, _ = sim.Run(sc, sim.Options{Trace: func(line string) { history = append(history, line) }})
	const lines = 60
	if len(history) > lines {
		history = history[len(history)-lines:]
	}
	t.Errorf("seed %d: %v\nshrunk to (keep it in vrrp/testdata/sim):\n%s\n%v\nthe last that happens:\n%s", f.seed, f.err, sc, err, strings.Join(history, "\n"))
	if *save != "" {
		name := filepath.Join(*save, fmt.Sprintf("seed_%d.txt", f.seed))
		if err := os.WriteFile(name, []byte(sc.String()), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// some is a number of seeds, fewer when it has to be quick.
func some(n uint64) uint64 {
	if testing.Short() {
		n = n/5 + 1
	}
	return n
}

// history is what a scenario leads to: everything, or the changes of state.
func history(t *testing.T, sc *sim.Scenario, all bool) string {
	t.Helper()
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	o := sim.Options{Events: line}
	if all {
		o = sim.Options{Trace: line}
	}
	if _, err := sim.Run(sc, o); err != nil {
		t.Fatalf("seed %d: %v", sc.Seed, err)
	}
	return b.String()
}

// The same scenario gives the same history: nothing depends on the order of a
// map or on another clock.
func TestRepeats(t *testing.T) {
	for seed := range some(30) {
		first := history(t, sim.Generate(seed+1), true)
		if again := history(t, sim.Generate(seed+1), true); again != first {
			t.Errorf("seed %d has two histories", seed+1)
		}
	}
}

// A virtual router that has nothing to do with the others changes nothing for
// them.
func TestUnrelated(t *testing.T) {
	for seed := range some(150) {
		sc := sim.Generate(seed + 1)
		sc.Drill = sim.NoDrill // it ends the MASTER of whatever comes first
		alone := history(t, sc, false)
		stranger := sc.Instances[0]
		stranger.Name, stranger.VRID, stranger.First, stranger.Off = "STRANGER", 200, 200, false
		sc.Instances = append(sc.Instances, stranger)
		var others strings.Builder
		for line := range strings.Lines(history(t, sc, false)) {
			if !strings.Contains(line, "STRANGER") {
				others.WriteString(line)
			}
		}
		if diff := cmp.Diff(alone, others.String()); diff != "" {
			t.Errorf("seed %d (-alone +with another):\n%s", seed+1, diff)
		}
	}
}

// What is rejected is not felt: without it everything is the same.
func TestGarbageIsNotFelt(t *testing.T) {
	for seed := range some(300) {
		sc := sim.Generate(seed + 1)
		with := history(t, sc, false)
		sc.Faults = slices.DeleteFunc(sc.Faults, func(f sim.Fault) bool { return f.Words[0] == "garbage" })
		if diff := cmp.Diff(with, history(t, sc, false)); diff != "" {
			t.Errorf("seed %d (-with garbage +without):\n%s", seed+1, diff)
		}
	}
}

// Who does not foretell the steps finds nothing wrong with the machine either.
func TestBlind(t *testing.T) {
	for seed := range some(200) {
		if _, err := sim.Run(sim.Generate(seed+1), sim.Options{Blind: true}); err != nil {
			t.Errorf("seed %d: %v", seed+1, err)
		}
	}
}

// A scenario is read as it was written, and means the same.
func TestText(t *testing.T) {
	for seed := range some(200) {
		sc := sim.Generate(seed + 1)
		read, err := sim.Parse(sc.String())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed+1, err, sc)
		}
		if read.String() != sc.String() {
			t.Fatalf("seed %d: written\n%s\nread\n%s", seed+1, sc, read)
		}
	}
}
