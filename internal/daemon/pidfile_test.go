package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func files(dir string) Files {
	return Files{Parent: dir + "/p.pid", VRRP: dir + "/r.pid", Checkers: dir + "/c.pid"}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestClaim(t *testing.T) {
	dir := t.TempDir()
	f := files(dir)
	if err := f.Claim(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "c.pid p.pid r.pid" {
		t.Errorf("files %s", got)
	}
	for _, path := range f.paths() {
		b, err := os.ReadFile(path)
		if err != nil || string(b) != fmt.Sprintf("%d\n", os.Getpid()) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Renew(); err != nil {
		t.Error(err)
	}
	for _, path := range f.paths() {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > time.Minute {
			t.Errorf("%s: not touched: %v", path, err)
		}
	}
	if err := f.Claim(); err != nil {
		t.Errorf("own files: %v", err)
	}
	if err := os.WriteFile(f.VRRP, []byte("1\n"), 0o644); err != nil { // somebody else's by now
		t.Fatal(err)
	}
	if err := f.Release(); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "r.pid" {
		t.Errorf("after the release: %q", got)
	}
	if err := f.Release(); err != nil {
		t.Errorf("second release: %v", err)
	}
	if err := (Files{}).Claim(); err != nil {
		t.Errorf("no files: %v", err)
	}
}

func TestStale(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = zombie.Wait() }()
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	for len(zombies()) == 0 {
		time.Sleep(time.Millisecond)
	}
	for _, content := range []string{
		"", "\n", "x", "-1", "0", "99999999999999999999", "1\n2\n", strings.Repeat("1", 1000),
		fmt.Sprint(ended.Process.Pid), fmt.Sprint(zombie.Process.Pid), fmt.Sprint(other.Process.Pid), fmt.Sprint(os.Getpid()),
	} {
		f := files(t.TempDir())
		if err := os.WriteFile(f.VRRP, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Claim(); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if pid, ok := read(f.VRRP); !ok || pid != os.Getpid() {
			t.Errorf("%q is not replaced", content)
		}
	}
}

// Another program by keepalived's name, and this program by another name.
func TestRunning(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keepalived := filepath.Join(dir, "keepalived")
	if err := os.Symlink(sleep, keepalived); err != nil {
		t.Fatal(err)
	}
	own := call(t, t.TempDir(), "hangs")
	own.Env = append(own.Env, "DAEMON_TEST_DIR="+dir)
	own.Args[0] = "other"
	own.Path, _ = os.Executable()
	for _, c := range []*exec.Cmd{exec.Command(keepalived, "1000"), own} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		f := files(t.TempDir())
		if err := os.WriteFile(f.Checkers, fmt.Appendln(nil, c.Process.Pid), 0o644); err != nil {
			t.Fatal(err)
		}
		got, ok := errors.AsType[*RunningError](f.Claim())
		if !ok || got.PID != c.Process.Pid || got.Path != f.Checkers {
			t.Errorf("%s: %v", c, got)
		}
		if left := names(t, filepath.Dir(f.Parent)); left != "c.pid" {
			t.Errorf("%s: files %q", c, left)
		}
		if c == own {
			hear(dir, "pid") // its copy runs too
			_ = c.Process.Signal(os.Interrupt)
		} else {
			_ = c.Process.Kill()
		}
		_ = c.Wait()
	}
}

func TestAllOrNone(t *testing.T) {
	dir := t.TempDir()
	f := files(dir)
	f.Checkers = dir + "/nonexistent/c.pid"
	err := f.Claim()
	if err == nil || !strings.Contains(err.Error(), "write pid file") {
		t.Errorf("error %v", err)
	}
	if left := names(t, dir); left != "" {
		t.Errorf("left: %q", left)
	}
}

// A file that was removed is there again, one that another daemon has written
// meanwhile stays; where nothing can be written, what is right is left so.
func TestRenew(t *testing.T) {
	dir := t.TempDir()
	f := files(dir)
	if err := f.Claim(); err != nil {
		t.Fatal(err)
	}
	other := call(t, t.TempDir(), "hangs")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	if err := os.Remove(f.Parent); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.VRRP, fmt.Appendln(nil, other.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Renew(); err != nil {
		t.Error(err)
	}
	if !own(f.Parent) || !own(f.Checkers) {
		t.Error("a file is not written again")
	}
	if pid, ok := read(f.VRRP); !ok || pid != other.Process.Pid {
		t.Errorf("the other daemon's file says %d", pid)
	}
	if os.Geteuid() != 0 && testing.Short() {
		t.Skip("LEFT OUT by -short: the rest mounts file systems; `make test` runs it")
	}
	f.VRRP = ""
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err := f.Renew()
	if !errors.Is(err, unix.EROFS) || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("read-only: %v", err)
	}
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.Claim(); err != nil {
		t.Errorf("files of this process that cannot be written again: %v", err)
	}
	if err := f.Release(); !errors.Is(err, unix.EROFS) || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("release: %v", err)
	}
}
