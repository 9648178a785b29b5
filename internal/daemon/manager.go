package daemon

import (
	"fmt"
	"os"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// States of sd_notify(3) that are the same each time.
const (
	Stopping = systemd.SdNotifyStopping
	Alive    = systemd.SdNotifyWatchdog
)

// Main says which process is the service's from now on.
func Main(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }

// Ready says that all runs. The service manager may not know the process: the
// command that it started may have ended.
func Ready() string { return systemd.SdNotifyReady + "\n" + Main(os.Getpid()) }

// Reloading says that a reload begins, and when: Type=notify-reload waits for
// that.
func Reloading() string {
	return systemd.SdNotifyReloading + "\n" + strings.TrimSuffix(systemd.SdNotifyMonotonicUsec(), "\n")
}

// Status says in one line for people how it is.
func Status(line string) string { return "STATUS=" + line }

// Errno is the reason for an end, for systemctl status.
func Errno(status int) string { return fmt.Sprintf("ERRNO=%d", status) }

// Supervised reports whether a service manager listens, sd_notify(3).
func Supervised() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Tell tells the service manager one or more states at once; without one it
// does nothing.
func Tell(states ...string) error {
	if _, err := systemd.SdNotify(false, strings.Join(states, "\n")); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// Watchdog is how often the service manager wants to hear [Alive] at least,
// sd_watchdog_enabled(3); 0: not at all.
func Watchdog() time.Duration {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return 0 // the variables are for somebody else, or broken
	}
	return interval
}
