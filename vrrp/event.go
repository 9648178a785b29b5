package vrrp

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// Event is something that happens to a [Group]. Every event is plain data, so
// that a trace from the field can be replayed as a test.
type Event interface{ event() }

// Start lets the instances that are in INIT leave it. Link states and results
// of tracked scripts that are already known are sent before it; a link that
// nobody has spoken of does not exist. Instances that have started already are
// not concerned.
type Start struct {
	// Quiet is the end of vrrp_startup_delay or vrrp_delay_after_boot: until
	// then nothing is heard, and nobody becomes MASTER. Zero: no delay.
	Quiet time.Time
}

// Received is a datagram that arrived for an instance. It is not trusted yet:
// the machine checks it, and a rejected one changes a counter and nothing else.
// A pointer to one is an event too; neither it nor the payload is kept.
type Received struct {
	Instance string // name of the vrrp_instance
	Datagram wire.Datagram
}

// TimerFired says that the [Group.Deadline] has passed. One that comes early
// or late is harmless.
type TimerFired struct{}

// LinkChanged is the state of a link as it is now. It concerns every instance
// that runs on the link or tracks it.
type LinkChanged struct {
	Link   string
	Exists bool
	Up     bool         // administratively up and with carrier
	Polled bool         // linkbeat_interfaces has it: its driver is asked, too
	IPv4   []netip.Addr // its own addresses, the primary one first
	IPv6   []netip.Addr // link-local addresses, the source of IPv6 adverts
	Global []netip.Addr // its other IPv6 addresses
}

// SocketChanged says whether the adverts of an instance have a socket. Without
// one it hears nobody, and must not take itself for the only router. An instance
// that nobody has spoken of has one.
type SocketChanged struct {
	Instance string
	Open     bool
}

// Tracked is a new verdict about something that is tracked: a script after rise
// and fall, a process after its delays, a file whenever it is read, a BFD
// session. What nobody has spoken of is neither good nor bad; a session that is
// not up yet is told as down before [Start].
type Tracked struct {
	Kind  Kind
	Name  string
	Up    bool
	Value int // in a file
}

// Object is what the verdict is about.
func (t Tracked) Object() Object { return Object{t.Kind, t.Name} }

// Reconfigured brings the configuration of an instance that survives a reload,
// matched by [config.InstanceKey]. The machine keeps its state; what differs
// takes effect. [Regroup] does the same for a whole configuration.
type Reconfigured struct {
	Instance config.Instance
}

// Shutdown ends every instance: priority 0, addresses released, STOP.
type Shutdown struct{}

func (Start) event()         {}
func (Received) event()      {}
func (TimerFired) event()    {}
func (LinkChanged) event()   {}
func (SocketChanged) event() {}
func (Tracked) event()       {}
func (Reconfigured) event()  {}
func (Shutdown) event()      {}

// Effect is what a step asks of the shell. Effects are carried out in the
// order given; an advert leaves before any netlink work begins.
type Effect interface{ effect() }

// SendAdvert sends an advert of an instance to its group or to each of its
// unicast peers.
type SendAdvert struct {
	Instance string
	Src      netip.Addr // the source to send from, and of the pseudo-header
	Advert   wire.Advert
	Sequence uint64 // in the authentication header or in the trailer of auth_hmac; 0 without one
}

// Claim says which addresses an instance wants on its links from now on, and
// which routes and rules; with nothing it gives all of them back.
type Claim struct {
	Instance  string
	Closed    []config.ClosedAddress // of Addresses: those that take no packets
	Addresses []config.Address
	Routes    []config.Route
	Rules     []config.Rule
}

// claim is what an instance wants while it is MASTER.
func claim(cfg *config.Instance) Claim {
	want := cfg.Claims()
	return Claim{Instance: cfg.Name, Closed: want.Closed, Addresses: want.Addresses, Routes: want.Routes, Rules: want.Rules}
}

func (c Claim) claims() config.Claims {
	return config.Claims{Closed: c.Closed, Addresses: c.Addresses, Routes: c.Routes, Rules: c.Rules}
}

// Announce sends gratuitous ARP requests (unsolicited neighbour
// advertisements for IPv6) for addresses that the instance holds, one frame
// per address and round.
type Announce struct {
	Instance  string
	Addresses []config.Address
	Rounds    int
}

// Became is a state that an instance or a sync group has entered. It leads to
// the notify scripts. An instance that a reload has removed becomes DELETED
// when notify_deleted is set, else FAULT; its scripts are those it had.
type Became struct {
	Group    bool   // Name is a sync group
	Name     string // of the instance or sync group
	State    config.State
	Priority int  // effective priority; 0 for groups
	Silent   bool // the group has told this state already: no script for the instance

	Source config.Addr  // that its adverts are sent from; of instances, unset: none
	Reason MasterReason // why it became MASTER last; of instances
}

// ReceivedLowerPriority says that a MASTER saw an advert of a lower priority:
// notify_master_rx_lower_pri.
type ReceivedLowerPriority struct {
	Instance string
	Priority int // effective
}

// Reprioritised is a new effective priority, of instances with
// notify_priority_changes.
type Reprioritised struct {
	Instance string
	Master   bool // the instance is MASTER
	Priority int
}

// Log is a line for the log, a sentence that users of keepalived know.
type Log struct {
	Warn   bool
	Detail bool // said only with -D, log_detail
	Text   string

	// What the line is about, for programs: one of the names is given.
	Instance, Group string
	State           config.State
}

func (SendAdvert) effect()            {}
func (Claim) effect()                 {}
func (Announce) effect()              {}
func (Became) effect()                {}
func (ReceivedLowerPriority) effect() {}
func (Reprioritised) effect()         {}
func (Log) effect()                   {}
