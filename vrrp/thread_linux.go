package vrrp

import (
	"cmp"
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

// DefaultRTPriority is the real-time priority of the thread that sends adverts
// unless vrrp_rt_priority or vrrp_no_realtime says otherwise: in the middle of
// what sched(7) allows, below what keeps the machine itself going.
const DefaultRTPriority = 50

// thread is how the kernel schedules the thread of the loop. Without
// real-time scheduling adverts are late on a busy machine, and too late for
// short intervals.
type thread struct {
	id       int
	known    atomic.Int64 // id, for others; 0: not running
	cfg      config.Process
	auto     autoPriority
	realtime int // the priority of SCHED_RR that is in effect; 0: none
	original struct {
		nice   int
		cpus   unix.CPUSet
		rttime unix.Rlimit
	}
	signals chan os.Signal
	ended   chan struct{}
	demoted atomic.Bool // it ran for longer than vrrp_rlimit_rttime
}

// autoPriority is max_auto_priority.
type autoPriority struct {
	most  int
	delay time.Duration
}

// begin is called on the thread, which is locked.
func (t *thread) begin() {
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

// end gives the thread back as it was.
func (t *thread) end() {
	t.known.Store(0)
	signal.Stop(t.signals)
	close(t.signals)
	<-t.ended
	_ = t.configure(&config.GlobalProcess{VRRPNoRealtime: true, VRRP: config.Process{Priority: t.original.nice}})
	_ = t.set(0) // it may have been raised
}

// watch waits for SIGXCPU, which is what vrrp_rlimit_rttime leads to. keepalived
// is killed then. Here the thread goes on like any other, until it waits again:
// what runs for too long once must not take the machine, and need not end.
func (t *thread) watch() {
	defer close(t.ended)
	for range t.signals {
		t.demoted.Store(true)
		_ = unix.SchedSetAttr(t.id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
	}
}

// pause is called when the thread is about to wait.
func (t *thread) pause() {
	if t.realtime > 0 && t.demoted.Swap(false) {
		_ = t.set(t.realtime) // it was permitted before
	}
}

// configure takes keywords of global_defs, and answers with what could not be
// had.
func (t *thread) configure(g *config.GlobalProcess) (failed []error) {
	t.auto = autoPriority{g.MaxAutoPriority, g.MinAutoPriorityDelay}
	next := g.VRRP
	if next.RTPriority = cmp.Or(next.RTPriority, DefaultRTPriority); g.VRRPNoRealtime {
		next.RTPriority = 0
	}
	was := t.cfg
	t.cfg = next
	fail := func(format string, args ...any) { failed = append(failed, fmt.Errorf("VRRP thread: "+format, args...)) }
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
	if next.RTPriority == was.RTPriority && next.RlimitRttime == was.RlimitRttime {
		return failed
	}
	if err := t.limit(next); err != nil {
		fail("limit of real time %s: %w", next.RlimitRttime, err)
	}
	if err := t.enter(next.RTPriority, g.VRRP.RTPriority != 0); err != nil {
		fail("no real-time priority %d, adverts may be late when this machine is busy (vrrp_no_realtime does without): %w", next.RTPriority, err)
	}
	return failed
}

// bind keeps the thread on processors, or on none in particular.
func (t *thread) bind(cpus []int) error {
	set := t.original.cpus
	if len(cpus) > 0 {
		set.Zero()
		for _, cpu := range cpus {
			set.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(t.id, &set)
}

// limit sets the soft limit alone: the hard one ends the process.
func (t *thread) limit(p config.Process) error {
	limit := t.original.rttime
	if p.RTPriority > 0 {
		limit.Cur = min(limit.Max, uint64(p.RlimitRttime.Microseconds()))
	}
	return unix.Prlimit(0, unix.RLIMIT_RTTIME, &limit, nil)
}

// enter changes the real-time priority; 0: none. Who may have a lower one than
// the default alone takes that.
func (t *thread) enter(priority int, asked bool) error {
	err := t.set(priority)
	var limit unix.Rlimit
	if asked || !errors.Is(err, unix.EPERM) || unix.Getrlimit(unix.RLIMIT_RTPRIO, &limit) != nil || limit.Cur == 0 {
		return err
	}
	return t.set(min(priority, int(limit.Cur)))
}

// set changes the scheduling of the thread. What it begins, threads and
// processes, does not inherit a real-time priority.
func (t *thread) set(priority int) error {
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

// raise is max_auto_priority: a thread that is served late by more than
// min_auto_priority_delay gets a higher real-time priority, or one at all. It
// answers with a line for the log.
func (t *thread) raise(late time.Duration) string {
	if t.realtime >= t.auto.most || late < t.auto.delay {
		return ""
	}
	if t.set(t.realtime+1) != nil {
		t.auto.most = 0 // until the next reload
		return ""
	}
	return fmt.Sprintf("VRRP thread was served %s late, real-time priority is %d now", late.Round(time.Millisecond), t.realtime)
}

func (p *poller) schedule(g *config.GlobalProcess, shortest time.Duration) []error {
	p.slumber.shortest = shortest
	return p.thread.configure(g)
}

func (p *poller) threadID() int { return int(p.thread.known.Load()) }

func (p *poller) late(by time.Duration) string { return p.thread.raise(by) }
