package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// control is the type of service, or traffic class, of adverts: internetwork
// control, RFC 791.
const control = 0xc0

// priority is TC_PRIO_CONTROL of linux/pkt_sched.h: a queueing discipline
// sends adverts first.
const priority = 7

// openRaw opens raw sockets as keepalived does: one to receive, bound to the
// link and to the group or own address, and one to send, which receives
// nothing. They belong to the network namespace of the calling thread.
func openRaw(s Socket, vrids []uint8, in *inbox) (*rawConn, error) {
	c, err := newRaw(s, in)
	if err != nil {
		return nil, err
	}
	if err := c.setUp(vrids); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// newRaw makes the sockets, which receive nothing yet. It does not wait.
func newRaw(s Socket, in *inbox) (c *rawConn, err error) {
	c = &rawConn{family: &ipv4{protocol: wire.Protocol}, socket: s, in: in}
	switch {
	case s.local().Is6():
		c.family = &ipv6{}
	case s.AH:
		c.family = &ipv4{protocol: wire.ProtocolAH}
	}
	if c.rx, err = c.make(); err != nil {
		return nil, fmt.Errorf("make VRRP socket for %s on %q: %w", s.local(), s.Link, err)
	}
	if c.tx, err = c.make(); err != nil {
		return nil, fmt.Errorf("make VRRP socket to send on %q: %w", s.Link, errors.Join(err, unix.Close(c.rx)))
	}
	return c, nil
}

// setUp makes of the sockets what they are to be, on any thread. To join a group
// it may have to wait for whoever changes the links of the machine.
func (c *rawConn) setUp(vrids []uint8) error {
	s := c.socket
	for _, step := range c.toReceive(s, vrids) {
		if err := step(c.rx); err != nil {
			return fmt.Errorf("open VRRP socket for %s on %q: %w", s.local(), s.Link, err)
		}
	}
	for _, step := range append(c.toSend(s), s.roomForTheDead) {
		if err := step(c.tx); err != nil {
			return fmt.Errorf("open VRRP socket to send on %q: %w", s.Link, err)
		}
	}
	return nil
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
	// make makes a raw socket that lets nothing in.
	make() (int, error)
	toReceive(s Socket, vrids []uint8) []step
	toSend(s Socket) []step // after the steps of toReceive
	// filter passes whole VRRP headers with one of the virtual router ids and
	// drops everything else in the kernel. A time to live or a version that is
	// wrong passes: the machine counts those, as keepalived does.
	filter(vrids []uint8) []bpf.Instruction
	// write writes a letter but for the socket that it leaves by.
	write(l *letter, o *Outgoing) (ancillary []byte)
	// parse makes a datagram of what recvmsg(2) delivers; its payload is part
	// of b.
	parse(b, ancillary []byte, from *unix.RawSockaddrInet6) (wire.Datagram, bool)
}

// rawConn is a pair of raw sockets.
type rawConn struct {
	family
	socket Socket
	rx, tx int
	in     *inbox
	heard  wire.Datagram // what is handed over
	slot   int           // where it is in the inbox
	out    Outgoing      // what is sent, and
	letter letter        // what becomes of it
	rest   func()        // may be nil: lets the socket rest when it has much to say
	pulse  pulse
}

// step is one on the way from a new socket to one that can be used.
type step func(fd int) error

// rawSocket makes a socket for an IP protocol.
func rawSocket(domain, protocol int) (int, error) {
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	if err := attach(fd, []bpf.Instruction{bpf.RetConstant{Val: 0}}); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// option is the step that sets a number.
func option(level, name, value int) step {
	return func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) }
}

func (s Socket) bindToLink(fd int) error {
	if s.Link == "" {
		return nil
	}
	return unix.BindToDevice(fd, s.Link)
}

// sendBuffer is room for what the kernel keeps for peers that do not answer
// ARP: 212,992 octets each, unres_qlen_bytes of arp(7), for three seconds. What
// does not fit would keep adverts from the others.
const sendBuffer = 32 << 20

// roomForTheDead is of use with unicast peers alone, and as much as the kernel
// grants.
func (s Socket) roomForTheDead(fd int) error {
	if !s.Group.IsValid() && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	return nil
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
	c.load(&c.letter, o)
	c.letter.leave()
	return unsent(o.Dst, c.letter.errno)
}

// load makes a letter of a datagram, which leaves later.
func (c *rawConn) load(l *letter, o Outgoing) {
	flags := 0
	if c.socket.Group.IsValid() {
		flags = unix.MSG_DONTROUTE
	}
	c.out = o
	l.seal(c.tx, c.write(l, &c.out), flags)
}

// unsent is the error of a datagram that could not be sent; nil: it was.
func unsent(to netip.Addr, errno unix.Errno) error {
	if errno != 0 {
		return fmt.Errorf("send advert to %s: %w", to, errno)
	}
	return nil
}

// mostAtOnce is how many datagrams are received before something else has its turn:
// more than wait in a buffer of the usual size.
const mostAtOnce = 1024

// Receive implements [Conn]. Errors of recvmsg belong to a link that is down
// or to an ICMP message and end with the call that reports them.
func (c *rawConn) Receive(each func(*wire.Datagram)) {
	for taken := 0; taken < mostAtOnce; {
		n := c.in.receive(c.rx, c.socket.local().Is6())
		for i := range n {
			if c.take(i) {
				each(&c.heard)
			}
		}
		if taken += n; n < batch {
			break
		}
	}
	if c.rest != nil && c.pulse.fast(time.Now()) {
		c.rest()
	}
}

// take looks at a datagram in the inbox, and says whether it is for this socket.
func (c *rawConn) take(slot int) (ok bool) {
	c.slot = slot
	c.heard, ok = c.parse(c.in.at(slot))
	return ok && c.heard.Dst == c.socket.local()
}

// Filter implements [Conn].
func (c *rawConn) Filter(vrids []uint8) error { return attach(c.rx, c.filter(vrids)) }

// Buffer implements [Conn]. Back to the kernel's own choice leads the next
// socket: nobody can tell what that would be now.
func (c *rawConn) Buffer(b Buffer) error {
	size := b.Bytes
	if b.MTUs > 0 {
		mtu, err := linkMTU(c.rx, c.socket.Link)
		if err != nil {
			return fmt.Errorf("size the receive buffer on %q: %w", c.socket.Link, err)
		}
		size += b.MTUs * mtu
	}
	if size == 0 {
		return nil
	}
	return unix.SetsockoptInt(c.rx, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
}

// linkMTU is that of the link, or the usual one without a link.
func linkMTU(fd int, link string) (int, error) {
	const usual = 1500
	if link == "" {
		return usual, nil
	}
	request, err := unix.NewIfreq(link)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFMTU, request)
	return int(request.Uint32()), err
}

// Close implements [Conn].
func (c *rawConn) Close() error { return errors.Join(unix.Close(c.rx), unix.Close(c.tx)) }
