package config

import "strings"

// Config is one configuration, all files of it together.
type Config struct {
	Global    Global
	Scripts   []TrackScript   // vrrp_script, in file order
	Groups    []SyncGroup     // vrrp_sync_group, in file order
	Instances []Instance      // vrrp_instance, in file order
	Daemon    Daemon          // keywords of the top level that are no blocks
	Static    Static          // static_*, and what they follow
	Links     Links           // what is said about interfaces as such
	Trackers  Trackers        // track_file, vrrp_track_process, bfd_instance
	Services  []VirtualServer // virtual_server blocks as written, in file order

	ServiceGroups []VirtualServerGroup // virtual_server_group, in file order
	SSL           *SSL                 // nil: none
}

// Origin says where a block begins. Equality of blocks ignores it: moving a
// block within its file changes nothing. There is one for each of a hundred
// thousand servers, so it is small.
type Origin struct {
	File   string
	Line   int32 // from 1
	Column int32 // from 1, in bytes
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
	Secure bool     // do not run as root what others may change: enable_script_security
	User   User
	Origin Origin

	AllGroups bool // those of the user, whatever GROUP says: set_supplementary_groups
}

// Program is what the line begins with: what is executed, or the first word of
// what a shell reads.
func (c *Command) Program() string {
	words := c.Args
	if c.Shell {
		words = Words(c.Line)
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// Quoted is the command as keepalived prints it: the words that are executed,
// each in single quotes.
func (c *Command) Quoted() string {
	args := c.Args
	if c.Shell {
		args = []string{"/bin/sh", "-c", c.Line}
	}
	return "'" + strings.Join(args, "' '") + "'"
}

// IsZero reports whether no command was configured.
func (c *Command) IsZero() bool { return c == nil || c.Line == "" }
