package supervisor

import (
	"context"
	"time"

	"github.com/lvsd/lvsd/internal/daemon"
)

// watchClock says when somebody sets the clock: the times in the log jump then,
// and nothing else does.
func (s *Supervisor) watchClock(ctx context.Context) error {
	err := daemon.WatchClock(ctx, func(by time.Duration) {
		way := "forward"
		if by < 0 {
			way = "back"
		}
		s.log.Warn("the clock was set " + way + " by " + by.Abs().Round(time.Second).String() + ", timers go on as before")
	})
	if err != nil { // nobody depends on it
		s.log.Warn(err.Error())
	}
	return nil
}
