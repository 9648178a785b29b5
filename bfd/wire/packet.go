package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// State is the state of a session, RFC 5880 section 4.1.
type State uint8

// The states of a session.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String is the state as keepalived's log prints it.
func (s State) String() string { return [...]string{"AdminDown", "Down", "Init", "Up"}[s&3] }

// Diag is why the state changed last, RFC 5880 section 4.1.
type Diag uint8

// The diagnostics that lvsd gives.
const (
	NoDiagnostic           Diag = 0
	DetectionTimeExpired   Diag = 1
	NeighborSignaledDown   Diag = 3
	AdministrativelyDown   Diag = 7
	reverseConcatenatedEnd Diag = 8 // the last one that is defined
)

// String is the diagnostic as RFC 5880 names it.
func (d Diag) String() string {
	if d > reverseConcatenatedEnd {
		return fmt.Sprintf("Diagnostic %d", uint8(d))
	}
	return [...]string{
		"No Diagnostic", "Control Detection Time Expired", "Echo Function Failed", "Neighbor Signaled Session Down",
		"Forwarding Plane Reset", "Path Down", "Concatenated Path Down", "Administratively Down", "Reverse Concatenated Path Down",
	}[d]
}

// Packet is a control packet without authentication. Intervals are whole
// microseconds below 2^32.
type Packet struct {
	Diag       Diag
	State      State
	Poll       bool
	Final      bool
	Demand     bool
	Multiplier uint8         // Detect Mult
	My, Your   uint32        // discriminators
	MinTx      time.Duration // Desired Min TX Interval
	MinRx      time.Duration // Required Min RX Interval
	MinEchoRx  time.Duration // Required Min Echo RX Interval
}

// Length is that of a packet without authentication.
const Length = 24

const (
	version    = 1
	flagPoll   = 0x20
	flagFinal  = 0x10
	flagAuth   = 0x04
	flagDemand = 0x02
	flagMulti  = 0x01
)

// Append appends the packet to b.
func (p *Packet) Append(b []byte) []byte {
	flags := uint8(p.State) << 6
	for _, f := range []struct {
		set bool
		bit uint8
	}{{p.Poll, flagPoll}, {p.Final, flagFinal}, {p.Demand, flagDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|uint8(p.Diag)&0x1f, flags, p.Multiplier, Length)
	for _, word := range []uint32{p.My, p.Your, micros(p.MinTx), micros(p.MinRx), micros(p.MinEchoRx)} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

func micros(d time.Duration) uint32 { return uint32(d / time.Microsecond) }

// The reasons to discard a packet, RFC 5880 section 6.8.6.
var (
	ErrShort          = errors.New("too short")
	ErrVersion        = errors.New("not version 1")
	ErrLength         = errors.New("its length is wrong")
	ErrMultiplier     = errors.New("its detection multiplier is 0")
	ErrMultipoint     = errors.New("it is for several")
	ErrDiscriminator  = errors.New("its own discriminator is 0")
	ErrNoSession      = errors.New("it names no session, and its state is not Down")
	ErrAuthentication = errors.New("it is authenticated, and the session is not")
	ErrPollFinal      = errors.New("it polls and ends a poll")
)

// Parse reads a datagram.
func Parse(b []byte) (Packet, error) {
	if len(b) < Length {
		return Packet{}, ErrShort
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	interval := func(at int) time.Duration { return time.Duration(word(at)) * time.Microsecond }
	p := Packet{
		Diag: Diag(b[0] & 0x1f), State: State(b[1] >> 6), Multiplier: b[2], My: word(4), Your: word(8),
		Poll: b[1]&flagPoll != 0, Final: b[1]&flagFinal != 0, Demand: b[1]&flagDemand != 0,
		MinTx: interval(12), MinRx: interval(16), MinEchoRx: interval(20),
	}
	switch length := int(b[3]); {
	case b[0]>>5 != version:
		return p, ErrVersion
	case length < Length || length > len(b):
		return p, ErrLength
	case p.Multiplier == 0:
		return p, ErrMultiplier
	case b[1]&flagMulti != 0:
		return p, ErrMultipoint
	case p.My == 0:
		return p, ErrDiscriminator
	case p.Your == 0 && p.State > Down:
		return p, ErrNoSession
	case b[1]&flagAuth != 0:
		return p, ErrAuthentication
	case p.Poll && p.Final:
		return p, ErrPollFinal
	}
	return p, nil
}
