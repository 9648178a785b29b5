package supervisor

import (
	"sync"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/vrrp"
)

// syncFollower tells the sync daemons of IPVS which of them are to run: that of
// a master while the instance of lvs_sync_daemon is MASTER and that of a backup
// otherwise, or both when it names no instance.
type syncFollower struct {
	daemons *ipvs.SyncDaemons

	mu      sync.Mutex
	daemon  *config.SyncDaemon // nil: none
	members map[string][]string
	states  map[string]config.State // of instances
}

// learn takes a new configuration.
func (f *syncFollower) learn(c *config.Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.daemon = c.SyncDaemon()
	f.members = make(map[string][]string, len(c.Groups))
	for i := range c.Groups {
		f.members[c.Groups[i].Name] = c.Groups[i].Members
	}
	f.tell()
}

// became follows an instance, or the members of a sync group, which need not
// tell what their group has told.
func (f *syncFollower) became(b vrrp.Became) {
	if b.State == config.Stop { // what ends needs no other daemon
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.states == nil {
		f.states = make(map[string]config.State)
	}
	names := []string{b.Name}
	if b.Group {
		names = f.members[b.Name]
	}
	for _, name := range names {
		f.states[name] = b.State
	}
	f.tell()
}

func (f *syncFollower) tell() {
	if f.daemon == nil {
		f.daemons.Want(ipvs.Sync{})
		return
	}
	master := f.daemon.Inst == "" || f.states[f.daemon.Inst] == config.Master
	f.daemons.Want(ipvs.Sync{Master: master, Backup: f.daemon.Inst == "" || !master, Daemon: *f.daemon})
}
