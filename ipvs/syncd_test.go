package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvsd/lvsd/config"
)

// fakeSync is a kernel with at most one daemon of each role.
type fakeSync struct {
	mu   sync.Mutex
	runs map[SyncRole]string
	done []string
	fail error
}

func (k *fakeSync) StartSync(r SyncRole, d config.SyncDaemon) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.fail != nil:
		return k.fail
	case k.runs[r] != "":
		return fmt.Errorf("daemon: %w", fs.ErrExist)
	}
	k.runs[r] = d.Interface
	k.done = append(k.done, fmt.Sprint("start ", r, " ", d.Interface))
	return nil
}

func (k *fakeSync) StopSync(r SyncRole) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.fail != nil:
		return k.fail
	case k.runs[r] == "":
		return fmt.Errorf("daemon: %w", fs.ErrNotExist)
	}
	delete(k.runs, r)
	k.done = append(k.done, fmt.Sprint("stop ", r))
	return nil
}

func TestSyncDaemons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeSync{runs: map[SyncRole]string{SyncBackup: "left behind"}}
		s := NewSyncDaemons(zaptest.NewLogger(t), k, false)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		expect := func(want Sync, done ...string) {
			t.Helper()
			s.Want(want)
			synctest.Wait()
			k.mu.Lock()
			defer k.mu.Unlock()
			if d := cmp.Diff(done, k.done); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			k.done = nil
		}
		on := func(dev string, master, backup bool) Sync {
			return Sync{Master: master, Backup: backup, Daemon: config.SyncDaemon{Interface: dev}}
		}
		expect(Sync{})
		expect(on("eth0", false, true), "stop backup", "start backup eth0")
		expect(on("eth0", false, true))
		expect(on("eth0", true, false), "stop backup", "start master eth0")
		expect(on("eth1", true, false), "stop master", "start master eth1")
		expect(on("eth1", true, true), "start backup eth1")
		change := func(f func()) {
			k.mu.Lock()
			defer k.mu.Unlock()
			f()
		}
		change(func() { delete(k.runs, SyncMaster) }) // somebody has stopped it
		expect(Sync{}, "stop backup")
		change(func() { k.fail = errors.New("no such device") })
		expect(on("eth2", true, true))
		change(func() { k.fail = nil })
		time.Sleep(syncRetry)
		expect(on("eth2", true, true), "start master eth2", "start backup eth2")
		cancel()
		if err := <-ended; err != nil || len(k.runs) != 0 {
			t.Errorf("%v, %v", err, k.runs)
		}
	})
}
