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
const HandoverVersion = 1

// Predecessor is the program in whose place a [Supervisor] goes on.
type Predecessor struct {
	State json.RawMessage
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
	Bridge *bridgeHandover
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
}

// bridgeHandover is the process that sends the adverts meanwhile.
type bridgeHandover struct{ FD, PID int }

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

// descriptors are those that stay open.
func (h *handover) descriptors() (all []int) {
	if h.Bridge != nil {
		all = append(all, h.Bridge.FD)
	}
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

// relieve ends the bridge, soon.
func (s *Supervisor) relieve(taken []string) ([]vrrp.Relief, error) {
	b := s.taking.Bridge
	if b == nil {
		return nil, nil
	}
	s.taking.Bridge = nil
	conn, err := daemon.Connection(b.FD)
	if err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	go func() {
		daemon.Await(b.PID)
		_ = conn.Close() // it has ended
	}()
	if err := conn.SetDeadline(time.Now().Add(reliefLimit)); err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	return vrrp.NewBridgeClient(conn).End(taken, firstLead)
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
	s.log.Info("Going on in the place of lvsd v" + h.Program)
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
	text := fmt.Sprintf("Upgrade complete: lvsd v%s runs in the place of v%s", s.opts.Version, h.Program)
	s.log.Info(text, zap.Duration("took", time.Since(h.then())))
	if h.Asker == 0 {
		return
	}
	var conn net.Conn
	conn, err := daemon.Connection(h.Asker)
	if err == nil {
		err = control.Reply(conn, outcome(text, nil))
	}
	if err != nil {
		s.log.Warn("nobody waits for the outcome of the upgrade", zap.Error(err))
	}
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
