package daemon

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Rename gives the process another name for ps(1) and pgrep(1), at most 15
// bytes. Its command line stays.
func Rename(name string) error {
	// The first thread's name is that of the process.
	if err := os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid()), []byte(name), 0); err != nil {
		return fmt.Errorf("rename the process: %w", err)
	}
	return nil
}

// pattern is where the kernel looks for the name of a core dump, core(5).
const pattern = "/proc/sys/kernel/core_pattern"

// DumpCore makes a crash leave a core dump, whose name follows a pattern of
// core(5) unless that is empty. The pattern is the whole machine's: restore
// puts the former one back.
func DumpCore(name string) (restore func() error, err error) {
	debug.SetTraceback("crash") // dies of SIGABRT instead of exiting with a status
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unlimited); err != nil {
		return nil, fmt.Errorf("allow core dumps: %w", err)
	}
	if name == "" {
		return func() error { return nil }, nil
	}
	former, err := os.ReadFile(pattern)
	if err == nil {
		err = os.WriteFile(pattern, []byte(name), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("set the name of core dumps: %w", err)
	}
	return func() error {
		if now, err := os.ReadFile(pattern); err != nil || strings.TrimSpace(string(now)) != name {
			return errors.Join(err) // somebody has changed it meanwhile
		}
		return os.WriteFile(pattern, former, 0)
	}, nil
}
