package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/sigmask"
	"github.com/lvsd/lvsd/internal/syslog"
	"github.com/lvsd/lvsd/supervisor"
)

// life is one run of the daemon.
type life struct {
	*program
	log      *zap.Logger
	output   *syslog.Output
	starting *daemon.Starting // nil in the foreground
	files    daemon.Files
	options  supervisor.Options
	control  *control.Server
	helpers  sync.WaitGroup // end with ctx
	inside   string         // the network namespace that was entered
	greeted  bool
	stale    bool // the log has been told that pid files cannot be renewed
	endLog   func()
}

// daemon runs lvsd: in the foreground with -n, else detached.
func (p *program) daemon() int {
	if status, ok := p.bridge(); ok {
		return status
	}
	succeeding := p.succeed()
	starting, detached := daemon.Inherit()
	if !detached && !succeeding {
		p.unexpected(p.stdout)
	}
	if !p.foreground && !detached && !succeeding {
		status, err := daemon.Daemonize()
		if err != nil {
			fmt.Fprintln(p.stderr, err)
		}
		return status
	}
	p.values()
	if err := p.absolute(); err != nil {
		fmt.Fprintln(p.stderr, err)
		return config.ExitFatal
	}
	mask := config.DefaultGlobal.Process.Umask
	if p.mask.Set {
		mask = p.mask.Value
	}
	syscall.Umask(int(mask))
	l := &life{program: p, output: syslog.New(p.logOptions(mask)), starting: starting, control: control.New()}
	l.log = l.output.Logger()
	// Whoever comes back from waiting, above all the thread that sends adverts,
	// finds a place to run Go code at once, also when all processors are in use.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spare)
	ctx, end := context.WithCancel(context.Background())
	l.endLog = writeLog(l.output)
	l.helpers.Go(func() { _ = daemon.WaitForOrphans(ctx) }) // it has nothing to complain of
	defer func() {
		end()
		l.helpers.Wait()
		l.files.Leave()
		l.endLog()
	}()
	return l.serve(ctx)
}

// writeLog writes the log until it is ended, and then what is left of it.
func writeLog(output *syslog.Output) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	writing.Go(func() { _ = output.Run(ctx) }) // there is nobody left to tell
	return func() {
		cancel()
		writing.Wait()
	}
}

// spare is how many threads more than processors may run Go code.
const spare = 2

// absolute makes the paths of the command line so: the working directory will
// be / when they are used again.
func (p *program) absolute() error {
	if p.dir == "" {
		var err error
		if p.dir, err = os.Getwd(); err != nil {
			return err
		}
	}
	for _, path := range []*string{&p.file, &p.logFile, &p.pid, &p.vrrpPid, &p.checkersPid, &p.bfdPid} {
		if *path != "" {
			*path = p.within(*path)
		}
	}
	return nil
}

// within is a path of the command line.
func (p *program) within(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.dir, path)
}

// logOptions say where the log goes. Where standard error is the journal's, it
// takes the place of syslog, which would end there too, and of a console that
// is to look like keepalived's.
func (p *program) logOptions(mask uint16) syslog.Options {
	o := syslog.Options{Detail: p.detail > 0, Extra: p.detail > 1, File: p.logFile, Mode: 0o666 &^ fs.FileMode(mask)}
	if !p.noSyslog {
		o.Socket = syslog.Socket
	}
	if p.console {
		o.Console = p.stderr
	}
	if syslog.Journal() {
		if o.Console != nil && p.logFormat == "" {
			o.Console, o.Journal = nil, true
		}
		if o.Socket != "" {
			o.Socket, o.Journal = "", true
		}
	}
	if format, err := syslog.ParseFormat(p.logFormat); err == nil {
		o.Format = format
	}
	if facility, err := syslog.ParseFacility(p.facility); err == nil {
		o.Facility = facility
	}
	return o
}

// values reads the arguments of options that mean something else than text. A
// wrong one is said and ignored; keepalived's -t minds the facility alone.
func (p *program) values() (ok bool) {
	if mask, err := config.ParseUmask(p.umask); err != nil {
		fmt.Fprintf(p.stderr, "Invalid --umask option %s\n", p.umask)
	} else {
		p.mask = config.Opt[uint16]{Value: mask, Set: p.umask != ""}
	}
	if _, err := syslog.ParseFacility(p.facility); err != nil && p.facility != "" {
		fmt.Fprintf(p.stderr, "Invalid log facility '%s'\n", p.facility)
		return false
	}
	return true
}

// serve runs the supervisor between pid files and returns the exit status.
func (l *life) serve(ctx context.Context) int {
	if l.core {
		restore, err := daemon.DumpCore(l.corePattern)
		if err != nil {
			l.log.Warn(err.Error())
		} else {
			defer func() { l.complain(restore()) }()
		}
	}
	defer func() { l.complain(l.files.Release()) }()
	if l.signals == nil {
		l.listen()
	}
	defer signal.Stop(l.signals)
	if l.noSigint {
		signal.Reset(syscall.SIGINT)
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	}
	// Caught, so that neither a closed terminal nor a wrong number ends lvsd; not
	// ignored, which scripts would inherit. keepalived minds none of them either.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGQUIT, syscall.SIGSTKFLT)
	l.complain(sigmask.Ignore(rtmin))
	l.options = supervisor.Options{
		File: l.file, ConfigID: l.id(), AllConfig: l.allConfig, Log: l.log, NetNamespace: l.namespace, ForceUmask: l.mask,
		NoVRRP: l.onlyCheck, NoCheck: l.onlyVRRP, NoBFD: l.noBFD, KeepVRRP: l.keepVRRP, KeepIPVS: l.keepIPVS, Dump: l.dump, Monitor: l.monitor, Terse: l.asKeepalived(),
		SNMP: l.snmp, SNMPSocket: l.snmpSocket, FullVersion: fullName,
		Signals: supervisor.Queue(ctx, l.signals), Begin: func(c *config.Config) error { return l.begin(ctx, c) }, Started: l.started, Reloaded: l.reloaded,
		Calls: l.control.Calls(), Watchdog: daemon.Watchdog(),
		Version: version, Program: l.self(), Dir: l.dir, Test: l.testArguments(), Predecessor: l.predecessor, Execute: l.execute, Socket: l.control.Socket,
		Ledger: func() string { return beside(l.files.Parent, ".ledger") },
	}
	err := supervisor.New(l.options).Run(context.Background())
	l.greet()
	if err != nil {
		return l.refuse(err)
	}
	l.spent()
	l.log.Info("Stopped " + fullName)
	return config.ExitOK
}

// rtmin is SIGRTMIN of glibc, from which clients count. Go does not catch it.
const rtmin = syscall.Signal(34)

// listen begins to listen to signals.
func (p *program) listen() {
	p.signals = make(chan os.Signal, 64)
	signal.Notify(p.signals, supervisor.Handled()...)
}

// spent says what the run has cost in processor time, with -D given twice.
func (l *life) spent() {
	var self, children unix.Rusage
	if l.detail < 2 || unix.Getrusage(unix.RUSAGE_SELF, &self) != nil || unix.Getrusage(unix.RUSAGE_CHILDREN, &children) != nil {
		return
	}
	seconds := func(t unix.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }
	l.log.Info(fmt.Sprintf("CPU usage (self/children) user: %.6f/%.6f system: %.6f/%.6f",
		seconds(self.Utime), seconds(children.Utime), seconds(self.Stime), seconds(children.Stime)))
}

// self is where this program was executed from; empty when nobody knows.
func (l *life) self() string {
	path, err := daemon.Self()
	if err != nil {
		return ""
	}
	return l.within(path)
}

// greet writes the first lines of the log, once.
func (l *life) greet() {
	if l.greeted {
		return
	}
	l.greeted = true
	l.log.Info("Starting " + fullName)
	l.log.Info(fmt.Sprintf("Running on %s (built with %s for %s/%s)", kernelVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
	l.log.Info("Command line: '" + strings.Join(l.argv, "' '") + "'")
	l.log.Info("Configuration file " + l.file)
	for _, o := range l.ineffective {
		l.log.Warn(fmt.Sprintf("option --%s has no effect", o))
	}
}

// begin is what comes before anything of the configuration runs. In a network
// namespace the program is executed once more, and nothing has been said yet.
func (l *life) begin(ctx context.Context, c *config.Config) error {
	if name := c.Daemon.NetNamespace; name != "" {
		if err := daemon.EnterNamespace(name, true, l.starting); err != nil {
			return &supervisor.ExitError{Status: config.ExitOK, Err: fmt.Errorf("Unable to set network namespace %s - exiting: %w", name, err)} //nolint:staticcheck // keepalived's sentence
		}
	}
	l.inside = c.Daemon.NetNamespace
	if err := l.starting.Leave(); err != nil {
		return err
	}
	l.greet()
	if name := c.Daemon.Name(); name != "" {
		l.log.Info("Changing syslog ident to Keepalived_" + name)
		l.output.SetSuffix("_" + name)
	}
	files := l.pidFiles(c)
	if err := files.Claim(); err != nil {
		// What goes on in the place of another program has more to lose.
		if l.predecessor == nil {
			return err
		}
		l.complain(err)
	}
	l.files = files
	l.settle(c)
	if socket := beside(files.Parent, ".socket"); l.socket == 0 || !l.control.Adopt(l.socket, socket) {
		if err := l.control.Listen(socket); err != nil {
			l.log.Warn(err.Error())
			return nil
		}
	}
	l.helpers.Go(func() {
		if err := l.control.Run(ctx); err != nil {
			l.log.Error(err.Error())
		}
	})
	return nil
}

// settle makes the process as the configuration has it.
func (l *life) settle(c *config.Config) {
	syscall.Umask(int(l.options.Umask(c)))
	if name := c.Global.Process.ProcessName; name != "" {
		l.complain(daemon.Rename(name))
	}
}

// started tells the command that waits.
func (l *life) started() {
	if l.starting != nil {
		l.complain(l.starting.Ready())
	}
}

// reloaded: a file that has become necessary is added, none is removed, and
// all are newer than the configuration.
func (l *life) reloaded(c *config.Config) {
	added := l.files.Missing(l.pidFiles(c))
	if err := added.Claim(); err != nil {
		l.complain(err)
	} else {
		l.files = l.files.With(added)
	}
	err := l.files.Renew()
	if err != nil && !l.stale {
		l.complain(err)
	}
	l.stale = err != nil
	l.settle(c)
}

func (l *life) complain(err error) {
	if err != nil {
		l.log.Error(err.Error())
	}
}

// refuse says why there is no daemon, in the log, to the service manager and,
// when somebody waits for it, on the terminal.
func (l *life) refuse(err error) int {
	l.log.Error(err.Error())
	if !l.console {
		fmt.Fprintln(l.stderr, err)
	}
	status := config.ExitFatal
	if _, ok := errors.AsType[*daemon.RunningError](err); ok {
		status = config.ExitOK // as keepalived has it
	}
	if exit, ok := errors.AsType[*supervisor.ExitError](err); ok {
		status = exit.Status
	}
	l.complain(daemon.Tell(daemon.Errno(status), daemon.Status(err.Error())))
	return status
}
