package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/internal/sigmask"
)

// successor is the environment variable that tells a program that it goes on
// in the place of another one: FD:PID, the process itself, or 0 with [Return].
// The descriptor is a file in memory that holds a [Handover].
const successor = "LVSD_HANDOVER"

// onBridge is the environment variable that makes a program a bridge:
// FD:FD:PID, the descriptors of the connections that it is told through, and
// the process at their other end.
const onBridge = "LVSD_BRIDGE"

// Handover is what a program leaves to the one that takes its place.
type Handover struct {
	Dir         string          // where relative paths of the command line begin
	Descriptors []int           // that stay open
	State       json.RawMessage // the rest, of no concern here
	Failed      string          // with [Return]: what became of the program that was to go on
	Socket      int             // that questions are asked at, open too; 0: none
}

// kept are all descriptors that stay open.
func (h *Handover) kept() []int {
	if h.Socket == 0 {
		return h.Descriptors
	}
	return append(slices.Clone(h.Descriptors), h.Socket)
}

// Execute executes a program in the place of this one: the same process, with
// the same arguments. It returns only when that fails, and nothing has changed
// then. A namespace is the one that [EnterNamespace] has entered. The
// signals wait until the program listens to them.
func Execute(path, namespace string, h Handover, signals ...os.Signal) error {
	file, err := inMemory(h)
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	defer file.Close()
	keep := append([]int{int(file.Fd())}, h.kept()...)
	for _, fd := range keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand over: descriptor %d: %w", fd, err)
		}
		defer unix.CloseOnExec(fd)
	}
	env := append(os.Environ(), marks(int(file.Fd()), namespace, os.Getpid())...)
	release, err := sigmask.Hold(signals...) // the thread's scheduling is that of the successor's first one, too
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	defer release()
	return fmt.Errorf("execute %s: %w", path, unix.Exec(path, os.Args, env))
}

// unknown is the process id in a mark for a process that does not exist yet.
// It is lvsd, and takes the mark away at once.
const unknown = 0

// marks are the environment of a successor.
func marks(fd int, namespace string, pid int) []string {
	env := []string{fmt.Sprintf("%s=%d:%d", successor, fd, pid)}
	if namespace != "" {
		env = append(env, fmt.Sprintf("%s=%s:%d", inNamespace, namespace, pid))
	}
	return env
}

// meant tells whether a mark of [marks] with a process id is for this process.
func meant(pid string) bool {
	return pid == strconv.Itoa(os.Getpid()) || pid == strconv.Itoa(unknown)
}

func inMemory(h Handover) (*os.File, error) {
	fd, err := unix.MemfdCreate("lvsd-handover", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "handover")
	err = json.NewEncoder(f).Encode(h)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Succeeding tells whether there is something for [Succeed], as far as can be
// told before.
func Succeeding() bool { return os.Getenv(successor) != "" }

// Succeed tells whether this process goes on in the place of another program,
// and with what. Call it first, before anything is executed: it takes the mark
// away. With an error the process is a successor that knows nothing.
func Succeed() (h Handover, ok bool, err error) {
	value, ok := os.LookupEnv(successor)
	if !ok {
		return h, false, nil
	}
	_ = os.Unsetenv(successor)
	descriptor, pid, _ := strings.Cut(value, ":")
	fd, err := strconv.Atoi(descriptor)
	if err != nil || !meant(pid) {
		return h, false, nil // it was meant for somebody else
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&h); err != nil {
		return Handover{}, true, fmt.Errorf("take over: %w", err)
	}
	for _, fd := range h.kept() {
		unix.CloseOnExec(fd)
	}
	return h, true, nil
}

// Drop closes the descriptors of a handover that cannot be used.
func (h *Handover) Drop() {
	for _, fd := range h.Descriptors {
		_ = unix.Close(fd) // nobody has written to it
	}
}

// Ends are the connections to a bridge: to what sends the adverts, and to what
// watches over who takes the place.
type Ends struct{ Adverts, Watch *os.File }

// Close closes both.
func (e Ends) Close() { _, _ = e.Adverts.Close(), e.Watch.Close() }

// pairs are the ends of two connections, for one process and another.
func pairs() (ours, theirs Ends, err error) {
	var fds [4]int
	for i := 0; i < len(fds); i += 2 {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			for _, fd := range fds[:i] {
				_ = unix.Close(fd)
			}
			return ours, theirs, os.NewSyscallError("socketpair", err)
		}
		copy(fds[i:], pair[:])
	}
	file := func(fd int) *os.File { return os.NewFile(uintptr(fd), "bridge") }
	return Ends{file(fds[0]), file(fds[2])}, Ends{file(fds[1]), file(fds[3])}, nil
}

// again executes the running program once more, with files under given
// descriptors. It is alone in its group: who interrupts lvsd does not mean it.
//
// A service manager hears of the end of its own children alone, and waits for
// nobody else when it stops a service: where the first process has started this
// one, the new one is its child, too.
func again(files map[int]*os.File, env []string) (pid int, err error) {
	c := &exec.Cmd{
		Path: "/proc/self/exe", Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: env,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if os.Getppid() == 1 {
		c.SysProcAttr.Cloneflags = unix.CLONE_PARENT
	}
	for fd, file := range files {
		for len(c.ExtraFiles) <= fd-inherited {
			c.ExtraFiles = append(c.ExtraFiles, nil)
		}
		c.ExtraFiles[fd-inherited] = file
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	pid = c.Process.Pid
	return pid, c.Process.Release()
}

// same are copies of descriptors, under their numbers; close ends them.
func same(fds []int) (files map[int]*os.File, closeAll func(), err error) {
	files = make(map[int]*os.File)
	closeAll = func() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	for _, fd := range fds {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, inherited)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
		files[fd] = os.NewFile(uintptr(n), "kept")
	}
	return files, closeAll, nil
}

// StartBridge executes the running program once more, as a process that finds
// its ends of two connections with [OnBridge], and the descriptors to keep under
// the numbers that they have here.
func StartBridge(keep []int) (ours Ends, pid int, err error) {
	ours, theirs, err := pairs()
	if err != nil {
		return ours, 0, fmt.Errorf("bridge: %w", err)
	}
	defer theirs.Close()
	adverts, watch := int(theirs.Adverts.Fd()), int(theirs.Watch.Fd())
	files, closeAll, err := same(append([]int{adverts, watch}, keep...))
	if err == nil {
		defer closeAll()
		pid, err = again(files, append(os.Environ(), fmt.Sprintf("%s=%d:%d:%d", onBridge, adverts, watch, os.Getpid())))
	}
	if err != nil {
		ours.Close()
		return ours, 0, fmt.Errorf("bridge: %w", err)
	}
	return ours, pid, nil
}

// Bridge is what a bridge is told through, and by which process.
type Bridge struct {
	Adverts, Watch net.Conn // what to send, and to watch over the process
	PID            int
}

// OnBridge tells whether this process is a bridge.
func OnBridge() (b Bridge, ok bool) {
	value, ok := os.LookupEnv(onBridge)
	if !ok {
		return b, false
	}
	_ = os.Unsetenv(onBridge)
	var adverts, watch int
	if _, err := fmt.Sscanf(value, "%d:%d:%d", &adverts, &watch, &b.PID); err != nil || os.Getppid() != b.PID && os.Getppid() != 1 {
		return b, false
	}
	unix.CloseOnExec(adverts)
	unix.CloseOnExec(watch)
	var errs [2]error
	b.Adverts, errs[0] = Connection(adverts)
	b.Watch, errs[1] = Connection(watch)
	return b, errors.Join(errs[:]...) == nil
}

// Return lets the program of this bridge go on where the one that started it
// has ended, with the same arguments, descriptors and handover. The numbers are
// those under which the handover has its ends of the connections.
func Return(namespace string, h Handover, adverts, watch int) (ours Ends, pid int, err error) {
	ours, theirs, err := pairs()
	if err != nil {
		return ours, 0, fmt.Errorf("return: %w", err)
	}
	defer theirs.Close()
	defer func() {
		if err != nil {
			ours.Close()
			err = fmt.Errorf("return: %w", err)
		}
	}()
	state, err := inMemory(h)
	if err != nil {
		return ours, 0, err
	}
	defer state.Close()
	kept := slices.DeleteFunc(slices.Clone(h.kept()), func(fd int) bool { return fd == adverts || fd == watch })
	files, closeAll, err := same(kept)
	if err != nil {
		return ours, 0, err
	}
	defer closeAll()
	files[adverts], files[watch] = theirs.Adverts, theirs.Watch
	free := slices.Max(slices.Collect(maps.Keys(files))) + 1
	files[free] = state
	// The watchdog that asks for the former process asks for this one now.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") })
	pid, err = again(files, append(env, marks(free, namespace, unknown)...))
	return ours, pid, err
}

// Connection is a socket that this process was given.
func Connection(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "connection")
	if f == nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, os.ErrInvalid)
	}
	defer f.Close() // the connection has its own
	return net.FileConn(f)
}

// Await waits for a process, if it is a child.
func Await(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Self is the path of the program that runs, as it was called; a new version
// is installed there.
func Self() (string, error) { return self() }
