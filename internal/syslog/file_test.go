package syslog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// a line of one of keepalived's processes.
func from(name, suffix, text string) line {
	return line{time: time.Unix(0, 0), level: zapcore.InfoLevel, name: name, suffix: suffix, message: text}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A file for each process, in keepalived's form, readable for root alone, and
// not overwritten by the next start.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		out := New(Options{File: filepath.Join(dir, "lvs.d", "keepalived.log"), Mode: 0o600})
		some(out.Logger())
		if err := os.MkdirAll(filepath.Join(dir, "lvs.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := out.Run(ended()); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"keepalived.log": ": Starting lvsd", "keepalived_vrrp.log": ": (VI_1) Entering MASTER STATE",
		"keepalived_healthcheckers.log": `: down server=[10.0.0.2]:tcp:80 error="no route"`, "keepalived_bfd.log": `: x n=1 after=1s empty=""`,
	} {
		path := filepath.Join(dir, "lvs.d", name)
		if got := strings.Count(content(t, path), want+"\n"); got != 2 {
			t.Errorf("%s has %q %d times, want 2:\n%s", name, want, got, content(t, path))
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestFileNames(t *testing.T) {
	for _, tc := range []struct {
		file string
		line line
		want string
	}{
		{"/var/log/keepalived.log", from("", "", ""), "/var/log/keepalived.log"},
		{"/var/log/keepalived.log", from("checker.tcp", "", ""), "/var/log/keepalived_healthcheckers.log"},
		{"/var/log/keepalived.log", from("vrrp", "_ns_one", ""), "/var/log/keepalived_vrrp_ns_one.log"},
		{"/var/log.d/lvs", from("bfd", "", ""), "/var/log.d/lvs_bfd"},
	} {
		if got := (&files{path: tc.file}).name(tc.line); got != tc.want {
			t.Errorf("%s, %s: %s, want %s", tc.file, tc.line.name, got, tc.want)
		}
	}
}

// A file that logrotate has moved away, or somebody deleted, is made anew.
func TestRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keepalived.log")
	f := &files{path: path, mode: 0o600}
	write := func(text string) {
		t.Helper()
		if err := f.write(from("", "", text)); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write("three")
	if got := content(t, path+".1"); !strings.HasSuffix(got, ": one\n") {
		t.Errorf("moved away: %q", got)
	}
	if got := content(t, path); !strings.HasSuffix(got, ": three\n") || strings.Contains(got, "two") {
		t.Errorf("the new one: %q", got)
	}
}

// What others have put in the way is not written to: a link, their own file, a
// FIFO that would make it wait.
func TestInTheWay(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link, fifo, theirs := filepath.Join(dir, "link.log"), filepath.Join(dir, "fifo.log"), filepath.Join(dir, "theirs.log")
	if err := errors.Join(os.Symlink(target, link), syscall.Mkfifo(fifo, 0o600), os.WriteFile(theirs, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	paths := []string{link, fifo}
	if os.Getuid() == 0 {
		if err := os.Chown(theirs, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, theirs)
	}
	for _, path := range paths {
		if err := (&files{path: path, mode: 0o600}).write(from("", "", "secret")); err == nil {
			t.Errorf("%s was written", path)
		}
	}
	if got := content(t, target) + content(t, theirs); got != "" {
		t.Errorf("%q was written to somebody else's file", got)
	}
}

// teller is a console whose lines can be waited for.
type teller chan string

func (t teller) Write(b []byte) (int, error) {
	t <- string(b)
	return len(b), nil
}

// A full disk gets whole lines or none, and the others are told once.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("left out: only root mounts a small disk; `make test` runs it")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path, other := filepath.Join(dir, "keepalived.log"), make(teller, 1000)
	out := New(Options{File: path, Mode: 0o600, Console: other})
	for range 100 {
		out.Logger().Info(strings.Repeat("x", 100))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- out.Run(ctx) }()
	complaint := "the log file does not work: write " + path + ": no space left on device"
	for !strings.Contains(<-other, complaint) {
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for len(other) > 0 {
		if strings.Contains(<-other, complaint) {
			t.Error("said more than once")
		}
	}
	if got := content(t, path); len(got) < 2000 || !strings.HasSuffix(got, "x\n") {
		t.Errorf("%d bytes, and its end is %q", len(got), got[max(0, len(got)-20):])
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	if got := content(t, path); !strings.HasSuffix(got, "x\n") {
		t.Errorf("once there is room again: %q", got)
	}
}
