package lvs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// syncConf begins with what is about the sync daemons: GLOBAL in global_defs
// and INSTANCE in the instance.
const syncConf = `
global_defs {
	lvs_timeouts tcpfin 77
	GLOBAL
}
vrrp_instance VI_1 {
	state BACKUP
	interface eth0
	virtual_router_id 61
	priority 100
	INSTANCE
	virtual_ipaddress {
		10.72.0.100/24
	}
}
virtual_server 10.72.0.100 80 {
	protocol TCP
	lb_algo rr
	lb_kind NAT
	real_server 10.72.0.2 80 {
	}
}
`

// syncLife are the sync daemons and the timeouts of a host while its instance
// is BACKUP, MASTER, in FAULT, MASTER again and at the end.
func syncLife(t *testing.T, binary, global, instance string) (seen []string) {
	lab := rig.New(t)
	h := lab.Host("director")
	h.Plug(lab.Switch("lan"), "eth0", "10.72.0.1/24")
	h.File("keepalived.conf", strings.NewReplacer("GLOBAL", global, "INSTANCE", instance).Replace(syncConf))
	look := func() {
		daemons := strings.Split(strings.TrimSpace(h.Run("ipvsadm", "-L", "--daemon")), "\n")
		slices.Sort(daemons)
		seen = append(seen, strings.Join(daemons, "; ")+"; "+strings.TrimSpace(h.Run("ipvsadm", "-L", "--timeout")))
	}
	d := h.Start(binary)
	d.Wait(0, "Entering BACKUP STATE", patience)
	time.Sleep(time.Second)
	look()
	d.Wait(0, "Entering MASTER STATE", patience)
	time.Sleep(time.Second)
	look()
	mark := d.Mark()
	h.Link("eth0", false)
	d.Wait(mark, "Entering FAULT STATE", patience)
	time.Sleep(time.Second)
	look()
	h.Link("eth0", true)
	d.Wait(mark, "Entering MASTER STATE", patience)
	time.Sleep(time.Second)
	look()
	d.Stop(patience)
	look()
	return seen
}

// TestSyncDaemons: the sync daemons that run in every state of their instance,
// with all of their attributes, are keepalived's.
func TestSyncDaemons(t *testing.T) {
	for name, c := range map[string]struct{ global, instance string }{
		"instance":   {"lvs_sync_daemon eth0 inst VI_1", ""},
		"attributes": {"lvs_sync_daemon eth0 inst VI_1 id 9 maxlen 1000 port 9000 ttl 3 group 224.0.0.99", ""},
		"both":       {"lvs_sync_daemon eth0 id 7", ""},
		"older":      {"", "lvs_sync_daemon_interface eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := syncLife(t, rig.Keepalived, c.global, c.instance), syncLife(t, rig.Binary(), c.global, c.instance)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("keepalived's - and lvsd's +\n%s", d)
			}
			t.Logf("%q", want)
		})
	}
}
