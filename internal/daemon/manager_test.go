package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTell(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Tell(Ready()); err != nil || Supervised() {
		t.Errorf("without a service manager: %v", err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
		t.Fatal(err)
	}
	for _, tell := range [][]string{{Ready(), Status("all is well")}, {Reloading()}, {Errno(6)}, {Stopping}, {Alive}} {
		if err := Tell(tell...); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=all is well", os.Getpid()), `RELOADING=1\nMONOTONIC_USEC=(\d+)`, "ERRNO=6", "STOPPING=1", "WATCHDOG=1",
	} {
		buffer := make([]byte, 1024)
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("^" + want + "$").FindStringSubmatch(string(buffer[:n]))
		if found == nil {
			t.Errorf("got %q, want %q", buffer[:n], want)
		} else if len(found) > 1 {
			var usec int64
			if _, err := fmt.Sscan(found[1], &usec); err != nil || usec < before.Nano()/1000 || usec > after.Nano()/1000 {
				t.Errorf("the time of a reload is %s, not between %d and %d", found[1], before.Nano()/1000, after.Nano()/1000)
			}
		}
	}
	_ = conn.Close()
	if err := Tell(Alive); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

func TestWatchdog(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0}, {"3000000", "", 3 * time.Second}, {"3000000", fmt.Sprint(os.Getpid()), 3 * time.Second}, {"3000000", "1", 0}, {"soon", "", 0},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got := Watchdog(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestRename(t *testing.T) {
	comm := func() string {
		b, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	former := comm()
	if err := Rename("another"); err != nil || comm() != "another" {
		t.Errorf("the process is called %q: %v", comm(), err)
	}
	if err := Rename(former); err != nil {
		t.Error(err)
	}
}

// A file that becomes necessary is added, and none is lost.
func TestMoreFiles(t *testing.T) {
	have := Files{Parent: "/p", VRRP: "/v"}
	want := Files{Parent: "/other", Checkers: "/c"}
	missing := have.Missing(want)
	if missing != (Files{Checkers: "/c"}) {
		t.Errorf("missing: %+v", missing)
	}
	if all := have.With(missing); all != (Files{Parent: "/p", VRRP: "/v", Checkers: "/c"}) {
		t.Errorf("together: %+v", all)
	}
	if have != (Files{Parent: "/p", VRRP: "/v"}) {
		t.Errorf("changed: %+v", have)
	}
}

// A service manager that does not read keeps nobody.
func TestTellStuck(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "manager")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	t.Setenv("NOTIFY_SOCKET", socket)
	for range 10000 { // more than any queue has room for
		if err := Tell(Alive); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the queue has no end")
}
