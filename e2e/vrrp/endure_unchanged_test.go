package vrrp

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestEndureUnchanged: thousands of reloads of the same file, which has
// something of everything, show nowhere but in the log: no state changes, no
// advert is late, nothing in the kernel is written, nothing gathers.
func TestEndureUnchanged(t *testing.T) { // not in parallel: it measures time
	s := newSegment(t)
	b := &breaker{router: s.router(1)}
	b.plug("eth1", s.Lab.Switch("two"), "02:00:00:00:01:01", "10.8.0.1/24")
	b.File("notify.sh", notifyScript)
	b.File("number", "3\n")
	b.run(rig.Binary(), rich)
	b.Wait(0, "Startup complete", patience)
	b.settle(0)
	reload := func(times int) {
		for range times {
			mark := b.Mark()
			b.Signal(syscall.SIGHUP)
			b.Wait(mark, reloaded, patience)
		}
	}
	reload(50) // what is made once and kept
	time.Sleep(settle)
	links := b.monitor("ip", "-o", "monitor", "link", "address", "route", "rule")
	b.listens(links, "192.0.2.77", "ip addr add 192.0.2.77/32 dev lo; ip addr del 192.0.2.77/32 dev lo")
	tables := b.monitor("nft", "monitor")
	b.listens(tables, "probe", "nft add table ip probe; nft delete table ip probe")
	link, table := links.mark(), tables.mark()
	b.quiet = time.Now()
	mark, notified, state, before := b.Mark(), b.ReadFile("notify.log"), b.kernelState(), b.Resources()

	count := endurance.Rounds(300, 10)
	for done := 0; done < count; done += 100 {
		reload(min(100, count-done))
		if states := b.states(mark); len(states) > 0 {
			t.Fatalf("changes of state within %d reloads: %q", done+100, states)
		}
	}

	time.Sleep(settle)
	after := b.Resources()
	late, adverts := lateness(b.sent(b.quiet))
	t.Logf("%d reloads; %d adverts, %s late at most; before: %+v, after: %+v", count, adverts, late.Round(time.Microsecond), before, after)
	if late > tardy || adverts == 0 {
		t.Errorf("%d adverts, one of them was late by %s", adverts, late)
	}
	if seen := append(links.since(link), tables.since(table)...); len(seen) > 0 {
		t.Errorf("the kernel has told of %q", seen)
	}
	if now := b.kernelState(); now != state {
		t.Errorf("the kernel is another: before\n%s\nafter\n%s", state, now)
	}
	if now := b.ReadFile("notify.log"); now != notified {
		t.Errorf("notified: %q", strings.TrimPrefix(now, notified))
	}
	// The runtime keeps threads and memory for later; what is left behind with
	// each reload would be more.
	if after.Gathered(before) {
		t.Errorf("gathered: %+v before, %+v after", before, after)
	}
}
