package vrrp

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestDaemon: without -n the command comes back when the daemon runs, with its
// pid files; a second one says that there is one; the process is called as
// init scripts and monitoring expect, and goes away without a trace.
func TestDaemon(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lvsd", "keepalived"} {
		t.Run("called "+name, func(t *testing.T) {
			t.Parallel()
			i := instance{priority: 100}
			r := newSegment(t).router(1)
			t.Cleanup(r.killAll)
			r.configure(i)
			folder := t.TempDir()
			binary := filepath.Join(folder, name)
			if err := os.Symlink(rig.Binary(), binary); err != nil {
				t.Fatal(err)
			}
			pidFile := filepath.Join(folder, "keepalived.pid")
			args := []string{
				"-D", "-P", "-f", "/etc/keepalived/keepalived.conf",
				"-p", pidFile, "-r", filepath.Join(folder, "vrrp.pid"), "-c", filepath.Join(folder, "checkers.pid"),
			}
			if output, status := r.finishes(binary, args...); status != 0 {
				t.Fatalf("started with status %d: %s", status, output)
			}
			pid := readPID(t, pidFile)
			if got := strings.TrimSpace(readFile(t, "/proc", pid, "comm")); got != name {
				t.Errorf("comm is %q, want %q", got, name)
			}
			cmdline := strings.ReplaceAll(readFile(t, "/proc", pid, "cmdline"), "\x00", " ")
			if !strings.Contains(cmdline, " -f /etc/keepalived/keepalived.conf ") {
				t.Errorf("the command line is %q", cmdline)
			}
			if dir, _ := os.Readlink(filepath.Join("/proc", pid, "cwd")); dir != "/" {
				t.Errorf("the daemon holds on to folder %q", dir)
			}
			if stat := strings.Fields(readFile(t, "/proc", pid, "stat")); stat[5] != pid {
				t.Errorf("the daemon is in session %s, not its own", stat[5])
			}
			r.nextAdvert(time.Time{}, i.priority, i.down()+patience)
			r.owns(true, patience)

			processes := len(r.Processes())
			output, status := r.finishes(binary, append(args, "-n", "-l")...)
			if status != 0 || !strings.Contains(output, "daemon is already running") {
				t.Errorf("a second daemon: status %d, output %q; want 0 and \"daemon is already running\"", status, output)
			}
			if again := readPID(t, pidFile); again != pid || len(r.Processes()) != processes {
				t.Errorf("the second daemon left traces: pid file %s, was %s; processes %q", again, pid, r.Processes())
			}

			number, _ := strconv.Atoi(pid)
			if err := syscall.Kill(number, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			r.exits(patience)
			r.leftNothing()
			if left, _ := filepath.Glob(filepath.Join(folder, "*.pid")); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

// TestStalePIDFile: a pid file that a killed daemon left is no reason not to
// start.
func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100}
	r := newSegment(t).router(1)
	r.configure(i)
	const nobody = "4194304" // the kernel's limit, which no process reaches
	pidFile := filepath.Join(t.TempDir(), "keepalived.pid")
	if err := os.WriteFile(pidFile, []byte(nobody+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.Daemon = r.Start(rig.Binary(), "-P", "-p", pidFile)
	r.becomes(0, "VI_1", "MASTER", i.down()+patience)
	if got := readPID(t, pidFile); got == nobody {
		t.Errorf("the pid file still says %s", got)
	}
}

// finishes runs a command in the router that must come to an end by itself.
func (r *router) finishes(name string, args ...string) (output string, status int) {
	r.t.Helper()
	var buffer bytes.Buffer
	c := r.Command(name, args...)
	c.Stdout, c.Stderr = &buffer, &buffer
	c.WaitDelay = patience // a daemon that keeps the terminal open
	if err := c.Start(); err != nil {
		r.t.Fatalf("start %s: %v", name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	err := c.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		r.t.Errorf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return buffer.String(), c.ProcessState.ExitCode()
}

// killAll ends what runs in the router's namespace.
func (r *router) killAll() {
	for _, process := range r.Processes() {
		pid, _, _ := strings.Cut(process, " ")
		if number, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(number, syscall.SIGKILL)
		}
	}
}

// readPID is the number in a pid file.
func readPID(t *testing.T, path string) string {
	t.Helper()
	pid := strings.TrimSpace(readFile(t, path))
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatalf("%s holds %q", path, pid)
	}
	return pid
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
