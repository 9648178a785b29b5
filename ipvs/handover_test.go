package ipvs

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// A manager that goes on in another program: services keep their quorum, real
// servers their verdicts and weights, the kernel is not written to and nobody is
// told. What is new or gone is as after a reload, and a later result counts.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		was := start(t, kernel, nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 checks=80", "10.0.0.3:80 checks=80", "10.0.0.4:80 checks=80 alpha")
		web.Quorum = 2
		apply(t, was, web)
		was.verdict(web, "10.0.0.2:80", false)
		check := web.Servers[1].Checks[0].ID()
		was.Health(web.Key, Health{Server: web.Servers[1].Addr, Check: check, Up: true, Weight: config.WeightChange{To: config.Some(7)}})
		synctest.Wait()
		before := was.Snapshot()
		kernel.took()

		h, thaw := was.Freeze()
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var read Handover
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, read, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("through JSON (-want +got):\n%s", diff)
		}
		next := start(t, kernel, func(o *Options) { o.Taking = &read })
		apply(t, next, web)
		wantOps(t, kernel)
		if len(next.told) > 0 {
			t.Errorf("told %q", next.told)
		}
		if now := next.Snapshot(); !reflect.DeepEqual(now, before) {
			t.Errorf("was %+v\nis  %+v", before, now)
		}
		next.verdict(web, "10.0.0.2:80", true)
		wantOps(t, kernel, "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1")
		if want := []string{"10.0.0.2:80 true"}; !slices.Contains(next.told, want[0]) {
			t.Errorf("told %q, want %q", next.told, want)
		}

		// A reload begins anew: what was handed over is used once.
		apply(t, next)
		apply(t, next, web)
		if ops := kernel.took(); !slices.ContainsFunc(ops, func(op string) bool { return strings.HasPrefix(op, "-A") }) {
			t.Errorf("a new service: %q", ops)
		}
		if err := next.stop(); err != nil {
			t.Error(err)
		}
		thaw()
		if err := was.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A real server that only the new program has, and one that it has no more.
func TestHandoverOtherServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		was := start(t, kernel, nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 checks=80", "10.0.0.3:80 checks=80")
		apply(t, was, web)
		h, thaw := was.Freeze()
		kernel.took()
		next := start(t, kernel, func(o *Options) { o.Taking = &h })
		apply(t, next, service("10.0.0.1:80", "10.0.0.3:80 checks=80", "10.0.0.4:80 checks=80"))
		wantOps(t, kernel, "-a -t 10.0.0.1:80 -r 10.0.0.4:80 -g -w 1", "-d -t 10.0.0.1:80 -r 10.0.0.2:80")
		if len(next.told) > 0 {
			t.Errorf("told %q", next.told)
		}
		if err := next.stop(); err != nil {
			t.Error(err)
		}
		thaw()
		if err := was.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Sync daemons that run already are neither stopped nor started.
func TestHandoverSync(t *testing.T) {
	s := NewSyncDaemons(nil, nil, false)
	runs := Sync{Master: true, Daemon: config.SyncDaemon{Interface: "eth0"}}
	s.TakeOver(runs)
	s.Want(runs)
	if err := s.settle(); err != nil { // without a kernel, whatever it did would panic
		t.Error(err)
	}
	if got := s.Handover(); got != runs {
		t.Errorf("they are %+v, want %+v", got, runs)
	}
}
