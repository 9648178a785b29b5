package checker

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// successor is a bench that goes on in the place of another one.
func (b *bench) successor(t *testing.T, polled bool, taking Taking) *bench {
	t.Helper()
	next := newBench(t, 0, polled)
	next.opts.Taking, next.opts.Rand, next.began = &taking, rand.New(rand.NewPCG(3, 4)), b.began
	return next
}

func throughJSON(t *testing.T, all []Handover) (read []Handover) {
	t.Helper()
	text, err := json.Marshal(all)
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Checks that go on in another program: each is probed when it was due, keeps
// its verdict and its attempts, and tells nothing that is known.
func TestHandover(t *testing.T) {
	for _, polled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 0, polled)
			service := web(2, "delay_loop=10s retry=2 delay_before_retry=1s")
			down := service.Servers[1].Addr
			probe := func(_ context.Context, target netip.AddrPort) Result {
				return Result{Up: target != down, Reason: "refused"}
			}
			b.answers(probe)
			b.apply(t, service)
			sleep(11 * time.Second)
			b.answers(func(context.Context, netip.AddrPort) Result { return Result{Reason: "refused"} })
			sleep(10500 * time.Millisecond) // the first is in its second attempt
			b.Freeze()
			then := time.Now()
			h := throughJSON(t, b.Handover(then))
			sleep(200 * time.Millisecond)
			next := b.successor(t, polled, Taking{h, then})
			next.answers(func(context.Context, netip.AddrPort) Result { return Result{Reason: "refused"} })
			next.apply(t, service)
			sleep(10 * time.Second)
			equal(t, []string{"22s 10.0.0.2:80", "23s 10.0.0.2:80", "31s 10.0.0.3:80"}, next.probes)
			equal(t, []string{"23s 10.0.0.2:80 false refused"}, next.told)
			b.Thaw()
			b.stop(t)
			next.stop(t)
		})
	}
}

// A probe that is under way when everything is frozen counts for nothing, and is
// due again at once; thawed, its scheduler goes on.
func TestFreezeDuringProbe(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		b.answers(func(ctx context.Context, _ netip.AddrPort) Result {
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
			return Result{Reason: "too late"}
		})
		b.apply(t, web(1, "delay_loop=10s"))
		sleep(1200 * time.Millisecond)
		b.Freeze()
		h := b.Handover(time.Now())
		if len(h) != 1 || h[0].Ran || h[0].Due != 0 {
			t.Errorf("handed over: %+v", h)
		}
		sleep(5 * time.Second)
		if len(b.told) > 0 {
			t.Errorf("told while frozen: %q", b.told)
		}
		b.take()
		b.up(true)
		thawed := time.Since(b.began)
		b.Thaw()
		sleep(time.Second)
		equal(t, []string{thawed.String() + " 10.0.0.2:80 true"}, b.told)
		b.stop(t)
	})
}

// Every field comes through JSON, and into a check.
func TestHandoverFields(t *testing.T) {
	of := web(1, "delay_loop=10s")
	want := Handover{
		Service: of.Key, Server: of.Servers[0].Addr, Check: of.Servers[0].Checks[0].ID(),
		Due: time.Second, Probe: 1, Failed: true, Ran: true, Up: true, Retries: 2, Unsure: "x",
	}
	want.Weight.By = 3
	for i, v := 0, reflect.ValueOf(want); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tried", v.Type().Field(i).Name)
		}
	}
	same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff([]Handover{want}, throughJSON(t, []Handover{want}), same); diff != "" {
		t.Errorf("through JSON (-want +got):\n%s", diff)
	}
	s := New(Options{})
	now := s.born.Add(1000 * time.Second)
	j := &job{server: &of.Servers[0], check: &of.Servers[0].Checks[0], params: want.Check.Params, policy: Policy{Probes: 2}}
	j.takeOver(&want, s.moment(now))
	j.service = &service{key: want.Service, jobs: []*job{j}}
	s.services[want.Service] = j.service
	if diff := cmp.Diff([]Handover{want}, s.Handover(now), same); diff != "" {
		t.Errorf("through a check (-want +got):\n%s", diff)
	}
}
