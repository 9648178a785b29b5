package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/syslog"
	"github.com/lvsd/lvsd/supervisor"
)

// upgradeCommand is lvsd upgrade: a restart that nobody notices.
func upgradeCommand(p *program) *cobra.Command {
	q := question{Request: control.Request{Command: control.Upgrade}}
	accepts := false
	cmd := &cobra.Command{
		Use:   "upgrade [--binary PATH]",
		Short: "let a newly installed lvsd go on in the place of the running one",
		Long: `Lets the running lvsd execute the program that is installed now in its own place,
with its configuration read again, waits for the outcome and says it. Addresses,
services, states, connections and the process id stay; no advert is missing, and
nobody is notified. The new program is asked first whether it takes over and
what it thinks of the configuration: when it refuses, everything runs on as
before, and the exit status is that of lvsd -t, or 1. When it fails after that,
the former program goes on where it has stopped, in another process: status 7.
When that fails, too, the addresses are left to the peers: status 8.`,
		Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			if accepts {
				fmt.Fprintln(cmd.OutOrStdout(), supervisor.Accepts())
				return
			}
			p.status = q.upgrade(cmd)
		},
	}
	q.flags(cmd)
	const patience = 5 * time.Minute // notify scripts have a minute
	timeout := cmd.Flags().Lookup("timeout")
	q.timeout, timeout.DefValue = patience, patience.String()
	cmd.Flags().StringVar(&q.Binary, "binary", "", "the new program, instead of the one that is where the running one was")
	cmd.Flags().BoolVar(&accepts, "accepts", false, "say what this program takes over, as the running one asks it")
	_ = cmd.Flags().MarkHidden("accepts") // it exists
	return cmd
}

func (q *question) upgrade(cmd *cobra.Command) int {
	if q.Binary != "" {
		path, err := filepath.Abs(q.Binary)
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			return config.ExitFatal
		}
		q.Binary = path
	}
	return q.ask(cmd.OutOrStdout(), cmd.ErrOrStderr())
}

// bridge is this program when it sends the adverts while lvsd is being replaced,
// and watches over that.
func (p *program) bridge() (status int, ok bool) {
	told, ok := daemon.OnBridge()
	if !ok {
		return 0, false
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE) // its end is that of the connection
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	p.rename()
	p.values()
	output := syslog.New(p.logOptions(0o177))
	end := writeLog(output)
	defer end()
	if err := supervisor.RunBridge(told, output.Logger(), signals); err != nil {
		return config.ExitFatal, true
	}
	return config.ExitOK, true
}

// rename gives the process the name that it was called by: it was executed as
// /proc/self/exe.
func (p *program) rename() { _ = daemon.Rename(filepath.Base(p.argv[0])) }

// succeed takes what a program in whose place this one goes on has left. Signals
// come first: there may be much to read.
func (p *program) succeed() (detached bool) {
	if daemon.Succeeding() {
		p.listen()
	}
	h, ok, err := daemon.Succeed()
	if !ok {
		return false // serve listens
	}
	if h.Failed != "" {
		p.rename()
	}
	p.dir, p.socket = h.Dir, h.Socket
	p.predecessor = &supervisor.Predecessor{State: h.State, Drop: h.Drop, Failed: h.Failed}
	if err != nil {
		fmt.Fprintln(p.stderr, err)
	}
	return true
}

// testArguments are what this program would be called with to test its
// configuration.
func (l *life) testArguments() []string {
	args := []string{"--config-test", "--use-file=" + l.file, "--config-id=" + l.id()}
	if l.allConfig {
		args = append(args, "--all-config")
	}
	if l.namespace != "" {
		args = append(args, "--namespace="+l.namespace)
	}
	return args
}

// execute lets another program go on. SIGHUP, which would end it before it
// listens, has no effect until then: it reads the configuration anyway. SIGTERM
// and SIGINT end it; the bridge knows what that means. Others wait.
func (l *life) execute(path string, h daemon.Handover) error {
	signal.Ignore(syscall.SIGHUP)
	l.endLog()
	held := slices.DeleteFunc(supervisor.Handled(), func(s os.Signal) bool {
		return s == syscall.SIGHUP || s == syscall.SIGTERM || s == syscall.SIGINT
	})
	err := daemon.Execute(path, l.inside, h, held...)
	l.endLog = writeLog(l.output)
	signal.Notify(l.signals, syscall.SIGHUP)
	return err
}
