package main

import (
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/lvsd/lvsd/supervisor"
)

// argument says whether an option takes one.
type argument uint8

const (
	none     argument = iota
	required          // -f FILE, -fFILE, --use-file FILE, --use-file=FILE
	optional          // -t, -tFILE, --config-test, --config-test=FILE
)

// option is a row of keepalived's option table, keepalived(8).
type option struct {
	short byte // 0: none
	long  string
	arg   argument
	name  string // of the argument, for the usage
	help  string // empty: it has no effect
	bind  func(f *pflag.FlagSet, s *settings, long, help string)
	own   bool // lvsd's, unknown to keepalived: to be written in full

	answers bool // it is answered at once, and the program ends
}

// settings is what the command line says.
type settings struct {
	file        string
	configTest  bool
	testLog     string
	foreground  bool
	console     bool
	noSyslog    bool
	logFile     string
	logFormat   string
	monitor     bool
	detail      int
	dump        bool
	onlyVRRP    bool
	onlyCheck   bool
	all         bool
	noBFD       bool
	pid         string
	vrrpPid     string
	checkersPid string
	bfdPid      string
	facility    string
	umask       string
	namespace   string
	core        bool
	corePattern string
	noSigint    bool
	genhash     bool
	allConfig   bool
	configID    string
	keepVRRP    bool
	snmp        bool
	snmpSocket  string
	keepIPVS    bool
	version     bool
	help        bool
	signum      string
	format      string // text, json or sarif
	offline     bool
	strict      bool
}

// optionTable is every option of keepalived 2.4.3. One without a bind is
// accepted, with its argument, and said to have no effect yet.
var optionTable = []option{
	{short: 'f', long: "use-file", arg: required, name: "FILE", help: "use the specified configuration file", bind: str(func(s *settings) *string { return &s.file })},
	{short: 'P', long: "vrrp", help: "only run with the VRRP subsystem", bind: flag(func(s *settings) *bool { return &s.onlyVRRP })},
	{short: 'C', long: "check", help: "only run with the health checker subsystem", bind: flag(func(s *settings) *bool { return &s.onlyCheck })},
	{short: 'B', long: "no_bfd", help: "don't run the BFD subsystem", bind: flag(func(s *settings) *bool { return &s.noBFD })},
	{long: "all", help: "run every subsystem, with or without a configuration for it", bind: flag(func(s *settings) *bool { return &s.all })},
	{short: 'l', long: "log-console", help: "log messages to the local console", bind: flag(func(s *settings) *bool { return &s.console })},
	{short: 'D', long: "log-detail", help: "detailed log messages", bind: count(func(s *settings) *int { return &s.detail })},
	{short: 'S', long: "log-facility", arg: required, name: "([0-7]|local[0-7]|user|daemon)", help: "set the syslog facility (daemon)", bind: str(func(s *settings) *string { return &s.facility })},
	{short: 'g', long: "log-file", arg: optional, name: "FILE", help: "also log to FILE (/tmp/keepalived.log), and for parts to files beside it", bind: logFile},
	{long: "flush-log-file", help: "flush the log file after each line (always so)", bind: nothing},
	{short: 'G', long: "no-syslog", help: "don't log via syslog", bind: flag(func(s *settings) *bool { return &s.noSyslog })},
	{short: 'u', long: "umask", arg: required, name: "MASK", help: "umask for file creation, a number or names of its bits", bind: str(func(s *settings) *string { return &s.umask })},
	{short: 'X', long: "release-vips", help: "remove VIPs at transitions by a signal (always so)", bind: nothing},
	{short: 'V', long: "dont-release-vrrp", help: "don't remove VRRP VIPs on stop", bind: flag(func(s *settings) *bool { return &s.keepVRRP })},
	{short: 'I', long: "dont-release-ipvs", help: "don't remove IPVS services on stop", bind: flag(func(s *settings) *bool { return &s.keepIPVS })},
	{short: 'R', long: "dont-respawn", help: "don't respawn child processes (there are none)", bind: nothing},
	{short: 'n', long: "dont-fork", help: "don't fork the daemon process", bind: flag(func(s *settings) *bool { return &s.foreground })},
	{short: 'd', long: "dump-conf", help: "dump the configuration data", bind: flag(func(s *settings) *bool { return &s.dump })},
	{short: 'p', long: "pid", arg: required, name: "FILE", help: "use the specified pidfile for the parent process", bind: str(func(s *settings) *string { return &s.pid })},
	{short: 'r', long: "vrrp_pid", arg: required, name: "FILE", help: "use the specified pidfile for the VRRP process", bind: str(func(s *settings) *string { return &s.vrrpPid })},
	{short: 'T', long: "genhash", help: "enter into genhash utility mode (this should be the first option used)", bind: flag(func(s *settings) *bool { return &s.genhash })},
	{short: 'c', long: "checkers_pid", arg: required, name: "FILE", help: "use the specified pidfile for the checkers process", bind: str(func(s *settings) *string { return &s.checkersPid })},
	{short: 'a', long: "address-monitoring", help: "log all addresses that come or go", bind: flag(func(s *settings) *bool { return &s.monitor })},
	{short: 'b', long: "bfd_pid", arg: required, name: "FILE", help: "use the specified pidfile for the BFD process", bind: str(func(s *settings) *string { return &s.bfdPid })},
	{short: 'x', long: "snmp", help: "enable all of SNMP, whatever the configuration says", bind: flag(func(s *settings) *bool { return &s.snmp })},
	{short: 'A', long: "snmp-agent-socket", arg: required, name: "SOCKET", help: "use the specified socket of the master agent (unix:/var/agentx/master)", bind: str(func(s *settings) *string { return &s.snmpSocket })},
	{short: 's', long: "namespace", arg: required, name: "NAME", help: "run in network namespace NAME (overrides the configuration)", bind: str(func(s *settings) *string { return &s.namespace })},
	{short: 'm', long: "core-dump", help: "produce a core dump after a crash", bind: flag(func(s *settings) *bool { return &s.core })},
	{short: 'M', long: "core-dump-pattern", arg: optional, name: "PATN", help: "as -m, and set /proc/sys/kernel/core_pattern to PATN (core)", bind: corePattern},
	{short: 'e', long: "all-config", help: "error if any configuration file was not found", bind: flag(func(s *settings) *bool { return &s.allConfig })},
	{short: 'i', long: "config-id", arg: required, name: "ID", help: "take the lines that begin with @ID (default: the host's name)", bind: str(func(s *settings) *string { return &s.configID })},
	{long: "ignore-sigint", help: "don't stop at SIGINT", bind: flag(func(s *settings) *bool { return &s.noSigint })},
	{answers: true, long: "signum", arg: required, name: "SIGFUNC", help: "print the signal number of STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON", bind: str(func(s *settings) *string { return &s.signum })},
	{short: 't', long: "config-test", arg: optional, name: "LOG_FILE", help: "test the configuration, problems to stderr or LOG_FILE", bind: test},
	{long: "perf", arg: optional},
	{long: "debug", arg: optional},
	{short: 'v', answers: true, long: "version", help: "display the version number", bind: flag(func(s *settings) *bool { return &s.version })},
	{short: 'h', answers: true, long: "help", help: "display this help message", bind: flag(func(s *settings) *bool { return &s.help })},
}

// ownTable is what lvsd adds, when it is not called as keepalived.
var ownTable = []option{
	{own: true, long: "log-format", arg: required, name: "FORMAT", help: "the form of log lines on the console and in files: keepalived, text or json", bind: str(func(s *settings) *string { return &s.logFormat })},
	{own: true, long: "format", arg: required, name: "FORMAT", help: "with -t: write the problems as text, json or sarif, the latter two to stdout", bind: str(func(s *settings) *string { return &s.format })},
	{own: true, long: "offline", help: "with -t: the file is for another machine, look up no interface, address, user, script or table", bind: flag(func(s *settings) *bool { return &s.offline })},
	{own: true, long: "strict", help: "with -t: warnings change the exit status, too", bind: flag(func(s *settings) *bool { return &s.strict })},
}

// optionsFor are the options of a program of that name.
func optionsFor(keepalived bool) []option {
	if keepalived {
		return optionTable
	}
	return slices.Concat(optionTable, ownTable)
}

func str(field func(*settings) *string) func(*pflag.FlagSet, *settings, string, string) {
	return func(f *pflag.FlagSet, s *settings, long, help string) { f.StringVar(field(s), long, *field(s), help) }
}

func flag(field func(*settings) *bool) func(*pflag.FlagSet, *settings, string, string) {
	return func(f *pflag.FlagSet, s *settings, long, help string) { f.BoolVar(field(s), long, false, help) }
}

func count(field func(*settings) *int) func(*pflag.FlagSet, *settings, string, string) {
	return func(f *pflag.FlagSet, s *settings, long, help string) { f.CountVar(field(s), long, help) }
}

// nothing is the bind of an option that asks for what holds anyway.
func nothing(f *pflag.FlagSet, _ *settings, long, help string) { f.Bool(long, false, help) }

func corePattern(f *pflag.FlagSet, s *settings, long, help string) {
	f.BoolFunc(long, help, func(pattern string) error {
		if s.core, s.corePattern = true, pattern; pattern == "true" {
			s.corePattern = "core"
		}
		return nil
	})
}

func logFile(f *pflag.FlagSet, s *settings, long, help string) {
	f.BoolFunc(long, help, func(file string) error {
		if s.logFile = file; file == "true" {
			s.logFile = filepath.Join(supervisor.TempDir(), "keepalived.log")
		}
		return nil
	})
}

func test(f *pflag.FlagSet, s *settings, long, help string) {
	f.BoolFunc(long, help, func(logFile string) error {
		s.configTest = true
		if logFile != "true" {
			s.testLog = logFile
		}
		return nil
	})
}

// bindOptions registers the whole table: getopt's work is done by then, so
// only the long spellings are needed.
func bindOptions(f *pflag.FlagSet, table []option, s *settings) {
	f.SortFlags = false
	for _, o := range table {
		switch {
		case o.bind != nil:
			o.bind(f, s, o.long, o.help)
		case o.arg == none:
			f.Bool(o.long, false, "no effect")
		default:
			f.String(o.long, "", "no effect")
			if o.arg == optional {
				f.Lookup(o.long).NoOptDefVal = "default"
			}
		}
	}
}

// ineffective are the options of the command line that have no effect: those of
// keepalived's builds for debugging.
func ineffective(f *pflag.FlagSet) (names []string) {
	for _, o := range optionTable {
		if o.bind == nil && f.Changed(o.long) {
			names = append(names, o.long)
		}
	}
	return names
}
