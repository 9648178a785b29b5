package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Protocol is the IP protocol number of VRRP, RFC 9568 section 5.1.1.4.
const Protocol = 112

// Types of v2 authentication, RFC 2338 section 5.3.6.
const (
	AuthNone uint8 = 0
	AuthPass uint8 = 1
	AuthAH   uint8 = 2
)

// MaxAddrs is how many addresses an advert can list, RFC 9568 section 5.2.5.
const MaxAddrs = 255

const (
	typeAdvert = 1 // the only type, RFC 9568 section 5.2.2
	headerLen  = 8 // up to the first address
	authLen    = 8 // v2: RFC 3768 section 5.3.10; always there over IPv4, and never over IPv6, which keepalived has invented for v2
	centi      = 10 * time.Millisecond

	// A datagram shorter than the smallest Ethernet payload arrives padded,
	// unless the receiver has cut it to the length in its IPv4 header.
	minEthernetPayload = 46
	ipv4HeaderLen      = 20
)

// What Parse finds wrong. The errors are returned as they are, so that
// rejecting a datagram costs no allocation.
var (
	ErrLength   = errors.New("length does not fit the number of addresses")
	ErrVersion  = errors.New("version is neither 2 nor 3")
	ErrType     = errors.New("type is not ADVERTISEMENT")
	ErrChecksum = errors.New("checksum is wrong")
	ErrInterval = errors.New("advertisement interval is zero")
)

// Advert is a VRRP advertisement, RFC 9568 section 5.2 and RFC 3768 section
// 5.3.
type Advert struct {
	Version  uint8         // 2 or 3
	VRID     uint8         // Virtual Rtr ID
	Priority uint8         // 255: address owner; 0: the master resigns
	Interval time.Duration // v2: whole seconds up to 255; v3: 10 ms to 40.95 s in steps of 10 ms
	AuthType uint8         // v2 only
	Auth     [authLen]byte // v2 over IPv4 only: password, padded with zeros
	Addrs    []netip.Addr  // in configuration order, all of one family

	// MessageChecksum says that the checksum of a v3 advert over IPv4 covers
	// the message alone, as RFC 9568 section 5.2.8 has it. keepalived and FRR
	// follow RFC 5798 and include the pseudo-header.
	MessageChecksum bool
	// OldChecksum says that the checksum of a v3 advert to a unicast address
	// over IPv4 was made for 224.0.0.18, as keepalived up to 1.3.6 did.
	OldChecksum bool

	// Trailer is what stands behind the message, of HMACLen bytes, when there is
	// anything. After Decode it is part of what was decoded, not yet verified.
	Trailer Trailer
}

// Pseudo is what a checksum covers of the IP header: of IPv6 always, RFC 8200
// section 8.1, of IPv4 in version 3.
type Pseudo struct{ Src, Dst netip.Addr }

// AppendTo appends the advert as it goes into an IP datagram between the
// addresses of p. It fails for values that the format cannot carry.
func (a *Advert) AppendTo(b []byte, p Pseudo) ([]byte, error) {
	start := len(b)
	b, err := a.appendMessage(b, p)
	if err != nil {
		return b, err
	}
	end := len(b)
	return a.seal(append(b, a.Trailer...), start, end, p), nil
}

// AppendSigned is AppendTo with a trailer that is made with a key.
func (a *Advert) AppendSigned(b []byte, p Pseudo, key *HMAC, sequence uint64) ([]byte, error) {
	start := len(b)
	b, err := a.appendMessage(b, p)
	if err != nil {
		return b, err
	}
	end := len(b)
	return a.seal(key.append(b, b[start:end], p.Src, sequence), start, end, p), nil
}

// appendMessage appends the message without its checksum.
func (a *Advert) appendMessage(b []byte, p Pseudo) ([]byte, error) {
	interval, err := a.interval()
	if err != nil {
		return b, err
	}
	if len(a.Addrs) > MaxAddrs {
		return b, fmt.Errorf("advert with %d addresses, %d is the most", len(a.Addrs), MaxAddrs)
	}
	if !p.Src.IsValid() {
		return b, errors.New("advert without a source address")
	}
	if p.Src.Is4() != p.Dst.Is4() {
		return b, fmt.Errorf("advert from %s to %s of the other family", p.Src, p.Dst)
	}
	start := len(b)
	b = append(b, a.Version<<4|typeAdvert, a.VRID, a.Priority, uint8(len(a.Addrs)))
	b = append(b, interval[0], interval[1], 0, 0)
	for _, addr := range a.Addrs {
		if addr.Is4() != p.Src.Is4() {
			return b[:start], fmt.Errorf("advert from %s with address %s of the other family", p.Src, addr)
		}
		b = append(b, addr.AsSlice()...)
	}
	if a.Version == 2 && p.Src.Is4() {
		b = append(b, a.Auth[:]...)
	}
	return b, nil
}

// seal writes the checksum of the message between start and end. Over IPv6 it
// is the kernel's in keepalived, which knows of no trailer and covers it.
func (a *Advert) seal(b []byte, start, end int, p Pseudo) []byte {
	covered := b[start:end]
	if !p.Src.Is4() {
		covered = b[start:]
	}
	binary.BigEndian.PutUint16(covered[6:], ^fold(sum(a.seed(p, len(covered)), covered)))
	return b
}

// interval is bytes 4 and 5: v2 has the type of authentication and seconds
// there, v3 four reserved bits and centiseconds.
func (a *Advert) interval() (two [2]byte, err error) {
	switch a.Version {
	case 2:
		if a.Interval < time.Second || a.Interval > 255*time.Second || a.Interval%time.Second != 0 {
			return two, fmt.Errorf("interval %s in a version 2 advert", a.Interval)
		}
		return [2]byte{a.AuthType, uint8(a.Interval / time.Second)}, nil
	case 3:
		if a.Interval < centi || a.Interval > 4095*centi || a.Interval%centi != 0 {
			return two, fmt.Errorf("interval %s in a version 3 advert", a.Interval)
		}
		binary.BigEndian.PutUint16(two[:], uint16(a.Interval/centi))
		return two, nil
	}
	return two, fmt.Errorf("advert of version %d", a.Version)
}

// seed is the checksum of the pseudo-header, or nothing where none is used.
func (a *Advert) seed(p Pseudo, length int) uint32 {
	if p.Src.Is4() && (a.Version == 2 || a.MessageChecksum) {
		return 0
	}
	if a.OldChecksum && p.old() {
		p.Dst = group4()
	}
	return p.sum(length)
}

// Parse decodes the payload of an IP datagram between the addresses of p.
func Parse(b []byte, p Pseudo) (Advert, error) {
	var a Advert
	err := a.Decode(b, p)
	if err != nil {
		return Advert{}, err
	}
	return a, nil
}

// Decode is Parse into an advert whose list of addresses is used again. After
// an error the advert holds nothing of use.
func (a *Advert) Decode(b []byte, p Pseudo) error {
	if len(b) < headerLen {
		return ErrLength
	}
	*a = Advert{Version: b[0] >> 4, VRID: b[1], Priority: b[2], Addrs: a.Addrs[:0]}
	if a.Version != 2 && a.Version != 3 {
		return ErrVersion
	}
	if b[0]&0x0f != typeAdvert {
		return ErrType
	}
	message, size := cut(b, a.Version, p)
	if message == nil {
		return ErrLength
	}
	covered := message
	if len(b) == len(message)+HMACLen {
		a.Trailer = b[len(message):]
		if !p.Src.Is4() {
			covered = b
		}
	}
	if !a.verify(covered, p) {
		return ErrChecksum
	}
	if a.Version == 2 {
		a.AuthType = b[4]
		a.Interval = time.Duration(b[5]) * time.Second
		if p.Src.Is4() {
			copy(a.Auth[:], message[len(message)-authLen:])
		}
	} else {
		a.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0x0fff) * centi
		if a.Interval == 0 {
			return ErrInterval // RFC 9568 erratum 8301
		}
	}
	for i := range int(b[3]) {
		addr, _ := netip.AddrFromSlice(message[headerLen+i*size:][:size])
		a.Addrs = append(a.Addrs, addr)
	}
	return nil
}

// cut is the message without padding and trailer, nil when the length is impossible, and
// the size of one of its addresses.
func cut(b []byte, version uint8, p Pseudo) (message []byte, size int) {
	size = 16
	if p.Src.Is4() {
		size = 4
	}
	length := headerLen + int(b[3])*size
	if version == 2 && p.Src.Is4() {
		length += authLen
	}
	padded := p.Src.Is4() && len(b)+ipv4HeaderLen <= minEthernetPayload
	if len(b) < length || len(b) > length && len(b) != length+HMACLen && !padded {
		return nil, size
	}
	return b[:length], size
}

// verify checks the sum and learns which of several forms was used.
func (a *Advert) verify(message []byte, p Pseudo) bool {
	plain := sum(0, message)
	if fold(plain+a.seed(p, len(message))) == 0xffff {
		return true
	}
	if a.Version != 3 || !p.Src.Is4() {
		return false
	}
	if fold(plain) == 0xffff {
		a.MessageChecksum = true
		return true
	}
	if !p.old() {
		return false
	}
	a.OldChecksum = true
	return fold(plain+a.seed(p, len(message))) == 0xffff
}

// old says that there can be an [Advert.OldChecksum] between the addresses.
func (p Pseudo) old() bool { return p.Src.Is4() && p.Dst.Is4() && !p.Dst.IsMulticast() }

// group4 is the IPv4 multicast group of VRRP, RFC 9568 section 5.1.1.2.
func group4() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 18}) }
