package vrrp

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
	xipv6 "golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// ipv6 leaves the IP header to the kernel and speaks about it in ancillary
// data, RFC 3542. The kernel does not look at VRRP's checksum (IPV6_CHECKSUM
// is off): package wire makes it, and the machine checks and counts it.
type ipv6 struct {
	index     int32 // of the link; 0: none
	header    ipv6Header
	ancillary []byte // the same for sendmsg(2), never changed
}

// ipv6Header is what the IP header of the last datagram has from us, which is
// mostly that of the next one too.
type ipv6Header struct {
	src   netip.Addr
	ttl   uint8
	index int32 // of the link, where the addresses alone would not do
}

func (*ipv6) make() (int, error) { return rawSocket(unix.AF_INET6, wire.Protocol) }

func (f *ipv6) toReceive(s Socket, vrids []uint8) []step {
	return []step{
		func(fd int) error { return f.resolve(fd, s) },
		s.bindToLink,
		func(fd int) error { return attach(fd, f.filter(vrids)) },
		option(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
		option(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
		option(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1),
		func(fd int) error { return f.join(fd, s) },
		func(fd int) error { return unix.Bind(fd, f.sockaddr(s.local())) },
	}
}

func (f *ipv6) toSend(s Socket) []step {
	return []step{
		option(unix.SOL_SOCKET, unix.SO_RCVBUF, 0),
		s.bindToLink,
		option(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
		option(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, int(f.index)),
		option(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
		option(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, control),
		option(unix.SOL_SOCKET, unix.SO_PRIORITY, priority),
	}
}

// resolve learns the index of the link. A socket does not survive it.
func (f *ipv6) resolve(fd int, s Socket) (err error) {
	if s.Link != "" {
		f.index, err = linkIndex(fd, s.Link)
	}
	return err
}

func (f *ipv6) join(fd int, s Socket) error {
	if !s.Group.IsValid() {
		return nil
	}
	mreq := unix.IPv6Mreq{Multiaddr: s.Group.As16(), Interface: uint32(f.index)}
	return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &mreq)
}

// sockaddr names the link where the address alone would not.
func (f *ipv6) sockaddr(addr netip.Addr) *unix.SockaddrInet6 {
	to := &unix.SockaddrInet6{Addr: addr.As16()}
	if local(addr) {
		to.ZoneId = uint32(f.index)
	}
	return to
}

// local says that an address means something on its link alone.
func local(addr netip.Addr) bool { return addr.IsLinkLocalUnicast() || addr.IsMulticast() }

// filter sees what follows the IP header and its extensions.
func (*ipv6) filter(vrids []uint8) []bpf.Instruction {
	const offsetVRID, vrrpHeader = 1, 8
	return filterVRID([]bpf.Instruction{
		// A load beyond the end drops the packet, bpf(4).
		bpf.LoadAbsolute{Off: vrrpHeader - 1, Size: 1},
		bpf.LoadAbsolute{Off: offsetVRID, Size: 1},
	}, vrids)
}

// write names the source, and the hop limit unless it is left to the kernel.
func (f *ipv6) write(l *letter, o *Outgoing) (ancillary []byte) {
	header := ipv6Header{src: o.Src, ttl: o.TTL}
	if local(o.Src) || local(o.Dst) {
		header.index = f.index
	}
	if f.ancillary == nil || f.header != header {
		message := xipv6.ControlMessage{Src: o.Src.AsSlice(), HopLimit: int(o.TTL), IfIndex: int(header.index)}
		f.header, f.ancillary = header, message.Marshal()
	}
	l.bytes = append(l.bytes[:0], o.Payload...)
	scope := int32(0)
	if local(o.Dst) {
		scope = f.index
	}
	l.address6(o.Dst, scope)
	return f.ancillary
}

// parse takes the destination and the hop limit from the ancillary data. Where
// the kernel does not tell the hop limit it is -1, which no check accepts.
func (*ipv6) parse(b, ancillary []byte, from *unix.RawSockaddrInet6) (d wire.Datagram, ok bool) {
	const address = 16 // of struct in6_pktinfo
	d = wire.Datagram{Src: netip.AddrFrom16(from.Addr), TTL: -1, Payload: b}
	for len(ancillary) >= unix.SizeofCmsghdr {
		header, data, rest, err := unix.ParseOneSocketControlMessage(ancillary)
		if err != nil {
			return wire.Datagram{}, false
		}
		ancillary = rest
		switch {
		case header.Level != unix.IPPROTO_IPV6:
		case header.Type == unix.IPV6_PKTINFO && len(data) >= address:
			d.Dst, ok = netip.AddrFrom16([address]byte(data)), true
		case header.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			d.TTL = int(int32(binary.NativeEndian.Uint32(data)))
		}
	}
	return d, ok && from.Family == unix.AF_INET6
}
