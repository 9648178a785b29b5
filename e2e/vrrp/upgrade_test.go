package vrrp

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// upgrade lets an lvsd take the router's place, with the program that runs or
// another one, and answers with what came of it.
func (r *router) upgrade(args ...string) (output string, status int) {
	r.t.Helper()
	return r.finishes(rig.Binary(), append([]string{"upgrade", "-p", r.pidFile()}, args...)...)
}

// upgradeTo is upgrade with another program, however long it takes.
func (r *router) upgradeTo(program string) (output string, status int) {
	r.t.Helper()
	c := r.Command(rig.Binary(), "upgrade", "-p", r.pidFile(), "--binary", program)
	said, err := c.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return string(said), c.ProcessState.ExitCode()
}

// pidFile is the one of the daemon.
func (r *router) pidFile() string {
	r.t.Helper()
	i := slices.IndexFunc(r.PIDFiles(), func(path string) bool { return strings.HasSuffix(path, "/keepalived.pid") })
	if i < 0 {
		r.t.Fatalf("%s has no pid file", r)
	}
	return r.PIDFiles()[i]
}

// upgraded is what lvsd says when it has gone on in its own place.
const upgraded = "Upgrade complete"

// gaps is the longest time between two adverts, and when it began.
func gaps(sent []rig.Advert) (longest time.Duration, from time.Time) {
	for i := range sent[1:] {
		if gap := sent[i+1].At.Sub(sent[i].At); gap > longest {
			longest, from = gap, sent[i].At
		}
	}
	return longest, from
}

// TestUpgrade: lvsd goes on in its own place, again and again, and a keepalived
// that waits for it to fail sees nothing: no advert is missing, none has
// priority 0, no address goes and nobody is notified.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		instance instance
	}{
		{"1 s", instance{}},
		{"100 ms", instance{version: 3, advert: "0.1"}},
		{"AH", instance{ah: "s3cret"}},
		{"unicast", instance{source: "10.9.0.1", peers: []string{"10.9.0.2"}}},
		{"IPv6", instance{vips: vips6, advert: "0.1"}},
		{"VMAC", instance{version: 3, advert: "0.1", more: "use_vmac"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			upgradeUnseen(t, test.instance)
		})
	}
}

// TestUpgradeFast is TestUpgrade with an advert each 10 ms. It runs alone: where
// a backup waits for 39 ms, everybody beside it counts.
func TestUpgradeFast(t *testing.T) {
	upgradeUnseen(t, instance{version: 3, advert: "0.01", before: fastGlobals})
}

// upgradeUnseen lets the master of an instance go on in its own place.
func upgradeUnseen(t *testing.T, i instance) {
	t.Helper()
	const times = 5
	i.priority = 150
	more := i.more
	i = notifying(i)
	i.more = more + "\n" + i.more
	s := newSegment(t)
	other := i
	other.priority = 50
	if i.source != "" {
		other.source, other.peers = i.peers[0], []string{i.source}
	}
	r, backup := s.routerOf(i, 1), s.routerOf(other, 2)
	for _, one := range []*router{r, backup} {
		one.File("notify.sh", notifyScript)
	}
	addresses := r.watchAddresses()
	r.run(rig.Binary(), i)
	began := r.nextAdvert(time.Time{}, i.priority, i.down()+patience).At
	r.owns(true, patience)
	backup.run(rig.Keepalived, other)
	backup.becomes(0, i.named(), "BACKUP", patience)
	time.Sleep(time.Until(began.Add(5*time.Second + busy))) // the second burst of gratuitous ARP
	pids := r.PIDs()

	c, peer := r.calm(addresses), backup.Mark()
	for range times {
		if output, status := r.upgrade(); status != 0 || !strings.Contains(output, upgraded) {
			t.Fatalf("upgrade: status %d, %s", status, output)
		}
		time.Sleep(max(i.interval(), 200*time.Millisecond))
	}
	time.Sleep(2 * i.interval())
	c.check(t, i.interval())
	sent := r.sent(c.began)
	longest, from := gaps(sent)
	t.Logf("%d adverts, at most %s apart, from %s on", len(sent), longest, from.Format("15:04:05.000"))
	if most := i.interval() + i.interval()/2 + i.skew(); longest > most {
		t.Errorf("two adverts are %s apart, want at most %s", longest, most)
	}
	if states := backup.states(peer); len(states) > 0 {
		t.Errorf("the backup changed its state: %q", states)
	}
	if now := r.PIDs(); !slices.Equal(now, pids) {
		t.Errorf("processes %v, before %v", now, pids)
	}
	r.Stop(patience)
	r.owns(false, patience)
	backup.becomes(peer, i.named(), "MASTER", patience)
}

// TestUpgradeBackup: a backup that goes on in its own place takes over when it
// is due, not earlier and not later.
func TestUpgradeBackup(t *testing.T) {
	t.Parallel()
	i := notifying(instance{priority: 100})
	r, addresses, master := newSegment(t).backup(i)
	c := r.calm(addresses)
	for range 3 {
		if output, status := r.upgrade(); status != 0 {
			t.Fatalf("upgrade: status %d, %s", status, output)
		}
	}
	time.Sleep(settle)
	c.check(t, 0)
	master.Kill()
	last := master.lastAdvert().At
	if output, status := r.upgrade(); status != 0 {
		t.Fatalf("upgrade: status %d, %s", status, output)
	}
	first := r.nextAdvert(last, i.priority, i.down()+patience).At
	within(t, "from the last advert of the killed master to the first after upgrades", first.Sub(last), i.down(), i.down()+busy)
	r.Stop(patience)
}
