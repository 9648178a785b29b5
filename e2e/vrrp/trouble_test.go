package vrrp

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestStart: a daemon that starts on a sound host is backup at once, every
// time; what it learns about its links first is no fault.
func TestStart(t *testing.T) {
	t.Parallel()
	r := newSegment(t).router(1)
	for range 15 {
		r.run(rig.Binary(), instance{priority: 100})
		r.Wait(0, "STATE", patience)
		r.Wait(0, "Startup complete", patience)
		if states := r.states(0); !slices.Equal(states, []string{"(VI_1) Entering BACKUP STATE (init)"}) {
			t.Fatalf("the log says %q, want only BACKUP", states)
		}
		r.Kill()
	}
}

// TestAddressTaken: somebody deletes the virtual address of a master. It gets
// it back, and others hear of it by gratuitous ARP.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100}
	r := newSegment(t).router(1)
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	taken := time.Now()
	r.Run("ip", "addr", "del", vip.String()+"/24", "dev", "eth0")
	r.owns(true, i.down()+patience)
	rig.Until(t, "a gratuitous ARP", patience, func() bool {
		return slices.ContainsFunc(r.wire.Frames(), func(f rig.Frame) bool {
			return f.Sent && f.At.After(taken) && isGratuitous(f.Data)
		})
	})
	rig.Until(t, "adverts", patience, func() bool { return time.Since(r.lastAdvert().At) < i.interval()+busy })
	r.wantHeld(r.address.String(), vip.String())
}

// TestSourceTaken: without an address of its own a router cannot advertise: it
// is in fault until it has one.
func TestSourceTaken(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100, vips: []string{vip.String() + "/32"}}
	r := newSegment(t).router(1)
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	mark := r.Mark()
	r.Run("ip", "addr", "del", r.address.String()+"/24", "dev", "eth0")
	r.becomes(mark, "VI_1", "FAULT", patience)
	r.owns(false, patience)
	mark, back := r.Mark(), time.Now()
	r.Run("ip", "addr", "add", r.address.String()+"/24", "dev", "eth0")
	r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
	r.owns(true, patience)
	r.nextAdvert(back, i.priority, patience)
}

// TestInterfaceReplaced: the interface is deleted, and made again with another
// index and MAC address. The router is in fault meanwhile and master afterwards.
func TestInterfaceReplaced(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100}
	s := newSegment(t)
	r, witness := s.router(1), s.router(2)
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	for n := range 2 {
		mark := r.Mark()
		r.Run("ip", "link", "del", "eth0")
		r.becomes(mark, "VI_1", "FAULT", patience)
		mark, back := r.Mark(), time.Now()
		r.plug("eth0", s.Switch, fmt.Sprintf("02:00:00:00:02:%02x", n), r.address.String()+"/24")
		r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
		r.owns(true, patience)
		rig.Until(t, "an advert on the new interface", patience, func() bool {
			return slices.ContainsFunc(witness.wire.Adverts(back), func(a rig.Advert) bool { return a.Source == r.address })
		})
		// It hears others as well.
		mark = r.Mark()
		higher := validAdvert(2, 200)
		higher.vrrp[4] = 0
		clear(higher.vrrp[12:])
		if err := witness.wire.Send(higher.frame()); err != nil {
			t.Fatal(err)
		}
		r.becomes(mark, "VI_1", "BACKUP", patience)
		r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
		r.owns(true, patience)
	}
}

// TestInterfaceRenamed: an interface of another name is another interface. With
// its old name it is the router's again, whatever had the name in between.
func TestInterfaceRenamed(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100, more: "track_interface {\n\teth1 weight 10\n}"}
	s := newSegment(t)
	r := s.router(1)
	r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	rename := func(from, to string) {
		r.Run("ip", "link", "set", from, "down")
		r.Run("ip", "link", "set", from, "name", to)
		r.Run("ip", "link", "set", to, "up")
	}
	mark, began := r.Mark(), time.Now()
	rename("eth1", "other")
	r.nextAdvert(began, i.priority, patience)
	began = time.Now()
	rename("other", "eth1")
	r.nextAdvert(began, i.priority+10, patience)

	rename("eth0", "away")
	r.becomes(mark, "VI_1", "FAULT", patience)
	mark = r.Mark()
	rename("eth1", "eth0") // on another network, with another address
	r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
	r.owns(true, patience)
	rename("eth0", "eth1")
	r.becomes(mark, "VI_1", "FAULT", patience)
	mark, began = r.Mark(), time.Now()
	rename("away", "eth0")
	r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
	r.owns(true, patience)
	r.nextAdvert(began, i.priority+10, patience)
}

// TestStubbornScripts: scripts that hang and ignore SIGTERM hold up neither
// VRRP nor the end, and do not outlive it.
func TestStubbornScripts(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100, more: `
notify /etc/keepalived/hang.sh
notify_stop /etc/keepalived/hang.sh`}
	r := newSegment(t).router(1)
	r.File("hang.sh", "#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 1; done\n")
	r.run(rig.Binary(), i)
	backup := r.becomes(0, "VI_1", "BACKUP", patience)
	first := r.nextAdvert(time.Time{}, i.priority, i.down()+patience).At
	if first.Sub(backup) > i.down()+busy {
		t.Errorf("master %s after it became backup, want %s", first.Sub(backup), i.down())
	}
	r.owns(true, patience)
	time.Sleep(2 * i.interval())
	(&calm{r: r, began: first}).cadence(t, i.interval())
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
	r.leftNothing()
}

// TestReloadStorm: a hundred SIGHUPs in a row, while the file changes, end
// with the last file, and the master never stops advertising.
func TestReloadStorm(t *testing.T) {
	t.Parallel()
	i := instance{priority: 100}
	r := newSegment(t).router(1)
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	began, mark := time.Now(), r.Mark()
	for n := range 100 {
		i.priority = 100 + n
		r.configure(i)
		r.Signal(syscall.SIGHUP)
		time.Sleep(10 * time.Millisecond)
	}
	r.nextAdvert(began, i.priority, patience)
	time.Sleep(2 * i.interval())
	if last := r.lastAdvert(); int(last.Priority) != i.priority {
		t.Errorf("the last advert is %v, want priority %d", last, i.priority)
	}
	sent := r.sent(began)
	for n, a := range sent[1:] {
		if gap := a.At.Sub(sent[n].At); gap > i.interval()+busy {
			t.Errorf("silent for %s", gap)
		}
	}
	if states := r.states(mark); len(states) > 0 {
		t.Errorf("changes of state: %q", states)
	}
	r.owns(true, 0)
	if strings.Contains(r.Log(), "panic") {
		t.Error("something panicked")
	}
}

// TestDeadPeers: what the kernel keeps for unicast peers that do not answer
// does not keep adverts from one that does. keepalived cannot send to any.
func TestDeadPeers(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]instance{
		"IPv4": {source: "10.9.0.1", peers: []string{"10.9.0.77", "10.9.0.2", "10.9.0.78"}},
		"IPv6": {source: "2001:db8::1", peers: []string{"2001:db8::77", "2001:db8::2", "2001:db8::78"}, vips: vips6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			r, living := s.routerOf(i, 1), s.routerOf(i, 2)
			if name == "IPv6" {
				r.Run("ip", "addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
				living.Run("ip", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
			}
			i.version, i.priority, i.advert = 3, 100, "0.01"
			r.run(rig.Binary(), i)
			began := time.Now()
			rig.Until(t, "600 adverts", time.Minute, func() bool { return len(r.sent(began)) >= 600 })
			for _, line := range r.Lines(0) {
				if strings.Contains(line.Text, "sending adverts fails") {
					t.Fatal(line.Text)
				}
			}
		})
	}
}
