package daemon

import (
	"context"
	"testing"
	"time"
)

// Who watches the clock ends when it is told to, waiting or not yet, and has told of
// nothing where nobody has set it. That it tells is for e2e/lvs, whose machine has a
// clock to set.
func TestWatchClockEnds(t *testing.T) {
	for _, later := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- WatchClock(ctx, func(by time.Duration) { t.Errorf("the clock was set by %s", by) }) }()
		time.Sleep(later)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
