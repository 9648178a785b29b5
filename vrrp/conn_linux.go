package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// RawSockets opens raw sockets as keepalived does: one to receive, bound to
// the link and to the group or own address, and one to send, which receives
// nothing. They belong to the network namespace of the thread that calls Open.
type RawSockets struct{}

// control is the type of service, or traffic class, of adverts: internetwork
// control, RFC 791.
const control = 0xc0

// priority is TC_PRIO_CONTROL of linux/pkt_sched.h: a queueing discipline
// sends adverts first.
const priority = 7

// Open implements [Opener].
func (RawSockets) Open(s Socket, vrids []uint8, receive func(wire.Datagram)) (Conn, error) {
	c := &rawConn{family: &ipv4{protocol: wire.Protocol}, socket: s, ended: make(chan struct{})}
	switch {
	case s.local().Is6():
		c.family = &ipv6{}
	case s.AH:
		c.family = &ipv4{protocol: wire.ProtocolAH}
	}
	rx, err := c.openReceive(s, vrids)
	if err != nil {
		return nil, fmt.Errorf("open VRRP socket for %s on %q: %w", s.local(), s.Link, err)
	}
	tx, err := c.openSend(s)
	if err != nil {
		return nil, fmt.Errorf("open VRRP socket to send on %q: %w", s.Link, errors.Join(err, unix.Close(rx)))
	}
	c.rx, c.tx = os.NewFile(uintptr(rx), "vrrp"), tx
	go c.read(receive)
	return c, nil
}

// local is the destination address of what the socket receives.
func (s Socket) local() netip.Addr {
	if s.Group.IsValid() {
		return s.Group
	}
	return s.Source
}

// family is what raw sockets of IPv4 and of IPv6 differ in.
type family interface {
	openReceive(s Socket, vrids []uint8) (int, error)
	openSend(s Socket) (int, error)
	// filter passes whole VRRP headers with one of the virtual router ids and
	// drops everything else in the kernel. A time to live or a version that is
	// wrong passes: the machine counts those, as keepalived does.
	filter(vrids []uint8) []bpf.Instruction
	send(fd int, o *Outgoing, flags int) error
	// parse makes a datagram of what recvmsg(2) delivers; its payload is part
	// of b.
	parse(b, ancillary []byte, from unix.Sockaddr) (wire.Datagram, bool)
}

// rawConn is a pair of raw sockets.
type rawConn struct {
	family
	socket Socket
	rx     *os.File
	tx     int
	ended  chan struct{} // closed when the reader has ended
}

// rawSocket makes a socket for an IP protocol and takes the steps on it.
func rawSocket(domain, protocol int, steps ...func(fd int) error) (int, error) {
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	for _, step := range steps {
		if err := step(fd); err != nil {
			return -1, errors.Join(err, unix.Close(fd))
		}
	}
	return fd, nil
}

// option is the step that sets a number.
func option(level, name, value int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) }
}

// deaf is the step that lets nothing in.
func deaf(fd int) error {
	return errors.Join(
		attach(fd, []bpf.Instruction{bpf.RetConstant{Val: 0}}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0),
	)
}

func (s Socket) bindToLink(fd int) error {
	if s.Link == "" {
		return nil
	}
	return unix.BindToDevice(fd, s.Link)
}

// linkIndex asks the namespace of the socket.
func linkIndex(fd int, link string) (int32, error) {
	request, err := unix.NewIfreq(link)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int32(request.Uint32()), nil
}

// filterVRID ends a filter that has loaded the virtual router id.
func filterVRID(program []bpf.Instruction, vrids []uint8) []bpf.Instruction {
	const drop, whole = 0, 1 << 16
	if vrids == nil {
		return append(program, bpf.RetConstant{Val: whole})
	}
	for _, vrid := range vrids {
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(vrid), SkipFalse: 1},
			bpf.RetConstant{Val: whole})
	}
	return append(program, bpf.RetConstant{Val: drop})
}

func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, op := range raw {
		filter[i] = unix.SockFilter{Code: op.Op, Jt: op.Jt, Jf: op.Jf, K: op.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}

// Send implements [Conn].
func (c *rawConn) Send(o Outgoing) error {
	flags := 0
	if c.socket.Group.IsValid() {
		flags = unix.MSG_DONTROUTE
	}
	if err := c.send(c.tx, &o, flags); err != nil {
		return fmt.Errorf("send advert to %s: %w", o.Dst, err)
	}
	return nil
}

// Filter implements [Conn].
func (c *rawConn) Filter(vrids []uint8) error {
	raw, err := c.rx.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = attach(int(fd), c.filter(vrids)) })
	return errors.Join(err, failed)
}

// Close implements [Conn]: it ends the reader and waits for it.
func (c *rawConn) Close() error {
	err := errors.Join(c.rx.Close(), unix.Close(c.tx))
	<-c.ended
	return err
}

// read hands on datagrams until the socket is closed. Errors of recvmsg belong
// to a link that is down or to an ICMP message and end with the call that
// reports them.
func (c *rawConn) read(receive func(wire.Datagram)) {
	defer close(c.ended)
	raw, err := c.rx.SyscallConn()
	if err != nil {
		return
	}
	buf, ancillary := make([]byte, 1<<16), make([]byte, 256)
	for {
		var n, m int
		var from unix.Sockaddr
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, m, _, from, failed = unix.Recvmsg(int(fd), buf, ancillary, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil {
			return
		}
		if failed != nil {
			continue
		}
		if d, ok := c.parse(buf[:n], ancillary[:m], from); ok && d.Dst == c.socket.local() {
			receive(kept(d))
		}
	}
}

// kept is a datagram with bytes of its own: the buffer is used again.
func kept(d wire.Datagram) wire.Datagram {
	headers := len(d.Headers)
	own := append(append(make([]byte, 0, headers+len(d.Payload)), d.Headers...), d.Payload...)
	if headers > 0 {
		d.Headers = own[:headers:headers]
	}
	d.Payload = own[headers:]
	return d
}
