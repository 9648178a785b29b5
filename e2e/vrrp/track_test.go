package vrrp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// checkScript succeeds while the host's /etc/keepalived/up is there.
func checkScript(weight int) string {
	return fmt.Sprintf("vrrp_script check {\n\tscript \"/usr/bin/test -e /etc/keepalived/up\"\n\tinterval 1\n\tfall 1\n\trise 1\n\tweight %d\n}\n", weight)
}

// TestTrack: what a router tracks fails, keepalived takes over; it recovers,
// and the router takes over again.
func TestTrack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		script   string
		track    string
		fail     func(*router)
		recover  func(*router)
		failed   string // what the log says, of keepalived's sentences
		priority int    // of the advert by which the router gives up; 0: it enters FAULT
	}{
		{
			"script with weight", checkScript(-60), "track_script {\n\tcheck\n}",
			func(r *router) { r.RemoveFile("up") }, func(r *router) { r.File("up", "") },
			"(VI_1) Changing effective priority from 150 to 90", 90,
		},
		{
			"script", checkScript(0), "track_script {\n\tcheck\n}",
			func(r *router) { r.RemoveFile("up") }, func(r *router) { r.File("up", "") },
			"(VI_1) Entering FAULT STATE", 0,
		},
		{
			"interface", "", "track_interface {\n\teth1\n}",
			func(r *router) { r.Link("eth1", false) }, func(r *router) { r.Link("eth1", true) },
			"(VI_1) Entering FAULT STATE", 0,
		},
		{
			"interface with weight", "", "track_interface {\n\teth1 weight -60\n}",
			func(r *router) { r.Link("eth1", false) }, func(r *router) { r.Link("eth1", true) },
			"(VI_1) Changing effective priority from 150 to 90", 90,
		},
		{
			"interface of an address", "", "virtual_ipaddress_excluded {\n\t10.9.1.100/24 dev eth1\n}",
			func(r *router) { r.Link("eth1", false) }, func(r *router) { r.Link("eth1", true) },
			"(VI_1) Entering FAULT STATE", 0,
		},
		{
			"interface of a route, with weight in vain", "", "virtual_routes {\n\t10.20.0.0/16 via 10.9.1.2 dev eth1\n}\ntrack_interface {\n\teth1 weight -60\n}",
			func(r *router) { r.Link("eth1", false) }, func(r *router) { r.Link("eth1", true) },
			"(VI_1) Entering FAULT STATE", 0,
		},
		{
			"own interface", "", "",
			func(r *router) { r.Link("eth0", false) }, func(r *router) { r.Link("eth0", true) },
			"(VI_1) Entering FAULT STATE", -1, // nobody hears it
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			r, peer := s.router(1), s.router(2)
			r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
			r.File("up", "")
			high, low := instance{priority: 150, more: test.track}, instance{priority: 100}
			r.run(rig.Binary(), test.script, high)
			peer.run(rig.Keepalived, low)
			r.becomes(0, "VI_1", "MASTER", high.down()+patience)
			peer.becomes(0, "VI_1", "BACKUP", patience)

			mark, failed := r.Mark(), time.Now()
			test.fail(r)
			r.Wait(mark, test.failed, patience)
			if test.priority >= 0 {
				farewell := r.nextAdvert(failed, test.priority, patience).At
				first := peer.nextAdvert(failed, low.priority, patience).At
				if test.priority == 0 {
					within(t, "from priority 0 to the first advert of the other", first.Sub(farewell), low.skew(), low.skew()+busy)
				}
			} else {
				peer.nextAdvert(failed, low.priority, low.down()+patience)
			}
			r.owns(false, patience)
			peer.owns(true, patience)

			mark, recovered := r.Mark(), time.Now()
			test.recover(r)
			r.nextAdvert(recovered, high.priority, high.down()+patience)
			r.becomes(mark, "VI_1", "MASTER", patience)
			r.owns(true, patience)
			peer.owns(false, patience)
		})
	}
}

// group is two instances in a sync group, on eth0 and on eth1, that notify
// about everything.
func group(priority int) string {
	const script = `notify /etc/keepalived/notify.sh
notify_master "/etc/keepalived/notify.sh %[1]s notify_master"
notify_backup "/etc/keepalived/notify.sh %[1]s notify_backup"
notify_fault "/etc/keepalived/notify.sh %[1]s notify_fault"
notify_stop "/etc/keepalived/notify.sh %[1]s notify_stop"`
	inside := instance{name: "VI_1", vrid: 51, priority: priority, more: fmt.Sprintf(script, "VI_1")}
	outside := instance{name: "VI_2", vrid: 52, priority: priority, more: fmt.Sprintf(script, "VI_2"), device: "eth1", vips: []string{"10.9.1.100/24"}}
	return fmt.Sprintf("vrrp_sync_group G {\n\tgroup {\n\t\tVI_1\n\t\tVI_2\n\t}\n%s\n}\n%s%s", fmt.Sprintf(script, "G"), inside, outside)
}

// alone is one instance that notifies about everything.
func alone(priority int) string {
	_, text, _ := strings.Cut(group(priority), "vrrp_instance VI_1")
	text, _, _ = strings.Cut(text, "vrrp_instance VI_2")
	return "vrrp_instance VI_1" + text
}

// TestNotify runs lvsd and keepalived through the same life: start, master, a
// link that fails and comes back, master again, stop. They call the same
// scripts with the same arguments; the order is the same for each object,
// keepalived does not promise more.
func TestNotify(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string]string{"alone": alone(100), "sync group": group(100)} {
		device := "eth1"
		if name == "alone" {
			device = "eth0"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			daemons := [2]*router{}
			for n, binary := range []string{rig.Binary(), rig.Keepalived} {
				s := newSegment(t)
				r := s.router(1)
				r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
				r.File("notify.sh", notifyScript)
				r.run(binary, configuration)
				daemons[n] = r
			}
			each := func(do func(r *router)) {
				for _, r := range daemons {
					do(r)
				}
				time.Sleep(busy) // for scripts to end
			}
			marks := map[*router]int{}
			each(func(r *router) { r.becomes(0, "VI_1", "MASTER", patience) })
			each(func(r *router) {
				marks[r] = r.Mark()
				r.Link(device, false)
				r.becomes(marks[r], "VI_1", "FAULT", patience)
			})
			each(func(r *router) {
				r.Link(device, true)
				r.becomes(marks[r], "VI_1", "MASTER", patience)
			})
			each(func(r *router) { r.Stop(patience) })
			got, want := byObject(daemons[0].ReadFile("notify.log")), byObject(daemons[1].ReadFile("notify.log"))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("calls of scripts, of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			if len(want["VI_1"]) < 8 {
				t.Errorf("keepalived called too few scripts to compare: %q", want)
			}
		})
	}
}

// byObject sorts the lines of a notify log by the instance or group that they
// are about. The specific script and the general one run at the same time in
// keepalived: of two neighbours the specific one comes first.
func byObject(log string) map[string][]string {
	calls := map[string][]string{}
	for line := range strings.Lines(log) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		name := words[0]
		if name == "INSTANCE" || name == "GROUP" {
			name = words[1]
		}
		calls[name] = append(calls[name], strings.Join(words, " "))
	}
	for _, lines := range calls {
		for i := 0; i+1 < len(lines); i += 2 {
			if strings.Contains(lines[i+1], " notify_") {
				lines[i], lines[i+1] = lines[i+1], lines[i]
			}
		}
	}
	return calls
}

// TestSyncGroup: one link of a group of two fails, and the other router, which
// is keepalived or lvsd, takes over both instances.
func TestSyncGroup(t *testing.T) {
	t.Parallel()
	for _, preferred := range []string{rig.Binary(), rig.Keepalived} {
		other := rig.Keepalived
		if preferred == rig.Keepalived {
			other = rig.Binary()
		}
		t.Run(short(preferred)+" preferred", func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			outside := s.Lab.Switch("lan2")
			r, peer := s.router(1), s.router(2)
			for n, host := range []*router{r, peer} {
				host.plug("eth1", outside, fmt.Sprintf("02:00:00:00:01:%02x", n+1), fmt.Sprintf("10.9.1.%d/24", n+1))
				host.File("notify.sh", notifyScript)
			}
			r.run(preferred, group(150))
			peer.run(other, group(100))
			both := func(host *router, want bool) {
				t.Helper()
				host.owns(want, patience)
				rig.Until(t, fmt.Sprintf("10.9.1.100 on %s: %t", host, want), patience, func() bool {
					return strings.Contains(host.Run("ip", "-4", "addr", "show", "dev", "eth1"), "10.9.1.100/24") == want
				})
			}
			r.becomes(0, "VI_2", "MASTER", patience)
			both(r, true)
			both(peer, false)
			r.Link("eth1", false)
			both(r, false)
			both(peer, true)
			r.Link("eth1", true)
			both(r, true)
			both(peer, false)
		})
	}
}
