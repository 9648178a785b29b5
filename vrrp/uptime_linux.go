package vrrp

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine has been up, sleep included.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 1<<63 - 1 // long enough for any delay
	}
	return time.Duration(t.Nano())
}
