package config

import "time"

// Trackers are the objects that instances and groups track by name, next to
// scripts and interfaces.
type Trackers struct {
	Files     []TrackFile
	Processes []TrackProcess
	BFD       []BFDInstance
	Disabled  []string // names of bfd_instances that are left out: their lines need no second complaint
}

// Track is a line of track_interface, track_script, track_file, track_process
// or track_bfd.
type Track struct {
	Origin  Origin
	Name    string
	Weight  Opt[int]  // -253..253, of files and processes 254; 0 means: failing is FAULT
	Reverse Opt[bool] // reverse, noreverse
}

// TrackFile is a track_file block: a number in a file that changes
// priorities.
type TrackFile struct {
	Origin    Origin
	Name      string
	File      string
	Weight    Opt[int] // -254..254, 1 when not given
	Reverse   bool
	InitFile  Opt[int] // created with this value at start
	Overwrite bool     // even when it is there
	End       Origin   // of the closing brace
}

// TrackProcess is a vrrp_track_process block: processes that must run.
type TrackProcess struct {
	Origin         Origin
	Name           string
	Process        []string // the program and its parameters
	ParamMatch     ParamMatch
	Weight         Opt[int] // -254..254
	Reverse        bool
	Quorum         int
	QuorumMax      Opt[int]
	TerminateDelay time.Duration
	ForkDelay      time.Duration
	FullCommand    bool // compare the command line, not the name
}

// ParamMatch is how the parameters of a tracked process are compared.
type ParamMatch string

// The values of param_match.
const (
	ParamNone    ParamMatch = ""        // parameters are not compared
	ParamExact   ParamMatch = "exact"   // all of them
	ParamInitial ParamMatch = "initial" // the last one may be longer, and there may be more
	ParamPartial ParamMatch = "partial" // there may be more
)

// DefaultTrackProcess is what holds in a vrrp_track_process block that says
// nothing.
var DefaultTrackProcess = TrackProcess{Quorum: 1}

// BFDInstance is a bfd_instance block, RFC 5880.
type BFDInstance struct {
	Origin     Origin
	Name       string
	NeighborIP Addr
	SourceIP   Addr
	MinRx      time.Duration // Required Min Rx Interval, RFC 5880 section 6.8.1
	MinTx      time.Duration // Desired Min Tx Interval
	IdleTx     time.Duration // while the session is not up, section 6.8.3
	Multiplier uint8
	Passive    bool       // section 6.1
	TTL        Opt[uint8] // hop limit; 255 for IPv4 and 64 for IPv6 when not given
	MaxHops    int        // -1: any, RFC 5881 section 5
	Multihop   bool       // RFC 5883
	Weight     int        // -253..253
	Reverse    bool
	VRRP       bool // events for vrrp only, unless Checker is set too
	Checker    bool
}

// DefaultBFDInstance is what holds in a bfd_instance block that says nothing.
var DefaultBFDInstance = BFDInstance{
	MinRx: 10 * time.Millisecond, MinTx: 10 * time.Millisecond, IdleTx: time.Second, Multiplier: 5,
}

// HopLimit is the TTL of the packets of the session.
func (b *BFDInstance) HopLimit() uint8 {
	switch {
	case b.TTL.Set:
		return b.TTL.Value
	case b.NeighborIP.Is6():
		return 64
	}
	return 255
}
