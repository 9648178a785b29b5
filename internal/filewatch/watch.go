//go:build linux

package filewatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Watcher watches the folders of all files that are followed.
type Watcher struct {
	log    *zap.Logger
	missed chan struct{} // a folder could not be watched

	mu      sync.Mutex
	inotify int // -1: not running
	folders map[string]*folder
}

// folder is a folder with files that are followed.
type folder struct {
	path      string
	wd        int // of inotify; 0: not watched now
	missed    bool
	followers []*follower
}

// follower is a file that is followed.
type follower struct {
	name   string
	linked bool // a symbolic link: what it leads to may change without its own change
	wake   chan struct{}
}

// again is when to look for a folder that could not be watched.
const again = time.Second

// New makes a watcher; nothing is watched before Run.
func New(log *zap.Logger) *Watcher {
	return &Watcher{log: log, missed: make(chan struct{}, 1), inotify: -1, folders: make(map[string]*folder)}
}

// Follow reports the number in a file, at once and after every change, until
// ctx ends.
func (w *Watcher) Follow(ctx context.Context, path string, report func(number int)) {
	var last *int
	said := ""
	w.Watch(ctx, path, func() {
		number, err := settled(ctx, path)
		if err != nil && err.Error() != said {
			w.log.Warn("track file counts as 0", zap.Error(err))
		}
		if said = ""; err != nil {
			said = err.Error()
		}
		if last == nil || *last != number {
			last = &number
			report(number)
		}
	})
}

// Watch calls look at once and whenever a file may have changed, until ctx
// ends. A folder that is not there yet, or is deleted and made anew, is looked
// for every second.
func (w *Watcher) Watch(ctx context.Context, path string, look func()) {
	f := &follower{name: filepath.Base(path), wake: make(chan struct{}, 1)}
	w.add(filepath.Dir(path), f)
	defer w.drop(filepath.Dir(path), f)
	for {
		w.look(f, path)
		look()
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Watcher) look(f *follower, path string) {
	info, err := os.Lstat(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	f.linked = err == nil && info.Mode()&os.ModeSymlink != 0
}

func (w *Watcher) add(dir string, f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.folders[dir]
	if d == nil {
		d = &folder{path: dir}
		w.folders[dir] = d
	}
	d.followers = append(d.followers, f)
	w.watch(d)
}

func (w *Watcher) drop(dir string, f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.folders[dir]
	d.followers = slices.DeleteFunc(d.followers, func(o *follower) bool { return o == f })
	if len(d.followers) > 0 {
		return
	}
	delete(w.folders, dir)
	w.unwatch(d)
}

// watch asks inotify about a folder that is not watched.
func (w *Watcher) watch(d *folder) {
	if w.inotify < 0 || d.wd != 0 {
		return
	}
	const changes = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	wd, err := unix.InotifyAddWatch(w.inotify, d.path, changes)
	if err != nil {
		if !d.missed {
			w.log.Warn("the folder of a track file cannot be watched, trying again", zap.String("folder", d.path), zap.Error(err))
		}
		d.missed = true
		select {
		case w.missed <- struct{}{}:
		default:
		}
		return
	}
	d.wd, d.missed = wd, false
	d.wake("")
}

// unwatch gives a folder up, unless another path leads to it too.
func (w *Watcher) unwatch(d *folder) {
	wd := d.wd
	d.wd = 0
	if wd == 0 || w.inotify < 0 {
		return
	}
	for _, o := range w.folders {
		if o.wd == wd {
			return
		}
	}
	_, _ = unix.InotifyRmWatch(w.inotify, uint32(wd)) // it may be gone already
}

// wake lets the files of a name be read, or all of them.
func (d *folder) wake(name string) {
	for _, f := range d.followers {
		if name != "" && f.name != name {
			continue
		}
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	w.open(fd)
	defer w.open(-1)
	stop := context.AfterFunc(ctx, func() {
		w.open(-1) // the number may be another's soon
		events.Close()
	})
	defer stop()
	var looking sync.WaitGroup
	running, end := context.WithCancel(ctx)
	looking.Go(func() { w.retry(running) })
	defer looking.Wait()
	defer end()
	buffer := make([]byte, 64<<10)
	for {
		n, err := events.Read(buffer)
		if ctx.Err() != nil || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch files: %w", err)
		}
		w.changed(buffer[:n])
	}
}

func (w *Watcher) open(inotify int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inotify = inotify
	for _, d := range w.folders {
		d.wd = 0
		w.watch(d)
	}
}

// retry looks again for folders that could not be watched. As long as all are,
// nothing has to wake up.
func (w *Watcher) retry(ctx context.Context) {
	var later <-chan time.Time
	for {
		select {
		case <-w.missed:
			if later == nil {
				later = time.After(again)
			}
			continue
		case <-later:
			later = nil
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		for _, d := range w.folders {
			if d.wd == 0 { // nobody tells what happens there
				w.watch(d)
				d.wake("")
			}
		}
		w.mu.Unlock()
	}
}

// changed takes the events of one read, inotify(7).
func (w *Watcher) changed(events []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		var e unix.InotifyEvent
		_, _ = binary.Decode(events, binary.NativeEndian, &e) // it is long enough
		end := min(unix.SizeofInotifyEvent+int(e.Len), len(events))
		name, _, _ := strings.Cut(string(events[unix.SizeofInotifyEvent:end]), "\x00")
		events = events[end:]
		for _, d := range w.folders {
			if d.wd == int(e.Wd) || e.Mask&unix.IN_Q_OVERFLOW != 0 {
				w.change(d, e.Mask, name)
			}
		}
	}
}

func (w *Watcher) change(d *folder, mask uint32, name string) {
	switch {
	case mask&(unix.IN_IGNORED|unix.IN_MOVE_SELF) != 0: // another folder may be in its place
		if mask&unix.IN_IGNORED != 0 {
			d.wd = 0
		}
		w.unwatch(d)
		w.watch(d)
		d.wake("")
	case mask&unix.IN_Q_OVERFLOW != 0:
		d.wake("")
	case mask&unix.IN_CREATE != 0:
		// A new file is read when it is closed; a new link is complete.
		var info unix.Stat_t
		err := unix.Lstat(filepath.Join(d.path, name), &info)
		if err == nil && (info.Mode&unix.S_IFMT != unix.S_IFREG || info.Nlink > 1) {
			d.wake(name)
		}
	default:
		d.wake(name)
		for _, f := range d.followers {
			if f.linked && mask&unix.IN_MOVED_TO != 0 {
				d.wake(f.name) // the way to the file may lead through what was moved
			}
		}
	}
}
