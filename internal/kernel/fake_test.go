//go:build linux

package kernel

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
)

// The fake host of other packages' tests ends up with the addresses that a
// real one has after the same calls.
func TestFakeIsLikeTheKernel(t *testing.T) {
	actual, ns, _ := newHost(t)
	fake := new(kerneltest.Host)
	ns.Run(t, "ip addr add 10.0.0.1/32 dev eth0")
	ns.Run(t, "ip addr add 10.0.0.2/32 dev eth0")
	fake.Put(addr("10.0.0.1/32", "eth0"), addr("10.0.0.2/32", "eth0"))

	labelled := addr("10.0.0.9/32", "eth0")
	labelled.Label, labelled.Scope, labelled.Broadcast = "eth0:9", config.ScopeLink, config.MustAddr("10.0.0.255")
	type host interface {
		Claim(ctx context.Context, owner string, want config.Claims) error
		Sweep(ctx context.Context, left config.Claims) error
		Hold() (release func())
	}
	var release [2]func()
	steps := []func(i int, h host) error{
		func(_ int, h host) error {
			return h.Sweep(t.Context(), config.Claims{Addresses: []config.Address{addr("10.0.0.2/32", "eth0"), addr("10.0.0.3/32", "eth0")}})
		},
		func(_ int, h host) error {
			return h.Claim(t.Context(), "a", config.Claims{Addresses: []config.Address{addr("10.0.0.4/32", "eth0"), labelled}})
		},
		func(i int, h host) error { release[i] = h.Hold(); return nil },
		func(_ int, h host) error { return h.Claim(t.Context(), "a", config.Claims{}) },
		func(_ int, h host) error {
			return h.Claim(t.Context(), "b", config.Claims{Addresses: []config.Address{labelled, addr("2001:db8::1/64", "eth0")}})
		},
		func(i int, _ host) error { release[i](); return nil },
		func(_ int, h host) error { return h.Claim(t.Context(), "b", config.Claims{}) },
	}
	for n, step := range steps {
		for i, h := range []host{actual, fake} {
			if err := step(i, h); err != nil {
				t.Fatalf("step %d: %v", n, err)
			}
		}
		if diff := cmp.Diff(shown(t, ns, "eth0"), faked(fake)); diff != "" {
			t.Errorf("after step %d (-kernel +fake):\n%s", n, diff)
		}
	}
}

// faked is what the fake shows, in the form of shown.
func faked(h *kerneltest.Host) string {
	var lines []string
	for line := range strings.Lines(h.String()) {
		if line = strings.TrimSpace(line); line != "eth0:" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
