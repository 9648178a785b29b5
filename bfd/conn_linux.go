package bfd

import (
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

// arrival is a datagram.
type arrival struct {
	listener listener
	src      netip.Addr
	ttl      int    // hop limit; -1: not told
	payload  []byte // until the next one is read
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
