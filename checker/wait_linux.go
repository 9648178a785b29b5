package checker

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What package syscall does before and after a system call that is known to take
// long. gVisor waits for packets in this way, and for its sake these names of the
// runtime stay (go.dev/issue/67401).
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// epollWait is epoll_wait(2) that gives the permission to run Go code back before
// it begins, for some milliseconds at least: any other system call keeps it until
// the runtime's monitor takes it away, and that looks up to sixty times before.
func epollWait(epoll int, events []unix.EpollEvent, ms int) (n int, err error) {
	if ms == 0 {
		return unix.EpollWait(epoll, events, 0)
	}
	got, errno := blockingWait(epoll, &events[0], len(events), ms)
	if errno != 0 {
		return 0, errno
	}
	return got, nil
}

// blockingWait may not need more stack between its two calls of the runtime.
//
//go:norace
//go:nosplit
func blockingWait(epoll int, events *unix.EpollEvent, most, ms int) (n int, errno syscall.Errno) {
	entersyscallblock()
	got, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(events)), uintptr(most), uintptr(ms), 0, 0)
	exitsyscall()
	return int(got), errno
}
