package bfd

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// waiter is where the loop waits for datagrams, deadlines, and whoever wants
// something of it.
type waiter struct {
	event  *os.File // an eventfd(2)
	fd     int      // of event
	polled []unix.PollFd
}

func (w *waiter) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	w.event, w.fd = os.NewFile(uintptr(fd), "eventfd"), fd
	return nil
}

func (w *waiter) close() { w.event.Close() }

// wake ends a wait, the next one at the latest.
func (w *waiter) wake() {
	one := [8]byte{1}
	_, _ = w.event.Write(one[:]) // once it is closed nobody waits
}

// wait waits for so long, or until something has come.
func (w *waiter) wait(long time.Duration, listeners map[listener]*ear) error {
	w.polled = append(w.polled[:0], unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN})
	for _, e := range listeners {
		w.polled = append(w.polled, unix.PollFd{Fd: int32(e.fd), Events: unix.POLLIN})
	}
	limit := unix.NsecToTimespec(max(0, long.Nanoseconds()))
	if _, err := unix.Ppoll(w.polled, &limit, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll: %w", err)
	}
	if w.polled[0].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(w.fd, count[:]) // it is there
	}
	return nil
}
