package config

import "time"

// Global is the global_defs block, keepalived.conf(5).
type Global struct {
	Origin Origin

	RouterID              string
	NotificationEmail     []string
	NotificationEmailFrom string
	SMTPServer            string
	SMTPHeloName          string
	SMTPConnectTimeout    time.Duration
	SMTPTLS               MailTLS  // lvsd's own keyword
	SMTPAuth              MailAuth // lvsd's own keyword
	SMTPAlert             Opt[bool]
	SMTPAlertVRRP         Opt[bool]
	SMTPAlertChecker      Opt[bool]
	NoEmailFaults         bool
	NoCheckerEmails       bool

	ScriptUser             User
	ScriptUserOrigin       Origin // of the script_user line
	EnableScriptSecurity   bool
	UseSymlinkPaths        bool
	SetSupplementaryGroups bool
	StartupScript          Command
	StartupScriptTimeout   time.Duration
	ShutdownScript         Command
	ShutdownScriptTimeout  time.Duration

	VRRPVersion                 uint8 // 2 or 3
	VRRPMcastGroup4             Addr
	VRRPMcastGroup6             Addr
	VRRPGarpMasterDelay         time.Duration
	VRRPGarpMasterRepeat        int
	VRRPGarpMasterRefresh       time.Duration
	VRRPGarpMasterRefreshRepeat int
	VRRPGarpLowerPrioDelay      Opt[time.Duration]
	VRRPGarpLowerPrioRepeat     Opt[int]
	VRRPGarpInterval            time.Duration
	VRRPGnaInterval             time.Duration
	VRRPGarpExtraIf             ExtraGarp
	VRRPDownTimerAdverts        int
	VRRPLowerPrioNoAdvert       bool
	VRRPHigherPrioSendAdvert    bool
	VRRPOwnerIgnoreAdverts      bool
	VRRPCheckUnicastSrc         bool
	VRRPSkipCheckAdvAddr        bool
	VRRPStrict                  bool
	StrictOrigin                Origin        // of the vrrp_strict line
	VRRPMaxAdvertInterval       time.Duration // lvsd's own keyword; 0: none
	VRRPStartupDelay            time.Duration
	VRRPDelayAfterBoot          time.Duration
	V3ChecksumAsV2              bool
	LogUnknownVRIDs             bool
	DynamicInterfaces           bool
	AllowIfChanges              bool // dynamic_interfaces allow_if_changes
	DefaultInterface            string
	DisableLocalIGMP            bool
	VMACPrefix                  string
	VMACAddrPrefix              string // VMACPrefix when empty

	LVSFlush              bool
	LVSFlushOnStop        bool
	LVSFlushOnStopVS      bool // lvs_flush_on_stop VS: service by service
	LVSTimeouts           LVSTimeouts
	LVSSyncDaemon         *SyncDaemon // nil: none
	CheckerLogAllFailures bool
	RSInitNotifies        bool

	Process   GlobalProcess
	Firewall  Firewall
	FIFO      FIFOs
	Receive   ReceiveBuffers
	Interface ExternalInterfaces
	Reload    ReloadOptions
}

// DefaultGlobal is what holds without a global_defs block.
var DefaultGlobal = Global{
	SMTPConnectTimeout:          30 * time.Second,
	StartupScriptTimeout:        10 * time.Second,
	ShutdownScriptTimeout:       10 * time.Second,
	VRRPVersion:                 2,
	VRRPMcastGroup4:             MustAddr("224.0.0.18"),
	VRRPMcastGroup6:             MustAddr("ff02::12"),
	VRRPGarpMasterDelay:         5 * time.Second,
	VRRPGarpMasterRepeat:        5,
	VRRPGarpMasterRefreshRepeat: 1,
	VRRPDownTimerAdverts:        3,
	DefaultInterface:            "eth0",
	VMACPrefix:                  "vrrp",
	Process: GlobalProcess{
		MinAutoPriorityDelay: time.Second, Umask: 0o177,
		VRRP: defaultProcess, Checker: defaultProcess, BFD: defaultProcess,
	},
	Firewall:  Firewall{NFTablesPriority: -1, NFTablesIPVSPriority: -1, NFTablesIPVSStartFWMark: 1000},
	Receive:   ReceiveBuffers{VRRPRxBufsMultiplier: 3},
	Interface: ExternalInterfaces{SNMPVSStatsUpdateInterval: 5 * time.Second, JSONVersion: 1},
}

// ExtraGarp is [vrrp_]garp_extra_if: gratuitous ARP on interfaces that hold
// addresses and send no adverts.
type ExtraGarp struct {
	Interval time.Duration // 0: none
	All      bool          // on every such interface, not on VMACs only
}

// GlobalProcess is what global_defs says about keepalived's processes.
type GlobalProcess struct {
	ProcessNames         bool   // keepalived_vrrp and so on
	ProcessName          string // of the parent
	MaxAutoPriority      int    // 0: never raised, -1: not even logged
	MinAutoPriorityDelay time.Duration
	Umask                uint16 // bits as of umask(2)
	RandomSeed           Opt[uint32]
	VRRPNoRealtime       bool // lvsd's own keyword: adverts go without real-time scheduling
	VRRP, Checker, BFD   Process
}

// Process is one of keepalived's processes: vrrp_*, checker_* and bfd_* of
// global_defs.
type Process struct {
	ProcessName  string        // at most 15 bytes
	Priority     int           // nice(2), -20..19
	NoSwap       bool          // mlockall(2)
	RTPriority   int           // SCHED_RR, 1..99; 0: not given
	CPUAffinity  []int         // sched_setaffinity(2); none: all
	RlimitRttime time.Duration // RLIMIT_RTTIME, to the microsecond
}

var defaultProcess = Process{RlimitRttime: 10 * time.Millisecond}

// LVSTimeouts are those of ipvsadm --set; unset ones stay the kernel's.
type LVSTimeouts struct {
	TCP, TCPFin, UDP Opt[time.Duration]
}

// SyncDaemon is lvs_sync_daemon: ipvsadm --start-daemon.
type SyncDaemon struct {
	Origin    Origin
	Interface string
	Inst      string // the vrrp_instance that decides who is master; empty: both run
	ID        Opt[uint8]
	MaxLen    uint16
	Port      uint16
	TTL       uint8
	Group     Addr
}

// Firewall is how addresses are kept from answering: no_accept and VMACs.
type Firewall struct {
	VRRPIPTables            []string // chains; nil: not asked for
	VRRPIPSets              []string // names; nil: not asked for
	NFTables                string   // table; empty: not asked for
	NFTablesPriority        int
	NFTablesIfindex         bool
	NFTablesCounters        bool
	NFTablesIPVS            string // table; empty: not asked for
	NFTablesIPVSPriority    int
	NFTablesIPVSStartFWMark uint32
}

// FIFO is a named pipe that state changes are written to, and the script that
// reads it.
type FIFO struct {
	Path   string // empty: none
	User   User
	Script Command
}

// FIFOs are the pipes of global_defs.
type FIFOs struct {
	Notify                      FIFO // of everything
	VRRPNotify                  FIFO
	LVSNotify                   FIFO
	VRRPNotifyPriorityChanges   bool
	FIFOWriteVRRPStatesOnReload bool
}

// ReceiveBuffer is a socket's; SO_RCVBUFFORCE when Force.
type ReceiveBuffer struct {
	Bytes uint32 // 0: the kernel's default
	Force bool
}

// ReceiveBuffers are those of netlink and of adverts.
type ReceiveBuffers struct {
	VRRPNetlinkCmd, VRRPNetlinkMonitor ReceiveBuffer
	LVSNetlinkCmd, LVSNetlinkMonitor   ReceiveBuffer
	ProcessMonitor                     ReceiveBuffer

	VRRPRxBufsPolicy     RxPolicy
	VRRPRxBufsSize       uint32 // of RxSize, in bytes
	VRRPRxBufsMultiplier uint32
}

// RxPolicy is vrrp_rx_bufs_policy: what the buffer for adverts is sized by.
type RxPolicy uint8

// The policies of vrrp_rx_bufs_policy.
const (
	RxKernel RxPolicy = iota
	RxMTU
	RxAdvert
	RxSize
)

// ExternalInterfaces are the ways to look into a running daemon.
type ExternalInterfaces struct {
	SNMPSocket                string
	EnableTraps               bool
	EnableSNMPVRRP            bool
	EnableSNMPRFCv2           bool
	EnableSNMPRFCv3           bool
	EnableSNMPChecker         bool
	SNMPVSStatsUpdateInterval time.Duration
	SNMPRSStatsUpdateInterval Opt[time.Duration] // that of virtual servers when not given
	EnableDBus                bool
	DBusServiceName           string
	DBusNoInterfaceName       string
	JSONVersion               uint8 // 1 or 2
	StateDumpFile             string
	StatsDumpFile             string
	JSONDumpFile              string
	DataUseInstance           bool
}

// ReloadOptions are those of reading the configuration again.
type ReloadOptions struct {
	ReloadCheckConfig  Opt[string] // the log of the check
	ReloadTimeFile     string
	ReloadRepeat       bool
	ReloadFile         Opt[string]
	IncludeCheck       Opt[IncludeCheck]
	ConfigSaveDir      string
	TmpConfigDirectory string
	IPRouteUsrDir      string // where names of routing tables are defined
	IPRouteEtcDir      string
}

// IncludeCheck says which failures of an include line count.
type IncludeCheck uint8

// Bits of include_check, and of the includeX keywords.
const (
	IncludeRead IncludeCheck = 1 << iota
	IncludeMatch
	IncludeWildcardMatch
	IncludeBraceMatch

	IncludeAll = IncludeRead | IncludeMatch | IncludeWildcardMatch | IncludeBraceMatch
)

// Daemon is what the top level says outside of blocks.
type Daemon struct {
	NetNamespace       string
	NetNamespaceOrigin Origin
	NetNamespaceIPVS   Opt[string] // empty: the default namespace
	NamespaceWithIPSet bool
	UsePIDDir          bool
	Instance           string
	ChildWaitTime      time.Duration // before children are killed
	LinkbeatUsePolling bool
}

// Name tells a daemon from others on the machine, by its network namespace and
// its instance: NAMESPACE_INSTANCE, or either. Empty: it is the only one.
func (d *Daemon) Name() string {
	if d.NetNamespace == "" || d.Instance == "" {
		return d.NetNamespace + d.Instance
	}
	return d.NetNamespace + "_" + d.Instance
}

// DefaultDaemon is what holds when the top level says nothing.
var DefaultDaemon = Daemon{ChildWaitTime: 5 * time.Second}
