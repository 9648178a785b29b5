package supervisor

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/vrrp"
)

// The daemon of a master runs while its instance is MASTER, as it tells itself
// or its group for it; that of a backup otherwise.
func TestSyncFollowsVRRP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := new(table)
		f := &syncFollower{daemons: ipvs.NewSyncDaemons(zap.NewNop(), table, false)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.daemons.Run(ctx) }()
		expect := func(ops ...string) {
			t.Helper()
			synctest.Wait()
			if d := cmp.Diff(ops, table.take()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		}
		c := &config.Config{
			Instances: []config.Instance{{Name: "VI_1", VirtualRouterID: 51}, {Name: "VI_2", VirtualRouterID: 52}},
			Groups:    []config.SyncGroup{{Name: "G", Members: []string{"VI_1", "VI_2"}}},
		}
		c.Global.LVSSyncDaemon = &config.SyncDaemon{Interface: "eth0", Inst: "VI_1"}
		f.learn(c)
		expect("--start-daemon backup --mcast-interface eth0 --syncid 51")
		f.became(vrrp.Became{Name: "VI_2", State: config.Master})
		expect()
		f.became(vrrp.Became{Name: "VI_1", State: config.Master})
		expect("--stop-daemon backup", "--start-daemon master --mcast-interface eth0 --syncid 51")
		f.learn(c)
		expect()
		f.became(vrrp.Became{Group: true, Name: "G", State: config.Fault})
		expect("--stop-daemon master", "--start-daemon backup --mcast-interface eth0 --syncid 51")

		c.Global.LVSSyncDaemon = &config.SyncDaemon{Interface: "eth0", ID: config.Some[uint8](9)} // both
		f.learn(c)
		expect("--stop-daemon backup", "--start-daemon master --mcast-interface eth0 --syncid 9", "--start-daemon backup --mcast-interface eth0 --syncid 9")
		c.Global.LVSSyncDaemon = &config.SyncDaemon{Interface: "eth1", Inst: "VI_2"}
		f.learn(c)
		expect("--stop-daemon master", "--stop-daemon backup", "--start-daemon backup --mcast-interface eth1 --syncid 52")
		f.became(vrrp.Became{Group: true, Name: "G", State: config.Master})
		expect("--stop-daemon backup", "--start-daemon master --mcast-interface eth1 --syncid 52")
		f.became(vrrp.Became{Group: true, Name: "G", State: config.Stop})
		expect()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		expect("--stop-daemon master")
	})
}
