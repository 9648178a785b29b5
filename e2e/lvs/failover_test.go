package lvs

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// failoverConf is a pair with a sync daemon. A connection of which the second
// director knows nothing ends when the first one dies.
const failoverConf = `
global_defs {
	lvs_sync_daemon eth0 inst VI_1 id 7
}
vrrp_instance VI_1 {
	state BACKUP
	interface eth0
	virtual_router_id 61
	priority PRIORITY
	virtual_ipaddress {
		10.82.0.100/24
	}
}
virtual_server 10.82.0.100 80 {
	protocol TCP
	lb_algo rr
	lb_kind DR
	real_server 10.82.0.11 80 {
	}
	real_server 10.82.0.12 80 {
	}
}
`

// TestFailover: a connection survives the death of its director, whichever of
// the daemons the directors run.
func TestFailover(t *testing.T) {
	for name, binaries := range map[string][2]string{
		"lvsd":                {rig.Binary(), rig.Binary()},
		"keepalived, lvsd":    {rig.Keepalived, rig.Binary()},
		"lvsd and keepalived": {rig.Binary(), rig.Keepalived},
	} {
		t.Run(name, func(t *testing.T) { failover(t, binaries) })
	}
}

func failover(t *testing.T, binaries [2]string) {
	lab := rig.New(t)
	lan := lab.Switch("lan")
	host := func(name, number string) *rig.Host {
		h := lab.Host(name)
		h.Plug(lan, "eth0", "10.82.0."+number+"/24")
		return h
	}
	vip := netip.MustParseAddrPort("10.82.0.100:80")
	client := host("client", "9")
	for i, name := range []string{"r1", "r2"} {
		real := host(name, []string{"11", "12"}[i])
		real.RealServer(vip.Addr())
		real.Serve(80)
	}
	var daemons [2]*rig.Daemon
	var directors [2]*rig.Host
	for i := range directors {
		d := host([]string{"d1", "d2"}[i], []string{"1", "2"}[i])
		d.File("keepalived.conf", strings.Replace(failoverConf, "PRIORITY", []string{"150", "100"}[i], 1))
		directors[i], daemons[i] = d, d.Start(binaries[i])
	}
	rig.Until(t, "d1 to be master", patience, func() bool { return directors[0].Has(vip.Addr()) })
	daemons[1].Wait(0, "Entering BACKUP STATE", patience)
	time.Sleep(masterDown)

	// The real servers take turns: two sessions are with both.
	sessions := map[string]*rig.Session{}
	for len(sessions) < 2 {
		s := client.Session(vip)
		who, err := s.Get(time.Second)
		if err != nil || sessions[who] != nil {
			t.Fatalf("before: %q, %v", who, err)
		}
		sessions[who] = s
	}
	for range 5 { // the kernel tells of a connection with its third packet
		for who, s := range sessions {
			lives(t, s, "before", who)
		}
	}
	time.Sleep(5 * time.Second) // and sends what has gathered when it is 2 s old

	daemons[0].Kill()
	directors[0].Cable("eth0", false)
	rig.Until(t, "d2 to take over", patience, func() bool { return directors[1].Has(vip.Addr()) })
	for range 3 {
		for who, s := range sessions {
			lives(t, s, "after", who)
		}
	}
	if tally := client.Load(vip, 4); !tally.Even("r1", "r2") {
		t.Errorf("new connections: %s", tally)
	}
}
