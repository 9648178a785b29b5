package supervisor

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/dbus"
	"github.com/lvsd/lvsd/internal/filewatch"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/internal/procwatch"
	"github.com/lvsd/lvsd/internal/snmp"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/parser"
	"github.com/lvsd/lvsd/vrrp"
)

// Options say what to run and how.
type Options struct {
	File      string // keepalived.conf, or a glob pattern
	ConfigID  string // of @id lines
	AllConfig bool   // every include line must find its files
	Log       *zap.Logger

	NoVRRP   bool // -C
	NoCheck  bool // -P
	NoBFD    bool // -B: sessions are down
	KeepVRRP bool // --dont-release-vrrp: leave addresses in place at the end
	KeepIPVS bool // --dont-release-ipvs: leave services in place at the end
	Dump     bool // log the configuration at start
	Monitor  bool // -a: log every address that comes or goes
	Terse    bool // called as keepalived: log no problem that it would not speak of, and others in its words

	Signals     <-chan os.Signal     // SIGHUP and its like; SIGTERM and SIGINT end Run
	Calls       <-chan *control.Call // questions of subcommands; nil: none
	SNMP        bool                 // -x: all of it, whatever the configuration says
	SNMPSocket  string               // -A: where the master agent is; empty: as the configuration says
	FullVersion string               // of this program, as SNMP shows it

	Watchdog time.Duration // how often the service manager hears that all is well; 0: never
	Started  func()        // called once everything runs; may be nil

	// Begin is called with the configuration before anything of it runs, and
	// its error ends Run; may be nil.
	Begin func(*config.Config) error
	// Reloaded is called with the configuration after each reload that was
	// carried out; may be nil.
	Reloaded func(*config.Config)

	// IPVS is the table of virtual services, nil for the kernel's. It is
	// opened when the first service needs it.
	IPVS Table

	// Ledger tells the file that notes what is in the kernel, for the start
	// after a crash, once the configuration has been read; nil: none.
	Ledger func() string

	// ForceUmask is the umask whatever the configuration says.
	ForceUmask config.Opt[uint16]

	// NetNamespace is the one that runs, whatever the configuration says;
	// empty: that of the configuration.
	NetNamespace string

	Version     string       // of this program
	Program     string       // where it was executed from, and a newer one may be
	Test        []string     // the arguments with which a program tests the configuration that this one runs
	Predecessor *Predecessor // in whose place it goes on; nil: a start like any other
	Dir         string       // where relative paths of the command line begin
	// Execute executes another program in the place of this one. It returns when
	// that fails. Nil: it cannot be done.
	Execute func(program string, h daemon.Handover) error
	// Socket is a copy of the one that Calls come from, for a successor; nil: none.
	Socket func() (*os.File, error)
}

// Umask is what files are created with.
func (o *Options) Umask(c *config.Config) uint16 {
	if o.ForceUmask.Set {
		return o.ForceUmask.Value
	}
	return c.Global.Process.Umask
}

// Table is the kernel's IPVS: services and sync daemons.
type Table interface {
	ipvs.Kernel
	ipvs.SyncKernel
}

// Supervisor is one lvsd.
type Supervisor struct {
	opts    Options
	log     *zap.Logger
	machine func() config.Environment // what a check of a configuration asks

	config   *config.Config   // what runs
	serving  []config.Service // what of it serves
	problems []config.Problem // of config, tolerated

	stopping atomic.Bool    // nothing is taken back from here on
	early    []os.Signal    // came while startup_script ran
	due      *config.Global // whose shutdown_script is
	refused  string         // why the last reload was, if it was
	deaf     bool           // the service manager does not listen
	unsaved  bool           // config_save_dir takes nothing
	saved    int            // copies in config_save_dir
	schedule *schedule

	taking       *handover   // of a predecessor, until everything runs
	ending       bool        // a signal has said so while something else was done
	waiting      []os.Signal // that came during an upgrade
	localReports *string     // what quietIGMP puts back

	ledger    *ledger
	abandoned map[config.ServiceKey]bool // services of a predecessor, until they have been looked at
	unnamed   []string                   // its tables of marks, likewise
	static    []config.Address           // its static addresses that are named again, likewise

	host        *kernel.Host
	claims      *claims // of host
	dispatch    *notify.Dispatcher
	fifos       *notify.FIFOs
	mail        *notify.Mailer
	bus         *dbus.Bus      // nil with NoVRRP
	asked       chan os.Signal // signals that the bus stands for
	agent       *snmp.Agent
	questions   chan question // of the agent
	scripts     *scripts
	watch       watchers
	threads     *threads
	links       *links
	router      *vrrp.Runner // nil with NoVRRP
	kernelLinks *kernel.Links
	services    *ipvs.Manager
	marking     *marking
	sync        *syncFollower
	checks      *checker.Scheduler
	told        *checker.Watch
	files       *checkedFiles
	sessions    *checkedSessions
	suspension  *suspension
}

// ExitError is the end of a run that is to be the exit status of the process.
type ExitError struct {
	Status int // one of config.Exit...
	Err    error
}

func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *ExitError) Unwrap() error { return e.Err }

// New prepares a supervisor; nothing happens before Run.
func New(opts Options) *Supervisor {
	return &Supervisor{opts: opts, log: opts.Log, machine: Machine, config: new(config.Config)}
}

// Run reads the configuration, runs it and reloads it until SIGTERM, SIGINT or
// the end of ctx; then it takes everything back. An error that decides the
// exit status is an [ExitError].
func (s *Supervisor) Run(ctx context.Context) error {
	s.succeed()
	next, problems, err := s.first()
	if err != nil {
		return err
	}
	if s.opts.Dump {
		s.dump(next)
	}
	s.due = &next.Global
	defer s.shutdown()
	if err := s.startup(ctx, next); errors.Is(err, errStopped) {
		return nil
	}
	defer s.quietIGMP(next)()
	return s.run(ctx, next, problems)
}

// first reads the configuration for the first time, and refuses one that
// cannot be run.
func (s *Supervisor) first() (*config.Config, []config.Problem, error) {
	readingAhead()
	next, problems, err := s.load(s.opts.File)
	if err != nil {
		return nil, nil, &ExitError{config.ExitNoConfig, err}
	}
	if s.opts.Begin != nil {
		if err := s.opts.Begin(next); err != nil {
			return nil, nil, err
		}
	}
	s.report(problems)
	s.checkTempDir()
	s.save(next, "")
	if config.NoConfig(problems) {
		return nil, nil, &ExitError{config.ExitNoConfig, errNoConfig}
	}
	if err := s.runnable(next, problems); err != nil {
		return nil, nil, &ExitError{config.ExitConfig, err}
	}
	return next, problems, nil
}

// runnable is what keeps keepalived from starting: an instance that cannot be,
// a keyword without its value, and with reload_check_config all that -t counts.
func (s *Supervisor) runnable(next *config.Config, problems []config.Problem) error {
	if config.Fatal(problems) && !s.opts.NoVRRP {
		return errFatal
	}
	if found := s.found(problems); config.MissingParameter(found) {
		return errMissing
	} else if next.Global.Reload.ReloadCheckConfig.Set && config.TestStatus(found) != config.ExitOK {
		return errUnclean
	}
	return nil
}

// found are the problems that keepalived finds at its start: of its processes only
// those read their blocks that run.
func (s *Supervisor) found(problems []config.Problem) []config.Problem {
	var unread []string
	if s.opts.NoCheck {
		unread = append(unread, "virtual_server", "virtual_server_group", "SSL")
	}
	if s.opts.NoVRRP {
		unread = append(unread, "vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process", "static_ipaddress", "static_routes", "static_rules",
			"track_group", "garp_group", "interface_up_down_delays", "linkbeat_interfaces")
	}
	if len(unread) == 0 || config.TestStatus(problems) == config.ExitOK {
		return problems
	}
	_, found, err := s.read(s.opts.File, unread)
	if err != nil { // it was there just now
		return problems
	}
	return found
}

func (s *Supervisor) run(ctx context.Context, next *config.Config, problems []config.Problem) (err error) {
	if s.host, err = kernel.Open(s.log); err != nil {
		return &ExitError{config.ExitFatal, err}
	}
	defer s.host.Close()
	var left []entry
	s.ledger, left = openLedger(s.log, s.ledgerFile())
	s.host.Journal(s.ledger)
	s.abandoned, s.unnamed = servicesOf(left), marksOf(left)
	s.build(next)
	s.inherit(ctx)
	s.enlarge(&next.Global.Receive)
	parts, links := s.start(ctx)
	defer s.stop(parts)
	select {
	case <-links:
	case err := <-parts.failed:
		return &ExitError{config.ExitFatal, err}
	}
	named := s.sweep(ctx, left, next)
	if s.taking == nil {
		initFiles(s.log, next.Trackers.Files)
	}
	if err := s.apply(next, problems); err != nil {
		return &ExitError{config.ExitFatal, err}
	}
	s.claims.settle(named)
	if len(next.Instances)+len(next.Services) == 0 && next.Static.Claims().Empty() {
		s.log.Warn("Warning - keepalived has no configuration to run")
	}
	s.log.Info("Startup complete")
	s.complete()
	s.tell(daemon.Ready(), s.status())
	if s.opts.Started != nil {
		s.opts.Started()
	}
	trim()
	return s.serve(ctx, parts)
}

func (s *Supervisor) load(file string) (*config.Config, []config.Problem, error) {
	next, problems, err := s.read(file, nil)
	if err == nil && s.opts.NetNamespace != "" {
		next.Daemon.NetNamespace = s.opts.NetNamespace
	}
	if err == nil {
		s.opts.snmp(&next.Global.Interface)
	}
	return next, problems, err
}

func (s *Supervisor) read(file string, unread []string) (*config.Config, []config.Problem, error) {
	return parser.Load(parser.Options{File: file, ConfigID: s.opts.ConfigID, AllConfig: s.opts.AllConfig, Environment: s.environment(), Unread: unread})
}

func (s *Supervisor) ledgerFile() string {
	if s.opts.Ledger == nil {
		return ""
	}
	return s.opts.Ledger()
}

// spokenOf are codes of what keepalived's -t does not mind, and its log speaks
// of all the same: most of it is left out.
var spokenOf = [...]string{"debounce", "deprecated", "script-not-found", "script-unsafe", "unicast-without-peers", "unknown-group", "unknown-user"}

// report logs problems, one line each, and in keepalived's words where lvsd was
// called so.
func (s *Supervisor) report(problems []config.Problem) {
	sentence := config.Problem.String
	if s.opts.Terse {
		sentence = parser.Sentences(problems)
	}
	for _, p := range problems {
		switch {
		case s.opts.Terse && p.Own() && !slices.Contains(spokenOf[:], p.Code):
		case p.Severity == config.Note:
			s.log.Info(sentence(p))
		default:
			s.log.Warn(sentence(p))
		}
	}
}

// build makes the parts and connects them.
func (s *Supervisor) build(next *config.Config) {
	vrrpLog, checkLog := s.log.Named("vrrp"), s.log.Named("healthcheckers")
	s.dispatch = notify.New(notify.Options{Log: s.log})
	s.fifos = notify.NewFIFOs(s.log)
	table, there := s.opts.IPVS, ipvs.KernelOptions{Namespace: next.Daemon.NetNamespaceIPVS.Value, Receive: next.Global.Receive.LVSNetlinkCmd}
	if table == nil {
		table = ipvs.NewKernel(there)
	}
	s.sync = &syncFollower{daemons: ipvs.NewSyncDaemons(checkLog, table, s.opts.KeepIPVS)}
	s.mail = notify.NewMailer(mailOptions(s.log))
	s.scripts = &scripts{dispatch: s.dispatch, fifos: s.fifos, mail: s.mail, sync: s.sync, changed: make(chan struct{}, 1)}
	random := func() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }
	s.watch = watchers{
		files: filewatch.New(vrrpLog), processes: procwatch.New(vrrpLog, "/proc"),
		sessions: bfd.New(bfd.Options{Log: s.log.Named("bfd"), Rand: random()}),
	}
	s.schedule = newSchedule(s.log, s.watch.files)
	s.claims = &claims{Host: s.host, ledger: s.ledger, keep: &s.stopping}
	if !s.opts.NoVRRP {
		s.asked = make(chan os.Signal, maxAsked)
		s.bus = dbus.New(dbus.Options{Log: vrrpLog, Daemon: busDaemon{s, vrrpLog}})
		s.scripts.bus = s.bus
		s.router = vrrp.New(vrrp.Options{Log: vrrpLog, Host: s.claims, Notifier: s.scripts, Observe: observers(vrrpLog, s.watch), Taking: s.takingVRRP()})
	}
	s.questions = make(chan question)
	s.agent = snmp.New(snmp.Options{Log: s.agentLog(), Daemon: agentDaemon{s}, Version: s.opts.FullVersion, Traffic: s.counters(there)})
	s.scripts.agent = s.agent
	s.threads = &threads{log: s.log, others: []func(int) bool{s.watch.sessions.Owns}}
	if s.router != nil {
		s.threads.others = append(s.threads.others, s.router.Owns)
	}
	s.links = newLinks(vrrpLog, func(l vrrp.LinkChanged) {
		if s.router != nil {
			_ = s.router.Link(l) // once it has stopped there is nothing to tell
		}
	})
	s.kernelLinks = kernel.NewLinks(vrrpLog, s.host, s.links.changed)
	s.marking = newMarking(checkLog, next)
	s.services = ipvs.New(ipvs.Options{
		Log: checkLog, Kernel: table, OnChange: s.scripts.service, OnAlert: s.scripts.alert, OnLeave: s.scripts.leaves,
		KeepOnStop: s.opts.KeepIPVS, Flush: next.Global.LVSFlush && s.taking == nil, Abandoned: s.abandoned,
		Taking: s.takingServices(), Marker: s.marking.marker(),
	})
	s.checks = checker.New(checker.Options{
		Log: checkLog, Rand: random(),
		OnResult: s.result, Script: CheckScript, Taking: s.takingChecks(),
	})
	s.told = checker.NewWatch(checkLog, s.result)
	s.files = &checkedFiles{watcher: s.watch.files, watch: s.told}
	s.sessions = &checkedSessions{sessions: s.watch.sessions, watch: s.told, cancels: make(map[string]func())}
	s.suspension = &suspension{checks: s.checks}
}

// result takes what a check has found out to its service.
func (s *Supervisor) result(r checker.Report) {
	v := verdict(r)
	s.services.Health(v.Service, v.Health)
}

// start runs the parts. They end in the reverse order: adverts of priority 0
// leave first, and no state changes after the scripts' dispatcher has ended.
//
// The channel is closed when the state of all links is known: an instance that
// starts earlier would take its own for missing.
func (s *Supervisor) start(ctx context.Context) (*parts, <-chan struct{}) {
	p := newParts(ctx)
	p.run("FIFOs", s.fifos.Run)
	p.together("notify", s.dispatch.Run, "mail", s.mail.Run)
	p.run("files", s.watch.files.Run)
	p.run("processes", s.watch.processes.Run)
	p.run("bfd", s.watch.sessions.Run)
	p.run("files of checks", s.files.run)
	p.run("sessions of checks", s.sessions.run)
	p.run("checkers", s.checks.Run)
	p.run("threads", s.threads.Run)
	p.run("sync daemons", s.sync.daemons.Run)
	s.kernelLinks.OnAddresses(s.suspension.addresses)
	p.run("SNMP", s.agent.Run)
	if s.opts.Monitor {
		s.kernelLinks.OnSighting(s.sighted)
	}
	p.run("links", s.kernelLinks.Run)
	p.run("clock", s.watchClock)
	if s.router == nil {
		p.run("ipvs", s.services.Run)
		return p, s.kernelLinks.Ready()
	}
	p.run("D-Bus", s.bus.Run)
	p.run("linkbeat", s.links.beats.Run)
	p.together("ipvs", s.services.Run, "vrrp", s.router.Run)
	return p, s.kernelLinks.Ready()
}

// stop takes everything back, or leaves it as the options say.
func (s *Supervisor) stop(parts *parts) {
	s.log.Info("Stopping")
	letGarbage(whileEnding)
	s.tell(daemon.Stopping)
	s.schedule.stop()
	s.stopping.Store(s.opts.KeepVRRP)
	parts.stop()
	if err := s.claims.Claim(context.Background(), standing, config.Claims{}); err != nil {
		s.log.Warn(err.Error())
	}
	if !s.opts.KeepIPVS {
		s.ledger.crossServices()
	}
	s.marking.close()
	s.ledger.close()
}

// serve handles signals until the end.
func (s *Supervisor) serve(ctx context.Context, parts *parts) error {
	for _, sig := range s.early {
		s.signal(sig)
	}
	var alive, status <-chan time.Time
	if s.opts.Watchdog > 0 {
		ticker := time.NewTicker(s.opts.Watchdog / 2)
		defer ticker.Stop()
		alive = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-parts.failed:
			return &ExitError{config.ExitFatal, err}
		case sig := <-s.opts.Signals:
			if s.signal(sig) {
				return nil
			}
		case sig := <-s.asked:
			s.signal(sig)
		case q := <-s.questions:
			s.reply(q)
		case call := <-s.opts.Calls:
			if s.answer(call); s.ending {
				return nil
			}
		case text := <-s.schedule.texts:
			s.schedule.set(text)
		case <-s.schedule.timer.C:
			if s.schedule.due() {
				_ = s.Reload() // it has said so
			}
		case <-alive:
			s.alive()
		case <-s.scripts.changed:
			if status == nil && daemon.Supervised() {
				status = time.After(statusDelay)
			}
		case <-status:
			status = nil
			s.tell(s.status())
		}
	}
}
