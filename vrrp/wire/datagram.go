package wire

import "net/netip"

// Datagram is a received IP datagram of protocol 112.
type Datagram struct {
	Src, Dst netip.Addr
	TTL      int    // TTL or hop limit; -1 when the kernel did not tell
	Payload  []byte // the VRRP message, IP header removed
}

// Pseudo is the part of the IP header that a checksum covers.
func (d *Datagram) Pseudo() Pseudo { return Pseudo{Src: d.Src, Dst: d.Dst} }
