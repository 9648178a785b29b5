package dump

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Facts are what documents show beside the configuration. The zero value knows
// nothing about the machine, and is a daemon that has just read its
// configuration.
type Facts struct {
	Hostname string                                       // what router_id and others are by default
	Account  func(config.User) (uid, gid uint32, ok bool) // nil: names are shown
	Links    []Link                                       // the interfaces of the machine
	Unfit    func(*config.Command) string                 // why a script cannot be run; nil: nobody looks

	Scheduled time.Time // when the next reload is; zero: none
	Refused   string    // why the last reload was; empty: it was not

	Instances map[string]Instance
	Groups    map[string]Group
	Scripts   map[string]Script
	Files     map[string]int // values of track_files
	Processes map[string]Process
	Sessions  map[string]Session
	Services  map[config.ServiceKey]Service
	Draining  []Draining
	Marks     map[config.ServiceKey]uint32 // that the services of groups have been given: nftables_ipvs
}

// Session is the state of a bfd_instance.
type Session struct {
	Up                         bool
	State, RemoteState         string // and why it is so:
	Diag, RemoteDiag           string
	My, Remote                 uint32 // discriminators
	RemoteMinTx, RemoteMinRx   time.Duration
	RemoteDemand, Polling      bool
	Final                      bool // the neighbor's last packet ended a poll
	RemoteMultiplier           uint8
	Interval, RemoteInterval   time.Duration // between packets, without jitter
	Detection, RemoteDetection time.Duration // after which one is down for the other
	Seen                       time.Time     // the neighbor's last packet; zero: none has come
}

// Link is an interface of the machine.
type Link struct {
	Name       string
	Index      int
	IPv4, IPv6 []netip.Addr // the first of IPv6 is link-local, if there is one
	MAC        string       // empty: none
	Broadcast  string       // hardware address; empty: none
	Flags      LinkFlags
	MTU        int
	Type       string // of the hardware, as keepalived prints it
}

// LinkFlags are what the state of an interface is made of.
type LinkFlags struct{ Up, Running, Broadcast, Loopback, PointToPoint, Multicast bool }

// Instance is the state of a vrrp_instance.
type Instance struct {
	State          config.State
	Priority       uint8         // effective
	Source         netip.Addr    // of adverts; unset: none
	Master         netip.Addr    // who sent the last accepted advert; unset: nobody has
	MasterPriority uint8         // of that advert
	MasterInterval time.Duration // learned from it, version 3
	Faulty         bool          // it has a reason of its own to be in FAULT
	Undecided      bool          // it waits for the verdict of a script
	Changed        time.Time     // the last transition; zero: none
	Reason         int           // why it is the master, vrrpv3StatisticsNewMasterReason of RFC 6527
	Due            time.Time     // when its timer ends; zero: none runs
	Down           time.Duration // Active_Down_Interval, RFC 9568 section 6.1
	Stats          Stats
}

// Group is the state of a vrrp_sync_group.
type Group struct {
	State            config.State
	Fault, Undecided int // members
}

// Script is what is known of a vrrp_script.
type Script struct {
	Known, Up bool
	Running   bool
}

// Process is what is known of a vrrp_track_process.
type Process struct {
	Current int // processes that match
	Quorum  bool
}

// Service is the state of a virtual service as it runs.
type Service struct {
	Quorum  bool // it is held
	Servers map[netip.AddrPort]Server
}

// Draining is a real server that the configuration does not name any more, and
// that keeps its connections for a while: drain_timeout.
type Draining struct {
	Service config.ServiceKey
	Server  netip.AddrPort
	Until   time.Time
}

// Server is the state of a real server.
type Server struct {
	Alive  bool
	Weight int // with what checks say about it
	Checks map[config.CheckID]Check
}

// Check is the state of a check.
type Check struct {
	Up     bool
	Ran    bool   // it has had a result
	Idle   bool   // it is suspended
	Unsure string // why nobody knows whether it holds; empty: that is known
}

// failed are the checks that are down.
func (s *Server) failed() (n int) {
	for _, c := range s.Checks {
		if !c.Up {
			n++
		}
	}
	return n
}

// Stats are the counters of an instance in keepalived.stats.
type Stats struct {
	Received, Sent                           uint64
	BecameMaster, ReleasedMaster             uint64
	Length, TTL, Type, Interval, AddressList uint64
	AuthInvalid, AuthMismatch, AuthFailure   uint64
	ExtMissing, ExtMalformed, ExtUnknownKey  uint64 // auth_hmac
	ExtInvalidHMAC, ExtStale, ExtReplay      uint64
	PriorityZeroReceived, PriorityZeroSent   uint64
	Version, Checksum, VRID                  uint64 // not in keepalived.stats
}
