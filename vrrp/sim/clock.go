package sim

import (
	"time"
	"unsafe"
)

// epoch is second 0 of the world, on all clocks.
var epoch = func() time.Time {
	now := time.Now() // the only one with a monotonic reading
	t := now.Add(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Sub(now))
	setMonotonic(&t, 0)
	return t
}()

// setMonotonic makes d of the monotonic reading of a time that has one. Package
// time has two clocks in a time: one is told to others, and may be set, and by
// the other times are compared. A world in which clocks are set needs both.
func setMonotonic(t *time.Time, d time.Duration) {
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(t)).ext = int64(d)
}

// moment is a time on two clocks, as they are since epoch.
func moment(wall, monotonic time.Duration) time.Time {
	t := epoch.Add(wall)
	setMonotonic(&t, monotonic)
	return t
}
