package vrrp

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// both starts lvsd and keepalived with the same configuration on equal hosts,
// each alone on a segment with a stranger, 10.9.0.66. The order is got, want.
func both(t *testing.T, configuration ...any) (routers, strangers [2]*router) {
	t.Helper()
	for n, binary := range []string{rig.Binary(), rig.Keepalived} {
		s := newSegment(t)
		routers[n], strangers[n] = s.router(1), s.router(66)
		routers[n].plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
		routers[n].File("notify.sh", notifyScript)
		routers[n].run(binary, configuration...)
	}
	return routers, strangers
}

// TestAnswers: a master answers the advert of another router on the wire as
// keepalived's does, frame by frame, and changes its state when keepalived's does.
func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		priority uint8
		source   string // of the stranger
	}{
		{"lower priority", 50, "10.9.0.66"},
		{"equal priority, higher address", 100, "10.9.0.66"},
		{"equal priority, lower address", 100, "10.0.0.1"},
		{"higher priority", 200, "10.9.0.66"},
		{"priority 0", 0, "10.9.0.66"},
	}
	for _, version := range []int{2, 3} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("v%d %s", version, test.name), func(t *testing.T) {
				t.Parallel()
				i := instance{version: version, priority: 100}
				if version == 2 {
					i.pass = "s3cret"
				}
				routers, strangers := both(t, i)
				frame := validAdvert(version, test.priority).from(test.source).frame()
				var answers [2][]string
				var states [2][]string
				for n, r := range routers {
					began := r.nextAdvert(time.Time{}, i.priority, i.down()+patience).At
					r.owns(true, patience)
					time.Sleep(time.Until(began.Add(5*time.Second + busy))) // the second burst
					mark := r.Mark()
					answers[n] = r.answer(strangers[n], frame)
					states[n] = r.states(mark)
				}
				if diff := cmp.Diff(answers[1], answers[0]); diff != "" {
					t.Errorf("frames, of keepalived (-) and of lvsd (+):\n%s", diff)
				}
				if len(answers[1])+len(states[1]) == 0 {
					t.Error("keepalived did not mind: nothing to compare")
				}
				if diff := cmp.Diff(states[1], states[0]); diff != "" {
					t.Errorf("states, of keepalived (-) and of lvsd (+):\n%s", diff)
				}
			})
		}
	}
}

// from changes the address that an advert claims to come from.
func (d datagram) from(source string) datagram {
	d.source = netip.MustParseAddr(source)
	return d
}

// answer sends a frame between two adverts and answers with what the router
// sends before its next advert is due, and whether that one comes late because
// the answer has restarted the timer.
func (r *router) answer(stranger *router, frame []byte) []string {
	r.t.Helper()
	const quiet, window = 300 * time.Millisecond, 400 * time.Millisecond
	rig.Until(r.t, "a fresh advert", patience, func() bool { return time.Since(r.lastAdvert().At) < 150*time.Millisecond })
	time.Sleep(quiet)
	asked := time.Now()
	if err := stranger.wire.Send(frame); err != nil {
		r.t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	var answer []string
	var last time.Time
	for _, f := range r.wire.Frames() {
		switch {
		case !f.Sent || f.At.Before(asked):
		case isGratuitous(f.Data) && f.At.Before(asked.Add(window)):
			answer = append(answer, "ARP "+hex.EncodeToString(f.Data))
		case isAdvert(f.Data) && f.At.Before(asked.Add(window)):
			answer = append(answer, "advert "+words(f.Data, identification(f.Data)-1))
			last = f.At
		case isAdvert(f.Data) && !last.IsZero():
			return append(answer, fmt.Sprintf("timer restarted: %t", f.At.Sub(last) > 800*time.Millisecond))
		}
	}
	return answer
}

// TestAddresses: virtual addresses are in the kernel as keepalived puts them
// there, with prefix, label, scope, broadcast address and device.
func TestAddresses(t *testing.T) {
	t.Parallel()
	routers, _ := both(t, instance{
		priority: 100,
		vips: []string{
			"10.9.0.100", "10.9.0.101/24", "10.9.0.102/24 label eth0:web", "10.9.0.103/32 scope link",
			"10.9.0.104/24 brd 10.9.0.255", "10.9.0.105/24 brd +", "10.9.0.106/24 dev eth1", "192.0.2.1/32 dev eth1 label eth1:x scope host",
		},
		excluded: []string{"10.9.1.100/24 dev eth1", "10.9.0.110/25"},
	})
	var tables [2]string
	for n, r := range routers {
		r.becomes(0, "VI_1", "MASTER", patience)
		rig.Until(t, "the last address", patience, func() bool { return len(r.held("eth0")) == 8 })
		tables[n] = r.addressTable()
	}
	if diff := cmp.Diff(tables[1], tables[0]); diff != "" {
		t.Errorf("addresses, of keepalived (-) and of lvsd (+):\n%s", diff)
	}
}

// addressTable is a line for each IPv4 address, with all that ip(8) knows but
// who made it.
func (r *router) addressTable() string {
	r.t.Helper()
	var links []struct {
		Addresses []map[string]any `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(r.Run("ip", "-j", "-4", "addr")), &links); err != nil {
		r.t.Fatalf("%s: read ip's output: %v", r, err)
	}
	var b strings.Builder
	for _, link := range links {
		for _, address := range link.Addresses {
			delete(address, "protocol")
			line, _ := json.Marshal(address)
			fmt.Fprintf(&b, "%s\n", line)
		}
	}
	return b.String()
}

// TestReloadInstances: a reload that adds or removes an instance leaves the
// other one alone, and does to that one what keepalived does.
func TestReloadInstances(t *testing.T) {
	t.Parallel()
	stays := notifying(instance{name: "VI_1", vrid: 51, priority: 100})
	other := notifying(instance{name: "VI_2", vrid: 52, priority: 110, device: "eth1", vips: []string{"10.9.1.100/24"}})
	routers, _ := both(t, stays, other)
	for _, r := range routers {
		r.becomes(0, "VI_1", "MASTER", patience)
		r.becomes(0, "VI_2", "MASTER", patience)
		r.owns(true, patience)
	}
	time.Sleep(busy)
	began := time.Now()
	for _, r := range routers {
		r.configure(stays)
		r.Signal(syscall.SIGHUP)
		rig.Until(t, r.String()+" to remove VI_2", patience, func() bool { return len(r.held("eth1")) == 1 })
	}
	time.Sleep(busy)
	for _, r := range routers {
		mark := r.Mark()
		r.configure(stays, other)
		r.Signal(syscall.SIGHUP)
		r.becomes(mark, "VI_2", "MASTER", patience)
		rig.Until(t, r.String()+" to add VI_2", patience, func() bool { return len(r.held("eth1")) == 2 })
	}
	time.Sleep(busy)
	got, want := byObject(routers[0].ReadFile("notify.log")), byObject(routers[1].ReadFile("notify.log"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls of scripts, of keepalived (-) and of lvsd (+):\n%s", diff)
	}
	(&calm{r: routers[0], began: began}).cadence(t, stays.interval())
	if held := routers[0].held("eth0"); len(held) != 2 {
		t.Errorf("%s holds %q", routers[0], held)
	}
}
