package config

import "time"

// Config is one configuration, all files of it together.
type Config struct {
	Global    Global
	Scripts   []TrackScript   // vrrp_script, in file order
	Groups    []SyncGroup     // vrrp_sync_group, in file order
	Instances []Instance      // vrrp_instance, in file order
	Services  []VirtualServer // virtual_server blocks as written, in file order
}

// Origin says where a block begins. Equality of blocks ignores it: moving a
// block within its file changes nothing.
type Origin struct {
	File   string
	Line   int // from 1
	Column int // from 1, in bytes
}

// Opt is a value that a block may leave to its parent, to global_defs or to
// the default. [Config.Resolve] fills Value where Set is false, so that a
// consumer reads Value and never asks who gave it.
type Opt[T any] struct {
	Value T
	Set   bool // written in this very block
}

// Some is an Opt that was written.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// inherit takes the parent's value when the block itself did not set one.
func (o *Opt[T]) inherit(v T) {
	if !o.Set {
		o.Value = v
	}
}

// Global is the global_defs block, keepalived.conf(5).
type Global struct {
	Origin Origin

	RouterID              string
	NotificationEmail     []string
	NotificationEmailFrom string
	SMTPServer            string
	SMTPConnectTimeout    time.Duration
	SMTPAlert             Opt[bool]

	ScriptUser           User
	EnableScriptSecurity bool

	VRRPVersion                 uint8 // 2 or 3
	VRRPMcastGroup4             Addr
	VRRPGarpMasterDelay         time.Duration
	VRRPGarpMasterRepeat        int
	VRRPGarpMasterRefresh       time.Duration
	VRRPGarpMasterRefreshRepeat int
	VRRPGarpLowerPrioDelay      Opt[time.Duration]
	VRRPGarpLowerPrioRepeat     Opt[int]
	VRRPGarpInterval            time.Duration
	VRRPDownTimerAdverts        int
	VRRPLowerPrioNoAdvert       bool
	VRRPHigherPrioSendAdvert    bool
	VRRPCheckUnicastSrc         bool
	VRRPSkipCheckAdvAddr        bool
	VRRPStrict                  bool
	DynamicInterfaces           bool
	DefaultInterface            string

	LVSFlush              bool
	LVSFlushOnStop        bool
	CheckerLogAllFailures bool
	RSInitNotifies        bool
}

// DefaultGlobal is what holds without a global_defs block.
var DefaultGlobal = Global{
	SMTPConnectTimeout:          30 * time.Second,
	VRRPVersion:                 2,
	VRRPMcastGroup4:             MustAddr("224.0.0.18"),
	VRRPGarpMasterDelay:         5 * time.Second,
	VRRPGarpMasterRepeat:        5,
	VRRPGarpMasterRefreshRepeat: 1,
	VRRPDownTimerAdverts:        3,
	DefaultInterface:            "eth0",
}

// User is the account that a script runs as: USER [GROUP] after a command, or
// script_user. The zero value means lvsd's own.
type User struct {
	Name, Group string
}

// Command is a script of the configuration: notify*, vrrp_script's script.
// The zero value means none.
type Command struct {
	Line   string   // the command line as it was written, quotes removed
	Args   []string // the words to execute; nil when Shell
	Shell  bool     // Line holds shell operators outside quotes and runs under /bin/sh -c
	User   User
	Origin Origin
}

// IsZero reports whether no command was configured.
func (c *Command) IsZero() bool { return c == nil || c.Line == "" }
