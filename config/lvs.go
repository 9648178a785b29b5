package config

import (
	"fmt"
	"net/netip"
	"strconv"
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

// TunnelType is how TUN wraps a packet, IP_VS_CONN_F_TUNNEL_TYPE_*.
type TunnelType uint8

// The types of tunnels, `lb_kind TUN type`.
const (
	IPIP TunnelType = 0
	GUE  TunnelType = 1 // generic UDP encapsulation, to a port
	GRE  TunnelType = 2
)

// String is the type as keepalived's dump prints it.
func (t TunnelType) String() string { return [...]string{"IPIP", "GUE", "GRE"}[t%3] }

// TunnelChecksum is what TUN does about checksums,
// IP_VS_TUNNEL_ENCAP_FLAG_*.
type TunnelChecksum uint8

// The checksums of tunnels.
const (
	NoChecksum     TunnelChecksum = 0
	Checksum       TunnelChecksum = 1
	RemoteChecksum TunnelChecksum = 2
)

// Tunnel is what follows TUN in lb_kind and lvs_method. The zero value is
// plain IP in IP.
type Tunnel struct {
	Type     TunnelType
	Checksum TunnelChecksum
	Port     uint16 // of GUE
}

// Family is an address family, AF_*.
type Family uint8

// Address families; the zero value means that the addresses tell.
const (
	Inet  Family = 2
	Inet6 Family = 10
)

// FamilyOf is the family of an address; 0 when there is none.
func FamilyOf(a Addr) Family {
	switch {
	case !a.IsValid():
		return 0
	case a.Is4():
		return Inet
	}
	return Inet6
}

// String is the family as keepalived.conf spells it.
func (f Family) String() string {
	switch f {
	case Inet:
		return "inet"
	case Inet6:
		return "inet6"
	}
	return "unknown"
}

// VirtualServer is a virtual_server block as written. It is known by one of
// Addr, FWMark and Group.
type VirtualServer struct {
	Origin Origin
	Addr   netip.AddrPort // unset for a fwmark or a group
	FWMark uint32         // 0 for an address or a group
	Group  string         // name of a virtual_server_group; empty otherwise

	IPFamily               Family // as ip_family says; see [VirtualServer.Family]
	Protocol               Opt[Protocol]
	LBAlgo                 Opt[string] // scheduler, as ipvsadm -s names it
	LBKind                 Opt[Method]
	Tunnel                 Tunnel // of LBKind TUN
	SchedFlags             SchedFlags
	PersistenceEngine      string        // ipvsadm --pe; empty: none
	PersistenceTimeout     time.Duration // 0: not persistent
	PersistenceOrigin      Origin        // of the persistence_timeout line
	PersistenceGranularity int           // prefix length; 0: the whole address
	PersistenceNetmask     netip.Addr    // instead, of IPv4, when it is not contiguous; else invalid
	OPS                    bool          // one packet scheduling
	HASuspend              bool          // no checks while the address is not on this host
	Weight                 int
	InhibitOnFailure       bool
	DrainTimeout           time.Duration // lvsd's own keyword; 0: who leaves is gone at once
	Alpha                  bool
	Omega                  bool // notify at shutdown, too
	SMTPAlert              Opt[bool]
	VirtualHost            string // Host of HTTP_GET when nobody says otherwise
	SNMPName               string

	Quorum      uint32 // least sum of the weights that are up
	Hysteresis  uint32 // how far the sum must be away from Quorum to change the state
	QuorumUp    *Command
	QuorumDown  *Command
	SorryServer *SorryServer // nil: none
	Timing      Timing       // defaults of the checks of this service
	RealServers []RealServer
}

// SorryServer is what serves when the quorum is lost: sorry_server and the
// keywords that follow it.
type SorryServer struct {
	Origin  Origin
	Addr    netip.AddrPort // port 0: that of the service
	Method  Opt[Method]    // sorry_server_lvs_method
	Tunnel  Tunnel
	Inhibit bool // weight 0 instead of removal while it does not serve
}

// DefaultVirtualServer is what holds in a virtual_server block that says
// nothing.
var DefaultVirtualServer = VirtualServer{Weight: 1, Quorum: 1}

// Family is the address family of the service: as ip_family says, or that of
// its address, or of the first server. It is 0 when nobody tells yet.
func (v *VirtualServer) Family() Family {
	switch {
	case v.IPFamily != 0:
		return v.IPFamily
	case v.Addr.IsValid():
		return FamilyOf(v.Addr.Addr())
	case len(v.RealServers) > 0:
		return FamilyOf(v.RealServers[0].Addr.Addr())
	}
	return 0
}

// SchedFlags are the scheduler flags of ipvsadm -b.
type SchedFlags uint8

// Scheduler flags; sh and mh give the first two names of their own.
const (
	SchedFlag1 SchedFlags = 1 << iota // sh-fallback, mh-fallback
	SchedFlag2                        // sh-port, mh-port
	SchedFlag3
)

// RealServer is a real_server block as written. There are many: what few of
// them have is behind a pointer.
type RealServer struct {
	Origin           Origin
	Addr             netip.AddrPort // port 0: that of the service
	Weight           Opt[int]
	UThreshold       uint32 // upper connection limit; 0: none
	LThreshold       uint32
	Tunnel           Tunnel // of LVSMethod TUN
	LVSMethod        Opt[Method]
	InhibitOnFailure Opt[bool]
	DrainTimeout     Opt[time.Duration] // lvsd's own keyword
	Alpha            Opt[bool]
	SMTPAlert        Opt[bool]
	NotifyUp         *Command // nil: none
	NotifyDown       *Command
	Names            *ServerNames // nil: none
	Timing           *Timing      // nil: nothing said; servers that say the same share it
	Checks           []Check
}

// ServerNames are the names that a real server may be given.
type ServerNames struct {
	VirtualHost string // Host of HTTP_GET, over that of the virtual server
	SNMPName    string
}

// ServiceKey is what makes a service the same one across a reload and, unless
// it is that of a group, in the kernel.
type ServiceKey struct {
	Addr     netip.AddrPort
	Protocol Protocol
	FWMark   uint32
	IPv6     bool   // of fwmark services
	Group    string // of a virtual_server_group, with a Protocol; empty otherwise
}

// String is the key as keepalived's log prints it: [10.0.0.1]:tcp:80, FWM 7,
// [GROUP]:0.
func (k ServiceKey) String() string {
	switch {
	case k.Group != "":
		return fmt.Sprintf("[%s]:0", k.Group)
	case k.FWMark != 0:
		return fmt.Sprintf("FWM %d", k.FWMark)
	}
	return endpointName(k.Addr, k.Protocol)
}

// endpointName is put together by hand: the log of a start with thousands of
// servers has it several times for each.
func endpointName(a netip.AddrPort, p Protocol) string {
	b := append(make([]byte, 0, 64), '[')
	b = append(a.Addr().AppendTo(b), "]:"...)
	b = append(append(b, strings.ToLower(p.String())...), ':')
	return string(strconv.AppendUint(b, uint64(a.Port()), 10))
}

// Service is a virtual service as it runs: one per key, with the real servers
// of every virtual_server block of that key. The first block decides the
// scheduler and its flags, as the kernel does with keepalived.
type Service struct {
	Origin             Origin
	Key                ServiceKey
	Entries            []GroupEntry // of a group; see [Service.KernelKeys]
	Mark               uint32       // that packets to Entries are given: nftables_ipvs; 0: none
	Scheduler          string
	SchedFlags         SchedFlags
	PersistenceEngine  string // empty: none
	PersistenceTimeout time.Duration
	PersistenceMask    int        // prefix length; 0: the whole address
	PersistenceNetmask netip.Addr // instead, of IPv4, when it is not contiguous; else invalid
	OPS                bool
	HASuspend          bool // no checks while the address of Key is not on this host
	Omega              bool // its end is told, too
	InitNotifies       bool // rs_init_notifies: the first state of its servers is told
	SMTPAlert          bool // its quorum is told by mail
	Quorum             uint32
	Hysteresis         uint32
	DrainTimeout       time.Duration // of what the kernel has at a start and no block names
	QuorumUp           *Command      // nil: none
	QuorumDown         *Command
	Sorry              *Server // what serves without a quorum; nil: the servers that are left
	Servers            []Server
}

// Server is a real server of a [Service], with every inherited value filled
// in.
type Server struct {
	Origin           Origin
	Addr             netip.AddrPort
	Weight           int
	Method           Method
	Tunnel           Tunnel // of TUN
	InhibitOnFailure bool
	SMTPAlert        bool
	UThreshold       uint32
	LThreshold       uint32
	DrainTimeout     time.Duration // how long it keeps its connections once no block names it
	NotifyUp         *Command      // nil: none, as for most of thousands of servers
	NotifyDown       *Command
	Checks           []Check
}

// String is the server as keepalived's log prints it: [10.0.0.2]:tcp:80.
func (s *Server) String(p Protocol) string {
	return endpointName(s.Addr, p)
}
