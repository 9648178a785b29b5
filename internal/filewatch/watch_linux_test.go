package filewatch

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "0\n": 0, "12": 12, "12\n": 12, " \t\n7": 7, "+5": 5, "-5": -5, "12 x": 12, "1e3": 1, "abc": 0, "-": 0, "- 5": 0, "--5": 0,
		"010": 8, "08": 0, "07x": 7, "0x10": 16, "-0XfG": -15, "0x": 0, "0xg": 0, "1_000": 1,
		"2147483647": math.MaxInt32, "2147483648": math.MaxInt32, "-99999999999999999999999": -math.MaxInt32, "\x00\xff": 0,
	} {
		if got := Number(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("-0x7f")
	f.Fuzz(func(t *testing.T, text string) {
		if n := Number(text); n < -math.MaxInt32 || n > math.MaxInt32 {
			t.Errorf("%q is %d", text, n)
		}
	})
}

// followed is a file under test.
type followed struct {
	t       *testing.T
	path    string
	numbers chan int
}

func follow(t *testing.T, path string) (*followed, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	w := New(zap.New(core))
	ctx, cancel := context.WithCancel(context.Background())
	ran, ended := make(chan error, 1), make(chan struct{})
	go func() { ran <- w.Run(ctx) }()
	f := &followed{t, path, make(chan int)}
	go func() {
		defer close(ended)
		w.Follow(ctx, path, func(n int) {
			select {
			case f.numbers <- n:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		<-ended
		if len(w.folders) > 0 {
			t.Errorf("folders are left: %v", w.folders)
		}
	})
	return f, logs
}

// becomes waits for the next number that is reported.
func (f *followed) becomes(want int) {
	f.t.Helper()
	select {
	case got := <-f.numbers:
		if got != want {
			f.t.Fatalf("%d is reported, want %d", got, want)
		}
	case <-time.After(20 * time.Second):
		f.t.Fatalf("%d is not reported", want)
	}
}

func (f *followed) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) write(path, text string) {
	f.t.Helper()
	f.must(os.WriteFile(path, []byte(text), 0o600))
}

// Written, replaced, deleted, moved away and back, linked.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	f, logs := follow(t, path)
	f.becomes(0)
	f.write(path, "5\n")
	f.becomes(5)
	f.write(other, "6")
	f.must(os.Rename(other, path))
	f.becomes(6)
	f.must(os.Rename(path, other))
	f.becomes(0)
	f.must(os.Symlink("other", path))
	f.becomes(6)
	f.must(os.Remove(path))
	f.becomes(0)
	f.must(os.Link(other, path))
	f.becomes(6)
	f.write(path, "7")
	f.becomes(7)
	if logs.Len() > 0 {
		t.Errorf("logged %v", logs.All())
	}
}

// Half of what somebody writes is not read: only when he closes the file.
func TestWriterNotReady(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, _ := follow(t, path)
	f.becomes(0)
	f.write(path, "100")
	f.becomes(100)
	w, err := os.Create(path) // empty from now on
	f.must(err)
	_, err = w.WriteString("-2")
	f.must(err)
	select {
	case n := <-f.numbers:
		t.Errorf("%d is reported while the file is being written", n)
	case <-time.After(100 * time.Millisecond):
	}
	_, err = w.WriteString("54")
	f.must(err)
	f.must(w.Close())
	f.becomes(-254)
}

// The folder comes later, goes, and comes again.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "late")
	path := filepath.Join(dir, "f")
	f, logs := follow(t, path)
	f.becomes(0)
	for n := 1; n < 4; n++ {
		f.must(os.Mkdir(dir, 0o700))
		f.write(path, fmt.Sprint(n))
		f.becomes(n)
		if n == 2 {
			f.must(os.Rename(dir, dir+"2"))
		} else {
			f.must(os.RemoveAll(dir))
		}
		f.becomes(0)
	}
	for _, e := range logs.All() {
		if !strings.Contains(e.Message, "cannot be watched") {
			t.Errorf("logged %s", e.Message)
		}
	}
}

// Files of a Kubernetes ConfigMap are links through a link that is replaced.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(dir, "..next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "1")
	path := filepath.Join(dir, "f")
	if err := os.Symlink("..data/f", path); err != nil {
		t.Fatal(err)
	}
	f, _ := follow(t, path)
	f.becomes(1)
	version("..2", "2")
	f.becomes(2)
}

// What is no file is said once and counts as 0; nobody waits for a writer.
func TestNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, logs := follow(t, path)
	f.becomes(0)
	f.must(os.Remove(path))
	f.write(path, "3")
	f.becomes(3)
	if said := logs.FilterMessage("track file counts as 0").Len(); said != 1 {
		t.Errorf("said %d times", said)
	}
}
