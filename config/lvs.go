package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Protocol is the transport of a virtual service, an IPPROTO_* number.
type Protocol uint8

// The transports that IPVS balances.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

// String is the protocol as keepalived.conf spells it.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case SCTP:
		return "SCTP"
	}
	return "none"
}

// Method is how IPVS hands a packet to a real server: lb_kind, lvs_method.
type Method uint8

// Forwarding methods, ipvsadm(8).
const (
	NAT Method = iota + 1 // masquerading, ipvsadm -m
	DR                    // direct routing, ipvsadm -g
	TUN                   // IP in IP tunnelling, ipvsadm -i
)

// String is the method as keepalived.conf spells it.
func (m Method) String() string {
	switch m {
	case NAT:
		return "NAT"
	case DR:
		return "DR"
	case TUN:
		return "TUN"
	}
	return "none"
}

// VirtualServer is a virtual_server block as written.
type VirtualServer struct {
	Origin Origin
	Addr   netip.AddrPort // unset for a fwmark
	FWMark uint32         // 0 for an address

	Protocol               Opt[Protocol]
	LBAlgo                 Opt[string] // scheduler, as ipvsadm -s names it
	LBKind                 Opt[Method]
	SchedFlags             SchedFlags
	PersistenceTimeout     time.Duration // 0: not persistent
	PersistenceGranularity int           // prefix length; 0: the whole address
	OPS                    bool          // one packet scheduling
	Weight                 int
	InhibitOnFailure       bool
	Alpha                  bool
	Timing                 Timing // defaults of the checks of this service
	RealServers            []RealServer
}

// DefaultVirtualServer is what holds in a virtual_server block that says
// nothing.
var DefaultVirtualServer = VirtualServer{Weight: 1}

// SchedFlags are the scheduler flags of ipvsadm -b.
type SchedFlags uint8

// Scheduler flags; sh and mh give the first two names of their own.
const (
	SchedFlag1 SchedFlags = 1 << iota // sh-fallback, mh-fallback
	SchedFlag2                        // sh-port, mh-port
	SchedFlag3
)

// RealServer is a real_server block as written.
type RealServer struct {
	Origin           Origin
	Addr             netip.AddrPort // port 0: that of the service
	Weight           Opt[int]
	LVSMethod        Opt[Method]
	InhibitOnFailure Opt[bool]
	Alpha            Opt[bool]
	UThreshold       uint32 // upper connection limit; 0: none
	LThreshold       uint32
	NotifyUp         *Command // nil: none, as for most of thousands of servers
	NotifyDown       *Command
	Timing           Timing
	Checks           []Check
}

// Timing are the parameters that every check has, given in the check, its real
// server or its virtual server.
type Timing struct {
	DelayLoop        Opt[time.Duration] // between two checks
	Warmup           Opt[time.Duration] // the first check starts after 1 s plus a random part of this
	Retry            Opt[int]           // further attempts while up, before the check fails
	DelayBeforeRetry Opt[time.Duration]
	ConnectTimeout   Opt[time.Duration]
	Alpha            Opt[bool] // down until the first success
	LogAllFailures   Opt[bool]
}

// over fills what t leaves open from its parent.
func (t Timing) over(parent Timing) Timing {
	pick(&t.DelayLoop, parent.DelayLoop)
	pick(&t.Warmup, parent.Warmup)
	pick(&t.Retry, parent.Retry)
	pick(&t.DelayBeforeRetry, parent.DelayBeforeRetry)
	pick(&t.ConnectTimeout, parent.ConnectTimeout)
	pick(&t.Alpha, parent.Alpha)
	pick(&t.LogAllFailures, parent.LogAllFailures)
	return t
}

func pick[T any](o *Opt[T], parent Opt[T]) {
	if !o.Set {
		*o = parent
	}
}

// CheckKind is the keyword of a checker block.
type CheckKind string

// The checkers that lvsd runs. A new one adds its name here, its parameters to
// [Check], its rows to the parser's schema and a file to package checker.
const (
	TCPCheck CheckKind = "TCP_CHECK"
)

// Check is a checker block. After [Config.KernelServices] its timing is
// resolved and its target filled in.
type Check struct {
	Origin Origin
	Kind   CheckKind
	Timing Timing

	ConnectIP   Addr   // the real server's address when not given
	ConnectPort uint16 // the real server's port when not given
	BindTo      Addr
	BindPort    uint16
	BindIf      string
	FWMark      uint32
}

// Target is the address that the check connects to.
func (c *Check) Target() netip.AddrPort { return netip.AddrPortFrom(c.ConnectIP, c.ConnectPort) }

// CheckID is what makes a check of a real server the same one across a reload:
// all that it tests. How often it does so is not part of it, a check whose
// timing changes goes on with what it knows.
type CheckID struct {
	Kind   CheckKind
	Target netip.AddrPort
	Bind   netip.AddrPort
	BindIf string
	FWMark uint32
}

// ID is the identity of the check among those of its real server.
func (c *Check) ID() CheckID {
	return CheckID{
		Kind: c.Kind, Target: c.Target(), Bind: netip.AddrPortFrom(c.BindTo, c.BindPort),
		BindIf: c.BindIf, FWMark: c.FWMark,
	}
}

// ServiceKey is what makes a service the same one in the kernel and across a
// reload.
type ServiceKey struct {
	Addr     netip.AddrPort
	Protocol Protocol
	FWMark   uint32
	IPv6     bool // of fwmark services
}

// String is the key as keepalived's log prints it: [10.0.0.1]:tcp:80, FWM 7.
func (k ServiceKey) String() string {
	if k.FWMark != 0 {
		return fmt.Sprintf("FWM %d", k.FWMark)
	}
	return fmt.Sprintf("[%s]:%s:%d", k.Addr.Addr(), strings.ToLower(k.Protocol.String()), k.Addr.Port())
}

// Service is a virtual service as it runs: one per key, with the real servers
// of every virtual_server block of that key. The first block decides the
// scheduler and its flags, as the kernel does with keepalived.
type Service struct {
	Origin             Origin
	Key                ServiceKey
	Scheduler          string
	SchedFlags         SchedFlags
	PersistenceTimeout time.Duration
	PersistenceMask    int // prefix length; 0: the whole address
	OPS                bool
	Servers            []Server
}

// Server is a real server of a [Service], with every inherited value filled
// in.
type Server struct {
	Origin           Origin
	Addr             netip.AddrPort
	Weight           int
	Method           Method
	InhibitOnFailure bool
	UThreshold       uint32
	LThreshold       uint32
	NotifyUp         *Command // nil: none, as for most of thousands of servers
	NotifyDown       *Command
	Checks           []Check
}

// String is the server as keepalived's log prints it: [10.0.0.2]:tcp:80.
func (s *Server) String(p Protocol) string {
	return ServiceKey{Addr: s.Addr, Protocol: p}.String()
}
