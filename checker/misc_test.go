package checker

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// scripted is a bench whose one check is a MISC_CHECK.
func scripted(t *testing.T, params config.MiscParams, timing string, script func(context.Context) Exit) *bench {
	core, log := observer.New(zapcore.InfoLevel)
	ctx, cancel := context.WithCancel(t.Context())
	b := &bench{log: log, began: time.Now(), cancel: cancel, result: make(chan error, 1)}
	b.Scheduler = New(Options{
		Log: zap.New(core), Rand: rand.New(rand.NewPCG(1, 2)),
		OnResult: func(r Report) { b.note(&b.told, "%v %s", r.Up, r.Reason) },
		Script: func(ctx context.Context, cmd config.Command) Exit {
			b.note(&b.probes, "%s", cmd.Line)
			b.mu.Lock()
			b.flying++
			b.most = max(b.most, b.flying)
			b.mu.Unlock()
			defer func() {
				b.mu.Lock()
				b.flying--
				b.mu.Unlock()
			}()
			return script(ctx)
		},
	})
	b.poll = nil // a bubble does not wait for the network
	go func() { b.result <- b.Run(ctx) }()
	b.apply(t, miscService(params, timing))
	return b
}

func miscService(params config.MiscParams, timing string) config.Service {
	s := web(1, timing)
	params.MiscPath = config.NewCommand("/etc/check.sh a", config.User{}, config.Origin{})
	s.Servers[0].Checks[0].Kind = config.MiscCheck
	s.Servers[0].Checks[0].Params = &params
	return s
}

// statuses are scripts that end with one status after the other, at once.
func statuses(all ...int) func(context.Context) Exit {
	return func(context.Context) Exit {
		status := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		if status == notRun {
			return Exit{NotRun: errors.New("permission denied")}
		}
		return Exit{Status: status}
	}
}

const notRun = -1000

// The sentences are those that keepalived 2.2.7 logs for the same results.
func TestMiscSentences(t *testing.T) {
	const all = "log_all_failures delay_loop=10s delay_before_retry=1s "
	for name, tc := range map[string]struct {
		timing   string
		dynamic  bool
		statuses []int
		want     []string
	}{
		"no retry": {all, false, []int{0, 1, 1, 0}, []string{
			"succeeded.", "failed with retry disabled (exited with status 1).", "succeeded.",
		}},
		"one retry": {all + "retry=1", false, []int{0, -9, 3}, []string{
			"succeeded.", "failed, will do 1 retry (due to signal 9).", "failed after 1 retry (exited with status 3).",
		}},
		"two retries": {all + "retry=2", false, []int{0, 1}, []string{
			"succeeded.", "failed, will do 2 retries (exited with status 1).", "failed on retry 1/2 (exited with status 1).",
			"failed after 2 retries (exited with status 1).",
		}},
		"quiet":                {"delay_loop=10s delay_before_retry=1s retry=2", false, []int{0, 1}, []string{"succeeded.", "failed after 2 retries (exited with status 1)."}},
		"first failure":        {all + "retry=2", false, []int{1}, []string{"failed after 2 retries (exited with status 1)."}},
		"status is no weight":  {all, false, []int{0, 12}, []string{"succeeded.", "failed with retry disabled (exited with status 12)."}},
		"status is a weight":   {all, true, []int{12, 255, 2, 1}, []string{"succeeded.", "failed with retry disabled (exited with status 1)."}},
		"signal is no weight":  {all, true, []int{0, -15}, []string{"succeeded.", "failed with retry disabled (due to signal 15)."}},
		"cannot be run":        {all, false, []int{notRun, notRun, 0, 1}, []string{"counts as succeeded without being run: permission denied.", "succeeded. It can be run again.", "failed with retry disabled (exited with status 1)."}},
		"cannot be run, later": {all, false, []int{0, notRun, 1}, []string{"succeeded.", "counts as succeeded without being run: permission denied.", "failed with retry disabled (exited with status 1)."}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := scripted(t, config.MiscParams{MiscDynamic: tc.dynamic}, tc.timing+" connect_timeout=5s", statuses(tc.statuses...))
				sleep(45 * time.Second)
				b.stop(t)
				var got []string
				for _, m := range messages(b.log)[1:] {
					text, ok := strings.CutPrefix(m, "Misc check for [[10.0.0.2]:tcp:80 VS [10.0.0.1]:tcp:80] by [/etc/check.sh] ")
					if !ok {
						t.Errorf("what is %q?", m)
					}
					got = append(got, text)
				}
				equal(t, tc.want, got)
			})
		})
	}
}

func TestMiscDynamic(t *testing.T) {
	for status, want := range map[int]Result{
		0:   {Up: true},
		1:   {Reason: "exited with status 1"},
		2:   {Up: true, Weight: config.WeightChange{To: config.Some(0)}},
		102: {Up: true, Weight: config.WeightChange{To: config.Some(100)}},
		255: {Up: true, Weight: config.WeightChange{To: config.Some(253)}},
		-2:  {Reason: "due to signal 2"},
	} {
		if got := (&misc{dynamic: true}).judge(Exit{Status: status}); got != want {
			t.Errorf("%d: %+v, want %+v", status, got, want)
		}
	}
}

// From start to start, and one whose time is over has failed at that moment.
// The next one waits for its end.
func TestMiscTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stubborn := func(ctx context.Context) Exit {
			select {
			case <-time.After(3 * time.Second): // what a run takes that is in time
				return Exit{}
			case <-ctx.Done():
			}
			time.Sleep(2 * time.Second) // until SIGKILL
			return Exit{Status: -9}
		}
		b := scripted(t, config.MiscParams{}, "delay_loop=4s connect_timeout=5s", stubborn)
		sleep(10 * time.Second) // 1 to 4 s, 5 to 8 s, 9 s
		equal(t, []string{"1s /etc/check.sh a", "5s /etc/check.sh a", "9s /etc/check.sh a"}, b.probes)
		b.apply(t, miscService(config.MiscParams{}, "delay_loop=4s connect_timeout=1s"))
		sleep(20 * time.Second) // ended at 12 s; 13 to 14 s and its end at 16 s, then 17 s and so on
		b.stop(t)
		equal(t, []string{
			"1s /etc/check.sh a", "5s /etc/check.sh a", "9s /etc/check.sh a", "13s /etc/check.sh a", "17s /etc/check.sh a",
			"21s /etc/check.sh a", "25s /etc/check.sh a", "29s /etc/check.sh a",
		}, b.probes)
		equal(t, []string{"4s true", "14s false"}, b.told)
		if b.most != 1 || b.flying != 0 {
			t.Errorf("%d scripts at a time, %d left", b.most, b.flying)
		}
	})
}

// A panic of what runs a script is that check's failure, and the next run has its
// turn.
func TestMiscPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		b := scripted(t, config.MiscParams{}, "delay_loop=4s connect_timeout=5s", func(context.Context) Exit {
			if runs++; runs == 1 {
				panic("oh")
			}
			return Exit{}
		})
		sleep(6 * time.Second)
		b.stop(t)
		equal(t, []string{"1s false panic: oh", "5s true"}, b.told)
		if n := b.log.FilterMessage("a check has panicked").Len(); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// A script that nothing ends, in an uninterruptible sleep for example, is not
// joined by others.
func TestMiscUnendable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := scripted(t, config.MiscParams{}, "delay_loop=2s connect_timeout=1s", func(context.Context) Exit {
			<-release
			return Exit{}
		})
		sleep(20 * time.Second)
		equal(t, []string{"1s /etc/check.sh a"}, b.probes)
		equal(t, []string{"2s false"}, b.told)
		close(release)
		sleep(3 * time.Second)
		if want := "true"; len(b.told) != 2 || !strings.HasSuffix(b.told[1], want) {
			t.Error(b.told)
		}
		b.stop(t)
	})
}

// A check that a reload removes, and the stop, end the script that is under
// way, and Run returns when it has gone. An unchanged one runs on.
func TestMiscRemoved(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *bench){
		"reload": func(t *testing.T, b *bench) { b.apply(t) },
		"stop":   func(*testing.T, *bench) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended []string
				var b *bench
				timing := "delay_loop=60s connect_timeout=50s"
				b = scripted(t, config.MiscParams{}, timing, func(ctx context.Context) Exit {
					<-ctx.Done()
					time.Sleep(time.Second)
					b.note(&ended, "ended")
					return Exit{Status: -15}
				})
				sleep(5 * time.Second)
				b.apply(t, miscService(config.MiscParams{}, timing))
				sleep(5 * time.Second)
				equal(t, nil, ended)
				end(t, b)
				b.cancel()
				synctest.Wait()
				if name == "reload" {
					sleep(2 * time.Second)
				}
				b.stop(t)
				equal(t, []string{"11s ended"}, ended)
				equal(t, nil, b.told)
			})
		})
	}
}

// Services whose checks are suspended: each turn passes without a probe, what
// is known stays, and the next turn probes again.
func TestSuspend(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		idle := map[config.ServiceKey]bool{web(0, "").Key: true}
		b.Suspend(idle)
		b.apply(t, web(2, "delay_loop=10s"))
		sleep(15 * time.Second)
		equal(t, nil, b.probes)
		b.Suspend(nil)
		b.Suspend(nil) // no change, no word
		sleep(10 * time.Second)
		b.up(false)
		b.Suspend(idle)
		sleep(40 * time.Second)
		if all := b.Snapshot(); len(all) != 2 || !all[0].Up || !all[0].Idle {
			t.Errorf("%+v", all)
		}
		b.Suspend(map[config.ServiceKey]bool{{FWMark: 1}: true})
		sleep(10 * time.Second)
		b.stop(t)
		equal(t, []string{"21s 10.0.0.2:80", "21s 10.0.0.3:80", "1m11s 10.0.0.2:80", "1m11s 10.0.0.3:80"}, sorted(b.probes))
		said := func(verb string) []string {
			return []string{
				verb + " healthchecker for service [10.0.0.2]:tcp:80 for VS [10.0.0.1]:tcp:80",
				verb + " healthchecker for service [10.0.0.3]:tcp:80 for VS [10.0.0.1]:tcp:80",
			}
		}
		var got []string
		for _, m := range messages(b.log) {
			if strings.Contains(m, "healthchecker") {
				got = append(got, m)
			}
		}
		equal(t, slices.Concat(said("Deactivating"), said("Activating"), said("Suspending"), said("Activating")), got)
	})
}

// sorted puts notes in the order of their time, and then of their text.
func sorted(notes []string) []string {
	slices.SortFunc(notes, func(a, b string) int {
		at := func(note string) time.Duration { return duration(strings.Fields(note)[0]) }
		if at(a) != at(b) {
			return int(at(a) - at(b))
		}
		return strings.Compare(a, b)
	})
	return notes
}
