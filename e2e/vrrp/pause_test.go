package vrrp

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestPause: a master that is stopped for a while, as a virtual machine may be, is
// back within an interval: the backup gives way, hosts are told where the address
// is, and nobody is notified of what nobody has noticed.
func TestPause(t *testing.T) {
	t.Parallel()
	i := notifying(instance{priority: 150})
	low := i
	low.priority, low.more = 100, ""
	s := newSegment(t)
	r, backup := s.router(1), s.router(2)
	r.File("notify.sh", notifyScript)
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	backup.run(rig.Keepalived, low)
	backup.becomes(0, "VI_1", "BACKUP", patience)
	log, notified := r.Mark(), r.ReadFile("notify.log")
	r.Signal(syscall.SIGSTOP)
	other := backup.Mark()
	backup.becomes(other, "VI_1", "MASTER", low.down()+patience)
	backup.owns(true, patience)
	time.Sleep(2 * i.interval())
	other = backup.Mark()
	resumed := time.Now()
	r.Signal(syscall.SIGCONT)
	within(t, "from the end of the pause until the backup gives way", backup.becomes(other, "VI_1", "BACKUP", patience).Sub(resumed), 0, i.interval()+busy)
	backup.owns(false, patience)
	rig.Until(t, "a gratuitous ARP", patience, func() bool {
		return slices.ContainsFunc(r.wire.Frames(), func(f rig.Frame) bool {
			return f.Sent && f.At.After(resumed) && isGratuitous(f.Data)
		})
	})
	time.Sleep(2 * i.interval())
	if states := r.states(log); len(states) > 0 {
		t.Errorf("changes of state: %q", states)
	}
	if now := r.ReadFile("notify.log"); now != notified {
		t.Errorf("notified: %q", now[len(notified):])
	}
	r.owns(true, 0)
}
