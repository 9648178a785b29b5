package checker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// bench is a Scheduler in a bubble with a network of its own.
type bench struct {
	*Scheduler
	log    *observer.ObservedLogs
	began  time.Time
	cancel func()
	result chan error

	mu     sync.Mutex
	probe  func(context.Context, netip.AddrPort) Result // what a probe of a target does
	probes []string                                     // time and target
	told   []string
	flying int
	most   int // probes at a time
}

// bubble is a test with a bench whose probes are polled, and with one whose
// probes have workers.
func bubble(t *testing.T, inFlight int, test func(*testing.T, *bench)) {
	for _, polled := range []bool{false, true} {
		t.Run(map[bool]string{false: "workers", true: "polled"}[polled], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newBench(t, inFlight, polled)) })
		})
	}
}

func newBench(t *testing.T, inFlight int, polled bool) *bench {
	core, log := observer.New(zapcore.InfoLevel)
	ctx, cancel := context.WithCancel(t.Context())
	b := &bench{log: log, began: time.Now(), cancel: cancel, result: make(chan error, 1)}
	b.probe = func(context.Context, netip.AddrPort) Result { return Result{Up: true} }
	b.Scheduler = New(Options{
		Log: zap.New(core), Rand: rand.New(rand.NewPCG(1, 2)), InFlight: inFlight,
		OnResult: func(r Report) { b.note(&b.told, "%v %v %s", r.Server, r.Up, r.Reason) },
	})
	b.poll = nil // a bubble does not wait for the network
	b.build = func(c *config.Check) (recipe, error) {
		var probe Checker = checkFunc(func(ctx context.Context) Result { return b.check(ctx, c.Target()) })
		if polled {
			probe = startFunc(func(done func(Result)) { go func() { done(b.check(ctx, c.Target())) }() })
		}
		return recipe{probes: []Checker{probe}, says: &tcpPhrases}, nil
	}
	if polled {
		b.poller = new(poller)
	}
	go func() { b.result <- b.Run(ctx) }()
	return b
}

type checkFunc func(context.Context) Result

func (f checkFunc) Check(ctx context.Context) Result { return f(ctx) }

// startFunc is a probe that is polled.
type startFunc func(done func(Result))

func (f startFunc) Check(context.Context) Result { panic("it has a poller") }

func (f startFunc) start(_ *poller, done func(Result)) *flight { f(done); return nil }

func (b *bench) check(ctx context.Context, target netip.AddrPort) Result {
	b.note(&b.probes, "%v", target)
	b.mu.Lock()
	b.flying++
	b.most = max(b.most, b.flying)
	probe := b.probe
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.flying--
		b.mu.Unlock()
	}()
	return probe(ctx, target)
}

func (b *bench) note(list *[]string, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, strings.TrimSpace(fmt.Sprintf("%v "+format, append([]any{time.Since(b.began)}, args...)...)))
}

func (b *bench) answers(probe func(context.Context, netip.AddrPort) Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probe = probe
}

func (b *bench) up(up bool) {
	b.answers(func(context.Context, netip.AddrPort) Result {
		return Result{Up: up, Reason: map[bool]string{false: "refused"}[up]}
	})
}

// sleep lets time pass and what is due happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// after lets time pass and forgets what was noted before.
func (b *bench) after(d time.Duration) {
	sleep(d)
	b.take()
	b.log.TakeAll()
}

// take is what was probed, and forgets it and what was told.
func (b *bench) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	probes := b.probes
	b.probes, b.told = nil, nil
	return probes
}

func (b *bench) apply(t *testing.T, services ...config.Service) {
	t.Helper()
	if err := b.Apply(services); err != nil {
		t.Error(err)
	}
}

func (b *bench) stop(t *testing.T) {
	t.Helper()
	b.cancel()
	if err := <-b.result; err != nil {
		t.Error(err)
	}
}

func messages(log *observer.ObservedLogs) (all []string) {
	for _, e := range log.TakeAll() {
		all = append(all, e.Message)
	}
	return all
}

// web is a service with servers 10.0.0.2, 10.0.0.3 and so on.
func web(servers int, timing string) config.Service {
	s := config.Service{Key: config.ServiceKey{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Protocol: config.TCP}}
	addr := netip.MustParseAddr("10.0.0.2")
	t := parseTiming(strings.Fields(timing))
	for range servers {
		s.Servers = append(s.Servers, config.Server{
			Addr: netip.AddrPortFrom(addr, 80),
			Checks: []config.Check{{
				Kind: config.TCPCheck, ConnectIP: addr, ConnectPort: 80, Timing: &t,
			}},
		})
		addr = addr.Next()
	}
	return s
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestLifeOfACheck(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		b.apply(t, web(1, "delay_loop=10s retry=2 delay_before_retry=1s log_all_failures"))
		sleep(12 * time.Second)
		b.up(false)
		sleep(30 * time.Second)
		b.up(true)
		sleep(20 * time.Second)
		b.answers(func(context.Context, netip.AddrPort) Result {
			return Result{Local: "TCP socket bind failed. Rescheduling."}
		})
		sleep(5 * time.Second)
		b.stop(t)

		equal(t, []string{
			"1s 10.0.0.2:80", "11s 10.0.0.2:80", "21s 10.0.0.2:80", "22s 10.0.0.2:80", "23s 10.0.0.2:80",
			"33s 10.0.0.2:80", "43s 10.0.0.2:80", "53s 10.0.0.2:80", "1m3s 10.0.0.2:80",
		}, b.probes)
		equal(t, []string{"1s 10.0.0.2:80 true", "23s 10.0.0.2:80 false refused", "43s 10.0.0.2:80 true"}, b.told)
		equal(t, []string{
			"Activating healthchecker for service [10.0.0.2]:tcp:80 for VS [10.0.0.1]:tcp:80",
			"TCP connection to [10.0.0.2]:tcp:80 success.",
			"TCP connection to [10.0.0.2]:tcp:80 failed.",
			"TCP connection to [10.0.0.2]:tcp:80 failed.",
			"TCP connection to [10.0.0.2]:tcp:80 failed.",
			"TCP_CHECK on service [10.0.0.2]:tcp:80 failed after 2 retries.",
			"TCP connection to [10.0.0.2]:tcp:80 success.",
			"TCP socket bind failed. Rescheduling.",
		}, messages(b.log))
	})
}

func TestFirstFailureDecides(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		b.up(false)
		b.apply(t, web(1, "delay_loop=10s retry=2 delay_before_retry=1s log_all_failures"))
		sleep(5 * time.Second)
		b.stop(t)
		equal(t, []string{"1s 10.0.0.2:80 false refused"}, b.told)
		equal(t, []string{"TCP connection to [10.0.0.2]:tcp:80 failed.", "TCP_CHECK on service [10.0.0.2]:tcp:80 failed."}, messages(b.log)[1:])
	})
}

// A server that was down from the start, because of alpha: each kind says of its
// first failures what keepalived's does.
func TestAlphaFailures(t *testing.T) {
	const attempt, down = "TCP connection to [10.0.0.2]:tcp:80 failed.", "TCP_CHECK on service [10.0.0.2]:tcp:80 failed"
	for kind, want := range map[config.CheckKind]struct{ told, said []string }{
		config.TCPCheck:  {[]string{"1s 10.0.0.2:80 false refused"}, []string{down + "."}},
		config.SMTPCheck: {[]string{"2s 10.0.0.2:80 false refused"}, []string{attempt, attempt, down + " after 1 retries."}},
		config.HTTPGet:   {nil, []string{attempt}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 0, true)
			b.up(false)
			service := web(1, "delay_loop=10s retry=1 delay_before_retry=1s log_all_failures alpha")
			service.Servers[0].Checks[0].Kind = kind
			b.apply(t, service)
			sleep(25 * time.Second)
			b.stop(t)
			equal(t, want.told, b.told)
			equal(t, want.said, messages(b.log)[1:])
		})
	}
}

// The first checks are spread over one second plus warmup, the next keep their
// distance, and an idle check costs no goroutine.
func TestSpreadAndIdle(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		synctest.Wait()
		before := runtime.NumGoroutine()
		const n = 1000
		b.apply(t, web(n, "delay_loop=10s warmup=10s"))
		time.Sleep(time.Millisecond) // some are due at full seconds
		perSecond := make([]int, 14)
		for i := range perSecond {
			sleep(time.Second)
			perSecond[i] = len(b.take())
			if got := runtime.NumGoroutine(); got > before+10 { // the runtime has some of its own
				t.Fatalf("%d goroutines while %d checks are idle, %d before", got, n, before)
			}
		}
		if perSecond[0] != 0 {
			t.Errorf("%d checks in the first second", perSecond[0])
		}
		for i, got := range perSecond[1:] {
			if got < n/10-40 || got > n/10+40 {
				t.Errorf("%d checks in second %d", got, i+1)
			}
		}
		if !slices.Equal(perSecond[1:4], perSecond[11:14]) {
			t.Errorf("the second round differs from the first: %v", perSecond)
		}
		b.stop(t)
	})
}

// Checks that are due within some milliseconds wake the processor once, and none
// of them is early or late the next time.
func TestDueTogether(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		b.answers(func(context.Context, netip.AddrPort) Result {
			time.Sleep(3 * time.Millisecond)
			return Result{Up: true}
		})
		time.Sleep(1234567 * time.Nanosecond)
		const n = 1000
		b.apply(t, web(n, "delay_loop=2s warmup=1s"))
		sleep(3*time.Second + 999*time.Millisecond)
		times := map[string]int{}
		last := map[string]time.Duration{}
		for _, p := range b.take() {
			at, target, _ := strings.Cut(p, " ")
			times[at]++
			when, err := time.ParseDuration(at)
			if err != nil {
				t.Fatal(err)
			}
			if was, again := last[target]; again && when-was != 2*time.Second {
				t.Errorf("%s: %s after the probe before", target, when-was)
			}
			last[target] = when
		}
		if len(last) != n || len(times) > 301 {
			t.Errorf("probes of %d servers at %d times", len(last), len(times))
		}
		b.stop(t)
	})
}

func TestBoundedInFlight(t *testing.T) {
	bubble(t, 3, func(t *testing.T, b *bench) {
		b.answers(func(context.Context, netip.AddrPort) Result {
			time.Sleep(2 * time.Second)
			return Result{Up: true}
		})
		b.apply(t, web(10, "delay_loop=60s"))
		sleep(20 * time.Second)
		if b.most != 3 || len(b.told) != 10 {
			t.Errorf("%d probes at a time, %d done", b.most, len(b.told))
		}
		var at []string
		for _, p := range b.probes {
			at = append(at, strings.Fields(p)[0])
		}
		equal(t, []string{"1s", "1s", "1s", "3s", "3s", "3s", "5s", "5s", "5s", "7s"}, at)
		b.stop(t)
	})
}

// What may be open bounds what is in flight, with room for everything else.
func TestInFlight(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	for _, open := range []uint64{limit.Max, 1000} {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: open, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		if got, want := uint64(inFlight()), min(open/2, MaxInFlight); got != want {
			t.Errorf("%d in flight of %d descriptors, want %d", got, open, want)
		}
	}
}

func TestReload(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		timing := "delay_loop=10s retry=3 delay_before_retry=2s"
		b.apply(t, web(2, timing))
		b.after(12 * time.Second) // both up, next at 21 s
		b.up(false)
		sleep(10 * time.Second)    // 22 s: one failure
		b.apply(t, web(2, timing)) // the same: timers and retries go on
		sleep(time.Second)
		equal(t, nil, messages(b.log))
		b.apply(t, web(1, timing)) // the second is gone
		sleep(7 * time.Second)
		equal(t, []string{"27s 10.0.0.2:80 false refused"}, b.told)
		b.after(0)

		// A new timing: the state stays, and the next probe does not wait for
		// the old delay (37 s) to pass.
		b.apply(t, web(1, "delay_loop=3s retry=1 delay_before_retry=1s"))
		sleep(7 * time.Second)
		equal(t, []string{"33s 10.0.0.2:80", "36s 10.0.0.2:80"}, b.probes)
		equal(t, nil, b.told)
		b.after(0)

		// Another target: a new check.
		other := web(1, timing)
		other.Servers[0].Checks[0].ConnectPort = 8080
		b.apply(t, other)
		sleep(5 * time.Second)
		equal(t, []string{"38s 10.0.0.2:8080"}, b.probes)
		equal(t, []string{"38s 10.0.0.2:80 false refused"}, b.told)
		b.apply(t)
		b.after(time.Minute)
		sleep(time.Minute)
		equal(t, nil, b.probes)
		b.stop(t)
	})
}

// A check that is removed, or a scheduler that is stopped, during a probe: its
// result is nobody's, and nothing is left running.
func TestRemovedDuringProbe(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		b.answers(func(ctx context.Context, _ netip.AddrPort) Result {
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
			return Result{Reason: "timeout"}
		})
		b.apply(t, web(3, "delay_loop=10s")) // one in flight, two queued
		sleep(2 * time.Second)
		b.apply(t, web(0, ""))
		sleep(time.Minute)
		equal(t, nil, b.told)
		if len(b.probes) != 1 {
			t.Error(b.probes)
		}
		b.apply(t, web(2, "delay_loop=10s"))
		sleep(2 * time.Second)
		b.stop(t)
		equal(t, nil, b.told)
		b.apply(t, web(4, "delay_loop=10s")) // too late
		sleep(time.Minute)
		if len(b.probes) != 2 {
			t.Error(b.probes)
		}
	})
}

// A probe that is polled ends with its check: its descriptor is closed and its
// place is given to the next one at once.
func TestRemovedGivesItsPlace(t *testing.T) {
	mute := full(t, patience)
	mute.Timing = &config.Timing{ConnectTimeout: config.Some(time.Hour), DelayLoop: config.Some(time.Hour)}
	answering, _ := listen(t, "127.0.0.1:0")
	answering.Timing = mute.Timing
	server := func(c config.Check) config.Server {
		c.Kind = config.TCPCheck
		return config.Server{Addr: c.Target(), Checks: []config.Check{c}}
	}
	told := make(chan Report, 2)
	s := New(Options{Log: zap.NewNop(), Rand: rand.New(rand.NewPCG(1, 2)), InFlight: 1, OnResult: func(r Report) { told <- r }})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Run(ctx) }()
	service := config.Service{Servers: []config.Server{server(mute)}}
	look := func(what string, is func() bool) {
		t.Helper()
		for until := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("not within a minute: %s", what)
			}
		}
	}
	flying := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.poller == nil {
			return 0
		}
		s.poller.mu.Lock()
		defer s.poller.mu.Unlock()
		return len(s.poller.flying)
	}
	if err := s.Apply([]config.Service{service}); err != nil {
		t.Fatal(err)
	}
	look("a connection that nobody takes", func() bool { return flying() == 1 })
	service.Servers = append(service.Servers, server(answering))
	if err := s.Apply([]config.Service{service}); err != nil {
		t.Fatal(err)
	}
	look("another one that waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queue) == 1
	})
	service.Servers = service.Servers[1:]
	if err := s.Apply([]config.Service{service}); err != nil {
		t.Fatal(err)
	}
	look("its probe", func() bool { return len(told) == 1 })
	if r := <-told; !r.Up || r.Server != answering.Target() {
		t.Errorf("%+v", r)
	}
	look("the place of the last one", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.working == 0
	})
	if n := flying(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// Probes that end because the scheduler stops say nothing about their servers.
func TestStopIsNobodysFailure(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		b.answers(func(context.Context, netip.AddrPort) Result {
			b.cancel() // and on, before Run takes notice
			return Result{Reason: "cancelled"}
		})
		b.apply(t, web(10, "delay_loop=10s"))
		sleep(2 * time.Second)
		b.stop(t)
		equal(t, nil, b.told)
		if b.flying != 0 || b.most == 0 {
			t.Errorf("%d probes left of %d", b.flying, b.most)
		}
	})
}

func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, false)
		b.answers(func(context.Context, netip.AddrPort) Result { panic("oh") })
		b.apply(t, web(1, "delay_loop=10s"))
		sleep(5 * time.Second)
		equal(t, []string{"1s 10.0.0.2:80 false panic: oh"}, b.told)
		if b.log.FilterLevelExact(zapcore.ErrorLevel).FilterMessage("a check has panicked").Len() != 1 {
			t.Error(messages(b.log))
		}
		b.up(true)
		sleep(10 * time.Second)
		equal(t, []string{"1s 10.0.0.2:80 false panic: oh", "11s 10.0.0.2:80 true"}, b.told)
		b.stop(t)
	})
}

func TestPanicOfAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, true)
		b.build = func(*config.Check) (recipe, error) {
			return recipe{probes: []Checker{startFunc(func(func(Result)) { panic("oh") })}, says: &tcpPhrases}, nil
		}
		b.apply(t, web(2, "delay_loop=10s"))
		sleep(5 * time.Second)
		equal(t, []string{"1s 10.0.0.2:80 false panic: oh", "1s 10.0.0.3:80 false panic: oh"}, slices.Sorted(slices.Values(b.told)))
		b.stop(t)
	})
}

// What is told may block; until it has been, the place is taken and the poller
// goes on.
func TestSlowTelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, true)
		b.opts.OnResult = func(r Report) {
			b.note(&b.told, "%v", r.Server)
			time.Sleep(5 * time.Second)
		}
		done := make(chan func(Result), 3)
		b.build = func(*config.Check) (recipe, error) {
			return recipe{probes: []Checker{startFunc(func(f func(Result)) { done <- f })}, says: &tcpPhrases}, nil
		}
		b.apply(t, web(3, "delay_loop=60s"))
		sleep(time.Second)
		began := time.Now()
		(<-done)(Result{Up: true})
		(<-done)(Result{Up: true})
		if took := time.Since(began); took != 0 || len(done) != 0 {
			t.Errorf("the end of two probes took %v, %d in flight beyond them", took, len(done))
		}
		(<-done)(Result{Up: true})
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the third began after %v", took)
		}
		sleep(time.Second)
		if len(b.told) != 3 {
			t.Error(b.told)
		}
		b.stop(t)
	})
}

func TestUnknownKind(t *testing.T) {
	s := New(Options{Log: zap.NewNop()})
	service := web(1, "")
	service.Servers[0].Checks[0].Kind = "TEA_CHECK"
	if err := s.Apply([]config.Service{service}); err == nil || err.Error() != "check 10.0.0.2:80: no checker for TEA_CHECK" {
		t.Error(err)
	}
}
