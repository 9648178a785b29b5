package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// noticeable is by how much a clock must be set to be told of.
const noticeable = time.Second

// distant is when the timer would go off, in seconds: in no daemon's life.
const distant = 1 << 33

// WatchClock tells by how much the clock of the machine is set, forward or, below
// zero, back, until ctx ends. A clock that is corrected by running faster, or that
// stood while the machine was asleep, is not set. It waits in the kernel for that:
// TFD_TIMER_CANCEL_ON_SET, timerfd_create(2).
func WatchClock(ctx context.Context, set func(by time.Duration)) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch the clock: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "clock")
	defer func() { _ = timer.Close() }()
	defer context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Now()) })()
	was, count := sinceBoot(), make([]byte, 8)
	for ctx.Err() == nil {
		at := unix.ItimerSpec{Value: unix.Timespec{Sec: distant}}
		if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil); err != nil && !errors.Is(err, unix.ECANCELED) {
			return fmt.Errorf("watch the clock: %w", err)
		}
		if by := sinceBoot() - was; by.Abs() >= noticeable {
			set(by)
			was += by
		}
		if _, err := timer.Read(count); err != nil && !errors.Is(err, unix.ECANCELED) && ctx.Err() == nil {
			return fmt.Errorf("watch the clock: %w", err)
		}
	}
	return nil
}

// sinceBoot is what the clock says less the time since the machine was started.
func sinceBoot() time.Duration {
	var clock, boot unix.Timespec
	_ = errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME, &clock), unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)) // there always are
	return time.Duration(clock.Nano() - boot.Nano())
}
