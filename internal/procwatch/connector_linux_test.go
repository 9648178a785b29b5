package procwatch

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// message is what the kernel sends for an event.
func message(what uint32, data ...uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+connectorHeader+eventHeader)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+connectorHeader:], what)
	for _, n := range data {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	if what == eventNone {
		b = append(b, make([]byte, 20)...)
	}
	return b
}

// Threads are no processes, and what is cut short is nothing.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	f := &follower{quorum: quorum{cfg: config.TrackProcess{Process: []string{"d"}, Quorum: 1}}, pids: map[int]bool{}, wake: make(chan struct{}, 1)}
	w.watcher.followers[f] = true
	w.runs(10, 1, "/s/d")
	for _, test := range []struct {
		name string
		b    []byte
		want int
	}{
		{"fork of who does not count", message(eventFork, 9, 9, 10, 10), 0},
		{"exec", message(eventExec, 10, 10, 0, 0), 1},
		{"exec again", message(eventExec, 10, 10, 0, 0), 1},
		{"fork", message(eventFork, 10, 10, 11, 11), 2},
		{"fork by a thread", message(eventFork, 12, 10, 13, 13), 3},
		{"a new thread", message(eventFork, 10, 10, 14, 10), 3},
		{"a thread ends", message(eventExit, 14, 10, 0, 0), 3},
		{"a thread has a name", message(eventComm, 14, 10, 0, 0), 3},
		{"another name", message(eventComm, 11, 11, 0, 0), 2}, // nobody in /proc
		{"an end", message(eventExit, 13, 13, 0, 0), 1},
		{"uid", message(4, 10, 10, 0, 0), 1},
		{"short", message(eventExit, 10)[:40], 1},
		{"empty", nil, 1},
		{"fork without a child", message(eventFork, 10, 10), 1},
	} {
		w.watcher.event(test.b)
		if len(f.pids) != test.want {
			t.Errorf("%s: %v, want %d", test.name, f.pids, test.want)
		}
	}
	if ok, err := confirms(message(eventNone, 0)); !ok || err != nil {
		t.Errorf("confirmed: %t %v", ok, err)
	}
	if ok, err := confirms(message(eventNone, uint32(unix.EPERM))); !ok || !errors.Is(err, unix.EPERM) {
		t.Errorf("refused: %t %v", ok, err)
	}
	if ok, err := confirms(message(eventExit, 1, 1)); ok || err != nil {
		t.Errorf("an event: %t %v", ok, err)
	}
}

// What the kernel had to drop is counted again.
func TestOverrun(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	program := sleeper(t)
	w := New(zap.New(core), "/proc")
	w.buffer = 1 // the kernel makes its least of it
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- w.Run(ctx) }()
	reports := make(chan bool, 10)
	go func() {
		w.Follow(ctx, config.TrackProcess{Name: "p", Process: []string{program}, FullCommand: true, Quorum: 1}, func(up bool) { reports <- up })
		done <- nil
	}()
	becomes := func(want bool) {
		t.Helper()
		select {
		case up := <-reports:
			if up != want {
				t.Fatalf("%t is reported", up)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%t is not reported: %v", want, logs.All())
		}
	}
	becomes(false)
	first := started(t, program)
	becomes(true)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	becomes(false) // now events come, if they ever do
	w.mu.Lock()    // nobody takes events
	for range 100 {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Error(err)
		}
	}
	started(t, program)
	w.mu.Unlock()
	becomes(true)
	if logs.FilterMessageSnippet("does not tell").Len() > 0 {
		t.Log("NOT TESTED HERE: the kernel tells nobody of processes, they are counted every second")
	}
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// sleeper is a program that nobody else runs.
func sleeper(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lvsdtracked")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err == nil {
		err = os.WriteFile(program, text, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// started is a process that ends with the test.
func started(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	c := exec.Command(program, "1000")
	if err := c.Start(); err != nil {
		t.Error(err)
		return c
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	return c
}

// With real processes, through the kernel where it tells and by /proc where it
// does not.
func TestProcesses(t *testing.T) {
	ways := map[string]func(*Watcher, context.Context) error{"poll": (*Watcher).poll, "run": (*Watcher).Run}
	for name, run := range ways {
		t.Run(name, func(t *testing.T) { testProcesses(t, run) })
	}
}

func testProcesses(t *testing.T, run func(*Watcher, context.Context) error) {
	program := sleeper(t)
	log, err := zap.NewDevelopment()
	if err != nil {
		t.Fatal(err)
	}
	w := New(log, "/proc")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- run(w, ctx) }()
	reports := make(chan bool)
	go func() {
		w.Follow(ctx, config.TrackProcess{Name: "p", Process: []string{program, "1000"}, FullCommand: true, ParamMatch: config.ParamExact, Quorum: 1}, func(up bool) {
			select {
			case reports <- up:
			case <-ctx.Done():
			}
		})
		done <- nil
	}()
	becomes := func(want bool) {
		t.Helper()
		select {
		case got := <-reports:
			if got != want {
				t.Fatalf("%t is reported", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%t is not reported", want)
		}
	}
	becomes(false)
	for range 3 {
		c := started(t, program)
		becomes(true)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		becomes(false) // though it is a zombie
	}
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
