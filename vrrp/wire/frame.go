package wire

import (
	"encoding/binary"
	"net/netip"
)

// AppendIPv4 appends an IPv4 datagram of protocol 112 for a socket with
// IP_HDRINCL, in the header that keepalived writes: no options, TOS 0xc0
// (internetwork control), fragments allowed.
func AppendIPv4(b []byte, src, dst netip.Addr, ttl uint8, id uint16, payload []byte) []byte {
	b = appendIPv4Header(b, src, dst, ttl, id, Protocol, len(payload))
	return append(b, payload...)
}

func appendIPv4Header(b []byte, src, dst netip.Addr, ttl uint8, id uint16, protocol byte, payload int) []byte {
	start := len(b)
	b = append(b, 0x45, 0xc0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderLen+payload))
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 0, 0, ttl, protocol, 0, 0)
	from, to := src.As4(), dst.As4()
	b = append(append(b, from[:]...), to[:]...)
	header := b[start:]
	binary.BigEndian.PutUint16(header[checksumAt:], ^fold(sum(0, header)))
	return b
}

// ParseIPv4 splits an IPv4 datagram of protocol 112, or of protocol 51 around
// it, into headers and message, which are parts of b. What the headers say is
// not checked here: the kernel has looked at that of IP, and [AH.Verify] does
// at the other one.
func ParseIPv4(b []byte) (Datagram, bool) {
	if len(b) < ipv4HeaderLen {
		return Datagram{}, false
	}
	header := int(b[0]&0xf) * 4
	if header < ipv4HeaderLen || len(b) < header {
		return Datagram{}, false
	}
	d := Datagram{
		Src:     netip.AddrFrom4([4]byte(b[sourceAt:])),
		Dst:     netip.AddrFrom4([4]byte(b[destAt:])),
		TTL:     int(b[ttlAt]),
		Payload: b[header:],
	}
	if b[protocolAt] == ProtocolAH {
		if len(d.Payload) < AHLen {
			return Datagram{}, false
		}
		d.Headers, d.Payload = b[:header+AHLen:header+AHLen], d.Payload[AHLen:]
	}
	return d, true
}

// GratuitousARP appends an Ethernet frame that tells the whole link where addr
// is now: a broadcast request whose sender and target are the address itself,
// RFC 5227 section 3. RFC 9568 section 7.1 wants the virtual router's MAC as
// the target hardware address; keepalived writes the broadcast address, and
// switches and firewalls are tuned to that.
func GratuitousARP(b []byte, mac [6]byte, addr netip.Addr) []byte {
	ip := addr.As4()
	b = append(b, broadcast...)
	b = append(b, mac[:]...)
	b = append(b, 0x08, 0x06, // ARP
		0, 1, 0x08, 0, 6, 4, // Ethernet, IPv4, their lengths
		0, 1) // request
	b = append(append(b, mac[:]...), ip[:]...)
	return append(append(b, broadcast...), ip[:]...)
}

const broadcast = "\xff\xff\xff\xff\xff\xff"

// Flags of a neighbour advertisement, RFC 4861 section 4.4.
const (
	flagRouter   = 0x80
	flagOverride = 0x20
)

// UnsolicitedNA appends an Ethernet frame that tells all IPv6 nodes of the
// link where addr is now: a neighbour advertisement from the address itself to
// ff02::1, RFC 9568 section 7.2. The R flag is set when router, which is to
// say when the link forwards.
func UnsolicitedNA(b []byte, mac [6]byte, addr netip.Addr, router bool) []byte {
	const length = 24 + 8 // the message and a target link-layer address
	allNodes := netip.IPv6LinkLocalAllNodes()
	src, dst := addr.As16(), allNodes.As16()
	b = append(b, 0x33, 0x33, 0, 0, 0, 1)
	b = append(b, mac[:]...)
	b = append(b, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, length, 58, 255) // version 6, ICMPv6, hop limit 255
	b = append(append(b, src[:]...), dst[:]...)
	start := len(b)
	flags := byte(flagOverride)
	if router {
		flags |= flagRouter
	}
	b = append(b, 136, 0, 0, 0, flags, 0, 0, 0)
	b = append(b, src[:]...)
	b = append(b, 2, 1) // target link-layer address, in units of eight bytes
	b = append(b, mac[:]...)
	message := b[start:]
	seed := Pseudo{Src: addr, Dst: allNodes}.upperLayerSum(length, 58)
	binary.BigEndian.PutUint16(message[2:], ^fold(sum(seed, message)))
	return b
}
