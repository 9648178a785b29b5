package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is the daemon, too: called with a role in the environment it
// acts as a command that daemonises itself.
func TestMain(m *testing.M) {
	switch os.Getenv("DAEMON_TEST_ROLE") {
	case "":
		os.Exit(m.Run())
	case "reaper":
		os.Exit(reaper())
	}
	os.Exit(command())
}

// command is what cmd/lvsd does, with a directory to tell the test things in.
func command() int {
	dir := os.Getenv("DAEMON_TEST_DIR")
	start, copied := Inherit()
	if !copied {
		status, err := Daemonize()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return status
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM)
	files := Files{Parent: filepath.Join(dir, "parent.pid"), VRRP: filepath.Join(dir, "vrrp.pid")}
	switch os.Getenv("DAEMON_TEST_ROLE") {
	case "exits":
		fmt.Fprintln(os.Stderr, "no such file")
		return 6
	case "dies":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "hangs":
		tell(dir, "pid", strconv.Itoa(os.Getpid()))
		<-signals
		return 9
	}
	if err := files.Claim(); err != nil {
		if _, ok := errors.AsType[*RunningError](err); ok {
			fmt.Println("daemon is already running")
			return 0
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pipe, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", inherited))
	child, _ := exec.Command("sh", "-c", "echo ${"+marker+"-none}; readlink /proc/$$/fd/* | grep -cF '"+pipe+"'").Output()
	if err := errors.Join(start.Leave(), start.Ready()); err != nil {
		tell(dir, "error", err.Error())
		return 1
	}
	tell(dir, "state", state()+fmt.Sprintf(" child=%q", child))
	<-signals
	if err := files.Release(); err != nil {
		tell(dir, "error", err.Error())
	}
	tell(dir, "stopped", "yes")
	return 0
}

// state is what makes a process a daemon.
func state() string {
	comm, _ := os.ReadFile("/proc/self/comm")
	sid, _ := unix.Getsid(0)
	cwd, _ := os.Getwd()
	line, _ := os.ReadFile("/proc/self/cmdline")
	var fds []string
	for fd := range 10 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && (fd < 3 || strings.HasPrefix(to, "pipe:")) {
			fds = append(fds, to)
		}
	}
	env := os.Getenv(marker)
	return fmt.Sprintf("comm=%s leader=%v cwd=%s args=%q fds=%v marker=%q",
		strings.TrimSpace(string(comm)), sid == os.Getpid(), cwd, bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0}), fds, env)
}

func tell(dir, name, what string) {
	temp := filepath.Join(dir, "."+name)
	if os.WriteFile(temp, []byte(what), 0o600) == nil {
		_ = os.Rename(temp, filepath.Join(dir, name))
	}
}

// hear waits for what the daemon tells.
func hear(dir, name string) string {
	for {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return string(b)
		}
		time.Sleep(time.Millisecond)
	}
}

// call runs the command under the name keepalived, found in PATH.
func call(t *testing.T, dir, role string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "keepalived")
	if err := os.Symlink(self, link); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	c := exec.Command(link, args...)
	c.Args[0] = "keepalived"
	c.Dir = dir
	c.Env = append(os.Environ(), "DAEMON_TEST_ROLE="+role, "DAEMON_TEST_DIR="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	return c
}

func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

func TestDaemonize(t *testing.T) {
	dir := t.TempDir()
	// Output reads until the last writer is gone: it hangs if the daemon keeps
	// the caller's standard output open.
	out, err := call(t, dir, "daemon", "-f", "relative.conf", "-D").CombinedOutput()
	if status(t, err) != 0 || len(out) > 0 {
		t.Fatalf("%v, %q", err, out)
	}
	parent, err := os.ReadFile(filepath.Join(dir, "parent.pid"))
	if err != nil {
		t.Fatal("no pid file when the command returns: ", err)
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(string(parent), "\n"))
	if err != nil || unix.Kill(pid, 0) != nil {
		t.Fatalf("pid file says %q: %v", parent, err)
	}
	want := `comm=keepalived leader=true cwd=/ args=["keepalived" "-f" "relative.conf" "-D"] ` +
		`fds=[/dev/null /dev/null /dev/null] marker="" child="none\n0\n"`
	if got := hear(dir, "state"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// A second one finds it.
	out, err = call(t, dir, "daemon").CombinedOutput()
	if status(t, err) != 0 || string(out) != "daemon is already running\n" {
		t.Errorf("second start: %v, %q", err, out)
	}
	if again, _ := os.ReadFile(filepath.Join(dir, "parent.pid")); !bytes.Equal(again, parent) {
		t.Errorf("the second start changed the pid file from %q to %q", parent, again)
	}

	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear(dir, "stopped")
	if left, _ := filepath.Glob(filepath.Join(dir, "*.pid*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "error")); err == nil {
		t.Errorf("daemon: %s", b)
	}
}

func TestDaemonizeFails(t *testing.T) {
	for role, want := range map[string]struct {
		status int
		out    string
	}{
		"exits": {6, "no such file\n"},
		"dies":  {1, "daemonise: the daemon did not start: signal: killed\n"},
	} {
		out, err := call(t, t.TempDir(), role).CombinedOutput()
		if got := status(t, err); got != want.status || string(out) != want.out {
			t.Errorf("%s: status %d, %q", role, got, out)
		}
	}
}

// SIGINT at the terminal reaches a daemon that is still starting.
func TestDaemonizeInterrupted(t *testing.T) {
	dir := t.TempDir()
	c := call(t, dir, "hangs")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	hear(dir, "pid")
	if err := c.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := status(t, c.Wait()); got != 9 {
		t.Errorf("status %d", got)
	}
}

// A leftover of the mark is no mark.
func TestInheritForged(t *testing.T) {
	for _, value := range []string{"", "3", "3:1", "x:y", fmt.Sprintf("4:%d", os.Getppid()), "3:" + strings.Repeat("9", 100)} {
		t.Setenv(marker, value)
		if _, ok := Inherit(); ok {
			t.Errorf("%q is taken for the mark", value)
		}
		if _, ok := os.LookupEnv(marker); ok {
			t.Errorf("%q stays in the environment", value)
		}
	}
}

// reaper makes an orphan and becomes its parent, as the first process of a
// container does.
func reaper() int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Println(err)
		return 1
	}
	// The shell ends at once, its child a little later: an orphan.
	if err := exec.Command("sh", "-c", "(sleep 0.1) & (sleep 0.1) &").Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	for len(zombies()) < 2 {
		time.Sleep(time.Millisecond)
	}
	// One of our own, that somebody waits for.
	own := exec.Command("true")
	own.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := own.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	before := reapOld(nil)
	if err := own.Wait(); err != nil {
		fmt.Println("own child:", err)
		return 1
	}
	reapOld(before)
	if left := zombies(); len(left) > 0 || anyZombie() {
		fmt.Println("left:", left)
		return 1
	}
	return 0
}

func TestOrphans(t *testing.T) {
	if out, err := call(t, t.TempDir(), "reaper").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := WaitForOrphans(ctx); err != nil {
		t.Error(err)
	}
}
