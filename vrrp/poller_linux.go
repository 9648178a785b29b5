package vrrp

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/realtime"
)

// poller waits on a thread of its own, with epoll for all raw sockets, a timer
// whose time is absolute, and an event that stands for everything else.
type poller struct {
	posts    *posts
	sleeping atomic.Bool // somebody has to wake the loop

	epoll, event, timer int
	armed               time.Time // when the timer goes off
	epoch               time.Time // a moment, and
	monotonic           int64     // what CLOCK_MONOTONIC said then
	watched             map[int32]*watch
	prepared            map[Socket]*prepared
	closing             sync.WaitGroup
	resting             []*watch // in the order in which they have rested enough
	in                  inbox
	events              [64]unix.EpollEvent
	thread              realtime.Thread
	slumber             slumber
	orders              orders
	dozing              doze
	standIn             standIn
}

// watch is a connection, and whom to tell of input.
type watch struct {
	*rawConn
	poller  *poller
	arrived func()
	until   time.Time // rests
}

func newPoller(p *posts) *poller {
	return &poller{posts: p, thread: realtime.Thread{Name: "VRRP"}, watched: make(map[int32]*watch), prepared: make(map[Socket]*prepared)}
}

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if p.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", errors.Join(err, unix.Close(p.epoll)))
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd: %w", errors.Join(err, unix.Close(p.event), unix.Close(p.epoll)))
	}
	var now unix.Timespec
	if err = errors.Join(p.control(unix.EPOLL_CTL_ADD, p.event, unix.EPOLLIN), p.control(unix.EPOLL_CTL_ADD, p.timer, unix.EPOLLIN),
		unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)); err != nil {
		return errors.Join(fmt.Errorf("epoll: %w", err), p.release())
	}
	p.epoch, p.monotonic = time.Now(), now.Nano()
	p.orders.limit, p.dozing.orders = never, &p.orders
	if err = p.standIn.open(&p.orders); err != nil {
		return errors.Join(err, p.release())
	}
	runtime.LockOSThread()
	p.thread.Begin()
	return nil
}

func (p *poller) close() error {
	p.thread.End()
	runtime.UnlockOSThread()
	standing := p.standIn.close()
	p.abandon()
	p.closing.Wait()
	return errors.Join(standing, p.release())
}

func (p *poller) release() error {
	return errors.Join(unix.Close(p.timer), unix.Close(p.event), unix.Close(p.epoll))
}

func (p *poller) control(op, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	return failure(errno)
}

func (p *poller) wait(deadline time.Time, v *volley) error {
	p.awaken()
	until := deadline
	if len(p.resting) > 0 {
		until = earliest(until, p.resting[0].until)
		p.wakeful()
	}
	p.dozing.possible = p.dozing.possible && (p.dozing.count > 0 || p.orders.next() != never)
	loaded := v.n > 0 || p.orders.next() <= p.nanoseconds(until)
	until, freely := p.slumber.plan(time.Now(), until, loaded, p.dozing.possible)
	if !until.Equal(deadline) {
		v.n = 0 // its time is still to come
	}
	if err := p.arm(until); err != nil {
		return err
	}
	p.sleeping.Store(true)
	n, err := 0, error(nil)
	if p.posts.empty() {
		n, err = p.sleep(v, freely)
	}
	p.sleeping.Store(false) // what is told now is done in this turn
	return p.tell(n, err)
}

// sleep waits in a system call that the runtime knows of: whoever wants to stop
// the world need not wait for the end of it.
func (p *poller) sleep(v *volley, freely bool) (int, error) {
	p.thread.Pause()
	if freely && p.dozing.possible {
		return p.drowse()
	}
	n, errno := sleep(p.epoll, p.timer, &p.events, v, &p.standIn, freely)
	return n, failure(errno)
}

// arm sets the timer, which also makes a time that has passed be forgotten.
func (p *poller) arm(until time.Time) error {
	if until.Equal(p.armed) {
		return nil
	}
	p.armed = until
	at := max(1, p.monotonic+int64(until.Sub(p.epoch))) // 0 would stop it
	value := unix.ItimerSpec{Value: unix.NsecToTimespec(at)}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&value)), 0, 0, 0)
	return failure(errno)
}

func (p *poller) look() error {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 0, 0, 0)
	for _, w := range p.resting {
		w.arrived()
	}
	return p.tell(int(n), failure(errno))
}

// tell takes events to whom they concern.
func (p *poller) tell(n int, err error) error {
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			return nil
		}
		return fmt.Errorf("epoll: %w", err)
	}
	for _, e := range p.events[:n] {
		switch w := p.watched[e.Fd]; {
		case w != nil:
			w.arrived()
		case e.Fd == int32(p.event):
			var count uint64
			_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p.event), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
		}
	}
	return nil
}

func (p *poller) wake() {
	if !p.sleeping.CompareAndSwap(true, false) {
		return // it will look at what there is before it sleeps
	}
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.event), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// Open implements [Opener].
func (p *poller) Open(s Socket, vrids []uint8, arrived func()) (Conn, error) {
	c, err := p.conn(s, vrids)
	if err != nil {
		return nil, err
	}
	w := &watch{rawConn: c, poller: p, arrived: arrived}
	c.rest = w.rest
	if err := p.control(unix.EPOLL_CTL_ADD, c.rx, unix.EPOLLIN); err != nil {
		return nil, fmt.Errorf("epoll: %w", errors.Join(err, c.Close()))
	}
	p.watched[int32(c.rx)] = w
	return w, nil
}

// Close implements [Conn].
func (w *watch) Close() error {
	delete(w.poller.watched, int32(w.rx))
	w.poller.orders.abandon(w)
	w.poller.wakeUp(w)
	err := w.poller.control(unix.EPOLL_CTL_DEL, w.rx, 0)
	w.poller.shut(w.rawConn)
	return err
}

func (p *poller) schedule(g *config.GlobalProcess, shortest time.Duration) []error {
	p.slumber.shortest = shortest
	settings := realtime.VRRP(g)
	p.standIn.configure(settings)
	return p.thread.Configure(settings)
}

func (p *poller) owns(thread int) bool {
	return thread == p.thread.ID() || thread == p.standIn.thread.ID()
}

func (p *poller) late(by time.Duration) string { return p.thread.Raise(by) }
