package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Watched is a process that is watched, for as long as this one lives. It need
// be no child.
type Watched struct {
	PID   int
	Ended <-chan struct{} // closed at its end
	fd    int             // a pidfd
}

// Watch watches a process.
func Watch(pid int) (*Watched, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return &Watched{PID: pid, Ended: ended, fd: fd}, nil
}

// Signal sends it a signal, if it has not ended.
func (w *Watched) Signal(s syscall.Signal) { _ = unix.PidfdSendSignal(w.fd, s, nil, 0) }

// reaping is how long the parent of a process may take to see its end.
const reaping = 100 * time.Millisecond

// EndedBy is the signal that has ended the process, 0 if it has ended itself;
// ok is false when nobody knows. The kernel tells its parent, and others from
// Linux 6.15 on.
func (w *Watched) EndedBy() (by syscall.Signal, ok bool) {
	for end := time.Now().Add(reaping); ; time.Sleep(time.Millisecond) {
		if status, ok := w.status(); ok {
			return max(status.Signal(), 0), true // -1: it has ended itself
		}
		if time.Now().After(end) {
			return 0, false
		}
	}
}

// status is what the parent hears of the end: as long as it has not, from
// proc(5), then from the kernel.
func (w *Watched) status() (unix.WaitStatus, bool) {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID)); err == nil {
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		const state, code = 3, 52 // fields of the line, of which two are before
		if len(fields) > code-3 && string(fields[state-3]) == "Z" {
			n, err := strconv.ParseUint(string(fields[code-3]), 10, 32)
			return unix.WaitStatus(n), err == nil
		}
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(w.fd, &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false
	}
	return unix.WaitStatus(info.Exit_code), true
}
