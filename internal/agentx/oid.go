package agentx

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// OID is an object identifier.
type OID []uint32

// maxSubids is how long an object identifier may be, RFC 2741 section 5.1.
const maxSubids = 128

// Sub is the identifier with more behind it; o stays as it is.
func (o OID) Sub(more ...uint32) OID {
	return append(append(make(OID, 0, len(o)+len(more)), o...), more...)
}

// Compare orders identifiers as SNMP walks them.
func (o OID) Compare(p OID) int { return slices.Compare(o, p) }

// Under reports whether o is p or below it.
func (o OID) Under(p OID) bool { return len(o) >= len(p) && slices.Equal(o[:len(p)], p) }

// String is the identifier with dots.
func (o OID) String() string {
	var b strings.Builder
	for i, n := range o {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.FormatUint(uint64(n), 10))
	}
	return b.String()
}

// internet is what the short form of an identifier leaves out, RFC 2741
// section 5.1.
var internet = [...]uint32{1, 3, 6, 1}

// appendOID writes an identifier; include is that of a search range.
func appendOID(b []byte, o OID, include bool) []byte {
	prefix := byte(0)
	if len(o) > len(internet) && slices.Equal(o[:len(internet)], internet[:]) && o[4] > 0 && o[4] <= 255 {
		prefix, o = byte(o[4]), o[5:]
	}
	flag := byte(0)
	if include {
		flag = 1
	}
	b = append(b, byte(len(o)), prefix, flag, 0)
	for _, n := range o {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// oid reads an identifier.
func (r *reader) oid() (o OID, include bool) {
	head := r.bytes(4)
	if head == nil {
		return nil, false
	}
	n, prefix := int(head[0]), head[1]
	if n > maxSubids || prefix != 0 && n+5 > maxSubids {
		r.fail("an identifier that is too long")
		return nil, false
	}
	if prefix != 0 {
		o = append(append(make(OID, 0, n+5), internet[:]...), uint32(prefix))
	}
	for range n {
		o = append(o, r.uint32())
	}
	return o, head[2] != 0
}
