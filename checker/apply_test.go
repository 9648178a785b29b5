package checker

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// A reload builds the checks that are new or changed, wherever they stand, and
// no other; the same check twice is one.
func TestApplyBuildsWhatChanged(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		const timing = "delay_loop=10s"
		var built []string
		build := b.build
		b.build = func(c *config.Check) (recipe, error) {
			built = append(built, c.Target().String())
			return build(c)
		}
		had := func() (all []string) {
			for _, s := range b.Snapshot() {
				all = append(all, s.Server.Addr().String())
			}
			slices.Sort(all)
			return all
		}
		for name, test := range map[string]struct {
			change func(*config.Service)
			built  []string
			have   []string
		}{
			"nothing": {func(*config.Service) {}, nil, []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}},
			"order":   {func(s *config.Service) { slices.Reverse(s.Servers) }, nil, []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}},
			"twice": {func(s *config.Service) { s.Servers = append(s.Servers, s.Servers...) }, nil,
				[]string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}},
			"first away": {func(s *config.Service) { s.Servers = s.Servers[1:] }, nil, []string{"10.0.0.3", "10.0.0.4"}},
			"new one twice in front": {func(s *config.Service) {
				other := web(4, timing).Servers[3]
				s.Servers = slices.Insert(s.Servers, 0, other, other)
			}, []string{"10.0.0.5:80"}, []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}},
			"another target": {func(s *config.Service) { s.Servers[1].Checks[0].ConnectPort = 81 }, []string{"10.0.0.3:81"},
				[]string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}},
			"another timing": {func(s *config.Service) { s.Servers[1].Checks[0].Timing = &config.Timing{} }, []string{"10.0.0.3:80"},
				[]string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}},
		} {
			b.apply(t)
			b.apply(t, web(3, timing))
			built = nil
			next := web(3, timing)
			test.change(&next)
			b.apply(t, next)
			if !slices.Equal(built, test.built) || !slices.Equal(had(), test.have) {
				t.Errorf("%s: built %v, want %v; have %v, want %v", name, built, test.built, had(), test.have)
			}
		}
		b.stop(t)
	})
}

// A reload that changes nothing allocates nothing for a check.
func TestApplyAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, false)
		services := []config.Service{web(5000, "delay_loop=10s")}
		b.apply(t, services...)
		if n := testing.AllocsPerRun(3, func() { b.apply(t, services...) }); n > 50 {
			t.Errorf("%v allocations for 5000 checks", n)
		}
		b.stop(t)
	})
}

// 50,000 checks, delay_loop 10: each is probed in each round, spread evenly,
// and costs a small part of a kilobyte and no goroutine.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("LEFT OUT by -short: 100,000 probes take seconds; `make test` runs it")
	}
	synctest.Test(t, func(t *testing.T) {
		const n, second = 50000, 5000
		b := newBench(t, 0, true)
		var probed atomic.Int32
		b.build = func(c *config.Check) (recipe, error) {
			return recipe{says: &phrases{}, probes: []Checker{startFunc(func(done func(Result)) {
				probed.Add(1)
				done(Result{Up: true})
			})}}, nil
		}
		b.opts.Log, b.opts.OnResult = zap.NewNop(), func(Report) {}
		services := []config.Service{web(n, "delay_loop=10s warmup=10s")}
		synctest.Wait()
		goroutines, heap := runtime.NumGoroutine(), heapInUse()
		b.apply(t, services...)
		if each := (heapInUse() - heap) / n; each > 1000 {
			t.Errorf("a check costs %d octets", each)
		}
		sleep(11 * time.Second)
		for i := range 10 {
			probed.Store(0)
			sleep(time.Second)
			if got := probed.Load(); got < second-500 || got > second+500 {
				t.Errorf("%d probes in second %d", got, i)
			}
			if got := runtime.NumGoroutine(); got > goroutines+10 {
				t.Fatalf("%d goroutines, %d before", got, goroutines)
			}
		}
		b.stop(t)
		runtime.KeepAlive(services)
	})
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
