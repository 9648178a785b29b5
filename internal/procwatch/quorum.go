package procwatch

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// cause is why the number of processes has changed.
type cause uint8

const (
	began  cause = iota // a process began to run a program, or changed its name
	forked              // a process that counts has made another one
	ended
)

// quorum decides whether there are enough processes and not too many. A change
// that comes of a fork or an end must last for the delay of that cause.
type quorum struct {
	cfg config.TrackProcess
	up  bool
	due time.Time // when the opposite holds; zero: no change is pending
}

func (q *quorum) achieved(count int) bool {
	return count >= q.cfg.Quorum && (!q.cfg.QuorumMax.Set || count <= q.cfg.QuorumMax.Value)
}

// step takes a new number of processes.
func (q *quorum) step(now time.Time, count int, why cause) {
	if q.achieved(count) == q.up {
		q.due = time.Time{}
		return
	}
	var delay time.Duration
	switch why {
	case forked:
		delay = q.cfg.ForkDelay
	case ended:
		delay = q.cfg.TerminateDelay
	}
	switch {
	case delay <= 0:
		q.up, q.due = !q.up, time.Time{}
	case q.due.IsZero():
		q.due = now.Add(delay)
	}
}

// fire lets a change hold whose time has come.
func (q *quorum) fire(now time.Time) {
	if !q.due.IsZero() && !q.due.After(now) {
		q.up, q.due = !q.up, time.Time{}
	}
}
