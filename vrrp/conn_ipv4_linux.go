package vrrp

import (
	"errors"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// ipv4 writes its own IP headers.
type ipv4 struct {
	protocol int // 112, or 51 with authentication headers
}

func (f *ipv4) make() (int, error) { return rawSocket(unix.AF_INET, f.protocol) }

func (f *ipv4) toReceive(s Socket, vrids []uint8) []step {
	local := unix.SockaddrInet4{Addr: s.local().As4()}
	return []step{
		s.bindToLink,
		func(fd int) error { return attach(fd, f.filter(vrids)) },
		option(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
		func(fd int) error { return f.join(fd, s) },
		func(fd int) error { return unix.Bind(fd, &local) },
	}
}

func (f *ipv4) toSend(s Socket) []step {
	return []step{
		option(unix.SOL_SOCKET, unix.SO_RCVBUF, 0),
		s.bindToLink,
		option(unix.IPPROTO_IP, unix.IP_HDRINCL, 1),
		option(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
		func(fd int) error { return f.multicastFrom(fd, s) },
		option(unix.IPPROTO_IP, unix.IP_TOS, control),
		option(unix.SOL_SOCKET, unix.SO_PRIORITY, priority),
	}
}

// join joins the group on the link. The membership ends with the link: a
// socket does not survive it.
func (*ipv4) join(fd int, s Socket) error {
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

func (*ipv4) multicastFrom(fd int, s Socket) error {
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

// filter sees the IP header.
func (f *ipv4) filter(vrids []uint8) []bpf.Instruction {
	const drop, offsetProtocol, offsetVRID, vrrpHeader = 0, 9, 1, 8
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(f.protocol), SkipTrue: 1},
		bpf.RetConstant{Val: drop},
		bpf.LoadMemShift{Off: 0}, // X: length of the IP header
	}
	ah := uint32(0)
	if f.protocol == wire.ProtocolAH {
		ah = wire.AHLen
		program = append(program,
			bpf.LoadIndirect{Off: 0, Size: 1}, // what follows the authentication header
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: wire.Protocol, SkipTrue: 1},
			bpf.RetConstant{Val: drop})
	}
	return filterVRID(append(program,
		// A load beyond the end drops the packet, bpf(4).
		bpf.LoadIndirect{Off: ah + vrrpHeader - 1, Size: 1},
		bpf.LoadIndirect{Off: ah + offsetVRID, Size: 1},
	), vrids)
}

func (*ipv4) write(l *letter, o *Outgoing) (ancillary []byte) {
	if o.AH != nil {
		l.bytes = o.AH.AppendIPv4(l.bytes[:0], o.Src, o.Dst, o.TTL, o.ID, o.Sequence, o.Payload)
	} else {
		l.bytes = wire.AppendIPv4(l.bytes[:0], o.Src, o.Dst, o.TTL, o.ID, o.Payload)
	}
	l.address4(o.Dst)
	return nil
}

// parse splits off the headers. The kernel has checked that of IP already; the
// length that it names is checked by the machine.
func (*ipv4) parse(b, _ []byte, _ *unix.RawSockaddrInet6) (wire.Datagram, bool) {
	return wire.ParseIPv4(b)
}
