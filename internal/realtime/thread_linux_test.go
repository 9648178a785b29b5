package realtime

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// onThread runs a test on a thread that is the loop's.
func onThread(t *testing.T, cfg Settings, f func(*Thread)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := Thread{Name: "VRRP"}
	thread.Begin()
	defer func() {
		thread.End()
		if priority := realtime(t); priority != 0 {
			t.Errorf("the thread keeps real-time priority %d", priority)
		}
	}()
	for _, err := range thread.Configure(cfg) {
		t.Fatal(err)
	}
	f(&thread)
}

// realtime is the priority of SCHED_RR that this thread has; 0: it is a thread
// like any other.
func realtime(t *testing.T) int {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return int(attr.Priority)
}

// max_auto_priority: who is served late by more than min_auto_priority_delay
// gets a higher real-time priority, or one at all, up to a limit. A reload, also
// one that changes nothing, takes it back, as keepalived's does.
func TestMaxAutoPriority(t *testing.T) {
	const late = 5 * time.Millisecond
	ten := config.Process{RTPriority: 10}
	for _, tt := range []struct {
		name string
		cfg  Settings
		by   time.Duration
		want int // after three times
	}{
		{"never", Settings{Process: ten}, time.Second, 10},
		{"to the limit", Settings{Process: ten, Most: 12, Delay: late}, late, 12},
		{"not late", Settings{Process: ten, Most: 12, Delay: late}, late - 1, 10},
		{"higher already", Settings{Process: config.Process{RTPriority: DefaultPriority}, Most: 12, Delay: late}, late, DefaultPriority},
		{"one at all", Settings{Most: 99, Delay: late}, late, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onThread(t, tt.cfg, func(thread *Thread) {
				before := realtime(t)
				said := 0
				for range 3 {
					if thread.Raise(tt.by) != "" {
						said++
					}
				}
				if got := realtime(t); got != tt.want || said != got-before {
					t.Errorf("priority %d after %d, said %d times, want %d", got, before, said, tt.want)
				}
				if failed := thread.Configure(tt.cfg); failed != nil || realtime(t) != before {
					t.Errorf("priority %d after a reload, %v; want %d", realtime(t), failed, before)
				}
			})
		})
	}
}

// vrrp_rlimit_rttime is for a thread that has been raised, too.
func TestLimitOfRaised(t *testing.T) {
	limit := func() time.Duration {
		var l unix.Rlimit
		if err := unix.Prlimit(0, unix.RLIMIT_RTTIME, nil, &l); err != nil {
			t.Fatal(err)
		}
		return time.Duration(l.Cur) * time.Microsecond
	}
	const most = 70 * time.Millisecond
	cfg := Settings{Process: config.Process{RlimitRttime: most}, Most: 1, Delay: time.Millisecond}
	onThread(t, cfg, func(thread *Thread) {
		before := limit()
		thread.Raise(time.Second)
		if got := limit(); got != most {
			t.Errorf("limit %s, want %s", got, most)
		}
		if failed := thread.Configure(cfg); failed != nil || limit() != before {
			t.Errorf("limit %s after a reload, %v; want %s", limit(), failed, before)
		}
	})
}

// vrrp_rlimit_rttime: a thread that runs for longer has no real-time priority
// until it waits again.
func TestLimitOfRealTime(t *testing.T) {
	cfg := Settings{Process: config.Process{RTPriority: 10, RlimitRttime: 10 * time.Millisecond}}
	onThread(t, cfg, func(thread *Thread) {
		thread.Pause()
		if got := realtime(t); got != 10 {
			t.Errorf("priority %d, want 10", got)
		}
		for !thread.demoted.Load() || realtime(t) != 0 { // and waits for nothing
		}
		thread.Pause()
		if got := realtime(t); got != 10 {
			t.Errorf("priority %d when it has waited, want 10", got)
		}
	})
}
