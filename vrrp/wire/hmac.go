package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"net/netip"
)

// HMACLen is the length of the trailer of keepalived's auth_hmac, which stands
// behind the VRRP message:
//
//	type 1 | key id | 0 | 0 | seconds (32) | fraction (16) | counter (16) | HMAC-SHA256-128
const HMACLen = 28

const (
	trailerType = 1
	trailerHead = HMACLen - macLen
	macLen      = 16
	stampAt     = 4  // in the trailer
	pseudoLen   = 20 // family, version, VRID, 0, source
	pduSumAt    = 6  // in the message
)

// HMAC makes and checks trailers with one key. It is not safe for concurrent
// use.
type HMAC struct {
	id      uint8
	mac     hash.Hash
	sum     [sha256.Size]byte
	scratch [pseudoLen + trailerHead + macLen]byte
}

// NewHMAC takes the number of a key and its bytes.
func NewHMAC(id uint8, key []byte) *HMAC {
	return &HMAC{id: id, mac: hmac.New(sha256.New, key)}
}

// Trailer is what a received datagram has behind its message.
type Trailer []byte

// WellFormed says that the trailer is of the one type that there is.
func (t Trailer) WellFormed() bool {
	return len(t) == HMACLen && t[0] == trailerType && t[2] == 0 && t[3] == 0
}

// KeyID is the number of the key.
func (t Trailer) KeyID() uint8 { return t[1] }

// Sequence is seconds, fraction and counter as one number, which grows from
// advert to advert.
func (t Trailer) Sequence() uint64 { return binary.BigEndian.Uint64(t[stampAt:]) }

// Verify checks the trailer of a message from an address.
func (h *HMAC) Verify(message []byte, t Trailer, src netip.Addr) bool {
	return subtle.ConstantTimeCompare(h.sign(message, t[:trailerHead], src), t[trailerHead:]) == 1
}

// append appends the trailer to b, which ends with the message.
func (h *HMAC) append(b, message []byte, src netip.Addr, sequence uint64) []byte {
	start := len(b)
	b = append(b, trailerType, h.id, 0, 0)
	b = binary.BigEndian.AppendUint64(b, sequence)
	return append(b, h.sign(message, b[start:], src)...)
}

// sign is over a pseudo-header, the message as if it had no checksum, and the
// trailer with zeros where the value goes.
func (h *HMAC) sign(message, head []byte, src netip.Addr) []byte {
	clear(h.scratch[:])
	pseudo, tail := h.scratch[:pseudoLen], h.scratch[pseudoLen:]
	pseudo[0], pseudo[1], pseudo[2] = 6, message[0]>>4, message[1]
	if src.Is4() {
		pseudo[0] = 4
		addr := src.As4()
		copy(pseudo[4:], addr[:])
	} else {
		addr := src.As16()
		copy(pseudo[4:], addr[:])
	}
	copy(tail, head)
	h.mac.Reset()
	h.mac.Write(pseudo)
	h.mac.Write(message[:pduSumAt])
	h.mac.Write(tail[trailerHead : trailerHead+2]) // zeros
	h.mac.Write(message[pduSumAt+2:])
	h.mac.Write(tail)
	return h.mac.Sum(h.sum[:0])[:macLen]
}
