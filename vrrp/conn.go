package vrrp

import (
	"net/netip"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// Socket says which adverts a connection carries: those of a multicast group,
// or those to an own unicast address, on one link. Instances that agree in it
// share the connection.
type Socket struct {
	Link   string     // "": unicast without an interface
	Group  netip.Addr // destination of multicast adverts
	Source netip.Addr // of unicast instances: the own address
	AH     bool       // protocol 51 with authentication headers
}

// Conn carries the adverts of one [Socket]. Its methods are called by the loop
// only, and none of them blocks.
type Conn interface {
	// Send sends one datagram.
	Send(Outgoing) error
	// Receive hands over what has arrived, datagram by datagram, each of which
	// is valid during the call only. It may leave some for the next time.
	Receive(each func(*wire.Datagram))
	// Filter replaces the virtual router ids that are received; nil: all.
	Filter(vrids []uint8) error
	// Buffer sizes what the kernel keeps of datagrams that are not received
	// yet; the zero value: as much as it likes to.
	Buffer(Buffer) error
	Close() error
}

// Buffer is the size of a receive buffer: a number of bytes, and as many
// datagrams as long as the link can carry.
type Buffer struct{ Bytes, MTUs int }

// Outgoing is a datagram of protocol 112 to be sent, or of protocol 51.
type Outgoing struct {
	Src, Dst netip.Addr
	TTL      uint8    // or hop limit; 0: over IPv6 the kernel's default
	ID       uint16   // identification in the IPv4 header
	Payload  []byte   // the VRRP message; the sender uses it again
	AH       *wire.AH // makes the authentication header; nil: none
	Sequence uint32   // in the authentication header
}

// Opener opens connections, for some virtual router ids or, with nil, all.
// Whenever there is something to receive that was not there before, arrived is
// called, by any goroutine; it never blocks.
type Opener interface {
	Open(s Socket, vrids []uint8, arrived func()) (Conn, error)
}
