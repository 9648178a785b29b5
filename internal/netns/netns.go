//go:build linux

package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netns"
)

// NS is a network namespace with its loopback up.
type NS struct {
	Name string // as `ip netns` knows it
}

// made numbers the namespaces and links of this process; a name that two tests
// share would tie them together.
var made atomic.Uint32

// unique is a name that nothing else on this machine uses, short enough for a
// link (IFNAMSIZ).
func unique(kind string) string {
	return fmt.Sprintf("%s%x-%x", kind, os.Getpid(), made.Add(1))
}

// New makes a namespace and removes it when the test ends, with every process
// that was left inside.
func New(t testing.TB, name string) *NS {
	t.Helper()
	if os.Geteuid() != 0 {
		const why = "this test makes network namespaces, which takes root"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why + "; `make test` runs it")
		}
		t.Fatal(why)
	}
	ns := &NS{Name: "lvsd-" + name + "-" + unique("")}
	command(t, "ip", "netns", "add", ns.Name)
	t.Cleanup(func() { ns.remove(t) })
	ns.Run(t, "ip link set lo up")
	return ns
}

func (ns *NS) remove(t testing.TB) {
	t.Helper()
	left, _ := exec.Command("ip", "netns", "pids", ns.Name).Output()
	for _, pid := range strings.Fields(string(left)) {
		if pid != fmt.Sprint(os.Getpid()) {
			_ = exec.Command("kill", "-9", pid).Run()
		}
	}
	command(t, "ip", "netns", "del", ns.Name)
}

// Command is a command that runs inside.
func (ns *NS) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns.Name, name}, args...)...)
}

// Run runs a command line, split at blanks, inside and returns what it printed.
// The test fails when the command does.
func (ns *NS) Run(t testing.TB, line string) string {
	t.Helper()
	return command(t, "ip", append([]string{"netns", "exec", ns.Name}, strings.Fields(line)...)...)
}

// Do runs f on a thread inside the namespace and returns what f does. The
// thread belongs to f alone and may wait as long as it likes.
func (ns *NS) Do(f func() error) error {
	result := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine instead of going
		// back, in the wrong namespace, to the runtime.
		runtime.LockOSThread()
		handle, err := netns.GetFromName(ns.Name)
		if err != nil {
			result <- fmt.Errorf("open namespace %s: %w", ns.Name, err)
			return
		}
		defer func() { _ = handle.Close() }()
		if err := netns.Set(handle); err != nil {
			result <- fmt.Errorf("enter namespace %s: %w", ns.Name, err)
			return
		}
		result <- f()
	}()
	return <-result
}

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
