package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func serve(t *testing.T, answer func(*Call)) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // what a crash left
		t.Fatal(err)
	}
	s := New()
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	go func() {
		for {
			select {
			case c := <-s.Calls():
				answer(c)
			case <-ctx.Done():
				return
			}
		}
	}()
	return path, func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestAsk(t *testing.T) {
	path, stop := serve(t, func(c *Call) { c.Answer(Answer{Status: 5, Text: c.Command + " of " + c.File}) })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info.Mode(), err)
	}
	a, err := Ask(t.Context(), path, Request{Command: Plan, File: "/new.conf"})
	if want := (Answer{5, "plan of /new.conf"}); err != nil || a != want {
		t.Errorf("got %+v %v, want %+v", a, err, want)
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	if _, err := Ask(t.Context(), path, Request{Command: Reload}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody is there: %v", err)
	}
}

// Who says nothing, says nonsense or goes away harms nobody.
func TestTrouble(t *testing.T) {
	asked := make(chan *Call, 1)
	path, stop := serve(t, func(c *Call) { asked <- c })
	silent, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	rude, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rude.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := rude.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("nonsense is answered: %d %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, path, Request{Command: Reload}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer that does not come: %v", err)
	}
	(<-asked).Answer(Answer{}) // to nobody
	stop()
}

// A successor answers where its predecessor did, without making anything: a
// question that came in between waits for it.
func TestAdopt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	before, after := New(), New()
	if err := before.Listen(path); err != nil {
		t.Fatal(err)
	}
	socket, err := before.Socket()
	if err != nil {
		t.Fatal(err)
	}
	before.listener.SetUnlinkOnClose(false) // execve(2) unlinks nothing
	_ = before.listener.Close()
	answered := make(chan Answer)
	go func() {
		a, err := Ask(t.Context(), path, Request{Command: Plan})
		if err != nil {
			t.Errorf("Ask: %v", err)
		}
		answered <- a
	}()
	if !after.Adopt(descriptor(t, socket), path) {
		t.Fatal("the socket was not adopted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- after.Run(ctx) }()
	(<-after.Calls()).Answer(Answer{Text: "the successor"})
	if a := <-answered; a.Text != "the successor" {
		t.Errorf("the answer is %+v", a)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	if New().Adopt(descriptor(t, socket), path) {
		t.Error("a socket that nobody finds was adopted")
	}
}

// descriptor is a copy of a file's that belongs to nobody yet.
func descriptor(t *testing.T, f *os.File) int {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
