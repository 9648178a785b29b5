package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that tells the copy that it is one: the
// descriptor of a pipe and the process that waits at its other end.
const marker = "LVSD_DAEMON"

// inherited is the descriptor of the pipe in the copy.
const inherited = 3

// Daemonize executes this command again with the same arguments, detached, and
// returns what the calling process should end with: 0 once the copy is
// [Starting.Ready], else the copy's own exit status. Until then the copy has
// this process's standard output and error, for its complaints. SIGINT and
// SIGTERM are passed on as SIGTERM.
func Daemonize() (status int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 1, fmt.Errorf("daemonise: %w", err)
	}
	defer r.Close()
	path, err := self()
	if err != nil {
		return 1, fmt.Errorf("daemonise: %w", err)
	}
	c := &exec.Cmd{
		Path: path, Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{w},
		Env:         append(os.Environ(), fmt.Sprintf("%s=%d:%d", marker, inherited, os.Getpid())),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	err = c.Start()
	_ = w.Close() // the copy's end is the only one now
	if err != nil {
		return 1, fmt.Errorf("daemonise: start %s: %w", path, err)
	}
	return await(c, r, signals)
}

func await(c *exec.Cmd, r io.Reader, signals <-chan os.Signal) (status int, err error) {
	started := make(chan bool, 1)
	go func() {
		n, _ := io.ReadFull(r, make([]byte, 1)) // an error is the copy's end
		started <- n == 1
	}()
	for {
		select {
		case ready := <-started:
			if ready {
				return 0, c.Process.Release()
			}
			return ending(c.Wait())
		case <-signals:
			_ = c.Process.Signal(unix.SIGTERM) // it may have ended by now
		}
	}
}

func ending(err error) (status int, _ error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, nil
	case ok && exit.Exited():
		return exit.ExitCode(), nil
	}
	return 1, fmt.Errorf("daemonise: the daemon did not start: %w", err)
}

// self is the path that this command was called by. Its last part becomes the
// name of the process, which is keepalived when lvsd is called so; neither
// /proc/self/exe nor os.Executable would keep that.
func self() (string, error) {
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		return "", err
	}
	if path, err := exec.LookPath(os.Args[0]); err == nil || errors.Is(err, exec.ErrDot) {
		if info, err := os.Stat(path); err == nil && os.SameFile(info, own) {
			return path, nil
		}
	}
	return os.Executable() // called by another name than its own
}

// Starting is a copy that has not said yet that it has started.
type Starting struct{ pipe *os.File }

// Inherit tells whether this process is the copy that [Daemonize] started.
// Call it first, before anything is executed: it takes the mark away.
func Inherit() (*Starting, bool) {
	value, ok := os.LookupEnv(marker)
	if !ok {
		return nil, false
	}
	_ = os.Unsetenv(marker)
	descriptor, parent, _ := strings.Cut(value, ":")
	var st unix.Stat_t
	switch {
	case descriptor != strconv.Itoa(inherited), parent != strconv.Itoa(os.Getppid()):
		return nil, false
	case unix.Fstat(inherited, &st) != nil, st.Mode&unix.S_IFMT != unix.S_IFIFO:
		return nil, false
	}
	unix.CloseOnExec(inherited)
	return &Starting{pipe: os.NewFile(inherited, "daemonise")}, true
}

// keep lets a program that this process executes in its own place be the copy.
func (s *Starting) keep() error {
	if s == nil {
		return nil
	}
	if _, err := unix.FcntlInt(inherited, unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("daemonise: %w", err)
	}
	return os.Setenv(marker, fmt.Sprintf("%d:%d", inherited, os.Getppid()))
}

// Leave lets the copy leave the folder that the command was called in: for /,
// where scripts begin, too. Make relative paths absolute before. In the
// foreground the folder stays.
func (s *Starting) Leave() error {
	if s == nil {
		return nil
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("daemonise: %w", err)
	}
	return nil
}

// Ready ends the start: standard input, output and error become /dev/null, and
// the waiting command ends with status 0.
func (s *Starting) Ready() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("daemonise: %w", err)
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("daemonise: redirect descriptor %d: %w", fd, err)
		}
	}
	_, _ = s.pipe.Write([]byte{'R'}) // nobody has to wait for it
	return s.pipe.Close()
}
