package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// The ports of control packets.
const (
	singleHopPort = 3784 // RFC 5881 section 4
	multihopPort  = 4784 // RFC 5883 section 5
)

// Source ports, RFC 5881 section 4.
const (
	firstSourcePort = 49152
	lastSourcePort  = 65535
)

// control is the type of service of the packets, internetwork control, as
// that of adverts.
const control = 0xc0

// listener says where packets are received.
type listener struct {
	ipv6     bool
	multihop bool
}

func (l listener) address() (network, address string) {
	network, port := "udp4", singleHopPort
	if l.ipv6 {
		network = "udp6"
	}
	if l.multihop {
		port = multihopPort
	}
	return network, fmt.Sprintf(":%d", port)
}

// arrival is a datagram on its way to the loop.
type arrival struct {
	listener listener
	src      netip.Addr
	ttl      int // hop limit; -1: not told
	payload  []byte
}

// listen opens a socket to receive and hands on what arrives, until it is
// closed.
func listen(l listener, receive func(arrival)) (net.PacketConn, error) {
	network, address := l.address()
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	read, err := reader(conn, l.ipv6)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, ttl, src, err := read(buf)
			if err != nil {
				return
			}
			if addr, ok := netip.AddrFromSlice(src.IP); ok {
				addr = addr.Unmap()
				if addr.Is6() && addr.IsLinkLocalUnicast() {
					addr = addr.WithZone(src.Zone)
				}
				receive(arrival{l, addr, ttl, append([]byte(nil), buf[:n]...)})
			}
		}
	}()
	return conn, nil
}

// reader reads datagrams with their TTL or hop limit.
func reader(conn net.PacketConn, isIPv6 bool) (func(buf []byte) (n, ttl int, src *net.UDPAddr, err error), error) {
	if isIPv6 {
		c := ipv6.NewPacketConn(conn)
		if err := c.SetControlMessage(ipv6.FlagHopLimit, true); err != nil {
			return nil, err
		}
		return func(buf []byte) (int, int, *net.UDPAddr, error) {
			n, m, src, err := c.ReadFrom(buf)
			if err != nil {
				return 0, 0, nil, err
			}
			ttl := -1
			if m != nil {
				ttl = m.HopLimit
			}
			return n, ttl, src.(*net.UDPAddr), nil
		}, nil
	}
	c := ipv4.NewPacketConn(conn)
	if err := c.SetControlMessage(ipv4.FlagTTL, true); err != nil {
		return nil, err
	}
	return func(buf []byte) (int, int, *net.UDPAddr, error) {
		n, m, src, err := c.ReadFrom(buf)
		if err != nil {
			return 0, 0, nil, err
		}
		ttl := -1
		if m != nil {
			ttl = m.TTL
		}
		return n, ttl, src.(*net.UDPAddr), nil
	}, nil
}

// dial opens the socket that a session sends from, on a source port of its
// own: the one that it was, unless that is 0 or in use.
func dial(cfg *config.BFDInstance, was int, random *rand.Rand) (*net.UDPConn, error) {
	port := uint16(singleHopPort)
	if cfg.Multihop {
		port = multihopPort
	}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(cfg.NeighborIP, port))
	const attempts = 64
	var conn *net.UDPConn
	var err error
	for try := range attempts {
		from := &net.UDPAddr{Port: firstSourcePort + random.IntN(lastSourcePort-firstSourcePort+1)}
		if try == 0 && was != 0 {
			from.Port = was
		}
		if cfg.SourceIP.IsValid() {
			from.IP, from.Zone = cfg.SourceIP.AsSlice(), cfg.SourceIP.Zone()
		}
		if conn, err = net.DialUDP("udp", from, to); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	hops := int(cfg.HopLimit())
	if cfg.NeighborIP.Is6() {
		c := ipv6.NewConn(conn)
		err = c.SetHopLimit(hops)
		if err == nil {
			err = c.SetTrafficClass(control)
		}
	} else {
		c := ipv4.NewConn(conn)
		err = c.SetTTL(hops)
		if err == nil {
			err = c.SetTOS(control)
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// refused reports that nobody listens at the other end: a connected socket
// tells that with the next packet.
func refused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }
