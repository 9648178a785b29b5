package checker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

var tcpPhrases = phrases{
	success: "TCP connection to %s success.",
	failure: "TCP connection to %s failed.",
	timeout: "TCP connection to %s timeout.",
	failed:  "TCP_CHECK on service %s failed",
}

// tcp is TCP_CHECK, keepalived.conf(5): the server is up when a connection is
// established within connect_timeout. Nothing is sent.
type tcp struct {
	target  string
	timeout time.Duration
	dialer  net.Dialer
}

func newTCP(c config.Check) *tcp {
	from := c.Source()
	t := &tcp{
		target:  zoned(c.Target(), from.BindIf).String(),
		timeout: c.Timing.ConnectTimeout.Value,
		dialer:  net.Dialer{KeepAlive: -1},
	}
	if from.BindTo.IsValid() || from.BindPort != 0 {
		bind := netip.AddrPortFrom(from.BindTo, from.BindPort)
		t.dialer.LocalAddr = net.TCPAddrFromAddrPort(zoned(bind, from.BindIf))
	}
	if from.BindPort != 0 || from.BindIf != "" || from.FWMark != 0 {
		t.dialer.Control = func(_, _ string, conn syscall.RawConn) error { return prepare(conn, from) }
	}
	return t
}

// Check connects and closes again.
func (t *tcp) Check(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	conn, err := t.dialer.DialContext(ctx, "tcp", t.target)
	if err != nil {
		return failure(err)
	}
	_ = conn.Close()
	return Result{Up: true}
}

// zoned gives a link-local address the interface that the check is bound to.
func zoned(a netip.AddrPort, link string) netip.AddrPort {
	if !a.Addr().IsLinkLocalUnicast() || !a.Addr().Is6() || a.Addr().Zone() != "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(link), a.Port())
}

// prepare sets bind_if and fwmark on a socket, socket(7). A bind_port that the
// last connection still holds in TIME_WAIT is used again.
func prepare(conn syscall.RawConn, from config.Bind) error {
	var err error
	set := func(name string, f func() error) {
		if err == nil {
			err = os.NewSyscallError(name, f())
		}
	}
	control := conn.Control(func(fd uintptr) {
		if from.BindPort != 0 {
			set("SO_REUSEADDR", func() error { return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		}
		if from.BindIf != "" {
			set("SO_BINDTODEVICE", func() error { return unix.BindToDevice(int(fd), from.BindIf) })
		}
		if from.FWMark != 0 {
			set("SO_MARK", func() error { return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(from.FWMark)) })
		}
	})
	return errors.Join(control, err)
}

// failure tells what the network said from what this host could not do: no
// descriptor, no such address or interface to bind to, no free port.
func failure(err error) Result {
	r := Result{Reason: err.Error()}
	var call *os.SyscallError
	var timeout net.Error
	switch {
	case errors.As(err, &call) && call.Syscall == "socket":
		r.Local = "TCP connect fail to create socket. Rescheduling."
	case call != nil && (call.Syscall != "connect" || errors.Is(err, unix.EADDRNOTAVAIL)):
		r.Local = "TCP socket bind failed. Rescheduling."
	case errors.As(err, &timeout):
		r.Timeout = timeout.Timeout()
	}
	return r
}
