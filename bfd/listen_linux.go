package bfd

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// ear is a socket to receive, which the loop reads itself.
type ear struct {
	conn     net.PacketConn
	fd       int // of conn
	payload  [1500]byte
	controls [128]byte
}

// most is how many datagrams of a socket are read in a turn.
const most = 256

// listen opens a socket to receive.
func listen(l listener) (*ear, error) {
	network, address := l.address()
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	e := &ear{conn: conn}
	if l.ipv6 {
		err = ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagHopLimit, true)
	} else {
		err = ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagTTL, true)
	}
	raw, wrong := conn.(*net.UDPConn).SyscallConn()
	if err = errors.Join(err, wrong); err == nil {
		err = raw.Control(func(fd uintptr) { e.fd = int(fd) })
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return e, nil
}

// read reads one datagram. It does not wait.
func (e *ear) read(l listener) (arrival, error) {
	n, controls, _, from, err := unix.Recvmsg(e.fd, e.payload[:], e.controls[:], unix.MSG_DONTWAIT)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{listener: l, ttl: -1, payload: e.payload[:n]}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		a.src = netip.AddrFrom4(from.Addr)
		if m := new(ipv4.ControlMessage); m.Parse(e.controls[:controls]) == nil {
			a.ttl = m.TTL
		}
	case *unix.SockaddrInet6:
		a.src = netip.AddrFrom16(from.Addr).Unmap()
		if from.ZoneId != 0 {
			a.src = a.src.WithZone(e.link(from.ZoneId))
		}
		if m := new(ipv6.ControlMessage); m.Parse(e.controls[:controls]) == nil {
			a.ttl = m.HopLimit
		}
	}
	return a, nil
}

// link is the name of a link; empty: it has gone.
func (e *ear) link(index uint32) string {
	request, err := unix.NewIfreq("")
	if err != nil {
		return ""
	}
	request.SetUint32(index)
	if unix.IoctlIfreq(e.fd, unix.SIOCGIFNAME, request) != nil {
		return ""
	}
	return request.Name()
}
