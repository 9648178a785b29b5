package procwatch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// keepalived 2.2.7 was asked for all of these.
func TestMatches(t *testing.T) {
	track := func(full bool, match config.ParamMatch, words ...string) config.TrackProcess {
		return config.TrackProcess{Process: words, FullCommand: full, ParamMatch: match}
	}
	runs := []string{"/s/d", "/s/d 1", "/s/d 12", "/s/d 1 2", "/s/d 2 1", "/s/d 12 3", "d", "d 1"}
	for _, test := range []struct {
		name string
		t    config.TrackProcess
		want []string
	}{
		{"name", track(false, "", "d"), runs},
		{"path", track(false, "", "/s/d"), nil},
		{"full name", track(true, "", "d"), []string{"d", "d 1"}},
		{"full path", track(true, "", "/s/d"), runs[:6]},
		{"exact", track(false, config.ParamExact, "/s/d", "1"), []string{"/s/d 1"}},
		{"exact two", track(false, config.ParamExact, "/s/d", "1", "2"), []string{"/s/d 1 2"}},
		{"exact none", track(false, config.ParamExact, "/s/d"), []string{"/s/d"}},
		{"partial", track(false, config.ParamPartial, "/s/d", "1"), []string{"/s/d 1", "/s/d 1 2"}},
		{"partial none", track(false, config.ParamPartial, "/s/d"), runs[:6]},
		{"initial", track(false, config.ParamInitial, "/s/d", "1"), []string{"/s/d 1", "/s/d 12", "/s/d 1 2", "/s/d 12 3"}},
		{"initial none", track(false, config.ParamInitial, "d"), []string{"d", "d 1"}},
		{"nothing", track(false, ""), nil},
	} {
		var got []string
		for _, run := range runs {
			if matches(&test.t, &process{name: "d", args: strings.Fields(run)}) {
				got = append(got, run)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	long := track(false, "", "averylongprocessname")
	if !matches(&long, &process{name: "averylongproces"}) || matches(&long, &process{name: "averylongproce"}) {
		t.Error("a name of more than 15 bytes")
	}
	full := track(true, "", "d")
	if matches(&full, &process{name: "d"}) {
		t.Error("a kernel thread has no command line")
	}
}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]string{
		"12 (sshd) S 1 12 12 0": "sshd 1 true", "12 (a) b (c) R 7 ": "a) b (c 7 true", "12 (x) Z 1 0": "x 1 false",
		"": " 0 false", "12 (x": " 0 false", "12 x) S 1": " 0 false", "12 (x) S": "x 0 false", "12 () S 1": " 1 true",
	} {
		p, alive := parseStat([]byte(text))
		if got := fmt.Sprintf("%s %d %t", p.name, p.parent, alive); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// world is a proc file system that a test writes.
type world struct {
	t       *testing.T
	root    string
	watcher *Watcher
}

func newWorld(t *testing.T) *world {
	root := t.TempDir()
	return &world{t, root, New(zap.NewNop(), root)}
}

// runs makes a process what it is now; without words it has ended.
func (w *world) runs(pid, parent int, words ...string) {
	w.t.Helper()
	dir := filepath.Join(w.root, fmt.Sprint(pid))
	os.RemoveAll(dir)
	if len(words) == 0 {
		return
	}
	err := os.Mkdir(dir, 0o700)
	for name, text := range map[string]string{
		"stat":    fmt.Sprintf("%d (%s) S %d 1 1", pid, filepath.Base(words[0]), parent),
		"cmdline": strings.Join(words, "\x00") + "\x00",
	} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(pid int, words ...string) { w.runs(pid, 1, words...); w.watcher.exec(pid) }
func (w *world) exit(pid int)                  { w.runs(pid, 1); w.watcher.exit(pid) }

// follow tells what is reported, with the time.
func follow(t *testing.T, w *Watcher, p config.TrackProcess) (reported func() string) {
	t.Helper()
	begin := time.Now()
	var mu sync.Mutex
	var said []string
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Follow(ctx, p, func(up bool) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprintf("%s %t", time.Since(begin), up))
		})
	}()
	return func() string {
		synctest.Wait()
		cancel()
		<-done
		return strings.Join(said, ", ")
	}
}

// A process does not watch itself, whatever it is called.
func TestNotItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runs(os.Getpid(), 1, "/usr/sbin/keepalived")
		reported := follow(t, w.watcher, config.TrackProcess{Process: []string{"keepalived"}, Quorum: 1})
		synctest.Wait()
		w.exec(os.Getpid(), "/usr/sbin/keepalived")
		time.Sleep(time.Second)
		w.exec(10, "/usr/sbin/keepalived")
		if got := reported(); got != "0s false, 1s true" {
			t.Errorf("said %s", got)
		}
	})
}

// The delays: a change by a fork or an end has to last, one by exec is at once.
func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runs(10, 1, "/s/d")
		p := func(quorum, most int, terminate, fork time.Duration) config.TrackProcess {
			t := config.TrackProcess{Process: []string{"d"}, Quorum: quorum, TerminateDelay: terminate, ForkDelay: fork}
			if most > 0 {
				t.QuorumMax = config.Some(most)
			}
			return t
		}
		one := follow(t, w.watcher, p(1, 0, 0, 0))
		slow := follow(t, w.watcher, p(1, 0, 3*time.Second, 0))
		two := follow(t, w.watcher, p(2, 0, 0, 2*time.Second))
		most := follow(t, w.watcher, p(1, 1, 2*time.Second, 4*time.Second))
		time.Sleep(time.Second)
		w.exit(10)
		time.Sleep(time.Second) // 2 s
		w.exec(11, "/s/d")
		time.Sleep(time.Second) // 3 s
		w.watcher.fork(11, 12)
		w.watcher.fork(1, 13)   // nobody's
		time.Sleep(time.Second) // 4 s
		w.watcher.fork(12, 14)
		time.Sleep(8 * time.Second) // 12 s
		w.exec(12, "other")
		w.exit(14)
		time.Sleep(8 * time.Second) // 20 s
		w.exit(11)
		time.Sleep(10 * time.Second)
		for _, test := range []struct{ name, got, want string }{
			{"quorum 1", one(), "0s true, 1s false, 2s true, 20s false"},
			{"terminate_delay", slow(), "0s true, 23s false"},
			{"quorum 2, fork_delay", two(), "0s false, 5s true, 12s false"},
			{"quorum_max", most(), "0s true, 7s false, 14s true, 22s false"},
		} {
			if test.got != test.want {
				t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
			}
		}
		if len(w.watcher.followers) > 0 {
			t.Error("followers are left")
		}
	})
}

// Without events: forks are known by the parent.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.watcher.poll(ctx) }()
		path := config.TrackProcess{Process: []string{"/s/d", "1"}, ParamMatch: config.ParamExact, Quorum: 1}
		name := config.TrackProcess{Process: []string{"d"}, Quorum: 2, ForkDelay: 5 * time.Second, TerminateDelay: time.Minute}
		some, forks := follow(t, w.watcher, path), follow(t, w.watcher, name)
		time.Sleep(500 * time.Millisecond)
		w.runs(10, 1, "/s/d", "1")
		time.Sleep(2 * time.Second) // 2.5 s
		w.runs(11, 10, "/s/d", "1")
		time.Sleep(10 * time.Second) // 12.5 s
		w.runs(10, 1)
		w.runs(11, 1)
		w.runs(12, 1, "/s/d", "2")
		time.Sleep(10 * time.Second) // 22.5 s
		w.runs(13, 1, "/s/d", "1")
		time.Sleep(10 * time.Second)
		if got, want := some(), "0s false, 1s true, 13s false, 23s true"; got != want {
			t.Errorf("with parameters: %s, want %s", got, want)
		}
		if got, want := forks(), "0s false, 8s true"; got != want {
			t.Errorf("forks: %s, want %s", got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What was lost is counted again.
func TestRecount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		said := follow(t, w.watcher, config.TrackProcess{Process: []string{"d"}, Quorum: 1})
		time.Sleep(time.Second)
		w.runs(10, 1, "/s/d")
		if err := w.watcher.recount(); err != nil {
			t.Fatal(err)
		}
		if got, want := said(), "0s false, 1s true"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if err := w.watcher.recount(); err != nil {
			t.Errorf("with nobody: %v", err)
		}
	})
}
