package realtime

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// DefaultPriority is the real-time priority of a thread that the configuration
// gives none: in the middle of what sched(7) allows, below what keeps the machine
// itself going.
const DefaultPriority = 50

// Settings say how a thread is to run.
type Settings struct {
	config.Process               // RTPriority 0: no real-time scheduling
	Asked          bool          // for this priority, by the configuration
	Most           int           // max_auto_priority
	Delay          time.Duration // min_auto_priority_delay
}

// Thread is how the kernel schedules the thread of a loop. Without real-time
// scheduling what the loop sends is late on a busy machine, and too late for
// short intervals.
type Thread struct {
	Name string // in errors and the log

	id       int
	known    atomic.Int64 // id, for others; 0: not running
	cfg      Settings
	realtime int // the priority of SCHED_RR that is in effect; 0: none
	raised   bool
	original struct {
		nice   int
		cpus   unix.CPUSet
		rttime unix.Rlimit
	}
	signals chan os.Signal
	ended   chan struct{}
	demoted atomic.Bool // it ran for longer than vrrp_rlimit_rttime
}

// ID is the thread's, for whoever looks after the others; 0 while it does not
// run.
func (t *Thread) ID() int { return int(t.known.Load()) }

// Most is how late it may be served before [Thread.Raise] acts; 0: never.
func (t *Thread) Most() time.Duration {
	if t.cfg.Most <= 0 {
		return 0
	}
	return t.cfg.Delay
}

// Begin is called on the thread, which is locked.
func (t *Thread) Begin() {
	t.id = unix.Gettid()
	t.known.Store(int64(t.id))
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, t.id)
	if err == nil {
		const highest = 20 // the system call answers 20 - nice
		t.original.nice = highest - nice
	}
	_ = unix.SchedGetaffinity(t.id, &t.original.cpus) // what cannot be read is not changed back
	_ = unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &t.original.rttime)
	t.signals, t.ended = make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(t.signals, unix.SIGXCPU)
	go t.watch()
}

// End gives the thread back as it was.
func (t *Thread) End() {
	t.known.Store(0)
	signal.Stop(t.signals)
	close(t.signals)
	<-t.ended
	_ = t.Configure(Settings{Process: config.Process{Priority: t.original.nice}})
	_ = t.set(0) // it may have been raised
}

// watch waits for SIGXCPU, which is what a limit of real time leads to. keepalived
// is killed then. Here the thread goes on like any other, until it waits again:
// what runs for too long once must not take the machine, and need not end.
func (t *Thread) watch() {
	defer close(t.ended)
	for range t.signals {
		t.demoted.Store(true)
		_ = unix.SchedSetAttr(t.id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	}
}

// Pause is called when the thread is about to wait.
func (t *Thread) Pause() {
	if t.realtime > 0 && t.demoted.Swap(false) {
		_ = t.set(t.realtime) // it was permitted before
	}
}

// Configure answers with what could not be had.
func (t *Thread) Configure(next Settings) (failed []error) {
	was := t.cfg
	t.cfg = next
	fail := func(format string, args ...any) {
		failed = append(failed, fmt.Errorf(t.Name+" thread: "+format, args...))
	}
	if next.Priority != was.Priority {
		if err := unix.Setpriority(unix.PRIO_PROCESS, t.id, next.Priority); err != nil {
			fail("nice value %d: %w", next.Priority, err)
		}
	}
	if !slices.Equal(next.CPUAffinity, was.CPUAffinity) {
		if err := t.bind(next.CPUAffinity); err != nil {
			fail("run on processors %d: %w", next.CPUAffinity, err)
		}
	}
	if next.RTPriority == was.RTPriority && next.RlimitRttime == was.RlimitRttime && !t.raised {
		return failed
	}
	t.raised = false
	if err := t.limit(next); err != nil {
		fail("limit of real time %s: %w", next.RlimitRttime, err)
	}
	if err := t.enter(next.RTPriority, next.Asked); err != nil {
		fail("no real-time priority %d, it may be late when this machine is busy (vrrp_no_realtime does without): %w", next.RTPriority, err)
	}
	return failed
}

// bind keeps the thread on processors, or on none in particular.
func (t *Thread) bind(cpus []int) error {
	set := t.original.cpus
	if len(cpus) > 0 {
		set.Zero()
		for _, cpu := range cpus {
			set.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(t.id, &set)
}

// limit sets the soft limit alone: the hard one ends the process. It is that of
// all real-time threads.
func (t *Thread) limit(s Settings) error {
	limit := t.original.rttime
	if s.RTPriority > 0 {
		limit.Cur = min(limit.Max, uint64(s.RlimitRttime.Microseconds()))
	}
	return unix.Prlimit(0, unix.RLIMIT_RTTIME, &limit, nil)
}

// enter changes the real-time priority; 0: none. Who may have a lower one than
// the default alone takes that.
func (t *Thread) enter(priority int, asked bool) error {
	err := t.set(priority)
	var limit unix.Rlimit
	if asked || !errors.Is(err, unix.EPERM) || unix.Getrlimit(unix.RLIMIT_RTPRIO, &limit) != nil || limit.Cur == 0 {
		return err
	}
	return t.set(min(priority, int(limit.Cur)))
}

// set changes the scheduling of the thread. What it begins, threads and
// processes, does not inherit a real-time priority.
func (t *Thread) set(priority int) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(t.cfg.Priority)}
	if priority > 0 {
		attr = unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: uint32(priority)}
	}
	if err := unix.SchedSetAttr(t.id, &attr, 0); err != nil {
		t.realtime = 0
		return err
	}
	t.realtime = priority
	return nil
}

// Raise is max_auto_priority: a thread that is served late by more than
// min_auto_priority_delay gets a higher real-time priority, or one at all, until
// the next reload. It answers with a line for the log.
func (t *Thread) Raise(late time.Duration) string {
	if t.realtime >= t.cfg.Most || late < t.cfg.Delay {
		return ""
	}
	if t.realtime == 0 {
		limited := t.cfg
		limited.RTPriority = 1
		_ = t.limit(limited) // that it runs in time is more
	}
	if t.set(t.realtime+1) != nil {
		t.cfg.Most = 0 // until the next reload
		return ""
	}
	t.raised = true
	return fmt.Sprintf("%s thread was served %s late, real-time priority is %d now", t.Name, late.Round(time.Millisecond), t.realtime)
}
