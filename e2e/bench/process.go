package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running daemon, with all of its processes.
type process struct {
	cmd     *exec.Cmd
	logFile string
	exited  chan struct{}
}

// launch starts a daemon for LVS alone, with keepalived.conf in dir.
func launch(dir, path string) (*process, error) {
	p := &process{logFile: filepath.Join(dir, "log"), exited: make(chan struct{})}
	log, err := os.Create(p.logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	in := func(name string) string { return filepath.Join(dir, name) }
	p.cmd = exec.Command(path, "-C", "-n", "-l", "-f", in("keepalived.conf"), "-p", in("keepalived.pid"), "-c", in("checkers.pid"))
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// quiet is how long a daemon does nothing when it has done what it had to.
const quiet = 2 * time.Second

// errTooLong is the error of a step that was given up.
var errTooLong = errors.New("did not end within")

// settled waits until the daemon rests, and gives the time since began and the
// processor time beyond cpu that it took.
func (p *process) settled(began time.Time, cpu, limit time.Duration) (phase, error) {
	last, spent := time.Now(), p.cpu()
	for time.Since(last) < quiet {
		select {
		case <-p.exited:
			return phase{}, fmt.Errorf("%s has ended\n%s", p.cmd, p.log())
		case <-time.After(10 * time.Millisecond):
		}
		if now := p.cpu(); now > spent+tick { // one tick is a look at the clock
			last, spent = time.Now(), now
		}
		if last.Sub(began) > limit {
			return phase{}, fmt.Errorf("%w %v", errTooLong, limit)
		}
	}
	return phase{wall: last.Sub(began), cpu: spent - cpu}, nil
}

// reload has the daemon read a file that has been written, unless that failed.
func (p *process) reload(written error, limit time.Duration) (phase, error) {
	began, cpu := time.Now(), p.cpu()
	if err := cmp.Or(written, p.cmd.Process.Signal(syscall.SIGHUP)); err != nil {
		return phase{}, err
	}
	return p.settled(began, cpu, limit)
}

// stop ends the daemon and waits until it and its services are gone.
// keepalived's parent may leave before its child has emptied the table, or leave
// something there.
func (p *process) stop(limit time.Duration) (phase, error) {
	began, cpu := time.Now(), p.cpu()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return phase{}, err
	}
	select {
	case <-p.exited:
	case <-time.After(limit):
		return phase{}, fmt.Errorf("%w %v", errTooLong, limit)
	}
	ended := phase{wall: time.Since(began), cpu: p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime() - cpu}
	for {
		left, err := table()
		switch {
		case err != nil:
			return phase{}, err
		case len(left) == 0:
			return ended, nil
		case time.Since(began) > limit:
			return phase{}, fmt.Errorf("%w %v: %d real servers are left", errTooLong, limit, len(left))
		}
		time.Sleep(time.Second)
		ended.wall = time.Since(began)
	}
}

// forget kills what is left of the daemon, and empties the table.
func (p *process) forget() {
	select {
	case <-p.exited:
	default:
		for _, pid := range p.pids() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be about to end
		}
		<-p.exited
	}
	_ = exec.Command("ipvsadm", "-C").Run() // the next count says what is left
	time.Sleep(trash)
}

// trash is for how long, at most, the kernel keeps real servers that were
// deleted. For each one that is added it looks through all of them
// (ip_vs_trash_get_dest): whoever comes second would pay for the first. In
// virtual time to wait costs nothing.
const trash = 5 * time.Minute

// log is the end of what the daemon has said.
func (p *process) log() string {
	text, _ := os.ReadFile(p.logFile)
	return string(text[max(0, len(text)-2000):])
}

// tick is the unit of processor time in /proc, USER_HZ.
const tick = 10 * time.Millisecond

// cpu is the processor time of all its processes.
func (p *process) cpu() (total time.Duration) {
	for _, pid := range p.pids() {
		f := statFields(pid)
		if len(f) > 13 {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			total += time.Duration(user+system) * tick
		}
	}
	return total
}

// memory is the proportional set size of all its processes, in kB.
func (p *process) memory() (total int64) {
	for _, pid := range p.pids() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kB, _ := strconv.ParseInt(f[1], 10, 64)
				total += kB
			}
		}
	}
	return total
}

// pids are the daemon and its children.
func (p *process) pids() []int {
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[i], pids[i]))
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// statFields are those of /proc/PID/stat behind the name, proc(5).
func statFields(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}
