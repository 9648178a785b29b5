package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// journey is a connection that a probe asks for, and what happens on it. A
// [poller] makes it without a goroutine, walk with one.
type journey struct {
	dialer
	network string                     // "tcp" or "udp"
	open    func() (fd int, err error) // a socket that does not block; nil: one of the network
	step    time.Duration              // until it is connected, and from then on until an answer
	pieces  bool                       // step is until the next piece of an answer
	total   time.Duration              // of all; 0: step
	slow    bool                       // to judge it may take its time
	talk    talk                       // nil: it is enough to connect
}

// talk is what a probe says and hears on a connection, one call at a time. It
// does not block.
type talk interface {
	// begin is what is said on the new connection.
	begin() []byte
	// hear takes what has come, or the end: [io.EOF], or another error. It gives
	// what is said next, if anything, and whether the talk is over: with an
	// error, it has failed. Of what comes of an end err is all that counts.
	hear(b []byte, end error) (say []byte, over bool, err error)
}

// errLate is the end of a talk that goes on and on.
var errLate = fmt.Errorf("it has not ended: %w", context.DeadlineExceeded)

// version is the network with the version of IP: tcp4.
func (j *journey) version() string {
	if j.target.Addr().Is6() {
		return j.network + "6"
	}
	return j.network + "4"
}

// socket opens one that does not block.
func (j *journey) socket() (fd int, err error) {
	if j.open != nil {
		return j.open()
	}
	family, kind, protocol := unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP
	if j.target.Addr().Is6() {
		family = unix.AF_INET6
	}
	if j.network == "udp" {
		kind, protocol = unix.SOCK_DGRAM, unix.IPPROTO_UDP
	}
	fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	return fd, os.NewSyscallError("socket", err)
}

// latest is the end of all that a journey may take.
func (j *journey) latest() time.Time { return time.Now().Add(max(j.total, j.step)) }

// late is the end of a talk that has run out of time.
func (j *journey) late(limit time.Time) error {
	if j.total > 0 && !time.Now().Before(limit) {
		return errLate
	}
	return os.ErrDeadlineExceeded
}

// walk makes a journey. Its error is that of the connection or of the talk.
func (j *journey) walk(ctx context.Context) error {
	limit := j.latest()
	conn, err := j.connectIn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer endWith(ctx, conn)()
	if c, ok := conn.(net.Conn); ok {
		traced(ctx).note("connect", "connected from %s", c.LocalAddr())
	}
	if j.talk == nil {
		return nil
	}
	b := make([]byte, 64<<10)
	say, deadline := j.talk.begin(), j.next(limit)
	for {
		n, end := exchange(ctx, conn, say, b, deadline)
		if errors.Is(end, os.ErrDeadlineExceeded) {
			if end = j.late(limit); ctx.Err() != nil {
				end = context.Cause(ctx)
			}
		}
		if end != nil {
			_, _, err = j.talk.hear(nil, end)
			return err
		}
		var over bool
		if say, over, err = j.talk.hear(b[:n], nil); over || err != nil {
			return err
		}
		if j.pieces || len(say) > 0 {
			deadline = j.next(limit)
		}
	}
}

// next is when the next step has to be over.
func (j *journey) next(limit time.Time) time.Time {
	if end := time.Now().Add(j.step); end.Before(limit) {
		return end
	}
	return limit
}

// connection is what a [net.Conn] and a file have in common.
type connection interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

func (j *journey) connectIn(ctx context.Context) (connection, error) {
	if j.open != nil {
		fd, err := j.open()
		if err != nil {
			return nil, err
		}
		if err := j.connect(fd, j.version()); err != nil { // which does not wait
			_ = unix.Close(fd)
			return nil, err
		}
		return os.NewFile(uintptr(fd), "socket"), nil
	}
	ctx, cancel := context.WithTimeout(ctx, j.step)
	defer cancel()
	return j.dial(ctx, j.network)
}

// exchange says something, if there is anything to say, and hears something.
func exchange(ctx context.Context, conn connection, say, b []byte, deadline time.Time) (n int, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if ctx.Err() != nil { // before the deadline was set
		return 0, os.ErrDeadlineExceeded
	}
	if len(say) > 0 {
		if _, err := conn.Write(say); err != nil {
			return 0, err
		}
	}
	return conn.Read(b)
}
