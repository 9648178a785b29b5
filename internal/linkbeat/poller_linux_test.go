package linkbeat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

func TestPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		var changes []string
		begin := time.Now()
		var p *Poller
		p = New(zap.New(core), func(link string) {
			changes = append(changes, fmt.Sprintf("%s %s dead=%t", time.Since(begin), link, p.Dead(link)))
		})
		var mu sync.Mutex
		answers := map[string]error{} // nil: it beats
		dead := errors.New("no beat")
		p.probe = func(name string, how config.LinkbeatProbe) (bool, error) {
			if how != config.ProbeMII {
				t.Errorf("%s is asked by %q", name, how)
			}
			mu.Lock()
			defer mu.Unlock()
			if err := answers[name]; !errors.Is(err, dead) {
				return true, err
			}
			return false, nil
		}
		link := func(name string) config.Linkbeat {
			return config.Linkbeat{Link: config.Link{Name: name}, Probe: config.ProbeMII}
		}
		p.Apply([]config.Linkbeat{link("a"), link("b")})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		step := func(name string, answer error) {
			mu.Lock()
			answers[name] = answer
			mu.Unlock()
			time.Sleep(2500 * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(250 * time.Millisecond)
		step("a", nil)
		step("a", dead)
		p.Apply([]config.Linkbeat{link("a"), link("a")})
		if !p.Dead("a") || p.Dead("b") {
			t.Error("another configuration has forgotten, or not forgotten")
		}
		step("a", errors.New("unplugged")) // then the kernel is right
		step("a", errors.New("unplugged"))
		step("a", dead)
		step("a", nil)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{"3s a dead=true", "6s a dead=false", "11s a dead=true", "13s a dead=false"}
		if !slices.Equal(changes, want) {
			t.Errorf("changes %q, want %q", changes, want)
		}
		if logs.Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
}

// The ways to ask a real driver.
func TestProbe(t *testing.T) {
	if testing.Short() {
		t.Log("left out by -short: it needs root and a network namespace; `make test` runs it")
		return
	}
	a, b := netns.New(t, "beat"), netns.New(t, "peer")
	netns.Veth(t, a, "veth0", b, "veth0")
	ask := func(how config.LinkbeatProbe) (up bool, err error) {
		failed := a.Do(func() error { up, err = probe("veth0", how); return nil })
		return up, errors.Join(failed, err)
	}
	for _, up := range []bool{true, false, true} {
		state := map[bool]string{true: "up", false: "down"}[up]
		b.Run(t, "ip link set veth0 "+state)
		for _, how := range []config.LinkbeatProbe{config.ProbeMII, config.ProbeEthtool, config.ProbeIoctl, config.ProbeAuto} { // a veth has no MII
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				got, err := ask(how)
				if err == nil && got == up {
					break
				}
				if err != nil || time.Now().After(deadline) {
					t.Fatalf("%q: %t %v with the other end %s", how, got, err, state)
				}
			}
		}
	}
	if _, err := probe("nosuchlink", config.ProbeAuto); err == nil {
		t.Error("a link that is not there has a beat")
	}
}
