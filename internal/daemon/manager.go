package daemon

import (
	"fmt"
	"net"
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

// managerLimit is how long a service manager may take to make room for a
// state: reloads and the end wait for it, which sd_notify(3) does for ever.
const managerLimit = time.Second

// Tell tells the service manager one or more states at once; without one it
// does nothing.
func Tell(states ...string) error {
	if !Supervised() {
		return nil
	}
	if err := tellAt(os.Getenv("NOTIFY_SOCKET"), strings.Join(states, "\n")); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

func tellAt(socket, text string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // what was written was sent
	if err := conn.SetWriteDeadline(time.Now().Add(managerLimit)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
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
