package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// HandoverVersion is that of what [Supervisor] leaves to a successor in its
// process. Another version is not understood: whoever changes the meaning of a
// field counts on.
const HandoverVersion = 2

// Predecessor is the program in whose place a [Supervisor] goes on.
type Predecessor struct {
	State json.RawMessage
	// Failed says what became of the program that was to go on in the place of
	// this one, which does so itself now; empty: it is that program.
	Failed string
	// Drop gives up the descriptors of a State that is not understood.
	Drop func()
}

// handover is what a program leaves to its successor. Moments are counted from
// At.
type handover struct {
	Version int
	Program string // the version of the one that leaves
	At      int64  // ns of CLOCK_MONOTONIC

	VRRP   *vrrp.Handover // nil with NoVRRP
	Bridge bridgeHandover
	IPVS   ipvs.Handover
	Sync   ipvs.Sync
	Checks []checker.Handover
	BFD    []bfd.Handover
	FIFOs  []notify.FIFOHandover
	Mail   notify.MailHandover
	Kernel kernel.Handover

	LocalReports *string // what quietIGMP puts back
	Saved        int     // copies in config_save_dir
	Signals      []int   // that came last
	Asker        int     // the descriptor of who waits for the outcome; 0: nobody

	socket int // the descriptor of where questions are asked; 0: nowhere
}

// bridgeHandover is the process that sends the adverts meanwhile, and watches
// over who takes them over.
type bridgeHandover struct {
	PID            int
	Adverts, Watch int  // descriptors, of its connections
	Idle           bool // there is nothing to send
}

// understand reads what a predecessor has left.
func understand(state json.RawMessage) (*handover, error) {
	var v struct{ Version int }
	if err := json.Unmarshal(state, &v); err != nil {
		return nil, fmt.Errorf("what the predecessor has left cannot be read: %w", err)
	}
	if v.Version != HandoverVersion {
		return nil, fmt.Errorf("what the predecessor has left is of version %d, and %d is understood", v.Version, HandoverVersion)
	}
	h := new(handover)
	if err := json.Unmarshal(state, h); err != nil {
		return nil, fmt.Errorf("what the predecessor has left cannot be read: %w", err)
	}
	return h, nil
}

// descriptors are those that stay open, but for the socket.
func (h *handover) descriptors() []int { return append(h.taken(), h.Bridge.Adverts, h.Bridge.Watch) }

// shared are those that the bridge has, too.
func (h *handover) shared() []int {
	if h.socket == 0 {
		return h.taken()
	}
	return append(h.taken(), h.socket)
}

func (h *handover) taken() (all []int) {
	if h.Asker != 0 {
		all = append(all, h.Asker)
	}
	for i := range h.FIFOs {
		all = append(all, h.FIFOs[i].FD)
	}
	return all
}

// succeed takes what a predecessor has left; one that is not understood leaves
// a start as after a crash.
func (s *Supervisor) succeed() {
	p := s.opts.Predecessor
	if p == nil {
		return
	}
	h, err := understand(p.State)
	if err != nil {
		s.log.Error("this is a start as after a crash", zap.Error(err))
		p.Drop()
		return
	}
	s.taking, s.saved = h, h.Saved
	for _, sig := range h.Signals {
		s.early = append(s.early, syscall.Signal(sig))
	}
}

// then is the moment of the handover.
func (h *handover) then() time.Time { return vrrp.FromMonotonic(h.At) }

// takingVRRP is what the virtual routers go on from.
func (s *Supervisor) takingVRRP() *vrrp.Taking {
	h := s.taking
	if h == nil || h.VRRP == nil {
		return nil
	}
	return &vrrp.Taking{Handover: *h.VRRP, At: h.then(), Relieve: s.relieve}
}

// reliefLimit bounds the wait for the bridge.
const reliefLimit = time.Second

// relieve ends the adverts of the bridge, soon.
func (s *Supervisor) relieve(taken []string) ([]vrrp.Relief, error) {
	b := &s.taking.Bridge
	if b.Idle {
		return nil, nil
	}
	b.Idle = true
	conn, err := b.connection(b.Adverts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return vrrp.NewBridgeClient(conn).End(taken, firstLead)
}

// dismiss tells who watches over this start that it has come about.
func (b *bridgeHandover) dismiss() error {
	conn, err := b.connection(b.Watch)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	go daemon.Await(b.PID)
	return newGuardClient(conn).dismiss()
}

func (b *bridgeHandover) connection(fd int) (net.Conn, error) {
	conn, err := daemon.Connection(fd)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(reliefLimit))
	}
	if err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	return conn, nil
}

func (s *Supervisor) takingChecks() *checker.Taking {
	if s.taking == nil {
		return nil
	}
	return &checker.Taking{Checks: s.taking.Checks, At: s.taking.then()}
}

func (s *Supervisor) takingServices() *ipvs.Handover {
	if s.taking == nil {
		return nil
	}
	return &s.taking.IPVS
}

// inherit gives the parts what they go on from, before they run.
func (s *Supervisor) inherit(ctx context.Context) {
	h := s.taking
	if h == nil {
		return
	}
	if failed := s.opts.Predecessor.Failed; failed != "" {
		s.log.Error(failed + ": the former program goes on")
	} else {
		s.log.Info("Going on in the place of lvsd v" + h.Program)
	}
	if err := s.host.TakeOver(ctx, h.Kernel); err != nil {
		s.log.Warn("look at the addresses that are there", zap.Error(err))
	}
	s.fifos.TakeOver(h.FIFOs)
	s.mail.TakeOver(h.Mail)
	s.sync.daemons.TakeOver(h.Sync)
	if h.VRRP == nil {
		return
	}
	s.sync.states = make(map[string]config.State)
	for i := range h.VRRP.Instances {
		s.sync.states[h.VRRP.Instances[i].Name] = h.VRRP.Instances[i].State
	}
}

// complete ends the taking over, and tells who waits for it.
func (s *Supervisor) complete() {
	h := s.taking
	if h == nil {
		return
	}
	s.taking = nil
	if err := h.Bridge.dismiss(); err != nil {
		s.log.Warn("nobody has watched over the upgrade", zap.Error(err))
	}
	text := fmt.Sprintf("Upgrade complete: lvsd v%s runs in the place of v%s", s.opts.Version, h.Program)
	var err error
	if failed := s.opts.Predecessor.Failed; failed != "" {
		err = &UpgradeError{ExitReturned, fmt.Errorf("%s; lvsd v%s goes on as process %d", failed, s.opts.Version, os.Getpid())}
		s.log.Error(err.Error(), zap.Duration("took", time.Since(h.then())))
	} else {
		s.log.Info(text, zap.Duration("took", time.Since(h.then())))
	}
	if h.Asker == 0 {
		return
	}
	if err := tell(h.Asker, outcome(text, err)); err != nil {
		s.log.Warn("nobody waits for the outcome of the upgrade", zap.Error(err))
	}
}

// tell answers who asked a predecessor.
func tell(asker int, a control.Answer) error {
	conn, err := daemon.Connection(asker)
	if err != nil {
		return err
	}
	return control.Reply(conn, a)
}

// numbers are signals for a handover.
func numbers(signals []os.Signal) (all []int) {
	for _, sig := range signals {
		if n, ok := sig.(syscall.Signal); ok {
			all = append(all, int(n))
		}
	}
	return all
}
