package checker

import (
	"context"
	"fmt"

	"github.com/lvsd/lvsd/config"
)

// Checker is one probe of a real server. It keeps nothing from one call to the
// next, ends at its own timeout or with ctx, and may be called by any
// goroutine.
type Checker interface {
	Check(ctx context.Context) Result
}

// phrases are the sentences that keepalived logs for a kind of check; %s is
// the real server.
type phrases struct {
	success string
	failure string // one failed attempt, logged with log_all_failures
	timeout string // the same, when it was for want of an answer
	failed  string // the check has failed
}

// build makes the checker of a configured check.
func build(c config.Check) (Checker, phrases, error) {
	switch c.Kind {
	case config.TCPCheck:
		return newTCP(c), tcpPhrases, nil
	}
	return nil, phrases{}, fmt.Errorf("no checker for %s", c.Kind)
}
