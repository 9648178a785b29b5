package vrrp

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// What lvsd logs about a reload.
const (
	reloaded = "Reload complete"
	refused  = "everything runs on as before"
)

// notifyScript writes down with which arguments it was called.
const notifyScript = "#!/bin/sh\necho \"$@\" >>/etc/keepalived/notify.log\n"

// master starts lvsd alone, and waits until it is master and has nothing more
// to announce: the second burst of gratuitous ARP is over.
func (s *segment) master(i instance) (*router, *addressLog) {
	s.t.Helper()
	r := s.router(1)
	r.File("notify.sh", notifyScript)
	addresses := r.watchAddresses()
	r.run(rig.Binary(), i)
	began := r.nextAdvert(time.Time{}, i.priority, i.down()+patience).At
	r.owns(true, patience)
	time.Sleep(time.Until(began.Add(5*time.Second + busy)))
	return r, addresses
}

// backup starts lvsd as the backup of a keepalived that is master.
func (s *segment) backup(i instance) (backup *router, addresses *addressLog, master *router) {
	s.t.Helper()
	high := i
	high.priority, high.more = 200, ""
	master = s.router(2)
	master.run(rig.Keepalived, high)
	master.becomes(0, i.named(), "MASTER", high.down()+patience)
	backup = s.router(1)
	backup.File("notify.sh", notifyScript)
	addresses = backup.watchAddresses()
	backup.run(rig.Binary(), i)
	backup.becomes(0, i.named(), "BACKUP", patience)
	time.Sleep(4 * time.Second) // the kernel's reports of group membership
	return backup, addresses, master
}

// reload sends SIGHUP between two adverts of a master, where an advert out of
// turn is seen, and waits for the log to tell the outcome.
func (r *router) reload(t *testing.T, outcome string) {
	t.Helper()
	if sent := r.sent(time.Time{}); len(sent) > 0 {
		last := len(sent)
		rig.Until(t, "the next advert", patience, func() bool { return len(r.sent(time.Time{})) > last })
		time.Sleep(200 * time.Millisecond)
	}
	mark := r.Mark()
	r.Signal(syscall.SIGHUP)
	r.Wait(mark, outcome, patience)
}

// settle is how long after a reload its effects are looked for.
const settle = 1500 * time.Millisecond

func notifying(i instance) instance {
	i.more = `notify /etc/keepalived/notify.sh`
	return i
}

// TestReloadUnchanged: SIGHUP with the same file shows nowhere but in the log.
func TestReloadUnchanged(t *testing.T) {
	t.Parallel()
	i := notifying(instance{priority: 100})
	t.Run("master", func(t *testing.T) {
		t.Parallel()
		r, addresses := newSegment(t).master(i)
		c := r.calm(addresses)
		for range 3 {
			r.reload(t, reloaded)
		}
		time.Sleep(settle)
		c.check(t, i.interval())
	})
	t.Run("backup", func(t *testing.T) {
		t.Parallel()
		r, addresses, master := newSegment(t).backup(i)
		c := r.calm(addresses)
		for range 3 {
			r.reload(t, reloaded)
		}
		time.Sleep(settle)
		c.check(t, 0)
		// The deadline did not move either.
		master.Kill()
		last := master.lastAdvert().At
		first := r.nextAdvert(last, i.priority, i.down()+patience).At
		within(t, "from the last advert of the killed master to the first after reloads", first.Sub(last), i.down(), i.down()+busy)
	})
}

// TestReloadRefused: a file that cannot be meant changes nothing, and is
// complained about; a good one afterwards is taken.
func TestReloadRefused(t *testing.T) {
	t.Parallel()
	good := notifying(instance{priority: 100})
	text := good.String()
	files := []struct{ name, text string }{
		{"empty", ""},
		{"only comments", "# nothing\n\n! here\n"},
		{"truncated", text[:strings.Index(text, "virtual_ipaddress")+30]},
		{"no such interface", strings.ReplaceAll(text, "eth0", "eth9")},
		{"virtual_router_id out of range", strings.ReplaceAll(text, "virtual_router_id 51", "virtual_router_id 999")},
		{"unknown keyword", strings.ReplaceAll(text, "priority", "prority")},
		{"not text", "\x7fELF\x02\x01\x01\x00\x00{{{"},
	}
	try := func(t *testing.T, r *router, addresses *addressLog, interval time.Duration) {
		attempt := func(name string, change func()) {
			c := r.calm(addresses)
			change()
			r.reload(t, refused)
			time.Sleep(settle)
			c.check(t, interval)
			if t.Failed() {
				t.Fatalf("that was: %s", name)
			}
		}
		attempt("missing", func() { r.RemoveFile("keepalived.conf") })
		for _, file := range files {
			attempt(file.name, func() { r.File("keepalived.conf", file.text) })
		}
		r.configure(good)
		r.reload(t, reloaded)
	}
	t.Run("master", func(t *testing.T) {
		t.Parallel()
		r, addresses := newSegment(t).master(good)
		try(t, r, addresses, good.interval())
	})
	t.Run("backup", func(t *testing.T) {
		t.Parallel()
		r, addresses, _ := newSegment(t).backup(good)
		try(t, r, addresses, 0)
	})
}

// TestReloadChanged: a reload changes what the file changes, without giving up
// the role or any address that stays.
func TestReloadChanged(t *testing.T) {
	t.Parallel()
	const added = "10.9.0.120"
	tests := []struct {
		name   string
		before func(*instance)
		change func(*instance)
		events []string // of addresses
		advert func(rig.Advert) bool
	}{
		{
			"priority", nil, func(i *instance) { i.priority = 90 }, nil,
			func(a rig.Advert) bool { return a.Priority == 90 },
		},
		{
			"address added", nil, func(i *instance) { i.vips = append(i.vips, added+"/24") },
			[]string{"inet " + added + "/24"},
			func(a rig.Advert) bool { return addressCount(a) == 3 },
		},
		{
			"address removed", nil, func(i *instance) { i.vips = i.vips[:1] },
			[]string{"Deleted"},
			func(a rig.Advert) bool { return addressCount(a) == 1 },
		},
		{
			"renamed", nil, func(i *instance) { i.name = "VI_renamed" }, nil,
			func(a rig.Advert) bool { return a.Priority == 100 },
		},
		{
			"interval", func(i *instance) { i.version = 3 }, func(i *instance) { i.advert = "1.5" }, nil,
			func(a rig.Advert) bool { return binary.BigEndian.Uint16(a.Datagram[20+4:]) == 150 }, // RFC 9568 section 5.2.7
		},
		{
			"authentication", nil, func(i *instance) { i.pass = "s3cret" }, nil,
			func(a rig.Advert) bool { return bytes.HasSuffix(a.Datagram, []byte("s3cret\x00\x00")) },
		},
		{
			"version", nil, func(i *instance) { i.version = 3 }, nil,
			func(a rig.Advert) bool { return a.Version == 3 && addressCount(a) == 2 },
		},
		{
			"priority, and a script keeps its state", func(i *instance) { // it would fail the second time
				i.before = "vrrp_script chk {\n\tscript \"/bin/mkdir /etc/keepalived/once\"\n\tinterval 3600\n\tfall 1\n}\n"
				i.more += "\ntrack_script {\n\tchk\n}"
			}, func(i *instance) { i.priority = 90 }, nil,
			func(a rig.Advert) bool { return a.Priority == 90 },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i := notifying(instance{priority: 100, vips: []string{vip.String() + "/24", "10.9.0.101/24"}})
			if test.before != nil {
				test.before(&i)
			}
			r, addresses := newSegment(t).master(i)
			c := r.calm(addresses)
			test.change(&i)
			r.configure(i)
			r.reload(t, reloaded)
			changed := time.Now()
			time.Sleep(i.interval() + settle)
			c.cadence(t, i.interval())
			if states := r.states(c.log); len(states) > 0 {
				t.Errorf("changes of state: %q", states)
			}
			if notified := strings.TrimPrefix(r.ReadFile("notify.log"), c.notified); notified != "" {
				t.Errorf("notify scripts ran: %q", notified)
			}
			events := addresses.since(c.address)
			if len(events) != len(test.events) {
				t.Errorf("address events: %q, want one each with %q", events, test.events)
			}
			for n, want := range test.events[:min(len(events), len(test.events))] {
				if !strings.Contains(events[n], want) {
					t.Errorf("address event %q, want %q", events[n], want)
				}
			}
			for _, a := range r.sent(changed) {
				if !test.advert(a) {
					t.Errorf("an advert after the reload is not as the new file says: %v %x", a, a.Datagram)
				}
			}
		})
	}
}

// addressCount is the advert's Count IPvX Addr: RFC 9568 section 5.2.5.
func addressCount(a rig.Advert) int { return int(a.Datagram[20+3]) }

// TestManyReloads: two hundred reloads leave nothing behind, neither with the
// same file nor with two that take turns.
func TestManyReloads(t *testing.T) {
	t.Parallel()
	even := notifying(instance{priority: 100})
	odd := even
	odd.vips = append(odd.addresses(), "10.9.0.120/24")
	tests := []struct {
		name  string
		files [2]instance
	}{
		{"unchanged", [2]instance{even, even}},
		{"two files in turn", [2]instance{odd, even}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, _ := newSegment(t).master(even)
			reload := func(times int) {
				for n := range times {
					r.configure(test.files[n%2])
					mark := r.Mark()
					r.Signal(syscall.SIGHUP)
					r.Wait(mark, reloaded, patience)
				}
				time.Sleep(settle)
			}
			reload(20) // what is made once and kept
			mark, notified, began := r.Mark(), r.ReadFile("notify.log"), time.Now()
			before := r.Resources()
			reload(200)
			after := r.Resources()
			t.Logf("before: %+v, after 200 reloads: %+v", before, after)
			if after.Descriptors > before.Descriptors || after.Children > before.Children {
				t.Errorf("left behind: %+v before, %+v after", before, after)
			}
			// The runtime keeps threads and memory for later.
			if after.Threads > before.Threads+4 || after.Kilobytes > before.Kilobytes+8<<10 {
				t.Errorf("grew: %+v before, %+v after", before, after)
			}
			if states := r.states(mark); len(states) > 0 || r.ReadFile("notify.log") != notified {
				t.Errorf("changes of state: %q; notified: %q", states, strings.TrimPrefix(r.ReadFile("notify.log"), notified))
			}
			for i, sent := 1, r.sent(began); i < len(sent); i++ {
				if gap := sent[i].At.Sub(sent[i-1].At); gap > even.interval()+busy {
					t.Errorf("silent for %s while reloading", gap)
				}
			}
			r.owns(true, 0)
		})
	}
}
