package rig

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Keepalived is the daemon that lvsd is compared with.
const Keepalived = "/usr/sbin/keepalived"

// Binary is the daemon under test: lvsd as [Main] built it, unless LVSD_DAEMON
// names another.
func Binary() string { return os.Getenv(envDaemon) }

// A Daemon is a running lvsd or keepalived.
type Daemon struct {
	Host *Host

	binary   string
	folder   string // of its pid files
	command  *exec.Cmd
	exited   chan struct{}
	carrying sync.WaitGroup // its goroutines
	err      error          // of the process, when exited is closed

	mu      sync.Mutex
	changed *sync.Cond
	lines   []Line
}

// A Line is a line of a daemon's log, with the time at which it came.
type Line struct {
	At   time.Time
	Text string
}

// Start starts a daemon in h, in the foreground, with the host's
// /etc/keepalived/keepalived.conf, pid files of its own and its log captured.
// It goes away with the test.
func (h *Host) Start(binary string, args ...string) *Daemon {
	h.lab.t.Helper()
	return h.start(h.lab.t.TempDir(), binary, args...)
}

// Again starts a daemon that has ended once more, where it finds what it left.
func (d *Daemon) Again(args ...string) *Daemon {
	d.Host.lab.t.Helper()
	return d.Host.start(d.folder, d.binary, args...)
}

func (h *Host) start(folder, binary string, args ...string) *Daemon {
	t := h.lab.t
	t.Helper()
	d := &Daemon{Host: h, binary: binary, folder: folder, exited: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	d.command = h.Command(binary, append([]string{
		"-n", "-l", "-D", "-f", "/etc/keepalived/keepalived.conf",
		"-p", filepath.Join(d.folder, "keepalived.pid"),
		"-r", filepath.Join(d.folder, "vrrp.pid"),
		"-c", filepath.Join(d.folder, "checkers.pid"),
		"-b", filepath.Join(d.folder, "bfd.pid"),
	}, args...)...)
	// An interrupted test takes its daemons with it.
	d.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	d.command.Stdout, d.command.Stderr = writer, writer
	err = d.command.Start()
	writer.Close()
	if err != nil {
		t.Fatalf("start %s: %v", d, err)
	}
	d.carrying.Go(func() {
		d.err = d.command.Wait()
		close(d.exited)
		d.wake()
	})
	d.carrying.Go(func() { d.read(reader) })
	h.lab.daemons = append(h.lab.daemons, d)
	t.Cleanup(func() {
		d.Kill()
		reader.Close() // a script that it left may hold the other end
		d.carrying.Wait()
	})
	return d
}

// String is how messages call the daemon.
func (d *Daemon) String() string { return filepath.Base(d.binary) + " on " + d.Host.Name }

// read collects the log.
func (d *Daemon) read(log *os.File) {
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		d.mu.Lock()
		d.lines = append(d.lines, Line{time.Now(), scanner.Text()})
		d.mu.Unlock()
		d.changed.Broadcast()
	}
}

// Log is everything that the daemon has logged.
func (d *Daemon) Log() string {
	var b strings.Builder
	for _, line := range d.Lines(0) {
		fmt.Fprintf(&b, "%s %s\n", line.At.Format("15:04:05.000"), line.Text)
	}
	return b.String()
}

// Lines are the lines of the log from a mark on.
func (d *Daemon) Lines(mark int) []Line {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines[mark:])
}

// Mark is the present end of the log, for [Daemon.Wait] and [Daemon.Lines].
func (d *Daemon) Mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// Wait waits for a line that contains text, from a mark on, and answers with
// it. It fails the test after limit, or when the daemon ends before.
func (d *Daemon) Wait(mark int, text string, limit time.Duration) Line {
	d.Host.lab.t.Helper()
	deadline := time.Now().Add(limit)
	timeout := time.AfterFunc(limit, d.wake)
	defer timeout.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for ; mark < len(d.lines); mark++ {
			if strings.Contains(d.lines[mark].Text, text) {
				return d.lines[mark]
			}
		}
		select {
		case <-d.exited:
			d.mu.Unlock()
			defer d.mu.Lock()
			d.Host.lab.t.Fatalf("waited for %q of %s, which ended: %v", text, d, d.err)
		default:
		}
		if !time.Now().Before(deadline) {
			d.mu.Unlock()
			defer d.mu.Lock()
			d.Host.lab.t.Fatalf("waited %s for %q of %s", limit, text, d)
		}
		d.changed.Wait()
	}
}

// wake makes Wait look again. It takes the lock, so that no Wait is between
// its look and its sleep.
func (d *Daemon) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed.Broadcast()
}

// Signal sends a signal to the daemon's first process, as an init system does.
func (d *Daemon) Signal(s syscall.Signal) {
	d.Host.lab.t.Helper()
	if err := d.command.Process.Signal(s); err != nil {
		d.Host.lab.t.Fatalf("send %s to %s: %v", s, d, err)
	}
}

// Kill ends all of the daemon's processes at once with SIGKILL: none of them
// can tell anybody.
func (d *Daemon) Kill() {
	select {
	case <-d.exited:
		return
	default:
	}
	_ = syscall.Kill(d.command.Process.Pid, syscall.SIGSTOP) // so that it restarts no child
	for _, pid := range slices.Backward(d.PIDs()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-d.exited
}

// Stop asks the daemon to stop with SIGTERM, and waits until it has: its first
// process, and those that it left behind, if any, are the test's to find.
func (d *Daemon) Stop(limit time.Duration) {
	d.Host.lab.t.Helper()
	d.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
		if d.err != nil {
			d.Host.lab.t.Fatalf("%s stopped by SIGTERM: %v", d, d.err)
		}
	case <-time.After(limit):
		d.Host.lab.t.Fatalf("waited %s for %s to stop", limit, d)
	}
}

// PIDs are the daemon's processes, the first one first.
func (d *Daemon) PIDs() []int {
	first := d.command.Process.Pid
	return append([]int{first}, descendants(first)...)
}

// CPU is the processor time that the daemon's first process has used.
func (d *Daemon) CPU() (used time.Duration) {
	d.Host.lab.t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.command.Process.Pid))
	if err != nil || len(tasks) == 0 {
		d.Host.lab.t.Fatalf("processor time of %s: %v", d, err)
	}
	for _, path := range tasks {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		if _, err := fmt.Sscan(string(content), &ns); err != nil {
			d.Host.lab.t.Fatalf("processor time of %s: %v", d, err)
		}
		used += time.Duration(ns)
	}
	return used
}

// A Task is a thread of a daemon, as proc_pid_stat(5) and proc_pid_status(5)
// show it.
type Task struct{ Stat, Status string }

// Tasks are the threads of the daemon's first process.
func (d *Daemon) Tasks() (all []Task) {
	folders, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", d.command.Process.Pid))
	for _, folder := range folders {
		stat, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			continue // it has ended
		}
		if status, err := os.ReadFile(filepath.Join(folder, "status")); err == nil {
			all = append(all, Task{string(stat), string(status)})
		}
	}
	return all
}

// PIDFiles are the pid files that exist.
func (d *Daemon) PIDFiles() []string {
	files, _ := filepath.Glob(filepath.Join(d.folder, "*.pid"))
	return files
}

// descendants are the processes below pid.
func descendants(pid int) []int {
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		content, _ := os.ReadFile(path)
		// "pid (name) state ppid": the name may hold anything but ends last.
		_, rest, _ := strings.Cut(string(content[max(0, strings.LastIndexByte(string(content), ')')):]), " ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(append(found, child), descendants(child)...)
		}
	}
	return found
}
