package vrrp

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is a moment as CLOCK_MONOTONIC has it, in nanoseconds: what two
// programs on one machine understand by it.
func Monotonic(t time.Time) int64 {
	now, clock := monotonic()
	return clock + int64(t.Sub(now))
}

// FromMonotonic is the reverse of [Monotonic].
func FromMonotonic(clock int64) time.Time {
	now, at := monotonic()
	return now.Add(time.Duration(clock - at))
}

func monotonic() (now time.Time, clock int64) {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // there always is one
	return time.Now(), t.Nano()
}

// clock is how moments are told to another process. Where the sockets are
// somebody else's, the time is that of package time alone.
type clock struct {
	to   func(time.Time) int64
	from func(int64) time.Time
}

func newClock(o Opener) clock {
	if o == nil {
		return clock{Monotonic, FromMonotonic}
	}
	return clock{time.Time.UnixNano, func(n int64) time.Time { return time.Unix(0, n) }}
}
