package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/rootpath"
	"github.com/lvsd/lvsd/internal/sigmask"
)

// KillDelay is what a script has between SIGTERM and SIGKILL.
const KillDelay = 2 * time.Second

// ErrNotRun is the error of a script that could not be run at all: not found,
// not executable, no such user, or a status of 126 or 127 of the shell.
var ErrNotRun = errors.New("cannot run script")

// Exec runs a script to its end and returns its exit status, -n when signal n
// ended it: a script may exit with any status up to 255. The extra arguments are appended; the line of a Shell command is
// extended by them, quoted.
//
// When ctx ends first, the script's process group gets SIGTERM and, once the
// script itself is gone or after [KillDelay], SIGKILL; the error then wraps
// the cause of ctx. A script that could not be run is an error that wraps
// [ErrNotRun]. Exec needs a thread while the script runs: it dies with the
// thread that started it (PDEATHSIG), so that none survives lvsd.
func Exec(ctx context.Context, cmd config.Command, extra ...string) (status int, err error) {
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("%s: not started: %w", cmd.Line, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := start(cmd, extra)
	if err != nil {
		return 0, fmt.Errorf("%w %s: %w", ErrNotRun, cmd.Line, err)
	}
	status, ended := wait(ctx, c)
	switch {
	case ended:
		return status, fmt.Errorf("%s: ended: %w", cmd.Line, context.Cause(ctx))
	case cmd.Shell && (status == 126 || status == 127):
		return status, fmt.Errorf("%w %s: /bin/sh: exit status %d", ErrNotRun, cmd.Line, status)
	}
	return status, nil
}

// Passed is the verdict about a script that is run for its exit status: as
// with keepalived, one that cannot be run at all passes. Whoever runs it says
// so in the log.
func Passed(status int, err error) bool {
	return err == nil && status == 0 || errors.Is(err, ErrNotRun)
}

func start(cmd config.Command, extra []string) (*exec.Cmd, error) {
	argv := slices.Concat(cmd.Args, extra)
	if cmd.Shell {
		argv = shellArgs(cmd.Line, extra)
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("no command")
	}
	credential, err := credentials(cmd.User, cmd.AllGroups)
	if err != nil {
		return nil, err
	}
	if err := permitted(cmd, credential); err != nil {
		return nil, err
	}
	c := prepare(argv, credential)
	err = sigmask.Start(c)
	if errors.Is(err, syscall.ENOEXEC) { // no #! line: the shell's, as execvp(3) has it
		c = prepare(append([]string{"/bin/sh", c.Path}, argv[1:]...), credential)
		err = sigmask.Start(c)
	}
	return c, plain(c.Path, err)
}

// permitted refuses what enable_script_security forbids. A line for a shell
// begins with a program, too, if it is not one of the shell's own words.
func permitted(cmd config.Command, as *syscall.Credential) error {
	if !cmd.Secure || as != nil && as.Uid != 0 || as == nil && os.Geteuid() != 0 {
		return nil
	}
	program, err := exec.LookPath(cmd.Program())
	if err != nil {
		return nil // whoever starts it says so
	}
	if program, err = filepath.Abs(program); err == nil {
		err = rootpath.Check(program)
	}
	if err != nil {
		return fmt.Errorf("enable_script_security: %w", err)
	}
	return nil
}

// Runnable is nil when a script can be run, as far as can be told without
// doing so, and otherwise says why not.
func Runnable(cmd config.Command) error {
	credential, err := credentials(cmd.User, cmd.AllGroups)
	if err == nil {
		err = permitted(cmd, credential)
	}
	if err == nil && !cmd.Shell {
		_, err = exec.LookPath(cmd.Program())
		err = plain(cmd.Program(), err)
	}
	return err
}

// prepare leaves standard input, output and error to os/exec, which opens
// /dev/null: with no pipe there is nobody who could hold one open.
func prepare(argv []string, credential *syscall.Credential) *exec.Cmd {
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = slices.DeleteFunc(os.Environ(), dangerous)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Credential: credential}
	return c
}

// dangerous are the variables that keepalived keeps from scripts.
func dangerous(env string) bool {
	name, _, _ := strings.Cut(env, "=")
	return name == "IFS" || name == "LD_PRELOAD" || name == "LD_LIBRARY_PATH"
}

// plain drops os/exec's wording, and explains the one error that misleads.
func plain(path string, err error) error {
	var (
		pathError *os.PathError
		execError *exec.Error
	)
	if errors.As(err, &execError) {
		err = execError.Err
	}
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	if errors.Is(err, syscall.ENOENT) {
		if _, statErr := os.Stat(path); statErr == nil {
			return errors.New("its interpreter does not exist")
		}
	}
	return err
}

// wait waits for the script and ends its group when ctx ends. The script stays
// a zombie until nobody signals its group any more, so that the number cannot
// have become another's.
func wait(ctx context.Context, c *exec.Cmd) (status int, ended bool) {
	group := -c.Process.Pid
	exited, killed := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(killed)
		_ = unix.Kill(group, unix.SIGTERM)
		select {
		case <-exited:
		case <-time.After(KillDelay):
		}
		_ = unix.Kill(group, unix.SIGKILL)
	})
	for unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	close(exited)
	if ended = !cancel(); ended {
		<-killed
	}
	_ = c.Wait() // the state says it all
	ws := c.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return -int(ws.Signal()), ended
	}
	return ws.ExitStatus(), ended
}

// shellArgs is the line for /bin/sh -c with the extra arguments behind it, as
// keepalived 1.x built it for system(3).
func shellArgs(line string, extra []string) []string {
	var b strings.Builder
	b.WriteString(line)
	for _, arg := range extra {
		b.WriteString(" '" + strings.ReplaceAll(arg, "'", `'\''`) + "'")
	}
	return []string{"/bin/sh", "-c", b.String()}
}
