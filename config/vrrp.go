package config

import (
	"net/netip"
	"time"
)

// Addr is an IP address; the zero value means unset.
type Addr = netip.Addr

// MustAddr parses an address that is known to be one.
func MustAddr(s string) Addr { return netip.MustParseAddr(s) }

// State is a state of a VRRP instance or sync group. The numbers are those of
// keepalived's JSON and D-Bus interfaces.
type State uint8

// The states of keepalived. RFC 9568 knows Initialize, Backup and Active
// (Master); FAULT, DELETED and STOP are keepalived's own and reach scripts.
const (
	Init    State = 0
	Backup  State = 1
	Master  State = 2
	Fault   State = 3
	Deleted State = 97
	Stop    State = 98
)

// String is the state as scripts and logs spell it.
func (s State) String() string {
	switch s {
	case Init:
		return "INIT"
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	case Deleted:
		return "DELETED"
	case Stop:
		return "STOP"
	}
	return "UNKNOWN"
}

// AuthType is auth_type of VRRPv2, RFC 2338 section 5.3.6.
type AuthType uint8

// Authentication types on the wire.
const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1
	AuthAH   AuthType = 2
)

// Priorities, RFC 9568 section 5.2.4.
const (
	Owner           = 255 // of the address owner
	DefaultPriority = 100
)

// Instance is a vrrp_instance block. There may be thousands: what few of them
// have is behind a pointer.
type Instance struct {
	Origin Origin
	Name   string

	Version           Opt[uint8] // 2 or 3
	State             Opt[State] // Master or Backup
	Interface         string
	InterfaceOrigin   Origin // of the interface line
	VirtualRouterID   uint8
	Priority          Opt[uint8]
	PriorityOrigin    Origin // of the priority line
	AdvertInt         time.Duration
	MaxAdvertInterval time.Duration // of others that is followed, vrrp_max_advert_interval; 0: any
	NoPreempt         bool
	PreemptDelay      time.Duration
	McastSrcIP        Addr
	McastDstIP        Addr
	UnicastSrcIP      Addr
	UnicastPeers      []Peer
	UnicastTTL        Opt[uint8]
	CheckUnicastSrc   Opt[bool]
	SkipCheckAdvAddr  Opt[bool]
	StrictMode        Opt[bool]
	StrictOrigin      Origin // of the strict_mode line
	DontTrackPrimary  bool
	Authentication    Authentication

	VirtualIPAddress         []Address
	VirtualIPAddressExcluded []Address

	TrackInterface []Track // Name is an interface
	TrackScript    []Track // Name is a vrrp_script
	TrackFile      []Track // Name is a track_file
	TrackProcess   []Track // Name is a vrrp_track_process
	TrackBFD       []Track // Name is a bfd_instance
	TrackSrcIP     bool
	Requires       []Track // by Resolve: links that are tracked because something of the instance is on them

	VMAC               *VMAC   // use_vmac
	IPVLAN             *IPVLAN // use_ipvlan
	VMACXmitBase       bool
	UseVMACAddr        bool
	Links              []VirtualLink // by Resolve: those to be made, its own one first
	VRF                string
	VirtualRoutes      []Route
	VirtualRules       []Rule
	NoVirtualIPAddress bool
	PromoteSecondaries bool
	LinkbeatUsePolling bool
	AuthHMAC           *AuthHMAC // nil: none
	Unable             string    // why it must not run as it is configured: it stays in FAULT

	UnicastFaultNoPeer     bool
	OldUnicastChecksum     UnicastChecksum
	NativeIPv6             bool
	V3ChecksumAsV2         Opt[bool]
	OwnerIgnoreAdverts     Opt[bool]
	Accept                 Opt[bool] // accept, no_accept
	TimerExpiredBackup     int       // 1..254; 0: off
	GarpExtraIf            Opt[ExtraGarp]
	KernelRxBufSize        uint32 // bytes; 0: by vrrp_rx_bufs_policy
	SMTPAlert              Opt[bool]
	NotifyPriorityChanges  Opt[bool]
	LVSSyncDaemonInterface string // an older form of lvs_sync_daemon; Validate makes that of it
	LVSSyncDaemonOrigin    Origin // of that line
	Debug                  int    // 0..4, without effect in keepalived too

	GarpMasterDelay         Opt[time.Duration]
	GarpMasterRepeat        Opt[int]
	GarpMasterRefresh       Opt[time.Duration]
	GarpMasterRefreshRepeat Opt[int]
	GarpLowerPrioDelay      Opt[time.Duration]
	GarpLowerPrioRepeat     Opt[int]
	DownTimerAdverts        Opt[int]
	LowerPrioNoAdvert       Opt[bool]
	HigherPrioSendAdvert    Opt[bool]

	Notify                 *Command // nil: none
	NotifyMaster           *Command
	NotifyBackup           *Command
	NotifyFault            *Command
	NotifyStop             *Command
	NotifyDeleted          Opt[*Command] // without a command: none, but DELETED instead of FAULT
	NotifyMasterRxLowerPri *Command
}

// DefaultInstance is what holds in a vrrp_instance block that says nothing.
var DefaultInstance = Instance{AdvertInt: time.Second}

// InstanceKey is what makes an instance the same one across a reload: not its
// name, but what its peers and the kernel know it by.
type InstanceKey struct {
	VirtualRouterID uint8
	IPv6            bool
	Interface       string
	OwnLink         bool // use_vmac or use_ipvlan
	VMACAddr        bool // use_vmac_addr
	Unicast         bool
	Source          Addr // of unicast instances
	Group           Addr // multicast group of the others
}

// Key is the identity of the instance; valid after [Config.Resolve].
func (i *Instance) Key() InstanceKey {
	k := InstanceKey{OwnLink: i.hasOwnLink(), VMACAddr: i.UseVMACAddr, VirtualRouterID: i.VirtualRouterID, IPv6: i.IPv6(), Interface: i.Interface, Unicast: i.Unicast()}
	if k.Unicast {
		k.Source = i.UnicastSrcIP
	} else {
		k.Group = i.McastDstIP
	}
	return k
}

// Unicast reports whether adverts go to named peers instead of the group.
func (i *Instance) Unicast() bool { return len(i.UnicastPeers) > 0 }

// IPv6 reports the address family of the adverts, that of the first address.
func (i *Instance) IPv6() bool {
	switch {
	case len(i.VirtualIPAddress) > 0:
		return i.VirtualIPAddress[0].Prefix.Addr().Is6()
	case i.NativeIPv6:
		return true
	case i.UnicastSrcIP.IsValid():
		return i.UnicastSrcIP.Is6()
	case i.McastSrcIP.IsValid():
		return i.McastSrcIP.Is6()
	}
	return false
}

// Addresses are all addresses that the instance holds while MASTER, the
// advertised ones first.
func (i *Instance) Addresses() []Address {
	all := make([]Address, 0, len(i.VirtualIPAddress)+len(i.VirtualIPAddressExcluded))
	return append(append(all, i.VirtualIPAddress...), i.VirtualIPAddressExcluded...)
}

// eachAddress visits them where they are.
func (i *Instance) eachAddress(visit func(*Address)) {
	for _, list := range [...][]Address{i.VirtualIPAddress, i.VirtualIPAddressExcluded} {
		for k := range list {
			visit(&list[k])
		}
	}
}

// Peer is a line of unicast_peer.
type Peer struct {
	Origin         Origin
	Addr           Addr
	MinTTL, MaxTTL Opt[uint8] // of received adverts; 0 and 255 when not given
}

// bounded says that the time to live of adverts is looked at, which needs a
// look at their source.
func (p Peer) bounded() bool { return p.MinTTL.Set || p.MaxTTL.Set }

// Most is max_ttl.
func (p Peer) Most() int {
	if p.MaxTTL.Set {
		return int(p.MaxTTL.Value)
	}
	return 255
}

// UnicastChecksum is old_unicast_checksum: how the checksum of VRRPv3 adverts
// to peers is computed, see RFC 9568 section 5.2.8.
type UnicastChecksum uint8

// The modes of old_unicast_checksum.
const (
	ChecksumAuto  UnicastChecksum = iota // as the peer does
	ChecksumOld                          // as keepalived up to 1.3.6 did
	ChecksumNever                        // never as these did
)

// Authentication is the authentication block.
type Authentication struct {
	Type AuthType
	Pass Secret // eight bytes on the wire, padded with zeros
}

// Secret is a password; it prints as asterisks.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "********"
}

// Address is a line of virtual_ipaddress: an address that is put on a link.
type Address struct {
	Origin    Origin
	Prefix    netip.Prefix // the address itself with its prefix length, not masked
	Dev       string       // the link; the instance's interface after Resolve when not given
	Label     string
	Scope     Scope
	Broadcast Addr         // the broadcast address; unset means none
	Peer      netip.Prefix // the other end of a point-to-point link
	Flags     AddressFlags
	// PreferredLft in seconds; [Forever] does not end. When it is not given, a
	// host address of IPv6 is deprecated at once and others are for ever.
	PreferredLft Opt[uint32]
	NoTrack      bool
	UseVMAC      bool
	TrackGroup   string // of static_ipaddress
}

// Forever is a life time without an end, INFINITY_LIFE_TIME of iproute2.
const Forever = 1<<32 - 1

// AddressFlags are those of ip-address(8).
type AddressFlags uint8

// Flags of addresses, IFA_F_* of linux/if_addr.h. IPv6 addresses are added
// without duplicate address detection unless DAD is asked for (-nodad).
const (
	AddressHome AddressFlags = 1 << iota
	AddressDAD
	AddressManageTemp
	AddressNoPrefixRoute
	AddressAutoJoin
)

// Scope is an address scope of rtnetlink(7), RT_SCOPE_*.
type Scope uint8

// The scopes of /etc/iproute2/rt_scopes.
const (
	ScopeGlobal  Scope = 0
	ScopeSite    Scope = 200
	ScopeLink    Scope = 253
	ScopeHost    Scope = 254
	ScopeNowhere Scope = 255
)

// SyncGroup is a vrrp_sync_group block: instances that change state together.
type SyncGroup struct {
	Origin  Origin
	Name    string
	Members []string // instance names
	// MemberOrigins are where they are named; nil after Validate
	MemberOrigins []Origin

	TrackInterface []Track
	TrackScript    []Track
	TrackFile      []Track
	TrackProcess   []Track
	TrackBFD       []Track

	SMTPAlert             Opt[bool]
	NotifyPriorityChanges Opt[bool]

	Notify       Command
	NotifyMaster Command
	NotifyBackup Command
	NotifyFault  Command
	NotifyStop   Command

	SyncGroupTrackingWeight bool
}

// TrackScript is a vrrp_script block.
type TrackScript struct {
	Origin     Origin
	Name       string
	Script     Command
	UserOrigin Origin             // of the user line
	Interval   time.Duration      // from start to start
	Timeout    Opt[time.Duration] // Interval when not given
	Weight     int                // -253..253
	Reverse    bool
	Rise       int
	Fall       int
	InitFail   bool
	End        Origin // of the closing brace
}

// DefaultTrackScript is what holds in a vrrp_script block that says nothing.
var DefaultTrackScript = TrackScript{Interval: time.Second, Rise: 1, Fall: 1}
