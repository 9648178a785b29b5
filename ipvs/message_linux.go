package ipvs

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// messages are those of netlink that are sent together, one behind the other, in
// a buffer that is used again. At a start there are tens of thousands: with the
// library's encoder, which allocates for each attribute, they took more memory
// than all that is kept of the configuration.
type messages struct {
	b        []byte
	last     int    // where the last one begins
	sequence uint32 // of the last one
}

// reset begins with none. The sequence goes on, so that an answer that comes
// late is not taken for another.
func (m *messages) reset() { m.b = m.b[:0] }

// begin begins a message to a family of generic netlink.
func (m *messages) begin(family uint16, command uint8, flags uint16) {
	m.sequence++
	m.last = len(m.b)
	m.b = append(m.b, 0, 0, 0, 0) // its length
	m.b = binary.NativeEndian.AppendUint16(m.b, family)
	m.b = binary.NativeEndian.AppendUint16(m.b, unix.NLM_F_REQUEST|flags)
	m.b = binary.NativeEndian.AppendUint32(m.b, m.sequence)
	m.b = append(m.b, 0, 0, 0, 0) // to the kernel
	m.b = append(m.b, command, familyVersion, 0, 0)
}

// end ends the message. All attributes end at a multiple of four.
func (m *messages) end() { binary.NativeEndian.PutUint32(m.b[m.last:], uint32(len(m.b)-m.last)) }

// acknowledge has the last message answered, however it goes.
func (m *messages) acknowledge() {
	const flags = 6
	binary.NativeEndian.PutUint16(m.b[m.last+flags:], binary.NativeEndian.Uint16(m.b[m.last+flags:])|unix.NLM_F_ACK)
}

// attribute is one whose value follows, to be closed.
func (m *messages) attribute(kind uint16) (at int) {
	at = len(m.b)
	m.b = append(m.b, 0, 0)
	m.b = binary.NativeEndian.AppendUint16(m.b, kind)
	return at
}

func (m *messages) close(at int) {
	binary.NativeEndian.PutUint16(m.b[at:], uint16(len(m.b)-at))
	for len(m.b)%unix.NLA_ALIGNTO != 0 {
		m.b = append(m.b, 0)
	}
}

func (m *messages) bytes(kind uint16, value []byte) {
	at := m.attribute(kind)
	m.b = append(m.b, value...)
	m.close(at)
}

func (m *messages) uint8(kind uint16, value uint8) { m.bytes(kind, []byte{value}) }

func (m *messages) uint16(kind, value uint16) {
	at := m.attribute(kind)
	m.b = binary.NativeEndian.AppendUint16(m.b, value)
	m.close(at)
}

// port is a number in the order of the network.
func (m *messages) port(kind, value uint16) {
	at := m.attribute(kind)
	m.b = binary.BigEndian.AppendUint16(m.b, value)
	m.close(at)
}

func (m *messages) uint32(kind uint16, value uint32) {
	at := m.attribute(kind)
	m.b = binary.NativeEndian.AppendUint32(m.b, value)
	m.close(at)
}

// text ends with a zero.
func (m *messages) text(kind uint16, value string) {
	at := m.attribute(kind)
	m.b = append(append(m.b, value...), 0)
	m.close(at)
}

func (m *messages) address(kind uint16, value netip.Addr) {
	if value.Is4() {
		a := value.As4()
		m.bytes(kind, a[:])
		return
	}
	a := value.As16()
	m.bytes(kind, a[:])
}
