package vrrp

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestStop: SIGTERM and SIGINT take everything back, tell the others and run
// the scripts.
func TestStop(t *testing.T) {
	t.Parallel()
	i := instance{
		priority: 100, vips: []string{vip.String() + "/24", "10.9.0.101/32"}, excluded: []string{"10.9.0.102/24"},
		more: `
notify /etc/keepalived/notify.sh
notify_stop "/etc/keepalived/notify.sh stopping"
track_script {
	sleeper
}`,
	}
	sleeper := "vrrp_script sleeper {\n\tscript \"/bin/sleep 60\"\n\tinterval 100\n\ttimeout 90\n\tweight 1\n}\n"
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run("master "+name, func(t *testing.T) {
			t.Parallel()
			r := newSegment(t).router(1)
			r.File("notify.sh", notifyScript)
			r.run(rig.Binary(), sleeper, i)
			r.becomes(0, "VI_1", "MASTER", i.down()+patience)
			r.owns(true, patience)
			if len(r.PIDFiles()) == 0 {
				t.Errorf("%s runs without a pid file", r)
			}
			stopped := time.Now()
			r.Signal(signal)
			r.exits(patience)
			r.leftNothing()
			farewell := r.sent(stopped)
			if len(farewell) == 0 || farewell[len(farewell)-1].Priority != 0 {
				t.Errorf("the last advert of a master that stops has priority 0; sent were %v", farewell)
			}
			r.notified(t, "stopping", "INSTANCE VI_1 STOP 100")
		})
		t.Run("backup "+name, func(t *testing.T) {
			t.Parallel()
			i := i
			i.vips, i.excluded = nil, nil
			s := newSegment(t)
			high := i
			high.priority, high.more = 200, ""
			master := s.router(2)
			master.run(rig.Keepalived, high)
			master.becomes(0, "VI_1", "MASTER", high.down()+patience)
			r := s.router(1)
			r.File("notify.sh", notifyScript)
			r.run(rig.Binary(), sleeper, i)
			r.becomes(0, "VI_1", "BACKUP", patience)
			time.Sleep(busy)
			r.Signal(signal)
			r.exits(patience)
			r.leftNothing()
			if sent := r.sent(time.Time{}); len(sent) > 0 {
				t.Errorf("a backup that stops has sent %v", sent)
			}
			r.notified(t, "stopping", "INSTANCE VI_1 STOP 100")
		})
	}
}

// exits waits for the daemon's end.
func (r *router) exits(limit time.Duration) {
	r.t.Helper()
	rig.Until(r.t, r.String()+" to exit", limit, func() bool { return len(r.Processes()) == 0 })
}

// leftNothing fails the test for any address, pid file or process.
func (r *router) leftNothing() {
	r.t.Helper()
	if held := r.held("eth0"); len(held) != 1 || held[0] != r.address.String() {
		r.t.Errorf("%s left addresses: %q", r, held)
	}
	if r.Daemon != nil && len(r.PIDFiles()) > 0 {
		r.t.Errorf("%s left %q", r, r.PIDFiles())
	}
	if processes := r.Processes(); len(processes) > 0 {
		r.t.Errorf("%s left processes: %q", r, processes)
	}
}

// held are the IPv4 addresses of a device in the kernel's order.
func (r *router) held(devices ...string) []string {
	r.t.Helper()
	var links []struct {
		Name      string `json:"ifname"`
		Addresses []struct {
			Local string `json:"local"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(r.Run("ip", "-j", "-4", "addr", "show")), &links); err != nil {
		r.t.Fatalf("%s: read ip's output: %v", r, err)
	}
	var held []string
	for _, link := range links {
		if !slices.Contains(devices, link.Name) {
			continue
		}
		for _, a := range link.Addresses {
			held = append(held, a.Local)
		}
	}
	return held
}

// notified fails the test unless the notify scripts' log ends with these
// lines, or lines that begin like these, in this order.
func (r *router) notified(t *testing.T, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.ReadFile("notify.log")), "\n")
	tail := lines[max(0, len(lines)-len(want)):]
	for n, line := range tail {
		if len(tail) != len(want) || !strings.HasPrefix(line, want[n]) {
			t.Errorf("%s: the scripts were called with %q, want %q at the end", r, lines, want)
			return
		}
	}
}

// TestRestart: what a killed daemon left behind goes away when it starts
// again; what others made stays.
func TestRestart(t *testing.T) {
	t.Parallel()
	const foreign = "10.9.0.200"
	i := instance{priority: 100, vips: []string{vip.String() + "/24", "10.9.0.101/32"}}
	t.Run("as master", func(t *testing.T) {
		t.Parallel()
		r := newSegment(t).router(1)
		r.run(rig.Binary(), i)
		r.becomes(0, "VI_1", "MASTER", i.down()+patience)
		r.owns(true, patience)
		r.Run("ip", "addr", "add", foreign+"/24", "dev", "eth0")
		r.Kill()
		r.wantHeld(r.address.String(), vip.String(), "10.9.0.101", foreign)
		r.run(rig.Binary(), i)
		restarted := time.Now()
		r.becomes(0, "VI_1", "MASTER", i.down()+patience)
		r.nextAdvert(restarted, i.priority, patience)
		r.owns(true, patience)
		r.wantHeld(r.address.String(), vip.String(), "10.9.0.101", foreign)
		for _, a := range r.wire.Adverts(restarted) {
			if a.Source != r.address {
				t.Errorf("an advert left from %s: %v", a.Source, a)
			}
		}
		r.Stop(patience)
		r.wantHeld(r.address.String(), foreign)
	})
	for _, made := range []string{"left behind", "made by hand"} {
		t.Run("as backup with an address "+made, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			r, peer := s.router(1), s.router(2)
			if made == "left behind" {
				r.run(rig.Binary(), i)
				r.becomes(0, "VI_1", "MASTER", i.down()+patience)
				r.owns(true, patience)
				r.Run("ip", "addr", "add", foreign+"/24", "dev", "eth0")
				r.Kill()
			} else {
				r.Run("ip", "addr", "add", vip.String()+"/24", "dev", "eth0")
				r.Run("ip", "addr", "add", foreign+"/24", "dev", "eth0")
			}
			high := i
			high.priority = 200
			peer.run(rig.Keepalived, high)
			peer.becomes(0, "VI_1", "MASTER", high.down()+patience)
			began := time.Now()
			r.run(rig.Binary(), i)
			r.becomes(0, "VI_1", "BACKUP", patience)
			r.owns(false, patience)
			r.wantHeld(r.address.String(), foreign)
			time.Sleep(i.down() + busy)
			if sent := r.sent(began); len(sent) > 0 {
				t.Errorf("%s took over from a living master: %v", r, sent)
			}
			r.wantHeld(r.address.String(), foreign)
		})
	}
}

// wantHeld fails the test unless eth0 has exactly these addresses, in any
// order.
func (r *router) wantHeld(want ...string) {
	r.t.Helper()
	rig.Until(r.t, r.String()+" to hold "+strings.Join(want, " "), patience, func() bool {
		held := r.held("eth0")
		for _, address := range want {
			if !strings.Contains(" "+strings.Join(held, " ")+" ", " "+address+" ") {
				return false
			}
		}
		return len(held) == len(want)
	})
}
