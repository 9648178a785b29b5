package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inNamespace is the environment variable that tells a process that it has
// entered its namespace: NAME:PID.
const inNamespace = "LVSD_NETNS"

// PIDDir is where pid files are with use_pid_dir, instance or a network
// namespace.
const PIDDir = "/run/keepalived"

// EnterNamespace moves the process into the network namespace /run/netns/NAME.
// With private, and as with keepalived, [PIDDir] is then the directory of that
// name in it, so that the daemons of several namespaces do not meet; whoever
// looks from outside finds the pid files in /run/keepalived/NAME.
//
// A namespace belongs to a thread, so the thread that has entered executes the
// program again, and EnterNamespace does not return. It returns nil in the
// process that is inside, and an error in one that could not enter.
func EnterNamespace(name string, private bool, s *Starting) error {
	if pid, ok := strings.CutPrefix(os.Getenv(inNamespace), name+":"); ok && meant(pid) {
		return os.Unsetenv(inNamespace)
	}
	runtime.LockOSThread() // for good, unless it stays as it is
	if err := enter(name, private); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	path, err := self()
	if err != nil {
		return err
	}
	if err := s.keep(); err != nil {
		return err
	}
	if err := os.Setenv(inNamespace, name+":"+strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	return fmt.Errorf("execute %s in network namespace %s: %w", path, name, unix.Exec(path, os.Args, os.Environ()))
}

func enter(name string, private bool) error {
	if name != filepath.Base(name) {
		return fmt.Errorf("%q is not a name", name)
	}
	ns, err := os.Open(filepath.Join("/run/netns", name))
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	if !private {
		return nil
	}
	return ownPIDDir(filepath.Join(PIDDir, name))
}

// ownPIDDir mounts a directory over [PIDDir], for this process alone.
func ownPIDDir(dir string) error {
	for _, path := range []string{PIDDir, dir} {
		err := os.Mkdir(path, 0o755)
		if err == nil {
			err = os.Chmod(path, 0o755) // whatever the umask
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// What is mounted outside later is seen, what is mounted here stays here.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount(dir, PIDDir, "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "bind mount", Path: dir, Err: err}
	}
	return nil
}
