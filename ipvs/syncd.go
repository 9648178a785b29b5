package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// SyncRole is what a sync daemon of the kernel does, IP_VS_STATE_*.
type SyncRole uint32

// The roles; the kernel can have one daemon of each.
const (
	SyncMaster SyncRole = 1 // sends connections
	SyncBackup SyncRole = 2 // receives them
)

// String is the role as ipvsadm --start-daemon has it.
func (r SyncRole) String() string {
	return map[SyncRole]string{SyncMaster: "master", SyncBackup: "backup"}[r]
}

// Sync are the sync daemons that should run. The zero value is none.
type Sync struct {
	Master, Backup bool
	Daemon         config.SyncDaemon // what they are started with
}

func (s Sync) runs(r SyncRole) bool {
	return r == SyncMaster && s.Master || r == SyncBackup && s.Backup
}

// SyncKernel starts and stops the kernel's sync daemons. Errors answer to
// [errors.Is] with [fs.ErrExist] when there is a daemon already, and with
// [fs.ErrNotExist] when there is none.
type SyncKernel interface {
	StartSync(SyncRole, config.SyncDaemon) error
	StopSync(SyncRole) error
}

// SyncDaemons makes the kernel's sync daemons as wanted: lvs_sync_daemon. What
// fails is tried again. Daemons that nobody has wanted are left alone.
type SyncDaemons struct {
	log    *zap.Logger
	kernel SyncKernel
	keep   bool
	wake   chan struct{}

	mu   sync.Mutex
	want Sync
	runs Sync // have, for others

	have Sync // of the goroutine of Run
}

// NewSyncDaemons prepares them; nothing happens before Run. With keep they run
// on after its end.
func NewSyncDaemons(log *zap.Logger, kernel SyncKernel, keep bool) *SyncDaemons {
	return &SyncDaemons{log: log, kernel: kernel, keep: keep, wake: make(chan struct{}, 1)}
}

// Want says which daemons should run. It never blocks.
func (s *SyncDaemons) Want(want Sync) {
	want.Daemon.Origin = config.Origin{}
	s.mu.Lock()
	s.want = want
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// syncRetry is the pause after something that the kernel refused.
const syncRetry = 5 * time.Second

// Run keeps the daemons as wanted until ctx ends, then stops what it started.
func (s *SyncDaemons) Run(ctx context.Context) error {
	var retry <-chan time.Time
	complaint := ""
	for {
		select {
		case <-ctx.Done():
			if s.keep {
				return nil
			}
			s.Want(Sync{})
			return s.settle()
		case <-s.wake:
		case <-retry:
		}
		retry = nil
		if err := s.settle(); err != nil {
			retry = time.After(syncRetry)
			if err.Error() != complaint {
				complaint = err.Error()
				s.log.Error("lvs_sync_daemon", zap.Error(err))
			}
		}
	}
}

// settle stops what should not run before it starts what should: of a role
// there is one daemon.
func (s *SyncDaemons) settle() error {
	s.mu.Lock()
	want := s.want
	s.mu.Unlock()
	var failures []error
	for _, role := range []SyncRole{SyncMaster, SyncBackup} {
		if s.have.runs(role) && (!want.runs(role) || s.have.Daemon != want.Daemon) {
			failures = append(failures, s.stop(role))
		}
	}
	if !s.have.Master && !s.have.Backup {
		s.have.Daemon = want.Daemon
	}
	for _, role := range []SyncRole{SyncMaster, SyncBackup} {
		if want.runs(role) && !s.have.runs(role) && s.have.Daemon == want.Daemon {
			failures = append(failures, s.start(role, want.Daemon))
		}
	}
	return errors.Join(failures...)
}

func (s *SyncDaemons) set(role SyncRole, runs bool) {
	defer func() {
		s.mu.Lock()
		s.runs = s.have
		s.mu.Unlock()
	}()
	if role == SyncMaster {
		s.have.Master = runs
	} else {
		s.have.Backup = runs
	}
}

func (s *SyncDaemons) stop(role SyncRole) error {
	if err := s.kernel.StopSync(role); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stop the sync daemon %s: %w", role, err)
	}
	s.set(role, false)
	return nil
}

// start starts a daemon in place of one that is there already: a predecessor's,
// which may send other connections elsewhere.
func (s *SyncDaemons) start(role SyncRole, d config.SyncDaemon) error {
	err := s.kernel.StartSync(role, d)
	if errors.Is(err, fs.ErrExist) {
		if err = s.stop(role); err == nil {
			err = s.kernel.StartSync(role, d)
		}
	}
	if err != nil {
		return fmt.Errorf("start the sync daemon %s on %s: %w", role, d.Interface, err)
	}
	s.set(role, true)
	s.log.Info(fmt.Sprintf("IPVS sync daemon %s runs on %s, syncid %d", role, d.Interface, d.ID.Value))
	return nil
}
