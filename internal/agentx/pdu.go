package agentx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kind is the type of a PDU, RFC 2741 section 6.1.
type Kind uint8

// The PDUs.
const (
	Open         Kind = 1
	Close        Kind = 2
	Register     Kind = 3
	Get          Kind = 5
	GetNext      Kind = 6
	GetBulk      Kind = 7
	TestSet      Kind = 8
	CommitSet    Kind = 9
	UndoSet      Kind = 10
	CleanupSet   Kind = 11
	Notify       Kind = 12
	Ping         Kind = 13
	AddAgentCaps Kind = 16
	Response     Kind = 18
)

// Flags of a header, RFC 2741 section 6.1.
const (
	flagContext      = 1 << 3
	flagNetworkOrder = 1 << 4
)

// Error is what an answer says, RFC 2741 section 6.2.16 and RFC 3416 section 3.
type Error uint16

// The errors that are used here.
const (
	NoError        Error = 0
	GenErr         Error = 5
	NoAccess       Error = 6
	WrongType      Error = 7
	WrongValue     Error = 10
	CommitFailed   Error = 14
	UndoFailed     Error = 15
	NotWritable    Error = 17
	ParseError     Error = 266
	RequestDenied  Error = 267
	ProcessingFail Error = 268
)

// Range is where a request searches: from Start, which belongs to it when
// Include says so, to before End; an empty End is none.
type Range struct {
	Start   OID
	Include bool
	End     OID
}

// PDU is a message. Which fields count depends on the kind.
type PDU struct {
	Kind        Kind
	Session     uint32
	Transaction uint32
	Packet      uint32
	Context     string // other than the default one

	Timeout  uint8  // Open, Register: seconds; 0: the daemon's
	Priority uint8  // Register
	Reason   uint8  // Close
	OID      OID    // Open, Register, AddAgentCaps
	Text     string // Open, AddAgentCaps: a description

	NonRepeaters, MaxRepetitions uint16 // GetBulk
	Ranges                       []Range
	VarBinds                     []VarBind // TestSet, Notify, Response

	UpTime uint32 // Response: hundredths of a second
	Error  Error  // Response
	Index  uint16 // Response: of the variable that is wrong, from 1
}

// Sizes of PDUs.
const (
	headerSize = 20
	maxPayload = 1 << 20 // what is taken from a daemon
)

// Append writes a PDU in network byte order.
func (p *PDU) Append(b []byte) []byte {
	begin, flags := len(b), byte(flagNetworkOrder)
	if p.Context != "" {
		flags |= flagContext
	}
	b = append(b, 1, byte(p.Kind), flags, 0)
	b = binary.BigEndian.AppendUint32(b, p.Session)
	b = binary.BigEndian.AppendUint32(b, p.Transaction)
	b = binary.BigEndian.AppendUint32(b, p.Packet)
	b = append(b, 0, 0, 0, 0)
	if p.Context != "" {
		b = appendOctets(b, p.Context)
	}
	b = p.appendBody(b)
	binary.BigEndian.PutUint32(b[begin+16:], uint32(len(b)-begin-headerSize))
	return b
}

func (p *PDU) appendBody(b []byte) []byte {
	switch p.Kind {
	case Open:
		b = append(b, p.Timeout, 0, 0, 0)
		b = appendOctets(appendOID(b, p.OID, false), p.Text)
	case Close:
		b = append(b, p.Reason, 0, 0, 0)
	case Register:
		b = append(b, p.Timeout, p.Priority, 0, 0)
		b = appendOID(b, p.OID, false)
	case AddAgentCaps:
		b = appendOctets(appendOID(b, p.OID, false), p.Text)
	case GetBulk:
		b = binary.BigEndian.AppendUint16(b, p.NonRepeaters)
		b = binary.BigEndian.AppendUint16(b, p.MaxRepetitions)
	case Response:
		b = binary.BigEndian.AppendUint32(b, p.UpTime)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Error))
		b = binary.BigEndian.AppendUint16(b, p.Index)
	}
	for i := range p.Ranges {
		b = appendOID(b, p.Ranges[i].Start, p.Ranges[i].Include)
		b = appendOID(b, p.Ranges[i].End, false)
	}
	for i := range p.VarBinds {
		b = appendVarBind(b, &p.VarBinds[i])
	}
	return b
}

// header is what comes before a payload.
type header struct {
	PDU
	flags  byte
	length uint32
}

var errVersion = errors.New("not a PDU of AgentX version 1")

func (h *header) order() binary.ByteOrder {
	if h.flags&flagNetworkOrder != 0 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// parseHeader reads headerSize bytes.
func parseHeader(b []byte) (h header, err error) {
	if b[0] != 1 {
		return h, errVersion
	}
	h.Kind, h.flags = Kind(b[1]), b[2]
	order := h.order()
	h.Session, h.Transaction, h.Packet = order.Uint32(b[4:]), order.Uint32(b[8:]), order.Uint32(b[12:])
	h.length = order.Uint32(b[16:])
	if h.length > maxPayload || h.length%4 != 0 {
		return h, fmt.Errorf("a payload of %d bytes: %w", h.length, errVersion)
	}
	return h, nil
}

// Parse reads a PDU that is complete. It never panics, and takes nothing that
// is longer than the PDU says.
func Parse(b []byte) (PDU, error) {
	if len(b) < headerSize {
		return PDU{}, errShort
	}
	h, err := parseHeader(b)
	if err != nil {
		return PDU{}, err
	}
	if int(h.length) != len(b)-headerSize {
		return PDU{}, errShort
	}
	return h.parse(b[headerSize:])
}

// parse reads the payload. With an error the header is told all the same.
func (h *header) parse(payload []byte) (PDU, error) {
	r := &reader{b: payload, order: h.order()}
	p := h.PDU
	if h.flags&flagContext != 0 {
		p.Context = r.octets()
	}
	r.body(&p)
	if r.err == nil && len(r.b) > 0 {
		r.fail("more than its kind has")
	}
	if r.err != nil {
		return h.PDU, r.err
	}
	return p, nil
}

func (r *reader) body(p *PDU) {
	switch p.Kind {
	case Open:
		p.Timeout = r.uint8()
		r.bytes(3)
		p.OID, _ = r.oid()
		p.Text = r.octets()
	case Close:
		p.Reason = r.uint8()
		r.bytes(3)
	case Register:
		p.Timeout, p.Priority = r.uint8(), r.uint8()
		r.bytes(2)
		p.OID, _ = r.oid()
	case AddAgentCaps:
		p.OID, _ = r.oid()
		p.Text = r.octets()
	case GetBulk:
		p.NonRepeaters, p.MaxRepetitions = r.uint16(), r.uint16()
		r.ranges(p)
	case Get, GetNext:
		r.ranges(p)
	case TestSet, Notify:
		r.varBinds(p)
	case Response:
		p.UpTime, p.Error, p.Index = r.uint32(), Error(r.uint16()), r.uint16()
		r.varBinds(p)
	}
}

func (r *reader) ranges(p *PDU) {
	for len(r.b) > 0 && r.err == nil {
		var s Range
		s.Start, s.Include = r.oid()
		s.End, _ = r.oid()
		p.Ranges = append(p.Ranges, s)
	}
}

func (r *reader) varBinds(p *PDU) {
	for len(r.b) > 0 && r.err == nil {
		p.VarBinds = append(p.VarBinds, r.varBind())
	}
}

// reader takes a payload apart; after its first error all it reads is zero.
type reader struct {
	b     []byte
	order binary.ByteOrder
	err   error
}

var (
	errShort  = errors.New("a PDU that is not complete")
	errBroken = errors.New("a broken PDU")
)

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errBroken, why)
	}
	r.b = nil
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail("it ends too early")
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return r.order.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return r.order.Uint64(b)
	}
	return 0
}
