package lvs

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// isKeepalived reports whether a daemon is keepalived, which misreads what it
// has a new reading of, and lacks what lvsd promises on top.
func isKeepalived(binary string) bool { return filepath.Base(binary) == "keepalived" }

// elect starts the daemon under test on both directors, the first one first:
// it becomes the master of all instances, and the second their backup.
func elect(t *testing.T, c *rig.Cluster) (master, backup *rig.Daemon) {
	t.Helper()
	master = c.Directors[0].Start(rig.Binary())
	holds(t, c, 0, c.Plan.VIPs...)
	backup = c.Directors[1].Start(rig.Binary())
	for range c.Plan.VIPs {
		backup.Wait(0, "Entering BACKUP STATE", patience)
	}
	// Past the first round of checks: a first failure would count at once.
	time.Sleep(masterDown + delayLoop)
	for _, v := range c.Plan.VIPs {
		if c.Directors[1].Has(v.Prefix.Addr()) {
			t.Errorf("director2 holds %s while director1 is master", v.Prefix.Addr())
		}
	}
	return master, backup
}

// holds waits until a director holds virtual addresses.
func holds(t *testing.T, c *rig.Cluster, director int, vips ...rig.PlannedVIP) {
	t.Helper()
	d := c.Directors[director]
	for _, v := range vips {
		rig.Until(t, d.Name+" to hold "+v.Prefix.Addr().String(), patience, func() bool { return d.Has(v.Prefix.Addr()) })
	}
}

// evenly sends requests to all services and expects the same number of answers
// from each of a service's real servers.
func evenly(t *testing.T, c *rig.Cluster) {
	t.Helper()
	var done []netip.AddrPort
	for _, s := range c.Plan.Services {
		if slices.Contains(done, s.VIP) {
			continue
		}
		done = append(done, s.VIP)
		names := c.Plan.Service(s.VIP)
		tally := c.Client.Load(s.VIP, 10*len(names))
		t.Logf("%s: %s", s.VIP, tally)
		if !tally.Even(names...) {
			t.Errorf("%s: %s, want as many from each of %v", s.VIP, tally, names)
		}
	}
}

// dieAndReturn stops a real server, which must leave both directors' tables in
// time, and starts it again.
func dieAndReturn(t *testing.T, c *rig.Cluster, vip netip.AddrPort, dead netip.Addr) {
	t.Helper()
	serves := func(d *rig.Host, vip netip.AddrPort) bool {
		return slices.ContainsFunc(d.IPVS()[vip], func(d rig.Destination) bool { return d.Address.Addr() == dead })
	}
	began := time.Now()
	c.Real[dead].Stop()
	for _, d := range c.Directors {
		rig.Until(t, d.Name+" to remove "+dead.String(), removal, func() bool { return !serves(d, vip) })
		t.Logf("%s stopped to answer: %s removed it after %s", dead, d.Name, time.Since(began).Round(time.Millisecond))
	}
	rest := slices.DeleteFunc(c.Plan.Service(vip), func(name string) bool { return name == dead.String() })
	if tally := c.Client.Load(vip, 6); !tally.Even(rest...) {
		t.Errorf("%s without %s: %s", vip, dead, tally)
	}
	began = time.Now()
	c.Real[dead].Start()
	for _, d := range c.Directors {
		for _, s := range c.Plan.Services {
			if !slices.Contains(s.Real, dead) {
				continue
			}
			rig.Until(t, fmt.Sprintf("%s to bring %s back to %s", d.Name, dead, s.VIP), recovery, func() bool { return serves(d, s.VIP) })
		}
		t.Logf("%s answers again: %s brought it back after %s", dead, d.Name, time.Since(began).Round(time.Millisecond))
	}
	evenly(t, c)
}

// killMaster kills the first director's daemon, which holds everything, and
// expects the second to take all of it over in time.
func killMaster(t *testing.T, c *rig.Cluster, master *rig.Daemon) {
	t.Helper()
	captures := map[string]*rig.Capture{}
	for _, v := range c.Plan.VIPs {
		if captures[v.Device] == nil {
			captures[v.Device] = c.Client.Capture(v.Device)
		}
	}
	time.Sleep(2 * advertEvery)
	master.Kill()
	holds(t, c, 1, c.Plan.VIPs...)
	time.Sleep(2 * advertEvery)
	for device, capture := range captures {
		tookOver(t, c, device, capture.Adverts(time.Time{}))
	}
	evenly(t, c)
}

// tookOver looks at the adverts on a device: for every virtual router, the
// second director's first one must follow the first director's last one
// within the protocol's time.
func tookOver(t *testing.T, c *rig.Cluster, device string, adverts []rig.Advert) {
	t.Helper()
	last, next := map[uint8]time.Time{}, map[uint8]time.Time{}
	for _, a := range adverts {
		switch {
		case a.Source == c.Address(0, device):
			last[a.VRID] = a.At
			delete(next, a.VRID)
		case a.Source == c.Address(1, device) && next[a.VRID].IsZero():
			next[a.VRID] = a.At
		}
	}
	if len(last) == 0 || len(last) != len(next) {
		t.Fatalf("%s: adverts %v, want both directors' for every virtual router", device, adverts)
	}
	for vrid := range last {
		took := next[vrid].Sub(last[vrid])
		t.Logf("%s: virtual router %d was taken over %s after the last advert", device, vrid, took.Round(time.Millisecond))
		if took > masterDown+slack {
			t.Errorf("%s: virtual router %d was taken over after %s, want at most %s", device, vrid, took, masterDown+slack)
		}
	}
}

// sameTable starts Debian's keepalived and then the daemon under test on the
// first director, and expects the same IPVS table of both.
func sameTable(t *testing.T, c *rig.Cluster, configuration map[string]string) {
	t.Helper()
	want := tableOf(t, c, rig.Keepalived, requoted(configuration))
	got := tableOf(t, c, rig.Binary(), configuration)
	if got != want {
		t.Errorf("ipvsadm -Sn after %s:\n%s\nafter keepalived:\n%s", rig.Binary(), got, want)
	}
	if strings.Count(want, "\n") < len(c.Plan.Services) {
		t.Errorf("keepalived's table is too small to compare with:\n%s", want)
	}
}

// tableOf is the sorted IPVS table that a daemon makes of a configuration.
func tableOf(t *testing.T, c *rig.Cluster, binary string, configuration map[string]string) string {
	t.Helper()
	d := c.Directors[0]
	d.File("keepalived.conf", configuration["keepalived.conf"])
	daemon := d.Start(binary)
	entries := func() (n int) {
		for _, destinations := range d.IPVS() {
			n += 1 + len(destinations)
		}
		return n
	}
	rig.Until(t, daemon.String()+" to fill the table", patience, func() bool { return entries() > 0 })
	for before := 0; before != entries(); time.Sleep(time.Second) {
		before = entries()
	}
	lines := strings.SplitAfter(d.Run("ipvsadm", "-Sn"), "\n")
	slices.Sort(lines)
	daemon.Stop(patience)
	if !isKeepalived(binary) {
		leftNothing(t, c, daemon)
	}
	return strings.Join(lines, "")
}

// leftNothing expects no process, pid file, service or address of a daemon
// that has stopped.
func leftNothing(t *testing.T, c *rig.Cluster, d *rig.Daemon) {
	t.Helper()
	if left := d.Host.Processes(); len(left) > 0 {
		t.Errorf("%s left processes: %q", d, left)
	}
	if left := d.PIDFiles(); len(left) > 0 {
		t.Errorf("%s left pid files: %q", d, left)
	}
	if left := d.Host.IPVS(); len(left) > 0 {
		t.Errorf("%s left services: %v", d, left)
	}
	for _, v := range c.Plan.VIPs {
		if d.Host.Has(v.Prefix.Addr()) {
			t.Errorf("%s left the address %s", d, v.Prefix)
		}
	}
}

// requoted is a configuration as keepalived 2 needs it: it passes the shell's
// && of a script written for keepalived 1 as an argument.
func requoted(configuration map[string]string) map[string]string {
	const old, head, tail = " ]]' && exit 1 || exit 0\"", "/bin/bash -c '[[ -e ", "/bin/bash -c '[[ ! -e "
	changed := map[string]string{}
	for name, content := range configuration {
		if name == "keepalived.conf" {
			content = strings.ReplaceAll(strings.ReplaceAll(content, old, " ]]'\""), head, tail)
		}
		changed[name] = content
	}
	return changed
}
