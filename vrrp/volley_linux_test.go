package vrrp_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp"
)

// arrivals sees when IPv4 datagrams enter a namespace, as the kernel has it.
func arrivals(t *testing.T, ns *netns.NS) (all func() []time.Time) {
	t.Helper()
	var fd int
	err := ns.Do(func() (err error) {
		const network = unix.ETH_P_IP<<8 | unix.ETH_P_IP>>8
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, network&0xffff)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
	if err != nil {
		t.Fatal(err)
	}
	return func() (at []time.Time) {
		t.Helper()
		b, ancillary := make([]byte, 1<<16), make([]byte, 128)
		for {
			n, an, _, _, err := unix.Recvmsg(fd, b, ancillary, 0)
			if err == unix.EAGAIN {
				return at
			}
			if err != nil {
				t.Fatal(err)
			}
			messages, err := unix.ParseSocketControlMessage(ancillary[:an])
			if err != nil || len(messages) != 1 {
				t.Fatalf("%v: %d messages", err, len(messages))
			}
			if n > 20 && b[9] == 112 {
				at = append(at, time.Unix((*unix.Timespec)(unsafe.Pointer(&messages[0].Data[0])).Unix()))
			}
		}
	}
}

// While nobody may run Go code adverts leave all the same, also when something
// has woken the loop: then a moment later.
func TestWorldStopped(t *testing.T) {
	for name, prepare := range map[string]func(*vrrp.Runner){"asleep": func(*vrrp.Runner) {}, "woken": (*vrrp.Runner).Wake} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			i := virtual("VI_1", 51, 150, "10.99.0.100/24")
			i.Version, i.AdvertInt = config.Some(uint8(3)), 100*time.Millisecond
			d := direct(t, a, resolved(i))
			awaitVIP(t, a, b)
			all := arrivals(t, b)
			const intervals = 4
			holds := stopWorld(t, intervals*i.AdvertInt, func() { prepare(d.runner) })
			sent := all()
			for _, from := range holds {
				for n := range intervals - 1 { // the end would be too late
					from := from.Add(time.Duration(n) * i.AdvertInt)
					to := from.Add(i.AdvertInt * 3 / 2)
					if !slices.ContainsFunc(sent, func(at time.Time) bool { return at.After(from) && at.Before(to) }) {
						t.Errorf("no advert from %s to %s: %v", from, to, sent)
					}
				}
			}
		})
	}
}

// While the loop is kept from going on, in the middle of what it does, the adverts
// of all of its instances leave all the same; but not for ever, or a router that
// has come to grief would remain MASTER.
func TestLoopStopped(t *testing.T) {
	const most = 32
	for _, tt := range []struct {
		n         int
		interval  time.Duration
		intervals int
	}{{1, 100 * time.Millisecond, 5}, {100, 100 * time.Millisecond, 5}, {1, 10 * time.Millisecond, 2 * most}} {
		n, interval, intervals := tt.n, tt.interval, tt.intervals
		t.Run(fmt.Sprint(n, interval), func(t *testing.T) {
			a, b := pair(t)
			var instances []config.Instance
			for k := range n {
				i := virtual(fmt.Sprintf("VI_%d", k), uint8(k+1), 150, fmt.Sprintf("10.99.0.%d/24", 100+k))
				i.Version, i.AdvertInt = config.Some(uint8(3)), interval
				instances = append(instances, i)
			}
			d := direct(t, a, resolved(instances...))
			masters := func() (all int) {
				now, err := d.runner.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				for i := range now.Instances {
					if now.Instances[i].State == config.Master {
						all++
					}
				}
				return all
			}
			for masters() < n {
				time.Sleep(interval)
			}
			all := arrivals(t, b)
			stopped := make(chan time.Time)
			d.runner.Occupy(func() {
				stopped <- time.Now()
				time.Sleep(time.Duration(intervals) * interval)
				stopped <- time.Now()
			})
			from, to := <-stopped, <-stopped
			sent := slices.DeleteFunc(all(), func(at time.Time) bool { return at.Before(from) || at.After(to) })
			if least := (min(intervals, most) - 1) * n; len(sent) < least || len(sent) > most*n {
				t.Errorf("%d adverts while the loop was stopped, want %d", len(sent), least)
			}
			before, err := d.runner.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range before.Instances {
				if i.Stats.AdvertSent < uint64(min(intervals, most)) {
					t.Errorf("%s knows of %d adverts", i.Name, i.Stats.AdvertSent)
				}
			}
		})
	}
}

// stopWorld takes the only permission to run Go code a few times for so long, and
// answers with when that began.
func stopWorld(t *testing.T, long time.Duration, prepare func()) (holds []time.Time) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var urgent, was unix.Sigset_t // with which the runtime would interrupt
	urgent.Val[0] = 1 << (unix.SIGURG - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, &was); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &was, nil) }()
	for range 5 {
		time.Sleep(10 * time.Millisecond) // what was late is made up for
		holds = append(holds, time.Now())
		prepare()
		pause := unix.NsecToTimespec(int64(long))
		_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0) // with the only permission
	}
	return holds
}
