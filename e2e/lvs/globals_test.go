package lvs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// globalsOf are what is said once and concerns all services: lines before
// global_defs and in it. ELSEWHERE is the name of another network namespace.
var globalsOf = map[string]struct{ root, global string }{
	"lvs_flush":                 {global: "lvs_flush"},
	"lvs_flush_on_stop VS":      {global: "lvs_flush_on_stop VS"},
	"lvs_flush_on_stop, init":   {global: "lvs_flush_on_stop\nrs_init_notifies"},
	"net_namespace_ipvs, flush": {"net_namespace_ipvs ELSEWHERE\n", "lvs_flush"},
}

const globalsConf = `global_defs {
	script_user root
	GLOBAL
}
virtual_server 10.99.0.1 80 {
	protocol TCP
	lb_algo rr
	lb_kind NAT
	quorum_up "/etc/keepalived/record.sh quorum up"
	real_server 10.72.0.2 80 {
		notify_up "/etc/keepalived/record.sh up"
		notify_down "/etc/keepalived/record.sh down"
	}
}
`

// globalLife is what the tables of a host and of another namespace are, and what
// scripts were told, after a start, a reload and a stop; before the first two
// somebody makes a service in both.
func globalLife(t *testing.T, binary string) map[string][]string {
	lab := rig.New(t)
	seen := map[string][]string{}
	for name, said := range globalsOf {
		number := fmt.Sprint(len(seen))
		h, other := lab.Host("director"+number), lab.Host("elsewhere"+number)
		namespace := strings.TrimSpace(other.Run("sh", "-c", "ip netns identify $$"))
		conf := strings.Replace(said.root+globalsConf, "GLOBAL", said.global, 1)
		h.File("record.sh", "#!/bin/sh\necho \"$@\" >>/etc/keepalived/notified\n")
		h.Run("chmod", "755", "/etc/keepalived/record.sh")
		h.File("notified", "")
		h.File("keepalived.conf", strings.Replace(conf, "ELSEWHERE", namespace, 1))
		foreign := func(vip string) {
			h.Run("ipvsadm", "-A", "-t", vip, "-s", "rr")
			other.Run("ipvsadm", "-A", "-t", vip, "-s", "lc")
		}
		look := func(when string) {
			state := func() []string {
				here, there := strings.Split(h.Run("ipvsadm", "-Sn"), "\n"), strings.Split(other.Run("ipvsadm", "-Sn"), "\n")
				told := strings.Split(h.ReadFile("notified"), "\n")
				for _, lines := range [][]string{here, there, told} {
					slices.Sort(lines)
				}
				return slices.Concat([]string{when, "here"}, here, []string{"elsewhere"}, there, []string{"told"}, told)
			}
			now := state()
			rig.Until(t, name+": the table to settle", patience, func() bool {
				time.Sleep(2 * time.Second)
				before := now
				now = state()
				return slices.Equal(now, before)
			})
			seen[name] = append(seen[name], now...)
		}
		foreign("10.99.9.1:80")
		d := h.Start(binary)
		d.Wait(0, "Startup complete", patience)
		look("start")
		foreign("10.99.9.2:80")
		mark := d.Mark()
		d.Signal(syscall.SIGHUP)
		d.Wait(mark, "Reload complete", patience)
		look("reload")
		d.Stop(patience)
		look("stop")
	}
	return seen
}

// TestGlobals: what is flushed and when, what is told of a start, and where the
// services are, is as with keepalived.
func TestGlobals(t *testing.T) {
	onlyLVSD(t, "it is compared with itself")
	want, got := globalLife(t, rig.Keepalived), globalLife(t, rig.Binary())
	for name := range globalsOf {
		if d := cmp.Diff(want[name], got[name]); d != "" {
			t.Errorf("%s: keepalived's - and lvsd's +\n%s", name, d)
		}
		t.Logf("%s: %q", name, want[name])
	}
}
