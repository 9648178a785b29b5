// Package sigmask keeps signals for a program that another one executes in its
// place: between execve(2) and the moment at which the new program listens, a
// signal would end it. One that is blocked waits.
//
// A program in Go takes SIGHUP, SIGINT and SIGTERM from the mask when it starts,
// and ends when it gets one before it listens.
//
// The mask of the thread that calls execve is that of all threads of the new
// program, and of what they execute. Package os/signal listens all the same;
// everything else is to be started with [Start].
package sigmask

import (
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Hold blocks signals in this thread, to which the goroutine is bound until
// release.
func Hold(signals ...os.Signal) (release func(), err error) {
	var mask, before unix.Sigset_t
	for _, sig := range signals {
		if n, ok := sig.(syscall.Signal); ok {
			add(&mask, n)
		}
	}
	runtime.LockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &mask, &before); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("hold signals: %w", err)
	}
	return func() {
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // it was one of this kernel's own
		runtime.UnlockOSThread()
	}, nil
}

// Start starts a command for which no signal is blocked.
func Start(c *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &before); err != nil {
		return fmt.Errorf("unblock signals: %w", err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	return c.Start()
}

// Ignore lets a signal come to nothing that package os/signal does not know. What
// is executed inherits that.
func Ignore(sig syscall.Signal) error {
	// struct sigaction of the kernel, see rt_sigaction(2).
	action := struct{ handler, flags, restorer, mask uintptr }{handler: 1} // SIG_IGN
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
	if errno != 0 {
		return fmt.Errorf("ignore signal %d: %w", sig, errno)
	}
	return nil
}

func add(set *unix.Sigset_t, sig syscall.Signal) {
	bit := uint(sig) - 1
	set.Val[bit/bits.UintSize] |= 1 << (bit % bits.UintSize)
}
