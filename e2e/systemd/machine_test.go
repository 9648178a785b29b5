package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

// patience is a limit for what nobody promises.
const patience = 30 * time.Second

// A machine is a systemd with the network of a host.
type machine struct {
	*rig.Host
	t    *testing.T
	init int // the process
	unit string
}

// boot starts systemd on a host. It goes away with the test.
func boot(t *testing.T, h *rig.Host) *machine {
	t.Helper()
	group, err := os.MkdirTemp(unified(t), "lvsd-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroups(t, group) })
	script, err := filepath.Abs("boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	own, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	c := h.Command(script, t.TempDir())
	c.Stdout, c.Stderr = &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, UseCgroupFD: true, CgroupFD: int(own.Fd())}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // and with it all that it has started
		_ = c.Wait()         // it was killed
	})
	m := &machine{Host: h, t: t}
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", c.Process.Pid)
	deadline := time.Now().Add(patience)
	for ; ; time.Sleep(20 * time.Millisecond) {
		child, _ := os.ReadFile(children)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(child))); err == nil && isSystemd(pid) {
			m.init = pid
			if state, _ := m.try("systemctl", "is-system-running"); state == "running" || state == "degraded" {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("systemd has not booted:\n%s", said.String())
		}
	}
	t.Cleanup(func() {
		if t.Failed() && m.unit != "" {
			status, _ := m.try("systemctl", "status", "--no-pager", m.unit)
			log, _ := m.try("journalctl", "--no-pager", "-o", "short-precise")
			t.Logf("%s\n%s", status, log)
		}
	})
	return m
}

func isSystemd(pid int) bool {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return string(name) == "systemd\n"
}

// unified is where the second version of control groups is mounted.
func unified(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); words[2] == "cgroup2" {
			return words[1]
		}
	}
	path := "/sys/fs/cgroup/unified"
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("cgroup2", path, "cgroup2", 0, ""); err != nil {
		t.Fatalf("there are no control groups of version 2 here: %v", err)
	}
	return path
}

// removeGroups removes a control group and those below, once they are empty.
func removeGroups(t *testing.T, group string) {
	deadline := time.Now().Add(patience)
	for {
		var groups []string
		_ = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				groups = append([]string{path}, groups...)
			}
			return nil
		})
		for _, path := range groups {
			_ = syscall.Rmdir(path)
		}
		if _, err := os.Stat(group); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s is still in use", group)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// try runs a program in the machine.
func (m *machine) try(args ...string) (said string, status int) {
	m.t.Helper()
	c := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(m.init), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"}, args...)...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "SYSTEMD_PAGER="}
	out, err := c.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), c.ProcessState.ExitCode()
}

// do runs a program that has to succeed.
func (m *machine) do(args ...string) string {
	m.t.Helper()
	said, status := m.try(args...)
	if status != 0 {
		m.t.Fatalf("%s: status %d: %s", strings.Join(args, " "), status, said)
	}
	return said
}

// write writes a file of the machine.
func (m *machine) write(path string, mode fs.FileMode, content []byte) {
	m.t.Helper()
	path = fmt.Sprintf("/proc/%d/root%s", m.init, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	// Whoever executes the old content keeps it.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		m.t.Fatal(err)
	}
}

// read is the content of a file of the machine; nothing when there is none.
func (m *machine) read(path string) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", m.init, path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Error(err)
	}
	return string(content)
}

// property is one of the unit's, systemctl(1) show.
func (m *machine) property(name string) string {
	m.t.Helper()
	return m.do("systemctl", "show", "--value", "-p", name, m.unit)
}

// is waits until a property has a value.
func (m *machine) is(name, value string) {
	m.t.Helper()
	rig.Until(m.t, fmt.Sprintf("%s of %s to be %s", name, m.unit, value), patience, func() bool { return m.property(name) == value })
}

// systemctl gives the unit a command.
func (m *machine) systemctl(command string) (said string, status int) {
	m.t.Helper()
	return m.try("systemctl", command, m.unit)
}
