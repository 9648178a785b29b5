package agentx

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Type is the syntax of a value, RFC 2741 section 5.4.
type Type uint16

// The syntaxes.
const (
	TypeNone           Type = 0 // no value: the object has no such instance
	TypeInteger        Type = 2
	TypeOctets         Type = 4
	TypeNull           Type = 5
	TypeOID            Type = 6
	TypeIPAddress      Type = 64
	TypeCounter32      Type = 65
	TypeGauge32        Type = 66
	TypeTimeTicks      Type = 67
	TypeOpaque         Type = 68
	TypeCounter64      Type = 70
	TypeNoSuchObject   Type = 128
	TypeNoSuchInstance Type = 129
	TypeEndOfMIBView   Type = 130
)

// Value is what an object has. The zero value is none.
type Value struct {
	Type   Type
	Number uint64 // of the numbers; that of an Integer is its two's complement
	Octets string // of octets, addresses and the opaque
	OID    OID
}

// Integer is an Integer32 or an enumeration.
func Integer[T ~int | ~int32 | ~uint8](n T) Value {
	return Value{Type: TypeInteger, Number: uint64(uint32(int32(n)))}
}

// Gauge is a Gauge32 or Unsigned32.
func Gauge[T ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](n T) Value {
	return Value{Type: TypeGauge32, Number: uint64(uint32(n))}
}

// Counter32 wraps at 2^32.
func Counter32(n uint64) Value {
	return Value{Type: TypeCounter32, Number: n & 0xffffffff}
}

// Counter64 is a counter that does not wrap.
func Counter64(n uint64) Value { return Value{Type: TypeCounter64, Number: n} }

// Ticks are hundredths of a second; they wrap at 2^32.
func Ticks(n int64) Value {
	return Value{Type: TypeTimeTicks, Number: uint64(uint32(n))}
}

// Text is a DisplayString.
func Text(s string) Value { return Value{Type: TypeOctets, Octets: s} }

// Address is an InetAddress, RFC 4001; none for an invalid one.
func Address(a netip.Addr) Value {
	if !a.IsValid() {
		return Value{}
	}
	return Value{Type: TypeOctets, Octets: string(a.AsSlice())}
}

// IPAddress is an IpAddress: of IPv4, 0.0.0.0 for any other.
func IPAddress(a netip.Addr) Value {
	if !a.Is4() {
		a = netip.IPv4Unspecified()
	}
	return Value{Type: TypeIPAddress, Octets: string(a.AsSlice())}
}

// Name is an object identifier as a value.
func Name(o OID) Value { return Value{Type: TypeOID, OID: o} }

// Int is the number of an Integer.
func (v Value) Int() int { return int(int32(uint32(v.Number))) }

// VarBind is an object and its value.
type VarBind struct {
	Name  OID
	Value Value
}

func appendOctets(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	b = append(b, s...)
	return append(b, make([]byte, (4-len(s)%4)%4)...)
}

func (r *reader) octets() string {
	n := r.uint32()
	if uint64(n) > uint64(len(r.b)) {
		r.fail("octets that are longer than the PDU")
		return ""
	}
	s := string(r.bytes(int(n)))
	r.bytes((4 - int(n)%4) % 4)
	return s
}

func appendVarBind(b []byte, v *VarBind) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(v.Value.Type))
	b = append(b, 0, 0)
	b = appendOID(b, v.Name, false)
	switch v.Value.Type {
	case TypeInteger, TypeCounter32, TypeGauge32, TypeTimeTicks:
		b = binary.BigEndian.AppendUint32(b, uint32(v.Value.Number))
	case TypeCounter64:
		b = binary.BigEndian.AppendUint64(b, v.Value.Number)
	case TypeOctets, TypeIPAddress, TypeOpaque:
		b = appendOctets(b, v.Value.Octets)
	case TypeOID:
		b = appendOID(b, v.Value.OID, false)
	}
	return b
}

func (r *reader) varBind() (v VarBind) {
	v.Value.Type = Type(r.uint16())
	r.bytes(2)
	v.Name, _ = r.oid()
	switch v.Value.Type {
	case TypeInteger, TypeCounter32, TypeGauge32, TypeTimeTicks:
		v.Value.Number = uint64(r.uint32())
	case TypeCounter64:
		v.Value.Number = r.uint64()
	case TypeOctets, TypeIPAddress, TypeOpaque:
		v.Value.Octets = r.octets()
	case TypeOID:
		v.Value.OID, _ = r.oid()
	case TypeNull, TypeNoSuchObject, TypeNoSuchInstance, TypeEndOfMIBView:
	default:
		r.fail(fmt.Sprintf("a value of the unknown type %d", v.Value.Type))
	}
	return v
}
