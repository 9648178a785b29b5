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

// dialer is the way of a check to its target: connect_ip and connect_port,
// bindto, bind_port, bind_if and fwmark, keepalived.conf(5).
type dialer struct {
	target netip.AddrPort // a link-local one has bind_if for its zone
	bind   *config.Bind   // nil: up to the kernel
}

func newDialer(c config.Check) dialer {
	return dialer{zoned(c.Target(), c.Source().BindIf), c.Bind}
}

// dial connects over "tcp" or "udp". [failure] knows its errors.
func (d dialer) dial(ctx context.Context, network string) (net.Conn, error) {
	via := net.Dialer{KeepAlive: -1}
	if from, ok := d.local(); ok {
		via.LocalAddr = net.TCPAddrFromAddrPort(from)
		if network == "udp" {
			via.LocalAddr = net.UDPAddrFromAddrPort(from)
		}
	}
	if d.bind != nil || network == "udp" {
		via.Control = func(network, _ string, conn syscall.RawConn) error {
			var err error
			return errors.Join(conn.Control(func(fd uintptr) { err = d.prepare(int(fd), network) }), err)
		}
	}
	return via.DialContext(ctx, network, d.target.String())
}

// local is the address that the socket is bound to, if it is.
func (d dialer) local() (netip.AddrPort, bool) {
	if d.bind == nil || !d.bind.BindTo.IsValid() && d.bind.BindPort == 0 {
		return netip.AddrPort{}, false
	}
	return zoned(netip.AddrPortFrom(d.bind.BindTo, d.bind.BindPort), d.bind.BindIf), true
}

// connect prepares a socket of one's own, binds it if that is wanted, and
// begins to connect it: one that does not block answers EINPROGRESS.
func (d dialer) connect(fd int, network string) error {
	if err := d.prepare(fd, network); err != nil {
		return err
	}
	if from, ok := d.local(); ok {
		if err := unix.Bind(fd, sockaddr(from, d.target.Addr().Is6())); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	return os.NewSyscallError("connect", unix.Connect(fd, sockaddr(d.target, d.target.Addr().Is6())))
}

// sockaddr is an address as system calls take it. No address is the
// unspecified one of the family.
func sockaddr(a netip.AddrPort, v6 bool) unix.Sockaddr {
	if !v6 {
		s := &unix.SockaddrInet4{Port: int(a.Port())}
		if a.Addr().Is4() {
			s.Addr = a.Addr().As4()
		}
		return s
	}
	s := &unix.SockaddrInet6{Port: int(a.Port())}
	if a.Addr().IsValid() {
		s.Addr = a.Addr().As16()
	}
	if zone := a.Addr().Zone(); zone != "" {
		if link, err := net.InterfaceByName(zone); err == nil {
			s.ZoneId = uint32(link.Index)
		}
	}
	return s
}

// endWith ends what waits on conn when ctx ends; the function that it answers
// with is called when nothing waits any more.
func endWith(ctx context.Context, conn interface{ SetDeadline(time.Time) error }) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// prepare sets bind_if and fwmark on a socket, socket(7), and has datagrams
// report every ICMP error, ip(7). A bind_port that the last connection still
// holds in TIME_WAIT is used again.
func (d dialer) prepare(fd int, network string) error {
	if err := reportErrors(fd, network); err != nil {
		return err
	}
	if d.bind == nil {
		return nil
	}
	if d.bind.BindPort != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("SO_REUSEADDR", err)
		}
	}
	if d.bind.BindIf != "" {
		if err := unix.BindToDevice(fd, d.bind.BindIf); err != nil {
			return os.NewSyscallError("SO_BINDTODEVICE", err)
		}
	}
	if d.bind.FWMark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(d.bind.FWMark)); err != nil {
			return os.NewSyscallError("SO_MARK", err)
		}
	}
	return nil
}

// reportErrors: without it a socket for datagrams hears of closed ports only.
func reportErrors(fd int, network string) error {
	switch network {
	case "udp4":
		return os.NewSyscallError("IP_RECVERR", unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1))
	case "udp6":
		return os.NewSyscallError("IPV6_RECVERR", unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1))
	}
	return nil
}

// zoned gives a link-local address the interface that the check is bound to.
func zoned(a netip.AddrPort, link string) netip.AddrPort {
	if !a.Addr().IsLinkLocalUnicast() || !a.Addr().Is6() || a.Addr().Zone() != "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(link), a.Port())
}

// failure tells what the network said from what this host could not do: no
// descriptor, no such address or interface to bind to, no free port. The
// sentences for these are those of the kind of check.
func failure(err error, says *phrases) Result {
	r := Result{Reason: err.Error()}
	var call *os.SyscallError
	var timeout net.Error
	switch {
	case errors.As(err, &call) && call.Syscall == "socket":
		r.Local = says.noSocket
	case call != nil && local(call):
		r.Local = says.noBind
	case errors.As(err, &timeout):
		r.Timeout = timeout.Timeout()
	}
	return r
}

// local reports whether a call on a socket failed for a reason on this host.
func local(call *os.SyscallError) bool {
	switch call.Syscall {
	case "connect":
		return errors.Is(call, unix.EADDRNOTAVAIL)
	case "read", "write", "sendto", "recvfrom", "recvmsg":
		return false
	}
	return true
}
