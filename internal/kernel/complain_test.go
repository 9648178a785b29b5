//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestComplain: what cannot be repaired is said once, until it is something else
// or comes back; that the end came first is no failure.
func TestComplain(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	h := &Host{log: zap.New(core)}
	broken := errors.New("add vrrp.51: operation not supported")
	for i, step := range []struct {
		err  error
		said int
	}{
		{nil, 0},
		{fmt.Errorf("list addresses: %w", context.Canceled), 0},
		{broken, 1},
		{broken, 1},
		{errors.New("add vrrp.52: operation not supported"), 2},
		{nil, 2},
		{broken, 3},
	} {
		if h.complain(step.err); logs.Len() != step.said {
			t.Errorf("step %d: %d lines, want %d: %v", i, logs.Len(), step.said, logs.All())
		}
	}
}
