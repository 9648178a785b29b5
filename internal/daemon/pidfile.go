package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Files are keepalived's pid files; an empty path is one that is not kept.
// lvsd is one process, and writes its number into each of them: their readers
// look for a live one.
type Files struct {
	Parent   string // -p, /run/keepalived.pid
	VRRP     string // -r, /run/vrrp.pid
	Checkers string // -c, /run/checkers.pid
	BFD      string // -b, /run/bfd.pid
}

// RunningError is a pid file that names a running daemon.
type RunningError struct {
	Path string
	PID  int
}

// Error is keepalived's sentence, and why.
func (e *RunningError) Error() string {
	return fmt.Sprintf("daemon is already running (process %d, %s)", e.PID, e.Path)
}

// Claim writes the files, all of them or, with an error, none. A file of a
// running keepalived or lvsd is a [*RunningError]; any other content is of a
// process that has ended, and is replaced.
func (f Files) Claim() error {
	paths := f.paths()
	if len(paths) == 0 {
		return nil
	}
	unlock := lock(filepath.Dir(paths[0]))
	defer unlock()
	for _, path := range paths {
		if pid, ok := read(path); ok && running(pid) {
			return &RunningError{path, pid}
		}
	}
	for i, path := range paths {
		// A program in whose place this one goes on may have written it.
		if err := write(path); err != nil && !own(path) {
			return errors.Join(fmt.Errorf("write pid file: %w", err), remove(paths[:i]))
		}
	}
	return nil
}

// Release removes those files that are still this process's own.
func (f Files) Release() error { return remove(f.paths()) }

// Leave removes [PIDDir], if that is where the files were and nothing else is in
// it, as keepalived does.
func (f Files) Leave() {
	if filepath.Dir(f.Parent) == PIDDir {
		_ = os.Remove(PIDDir) // it stays when it is mounted, too
	}
}

// Renew makes the files as new: some readers take one that is older than the
// configuration for a daemon that has not read it. One that somebody has removed
// is written again; one that is another daemon's by now is left. The error is
// about the first that cannot be renewed.
func (f Files) Renew() (err error) {
	for _, path := range f.paths() {
		if pid, ok := read(path); ok && pid != os.Getpid() && running(pid) {
			continue
		}
		e := renew(path)
		if e != nil && err == nil {
			err = fmt.Errorf("renew the pid files: %w", e)
		}
	}
	return err
}

func renew(path string) error {
	if !own(path) {
		return write(path)
	}
	now := time.Now()
	return os.Chtimes(path, now, now)
}

// Missing are those of others that f has not.
func (f Files) Missing(others Files) (m Files) {
	for i, path := range others.all() {
		if *f.all()[i] == "" {
			*m.all()[i] = *path
		}
	}
	return m
}

// With are the files of both; f's where both have one.
func (f Files) With(others Files) Files {
	for i, path := range others.all() {
		*f.all()[i] = cmp.Or(*f.all()[i], *path)
	}
	return f
}

func (f *Files) all() []*string { return []*string{&f.Parent, &f.VRRP, &f.Checkers, &f.BFD} }

func (f Files) paths() []string {
	return slices.DeleteFunc([]string{f.Parent, f.VRRP, f.Checkers, f.BFD}, func(s string) bool { return s == "" })
}

// remove removes those that are this process's own. The error is about the first
// that stays.
func remove(paths []string) (err error) {
	for _, path := range paths {
		if !own(path) {
			continue
		}
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) && err == nil {
			err = fmt.Errorf("remove pid file: %w", e)
		}
	}
	return err
}

// own tells whether a file names this process.
func own(path string) bool {
	pid, ok := read(path)
	return ok && pid == os.Getpid()
}

// write makes a whole file appear under its name, readable by everybody.
func write(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func read(path string) (pid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 32 {
		return 0, false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return pid, err == nil && pid > 0
}

// running tells whether pid is another daemon of our kind: a number from
// before a reboot, or from another life of a container, may be anybody's now,
// this process's included.
func running(pid int) bool {
	if pid == os.Getpid() {
		return false
	}
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/comm")
	if err != nil {
		return false
	}
	if stat, err := os.ReadFile(dir + "/stat"); err != nil || zombie(string(stat)) {
		return false
	}
	comm := strings.TrimSpace(string(b))
	return strings.HasPrefix(comm, "keepalived") || comm == "lvsd" || sameProgram(dir+"/exe")
}

func sameProgram(exe string) bool {
	theirs, err := os.Stat(exe)
	if err != nil {
		return false
	}
	own, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(theirs, own)
}

// zombie reads the state of proc_pid_stat(5), which follows the name.
func zombie(stat string) bool {
	return strings.HasPrefix(stat[strings.LastIndexByte(stat, ')')+1:], " Z")
}

// lock keeps two that start at the same time from both finding no daemon. It
// gives up after a second: a lock on a directory is for anybody to take.
func lock(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {} // writing will say so
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
	}
	return func() { _ = f.Close() } // the lock goes with it
}
