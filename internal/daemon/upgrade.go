package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// successor is the environment variable that tells a program that it goes on
// in the place of another one in the same process: FD:PID. The descriptor is a
// file in memory that holds a [Handover].
const successor = "LVSD_HANDOVER"

// onBridge is the environment variable that makes a program a bridge:
// FD:PARENT, the descriptor of the connection that it is told through.
const onBridge = "LVSD_BRIDGE"

// Handover is what a program leaves to the one that takes its place.
type Handover struct {
	Dir         string          // where relative paths of the command line begin
	Descriptors []int           // that stay open
	State       json.RawMessage // the rest, of no concern here
}

// Execute executes a program in the place of this one: the same process, with
// the same arguments. It returns only when that fails, and nothing has changed
// then. A namespace is the one that [EnterNamespace] has entered.
func Execute(path, namespace string, h Handover) error {
	file, err := inMemory(h)
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	defer file.Close()
	keep := append([]int{int(file.Fd())}, h.Descriptors...)
	for _, fd := range keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand over: descriptor %d: %w", fd, err)
		}
		defer unix.CloseOnExec(fd)
	}
	pid := strconv.Itoa(os.Getpid())
	env := append(os.Environ(), fmt.Sprintf("%s=%d:%s", successor, file.Fd(), pid))
	if namespace != "" {
		env = append(env, inNamespace+"="+namespace+":"+pid)
	}
	runtime.LockOSThread() // its scheduling is that of the successor's first thread
	defer runtime.UnlockOSThread()
	return fmt.Errorf("execute %s: %w", path, unix.Exec(path, os.Args, env))
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
	if err != nil || pid != strconv.Itoa(os.Getpid()) {
		return h, false, nil // it was meant for somebody else
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&h); err != nil {
		return Handover{}, true, fmt.Errorf("take over: %w", err)
	}
	for _, fd := range h.Descriptors {
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

// StartBridge executes the running program once more, as a child that finds its
// end of a connection with [OnBridge]. The file is the other end.
func StartBridge() (end *os.File, pid int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("bridge: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "bridge"), os.NewFile(uintptr(pair[1]), "bridge")
	defer theirs.Close()
	c := &exec.Cmd{
		Path: "/proc/self/exe", Args: os.Args[:1], ExtraFiles: []*os.File{theirs},
		Env: append(os.Environ(), fmt.Sprintf("%s=%d:%d", onBridge, inherited, os.Getpid())),
		// Alone in its group: who interrupts lvsd does not mean it.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := c.Start(); err != nil {
		return nil, 0, fmt.Errorf("bridge: %w", errors.Join(err, ours.Close()))
	}
	pid = c.Process.Pid
	return ours, pid, c.Process.Release()
}

// OnBridge tells whether this process is a bridge, and through what it is told
// what to do.
func OnBridge() (net.Conn, bool) {
	value, ok := os.LookupEnv(onBridge)
	if !ok {
		return nil, false
	}
	_ = os.Unsetenv(onBridge)
	if value != fmt.Sprintf("%d:%d", inherited, os.Getppid()) {
		return nil, false
	}
	unix.CloseOnExec(inherited)
	conn, err := Connection(inherited)
	return conn, err == nil
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

// Await waits for a child of a predecessor.
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
