package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// threads are all threads but those of VRRP and BFD: what keepalived has a
// process of health checkers for runs on them, and the Go runtime. Now and then
// the runtime stops all of them, and those two have to wait until each one has
// noticed, for which it needs a processor. So they are favoured, too.
type threads struct {
	log    *zap.Logger
	others []func(id int) bool // whether a thread is not ours

	mu     sync.Mutex
	nice   int  // what they are to have
	ours   bool // they have it from here
	refuse bool // it has been refused, and the log been told
	locked bool // memory is not swapped out
}

// favoured is the nice value of threads that adverts and packets of BFD may
// depend on.
const favoured = -10

// Run looks after threads that begin later: soon, and then less and less often,
// because to wake up for it costs as much as ten adverts.
func (t *threads) Run(ctx context.Context) error {
	const soon, first, most = 2 * time.Second, time.Minute, 16 * time.Minute
	for pause, next := soon, first; ; pause, next = next, min(2*next, most) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			t.pass()
		}
	}
}

// apply takes what global_defs says of processes; punctual says that there are
// virtual routers or sessions of BFD.
func (t *threads) apply(g *config.GlobalProcess, punctual bool) {
	nice := g.Checker.Priority
	if nice == 0 && punctual && !g.VRRPNoRealtime {
		nice = favoured
	}
	t.mu.Lock()
	t.nice, t.refuse = nice, false
	t.mu.Unlock()
	t.pass()
	if g.Checker.RTPriority > 0 || len(g.Checker.CPUAffinity) > 0 {
		t.log.Warn("checker_rt_priority and checker_cpu_affinity have no effect: checks have no process of their own")
	}
	t.lock(g.VRRP.NoSwap || g.Checker.NoSwap || g.BFD.NoSwap)
}

// pass gives all threads the nice value.
func (t *threads) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ours = t.ours || t.nice != 0; !t.ours || t.refuse {
		return
	}
	tasks, err := os.ReadDir("/proc/self/task")
	for i := 0; err == nil && i < len(tasks); i++ {
		id, _ := strconv.Atoi(tasks[i].Name()) // all of them are numbers
		if slices.ContainsFunc(t.others, func(owns func(int) bool) bool { return owns(id) }) {
			continue
		}
		if err = renice(id, t.nice); errors.Is(err, unix.ESRCH) {
			err = nil // it has ended
		}
	}
	if err != nil {
		t.refuse = true
		t.log.Warn(fmt.Sprintf("nice value %d of this process's threads: %v", t.nice, err))
	}
}

// renice changes a thread. What it begins, new
// threads and scripts, has no negative nice value.
func renice(id, nice int) error {
	is, err := unix.SchedGetAttr(id, 0)
	if err != nil || int(is.Nice) == nice {
		return err
	}
	return unix.SchedSetAttr(id, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Nice: int32(nice),
	}, 0)
}

// lock is no_swap: the pages that are used stay in memory. Those that the
// runtime has only reserved take none.
func (t *threads) lock(want bool) {
	if want == t.locked {
		return
	}
	var err error
	if want {
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	} else {
		err = unix.Munlockall()
	}
	if err != nil {
		t.log.Warn(fmt.Sprintf("keeping memory from being swapped out: %v", err))
		return
	}
	t.locked = want
}

// enlarge sets the receive buffers of netlink, at start: those for news are
// large already, and whatever does not fit is looked for.
func (s *Supervisor) enlarge(b *config.ReceiveBuffers) {
	s.kernelLinks.Enlarge(int(max(b.VRRPNetlinkMonitor.Bytes, b.LVSNetlinkMonitor.Bytes)))
	s.watch.processes.Enlarge(int(b.ProcessMonitor.Bytes))
	command := b.VRRPNetlinkCmd
	if b.LVSNetlinkCmd.Bytes > command.Bytes {
		command = b.LVSNetlinkCmd
	}
	if command.Bytes == 0 {
		return
	}
	if err := s.host.Enlarge(int(command.Bytes), command.Force); err != nil {
		s.log.Warn(err.Error())
	}
}
