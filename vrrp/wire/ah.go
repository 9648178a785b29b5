package wire

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // RFC 2403 is what the protocol has
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"net/netip"
)

// ProtocolAH is the IP protocol number of the authentication header, RFC 2402.
const ProtocolAH = 51

// AHLen is the length of an authentication header with HMAC-MD5-96.
const AHLen = 24

const (
	icvLen = 12          // RFC 2403: the first 96 bits
	ahSize = AHLen/4 - 2 // Payload Len, RFC 2402 section 2.2
	ahEnd  = ipv4HeaderLen + AHLen

	// Where fields are in the IPv4 header, RFC 791 section 3.1.
	tosAt      = 1
	fragmentAt = 6
	ttlAt      = 8
	protocolAt = 9
	checksumAt = 10
	sourceAt   = 12
	destAt     = 16

	// Where fields are in an authentication header that follows it.
	nextHeaderAt = ipv4HeaderLen
	ahSizeAt     = ipv4HeaderLen + 1
	spiAt        = ipv4HeaderLen + 4
	sequenceAt   = ipv4HeaderLen + 8
	icvAt        = ipv4HeaderLen + 12
)

// AH makes and checks authentication headers, authentication type 2 of RFC
// 2338 section 5.3.6, with one key. It is not safe for concurrent use.
type AH struct {
	mac     hash.Hash
	headers [ahEnd]byte
	sum     [md5.Size]byte
}

// NewAH takes the password; trailing zeros do not matter.
func NewAH(password string) *AH {
	return &AH{mac: hmac.New(md5.New, []byte(password))}
}

// AppendIPv4 appends an IPv4 datagram of protocol 51 with a VRRP message in
// it. As in keepalived the SPI is the source address.
func (a *AH) AppendIPv4(b []byte, src, dst netip.Addr, ttl uint8, id uint16, sequence uint32, message []byte) []byte {
	start := len(b)
	b = appendIPv4Header(b, src, dst, ttl, id, ProtocolAH, AHLen+len(message))
	spi := src.As4()
	b = append(b, Protocol, ahSize, 0, 0)
	b = append(b, spi[:]...)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = append(b, make([]byte, icvLen)...)
	b = append(b, message...)
	copy(b[start+icvAt:], a.icv(b[start:start+ahEnd], message))
	return b
}

// Verify checks the authentication header of a received datagram. The sequence
// number is not looked at.
func (a *AH) Verify(d *Datagram) bool {
	if len(d.Headers) != ahEnd {
		return false // none, or options in the IP header, which nobody sends
	}
	h := d.Headers
	return h[nextHeaderAt] == Protocol && h[ahSizeAt] == ahSize &&
		[4]byte(h[spiAt:]) == [4]byte(h[sourceAt:]) &&
		subtle.ConstantTimeCompare(a.icv(h, d.Payload), h[icvAt:]) == 1
}

// icv is the integrity check value: over the IP header without what may change
// on the way, the authentication header without the value itself, and the
// message. keepalived takes the TTL for one that changes when the destination
// is unicast.
func (a *AH) icv(headers, message []byte) []byte {
	h := a.headers[:copy(a.headers[:], headers)]
	h[tosAt] = 0
	clear(h[fragmentAt:ttlAt])
	if dst := netip.AddrFrom4([4]byte(h[destAt:])); !dst.IsMulticast() {
		h[ttlAt] = 0
	}
	clear(h[checksumAt:sourceAt])
	clear(h[icvAt:])
	a.mac.Reset()
	a.mac.Write(h)
	a.mac.Write(message)
	return a.mac.Sum(a.sum[:0])[:icvLen]
}
