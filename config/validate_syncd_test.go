package config

import (
	"slices"
	"testing"
)

// lvs_sync_daemon_interface of an instance is lvs_sync_daemon with inst; the
// first one counts, and lvs_sync_daemon before all.
func TestSyncDaemonInterface(t *testing.T) {
	for _, global := range []*SyncDaemon{nil, {Interface: "eth9", Inst: "C"}} {
		c := &Config{Instances: []Instance{router("A", 1), router("B", 2), router("C", 3)}}
		c.Instances[1].LVSSyncDaemonInterface, c.Instances[2].LVSSyncDaemonInterface = "eth1", "eth2"
		c.Global.LVSSyncDaemon = global
		problems := c.Validate(world{})
		var said []string
		for _, p := range problems {
			if p.Code == "duplicate" {
				said = append(said, p.Message)
			}
		}
		want, complaints := SyncDaemon{Interface: "eth1", Inst: "B", ID: Some[uint8](0)}, []string{"(C) lvs_sync_daemon_interface has already been specified as eth1 - ignoring"}
		if global != nil {
			want = *global
			complaints = []string{
				"(B) lvs_sync_daemon_interface has already been specified as eth9 - ignoring",
				"(C) lvs_sync_daemon_interface has already been specified as eth9 - ignoring",
			}
		}
		if got := c.Global.LVSSyncDaemon; got == nil || *got != want {
			t.Errorf("lvs_sync_daemon is %v, want %v", got, want)
		}
		if !slices.Equal(said, complaints) {
			t.Errorf("said %q, want %q", said, complaints)
		}
		if again := c.Validate(world{}); len(again) > len(problems)-len(said) {
			t.Errorf("a second look complains: %v", again)
		}
	}
}
