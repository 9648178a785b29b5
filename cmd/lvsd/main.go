// Command lvsd is keepalived, written again: VRRP, IPVS and health checks
// from a keepalived.conf. Called as keepalived it behaves as keepalived does.
package main

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/syslog"
	"github.com/lvsd/lvsd/supervisor"
)

const (
	defaultFile = "/etc/keepalived/keepalived.conf"
	version     = "0.1.0"
	speaks      = "2.4.3"      // the keepalived that lvsd stands in for
	spoken      = "08/13,2026" // its date

	fullName = "Keepalived v" + speaks + " (" + spoken + "), lvsd v" + version // as clients read it
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// program is one call of lvsd.
type program struct {
	settings
	argv           []string
	stdout, stderr io.Writer
	ineffective    []string           // options given that have no effect
	extra          []string           // words that are no option
	commands       []*cobra.Command   // lvsd's own
	mask           config.Opt[uint16] // of -u
	status         int

	dir         string                  // where relative paths of the command line begin
	predecessor *supervisor.Predecessor // nil: a start like any other
	socket      int                     // of its questions; 0: none
	signals     chan os.Signal          // nil: nobody listens to them yet
}

// run is the whole program, and returns its exit status.
func run(argv []string, stdout, stderr io.Writer) int {
	log.SetOutput(io.Discard) // package http complains there of servers of HTTP/2 that a probe fails for anyway
	p := &program{argv: argv, stdout: stdout, stderr: stderr, settings: settings{file: defaultFile, format: formatText}}
	if called, args, ok := p.genhashArguments(); ok {
		return genhash(called, args, stdout, stderr)
	}
	table := optionsFor(p.asKeepalived())
	root := &cobra.Command{
		Use:           "lvsd [OPTION...]",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		Run: func(cmd *cobra.Command, extra []string) {
			p.ineffective, p.extra = ineffective(cmd.Flags()), extra
			p.status = p.main()
		},
	}
	bindOptions(root.Flags(), table, &p.settings)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if cmd == root {
			p.usage()
			return
		}
		fmt.Fprint(stdout, cmp.Or(cmd.Long, cmd.Short), "\n\n", cmd.UsageString())
	})
	if !p.asKeepalived() {
		p.commands = []*cobra.Command{checkCommand(p), configCommand(p), explainCommand(), fmtCommand(p), genhashCommand(p), manCommand(root), migrateCommand(p), planCommand(p), realServerCommand(p), reloadCommand(p), upgradeCommand(p)}
		root.AddCommand(p.commands...)
	}
	args, mistakes := arguments(root, table, argv[1:])
	if mistakes != nil {
		fmt.Fprintln(stderr, mistakes)
		if !answered(table, args) {
			p.extra = rest(args)
			p.unexpected(stdout)
			return config.ExitFatal
		}
	}
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(stderr, err)
		return config.ExitFatal
	}
	return p.status
}

// arguments are the command line for cobra: that of a subcommand as it is,
// keepalived's options as getopt reads them.
func arguments(root *cobra.Command, table []option, args []string) ([]string, error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && root.HasSubCommands() {
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd(args...)
		if sub, _, err := root.Find(args); err == nil && sub != root || args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd {
			return args, nil
		}
	}
	return getopt(table, args)
}

// asKeepalived reports whether the program was called by keepalived's name.
func (p *program) asKeepalived() bool { return p.calledAs("keepalived") }

func (p *program) calledAs(name string) bool { return filepath.Base(p.argv[0]) == name }

// unexpected says which words of the command line are no option.
func (p *program) unexpected(out io.Writer) {
	if len(p.extra) > 0 {
		fmt.Fprintf(out, "Unexpected argument(s): %s \n", strings.Join(p.extra, " "))
	}
}

func (p *program) main() int {
	_, badFormat := syslog.ParseFormat(p.logFormat)
	switch {
	case p.help:
		p.usage()
		return config.ExitOK
	case p.version:
		p.printVersion()
		return config.ExitOK
	case p.signum != "":
		return p.printSignum()
	case p.configTest:
		out := p.stdout
		if p.format != formatText { // stdout is the report's
			out = p.stderr
		}
		p.unexpected(out)
		fine := p.values()
		if status := p.testConfig(); fine || status != config.ExitOK {
			return status
		}
		return config.ExitTestFailed
	case p.format != formatText || p.offline || p.strict:
		fmt.Fprintln(p.stderr, "--format, --offline and --strict belong to --config-test")
		return config.ExitFatal
	case badFormat != nil:
		fmt.Fprintln(p.stderr, badFormat)
		return config.ExitFatal
	}
	return p.daemon()
}

func (p *program) printSignum() int {
	n, ok := supervisor.Signum(p.signum)
	if !ok {
		fmt.Fprintf(p.stderr, "Unknown sigfunc %s\n", p.signum)
		return config.ExitFatal
	}
	fmt.Fprintln(p.stdout, int(n))
	return config.ExitOK
}

// id is the configuration id: -i, or the host's name up to its first dot.
func (p *program) id() string {
	if p.configID != "" {
		return p.configID
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}
