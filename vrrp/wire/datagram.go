package wire

import (
	"encoding/binary"
	"net/netip"
)

// Datagram is a received IP datagram with a VRRP message in it.
type Datagram struct {
	Src, Dst netip.Addr
	TTL      int    // TTL or hop limit; -1 when the kernel did not tell
	Payload  []byte // the VRRP message, headers removed
	Headers  []byte // of protocol 51 alone: the IPv4 header and the authentication header
}

// Pseudo is the part of the IP header that a checksum covers.
func (d *Datagram) Pseudo() Pseudo { return Pseudo{Src: d.Src, Dst: d.Dst} }

// Sequence is the number in the authentication header, 0 when there is none.
func (d *Datagram) Sequence() uint32 {
	if len(d.Headers) < ahEnd {
		return 0
	}
	return binary.BigEndian.Uint32(d.Headers[len(d.Headers)-AHLen:][sequenceAt-ipv4HeaderLen:])
}
