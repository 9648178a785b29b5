package supervisor

import (
	"context"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/filewatch"
)

// A file that is being written has so long to be complete, and is looked at so
// often.
const (
	writeTime = time.Second
	lookTime  = 20 * time.Millisecond
)

// settled loads a file that nobody writes to meanwhile. Cut off between two
// blocks, a file that is only half written looks as good as any. One that
// somebody keeps open for longer is taken as it is.
func (s *Supervisor) settled(file string) (*config.Config, []config.Problem, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	for {
		before, written := filewatch.Look(file)
		if !written || ctx.Err() != nil {
			next, problems, err := s.load(file)
			after, again := filewatch.Look(file)
			if ctx.Err() != nil || !again && after == before {
				return next, problems, err
			}
		}
		select {
		case <-time.After(lookTime):
		case <-ctx.Done():
		}
	}
}
