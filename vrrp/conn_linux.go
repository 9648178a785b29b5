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

// RawSockets opens raw IPv4 sockets as keepalived does: one to receive, bound
// to the link and to the group or own address, and one to send, whose IP
// headers are ours and which receives nothing. They belong to the network
// namespace of the thread that calls Open.
type RawSockets struct{}

// protoVRRP is IPPROTO_VRRP, RFC 9568 section 5.1.1.4.
const protoVRRP = 112

// tosControl is the type of service of adverts: internetwork control, RFC 791.
const tosControl = 0xc0

// Open implements [Opener].
func (RawSockets) Open(s Socket, vrids []uint8, receive func(wire.Datagram)) (Conn, error) {
	if s.local().Is6() {
		return nil, fmt.Errorf("open VRRP socket for %s: IPv6 adverts are not supported", s.local())
	}
	rx, err := s.openReceive(vrids)
	if err != nil {
		return nil, fmt.Errorf("open VRRP socket for %s on %q: %w", s.local(), s.Link, err)
	}
	tx, err := s.openSend()
	if err != nil {
		return nil, fmt.Errorf("open VRRP socket to send on %q: %w", s.Link, errors.Join(err, unix.Close(rx)))
	}
	c := &rawConn{socket: s, rx: os.NewFile(uintptr(rx), "vrrp"), tx: tx, ended: make(chan struct{})}
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

// rawConn is a pair of raw sockets.
type rawConn struct {
	socket Socket
	rx     *os.File
	tx     int
	buf    []byte        // of the datagram being sent
	ended  chan struct{} // closed when the reader has ended
}

func (s Socket) openReceive(vrids []uint8) (int, error) {
	local := unix.SockaddrInet4{Addr: s.local().As4()}
	return rawSocket(
		func(fd int) error { return s.bindToLink(fd) },
		func(fd int) error { return attach(fd, receiveFilter(vrids)) },
		func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0) },
		func(fd int) error { return s.join(fd) },
		func(fd int) error { return unix.Bind(fd, &local) },
	)
}

func (s Socket) openSend() (int, error) {
	return rawSocket(
		func(fd int) error { return attach(fd, []bpf.Instruction{bpf.RetConstant{Val: 0}}) },
		func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) },
		func(fd int) error { return s.bindToLink(fd) },
		func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_HDRINCL, 1) },
		func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0) },
		func(fd int) error { return s.multicastFrom(fd) },
		func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, tosControl) },
		// TC_PRIO_CONTROL of linux/pkt_sched.h: a queueing discipline sends
		// adverts first.
		func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7) },
	)
}

// rawSocket makes a socket for protocol 112 and takes the steps on it.
func rawSocket(steps ...func(fd int) error) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protoVRRP)
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

func (s Socket) bindToLink(fd int) error {
	if s.Link == "" {
		return nil
	}
	return unix.BindToDevice(fd, s.Link)
}

// join joins the group on the link. The membership ends with the link: a
// socket does not survive it.
func (s Socket) join(fd int) error {
	if !s.Group.IsValid() {
		return nil
	}
	index, err := linkIndex(fd, s.Link)
	if err != nil {
		return err
	}
	mreq := unix.IPMreqn{Multiaddr: s.Group.As4(), Ifindex: index}
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &mreq)
}

func (s Socket) multicastFrom(fd int) error {
	if !s.Group.IsValid() {
		return nil
	}
	index, err := linkIndex(fd, s.Link)
	if err != nil {
		return err
	}
	mreq := unix.IPMreqn{Ifindex: index}
	return errors.Join(
		unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &mreq),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
	)
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

// receiveFilter passes whole VRRP headers with one of the virtual router ids
// and drops everything else in the kernel. A time to live or a version that is
// wrong passes: the machine counts those, as keepalived does.
func receiveFilter(vrids []uint8) []bpf.Instruction {
	const drop, whole = 0, 1 << 16
	const offsetProtocol, offsetVRID, vrrpHeader = 9, 1, 8
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoVRRP, SkipTrue: 1},
		bpf.RetConstant{Val: drop},
		bpf.LoadMemShift{Off: 0}, // X: length of the IP header
		// A load beyond the end drops the packet, bpf(4).
		bpf.LoadIndirect{Off: vrrpHeader - 1, Size: 1},
		bpf.LoadIndirect{Off: offsetVRID, Size: 1},
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
	c.buf = wire.AppendIPv4(c.buf[:0], o.Src, o.Dst, o.TTL, o.ID, o.Payload)
	flags := 0
	if c.socket.Group.IsValid() {
		flags = unix.MSG_DONTROUTE
	}
	if err := unix.Sendto(c.tx, c.buf, flags, &unix.SockaddrInet4{Addr: o.Dst.As4()}); err != nil {
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
	err = raw.Control(func(fd uintptr) { failed = attach(int(fd), receiveFilter(vrids)) })
	return errors.Join(err, failed)
}

// Close implements [Conn]: it ends the reader and waits for it.
func (c *rawConn) Close() error {
	err := errors.Join(c.rx.Close(), unix.Close(c.tx))
	<-c.ended
	return err
}

// read hands on datagrams until the socket is closed. Other errors belong to a
// link that is down or to an ICMP message and end with the read that reports
// them.
func (c *rawConn) read(receive func(wire.Datagram)) {
	defer close(c.ended)
	buf := make([]byte, 1<<16)
	for {
		n, err := c.rx.Read(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			continue
		}
		if d, ok := parseIPv4(buf[:n]); ok && d.Dst == c.socket.local() {
			d.Payload = append([]byte(nil), d.Payload...)
			receive(d)
		}
	}
}

// parseIPv4 splits what a raw socket delivers. The kernel has checked the
// header already; the length that it names is checked by the machine.
func parseIPv4(b []byte) (wire.Datagram, bool) {
	const minHeader = 20
	if len(b) < minHeader {
		return wire.Datagram{}, false
	}
	header := int(b[0]&0xf) * 4
	if header < minHeader || len(b) < header {
		return wire.Datagram{}, false
	}
	return wire.Datagram{
		Src:     netip.AddrFrom4([4]byte(b[12:16])),
		Dst:     netip.AddrFrom4([4]byte(b[16:20])),
		TTL:     int(b[8]),
		Payload: b[header:],
	}, true
}
