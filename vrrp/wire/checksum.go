package wire

import "encoding/binary"

// sum adds the bytes as 16-bit words to s, RFC 1071. An odd last byte counts
// as the upper half of a word.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold brings the carries home.
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// sum is that of the pseudo-header for a message of the given length. The
// layouts of IPv4 and IPv6 add up to the same formula.
func (p Pseudo) sum(length int) uint32 { return p.upperLayerSum(length, Protocol) }

func (p Pseudo) upperLayerSum(length int, protocol uint32) uint32 {
	s := uint32(length) + protocol
	if p.Src.Is4() {
		src, dst := p.Src.As4(), p.Dst.Unmap().As16()
		return sum(sum(s, src[:]), dst[12:])
	}
	src, dst := p.Src.As16(), p.Dst.As16()
	return sum(sum(s, src[:]), dst[:])
}
