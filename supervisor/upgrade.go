package supervisor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// Times of an upgrade.
const (
	// answerLimit is how long the new program may take to say whether it goes
	// on, and candidateLimit bounds its test of the configuration.
	answerLimit, candidateLimit = 5 * time.Second, time.Minute
	// scriptsLimit is the wait for notify scripts, which have so long.
	scriptsLimit = notify.Timeout + notify.KillDelay
	// mailLimit is the wait for mails, which are handed over after it.
	mailLimit = 2 * time.Second
	idleLook  = 5 * time.Millisecond
	// upgradeTries is how often it is tried when something has come in between.
	upgradeTries = 3
	// firstLead is how soon the bridge is to send, longer with each attempt.
	firstLead, moreLead = 50 * time.Millisecond, 6
)

var (
	errScripts = errors.New("notify scripts still run")
	errLate    = errors.New("this machine is too busy to send adverts meanwhile")
	errEnding  = errors.New("it is about to stop")
	errNotAble = errors.New("this program cannot be executed anew")
	errNotLVSD = errors.New("it is not an lvsd that can go on in the place of this one")
)

// Exit statuses of lvsd upgrade for a program that was executed and failed.
const (
	// ExitReturned: the former program goes on, in another process.
	ExitReturned = 7
	// ExitGivenUp: that one has failed too, and the peers take over.
	ExitGivenUp = 8
)

// UpgradeError is an upgrade that did not come about.
type UpgradeError struct {
	// Status is that of lvsd -t when the new program refused the configuration,
	// ExitReturned, ExitGivenUp, or ExitFatal for anything else.
	Status int
	Err    error
}

func (e *UpgradeError) Error() string {
	switch e.Status {
	case ExitReturned, ExitGivenUp:
		return "the upgrade has failed: " + e.Err.Error()
	}
	return "there is no upgrade, everything runs on as before: " + e.Err.Error()
}

// Unwrap is the reason.
func (e *UpgradeError) Unwrap() error { return e.Err }

// Accepts is the line by which a program says that it can go on in the place of
// another lvsd.
func Accepts() string { return fmt.Sprintf("lvsd handover %d", HandoverVersion) }

// upgrade lets another program go on in the place of this one. It returns only
// when that has failed, and everything runs on as before.
func (s *Supervisor) upgrade(call *control.Call) {
	binary := cmp.Or(call.Binary, s.opts.Program)
	s.log.Info("Upgrading to " + binary + " ...")
	s.tell(daemon.Reloading())
	end := keepAlive(s.opts.Watchdog)
	err := s.attempt(binary, call)
	end()
	s.log.Error(err.Error())
	s.tell(daemon.Ready(), s.status())
	call.Answer(outcome("", err))
	for _, sig := range s.waiting {
		s.signal(sig)
	}
	s.waiting = nil
}

// keepAlive tells the watchdog of the service manager that all is well while
// the one who does so is busy.
func keepAlive(interval time.Duration) (end func()) {
	if interval == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = daemon.Tell(daemon.Alive) // that it does not listen is known
			select {
			case <-time.After(interval / 2):
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (s *Supervisor) attempt(binary string, call *control.Call) error {
	if s.opts.Execute == nil {
		return &UpgradeError{config.ExitFatal, errNotAble}
	}
	if err := s.candidate(binary); err != nil {
		return &UpgradeError{statusOf(err), fmt.Errorf("%s: %w", binary, err)}
	}
	// What is not configured any more says farewell as it always does.
	if err := s.reload(); err != nil {
		return err
	}
	lead := firstLead
	for try := 1; ; try++ {
		err := s.replace(binary, lead, call)
		again := errors.Is(err, errScripts) || errors.Is(err, errLate) || errors.Is(err, vrrp.ErrChanged)
		if try == upgradeTries || !again {
			return &UpgradeError{config.ExitFatal, err}
		}
		lead *= moreLead
	}
}

// candidateError is a configuration that the new program refuses.
type candidateError struct {
	status int
	said   string
}

func (e *candidateError) Error() string {
	return fmt.Sprintf("it refuses the configuration with status %d: %s", e.status, e.said)
}

func statusOf(err error) int {
	if refused, ok := errors.AsType[*candidateError](err); ok {
		return refused.status
	}
	return config.ExitFatal
}

// candidate asks a program whether it would go on, and lets it test the
// configuration. What this program has tolerated may be tolerated.
func (s *Supervisor) candidate(binary string) error {
	out, err := try(answerLimit, (*exec.Cmd).Output, binary, "upgrade", "--accepts")
	if err != nil {
		return fmt.Errorf("%w: %w", errNotLVSD, err)
	}
	if said := strings.TrimSpace(string(out)); said != Accepts() {
		return fmt.Errorf("%w: it says %.80q", errNotLVSD, said)
	}
	said, err := try(candidateLimit, (*exec.Cmd).CombinedOutput, binary, s.opts.Test...)
	if err == nil {
		return nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || !exit.Exited() {
		return fmt.Errorf("test the configuration: %w", err)
	}
	if status := exit.ExitCode(); status != config.TestStatus(s.problems) {
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		return &candidateError{status, strings.Join(lines[max(0, len(lines)-5):], "; ")}
	}
	return nil
}

// try lets a program say something, under the name under which it has lvsd's
// commands.
func try(limit time.Duration, output func(*exec.Cmd) ([]byte, error), binary string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, binary, args...)
	c.Args[0] = "lvsd"
	c.WaitDelay = time.Second // a child that it leaves has its output
	said, err := output(c)
	if ctx.Err() != nil {
		err = fmt.Errorf("there is no answer within %s", limit)
	}
	return said, err
}

// replace freezes everything and executes the program. When that fails it
// thaws everything.
func (s *Supervisor) replace(binary string, lead time.Duration, call *control.Call) (err error) {
	if !waitFor(scriptsLimit, s.dispatch.Idle) {
		return errScripts
	}
	waitFor(mailLimit, s.mail.Idle)
	var undo []func()
	defer func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}()
	h := &handover{Version: HandoverVersion, Program: s.opts.Version, LocalReports: s.localReports, Saved: s.saved, Kernel: s.host.Handover(), Sync: s.sync.daemons.Handover()}
	if asker, err := call.Connection(); err == nil {
		defer asker.Close()
		h.Asker = int(asker.Fd())
	}
	if s.opts.Socket != nil {
		if socket, err := s.opts.Socket(); err == nil {
			defer socket.Close()
			h.socket = int(socket.Fd())
		}
	}
	h.FIFOs = s.fifos.Handover()
	undo = append(undo, func() { s.fifos.Apply(s.usedFIFOs(s.config)) })
	bridge, err := startBridge(h)
	if err != nil {
		return err
	}
	undo = append(undo, bridge.end)
	s.checks.Freeze()
	undo = append(undo, s.checks.Thaw)
	then := time.Now()
	if s.router != nil {
		var end func()
		if then, end, err = s.freezeRouter(h, bridge, lead); err != nil {
			return err
		}
		undo = append(undo, end)
	}
	h.At = vrrp.Monotonic(then)
	var thaw func()
	h.BFD, thaw = s.watch.sessions.Freeze()
	undo = append(undo, thaw)
	h.IPVS, thaw = s.services.Freeze()
	undo = append(undo, thaw)
	h.Checks, h.Mail = s.checks.Handover(then), s.mail.Handover()
	if !s.dispatch.Idle() {
		return errScripts
	}
	if h.Signals, err = s.lastSignals(); err != nil {
		return err
	}
	state, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return s.execute(binary, bridge, daemon.Handover{Dir: s.opts.Dir, Descriptors: h.descriptors(), State: state, Socket: h.socket}, h)
}

// execute executes the program, watched over by the bridge, which is the
// service's process until everything runs.
func (s *Supervisor) execute(binary string, bridge *bridgeClient, left daemon.Handover, h *handover) error {
	order := watchOrder{
		Handover: left, Program: binary, Namespace: s.config.Daemon.NetNamespace, Bridge: h.Bridge, Asker: h.Asker,
		Ledger: s.ledgerFile(), Limit: startLimit, Watchdog: s.opts.Watchdog,
	}
	if err := bridge.guard.watch(&order); err != nil {
		return err
	}
	s.tell(daemon.Main(bridge.pid))
	// A stop that has come in since is not the new program's to know.
	_, err := s.lastSignals()
	if err == nil {
		err = s.opts.Execute(binary, left)
	}
	return errors.Join(err, bridge.guard.dismiss())
}

// freezeRouter lets a bridge send the adverts, and nobody else. The returned
// function undoes it.
func (s *Supervisor) freezeRouter(h *handover, bridge *bridgeClient, lead time.Duration) (then time.Time, undo func(), err error) {
	relief := func() []vrrp.Relief { return nil }
	thaw := func() { _ = s.router.Thaw(s.config, relief()) } // it has only ended when all does
	defer func() {
		if err != nil {
			thaw()
		}
	}()
	if err := s.router.Blindfold(); err != nil {
		return then, nil, err
	}
	errands, err := s.router.Errands(lead)
	if err != nil {
		return then, nil, err
	}
	if len(errands.All) > 0 {
		if err := bridge.adverts.Prepare(errands); err != nil {
			return then, nil, err
		}
		if errands, err = s.router.Errands(lead); err != nil {
			return then, nil, err
		}
		relief = func() []vrrp.Relief {
			reliefs, _ := bridge.adverts.End(errands.Names(), firstLead) // at worst it has ended
			return reliefs
		}
		if err := bridge.adverts.Begin(errands); err != nil {
			return then, nil, err
		}
	}
	h.Bridge.Idle = len(errands.All) == 0
	if left := time.Until(vrrp.FromMonotonic(errands.At)); len(errands.All) > 0 && left < lead/10 {
		return then, nil, errLate
	}
	state, then, flush, err := s.router.Freeze(errands)
	if err != nil {
		return then, nil, err
	}
	flush()
	h.VRRP = &state
	return then, thaw, nil
}

// bridgeClient is the bridge as the program sees it that has started it.
type bridgeClient struct {
	adverts *vrrp.BridgeClient
	guard   *guardClient
	pid     int
	ends    daemon.Ends
}

// startBridge starts a bridge, which has nothing to do yet.
func startBridge(h *handover) (*bridgeClient, error) {
	ends, pid, err := daemon.StartBridge(h.shared())
	if err != nil {
		return nil, err
	}
	h.Bridge = bridgeHandover{PID: pid, Adverts: int(ends.Adverts.Fd()), Watch: int(ends.Watch.Fd()), Idle: true}
	return &bridgeClient{vrrp.NewBridgeClient(ends.Adverts), newGuardClient(ends.Watch), pid, ends}, nil
}

// end ends a bridge that watches over nobody.
func (b *bridgeClient) end() {
	b.ends.Close()
	daemon.Await(b.pid)
}

// lastSignals are those that nobody has served; one that ends lvsd does so here.
func (s *Supervisor) lastSignals() (all []int, err error) {
	for {
		select {
		case sig := <-s.opts.Signals:
			if sig == syscall.SIGTERM || sig == syscall.SIGINT {
				s.ending = true
				return nil, errEnding
			}
			s.waiting = append(s.waiting, sig)
			all = append(all, numbers([]os.Signal{sig})...)
		default:
			return all, nil
		}
	}
}

// waitFor waits for something, and reports whether it holds.
func waitFor(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); !holds(); time.Sleep(idleLook) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
