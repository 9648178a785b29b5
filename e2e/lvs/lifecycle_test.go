package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/e2e/rig"
)

// third is the real server that comes and goes with the configuration.
const third = "real_server 10.70.0.23 80 {"

// lifecycleCluster is a pair of directors with testdata/lifecycle.conf, whose
// notifications are kept in the file "notified".
func lifecycleCluster(t *testing.T) (*rig.Cluster, string) {
	t.Helper()
	found, err := rig.ReadFolder("testdata")
	if err != nil {
		t.Fatal(err)
	}
	configuration := found["lifecycle.conf"]
	return rig.NewCluster(t, map[string]string{
		"keepalived.conf": configuration,
		"record.sh":       found["record.sh"],
	}), configuration
}

// without is a configuration without the first block that begins with a line.
func without(t *testing.T, configuration, line string) string {
	t.Helper()
	head, rest, found := strings.Cut(configuration, line+"\n")
	for depth := 1; found && depth > 0; {
		var next string
		next, rest, found = strings.Cut(rest, "\n")
		depth += strings.Count(next, "{") - strings.Count(next, "}")
	}
	if !found {
		t.Fatalf("the configuration has no block %q", line)
	}
	return head + rest
}

// onlyLVSD leaves a test out when another daemon is under test.
func onlyLVSD(t *testing.T, why string) {
	t.Helper()
	if isKeepalived(rig.Binary()) {
		t.Skipf("LEFT OUT for keepalived: %s", why)
	}
}

// SIGHUP with the same file does nothing at all; with one more real server it
// is one operation.
func TestReload(t *testing.T) {
	onlyLVSD(t, "it sends adverts, restarts its checks and questions the kernel at every reload")
	c, full := lifecycleCluster(t)
	for _, d := range c.Directors {
		d.File("keepalived.conf", without(t, full, third))
	}
	master, backup := elect(t, c)
	d := c.Directors[0]
	device := c.Plan.VIPs[0].Device
	packets, netlink := d.Capture(device), d.WatchNetlink()
	notified := d.ReadFile("notified") + c.Directors[1].ReadFile("notified")

	// reload sends the signal and answers with when it was, with a whole
	// round of checks before and after.
	reload := func() time.Time {
		began := time.Now()
		time.Sleep(delayLoop + advertEvery)
		masterMark, backupMark := master.Mark(), backup.Mark()
		master.Signal(syscall.SIGHUP)
		time.Sleep(delayLoop + 2*advertEvery)
		undisturbed(t, packets.Frames(), packets.Adverts(began), began)
		for _, line := range append(master.Lines(masterMark), backup.Lines(backupMark)...) {
			if strings.Contains(line.Text, "Entering") {
				t.Errorf("a reload changed a state: %s", line.Text)
			}
		}
		if now := d.ReadFile("notified") + c.Directors[1].ReadFile("notified"); now != notified {
			t.Errorf("a reload notified: before\n%s\nafter\n%s", notified, now)
		}
		return began
	}

	began := reload()
	if writes := netlink.Writes(began); len(writes) != 0 {
		t.Errorf("netlink writes around a reload of the same file: %q", writes)
	}
	d.File("keepalived.conf", full)
	began = reload()
	if writes := netlink.Writes(began); !slices.Equal(writes, []string{"ipvs: add destination"}) {
		t.Errorf("netlink writes around a reload with one real server more: %q", writes)
	}
	if tally := c.Client.Load(c.Plan.Services[0].VIP, 30); !tally.Even(c.Plan.Service(c.Plan.Services[0].VIP)...) {
		t.Errorf("after a reload with one real server more: %s", tally)
	}
}

// undisturbed expects that a director sent its adverts and its checks at
// their intervals since a moment, and nothing else.
func undisturbed(t *testing.T, frames []rig.Frame, adverts []rig.Advert, since time.Time) {
	t.Helper()
	sent := map[string][]time.Time{}
	for _, a := range adverts {
		sent[fmt.Sprintf("advert of virtual router %d", a.VRID)] = append(sent[fmt.Sprintf("advert of virtual router %d", a.VRID)], a.At)
	}
	for _, f := range frames {
		if !f.Sent || f.At.Before(since) {
			continue
		}
		switch kind, what := describe(f); kind {
		case check:
			sent[what] = append(sent[what], f.At)
		case unexpected:
			t.Errorf("sent %s %s after the reload", what, f.At.Sub(since))
		}
	}
	if len(sent) < 4 {
		t.Errorf("saw only %d kinds of packets: %v", len(sent), sent)
	}
	for what, times := range sent {
		every := advertEvery
		if strings.HasPrefix(what, "check") {
			every = delayLoop
		}
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < every-every/10 || gap > every+every/10 {
				t.Errorf("%s: %s after the one before, want %s", what, gap, every)
			}
		}
	}
}

// The kinds of frames that a director sends.
const (
	expected   = iota // an advert, a neighbour's address asked for or told, part of a connection
	check             // the beginning of a TCP check
	unexpected        // a gratuitous ARP, IGMP, anything else
)

// describe sorts an Ethernet frame. IPv6 is the kernel's own and not looked at.
func describe(f rig.Frame) (kind int, what string) {
	const ethernet = 14
	if len(f.Data) < ethernet+28 {
		return unexpected, fmt.Sprintf("a frame of %d bytes", len(f.Data))
	}
	body := f.Data[ethernet:]
	switch f.Protocol {
	case unix.ETH_P_ARP: // the sender's and the target's address
		if slices.Equal(body[14:18], body[24:28]) {
			return unexpected, "a gratuitous ARP for " + netip.AddrFrom4([4]byte(body[14:18])).String()
		}
		return expected, ""
	case unix.ETH_P_IPV6:
		return expected, ""
	}
	header := int(body[0]&15) * 4
	const tcp, vrrp, syn = 6, 112, 0x02
	switch {
	case body[9] == vrrp:
		return expected, ""
	case body[9] == tcp && len(body) >= header+20 && body[header+13] == syn:
		target := netip.AddrFrom4([4]byte(body[16:20]))
		return check, fmt.Sprintf("check of %s port %d", target, int(body[header+2])<<8|int(body[header+3]))
	case body[9] == tcp:
		return expected, ""
	}
	return unexpected, fmt.Sprintf("IP protocol %d", body[9])
}

// SIGTERM leaves nothing behind, and the other director takes over at once.
func TestStop(t *testing.T) {
	c, _ := lifecycleCluster(t)
	master, _ := elect(t, c)
	packets := c.Client.Capture(c.Plan.VIPs[0].Device)
	d := c.Directors[0]
	if len(master.PIDFiles()) == 0 {
		t.Error("no pid file while it runs")
	}
	began := time.Now()
	master.Stop(patience)
	leftNothing(t, c, master)
	rig.Until(t, "the script to be told", patience, func() bool {
		return strings.Contains(d.ReadFile("notified"), "STOP")
	})
	const want = "GROUP PAIR BACKUP 0\nGROUP PAIR MASTER 0\nGROUP PAIR STOP 0\n"
	if got := d.ReadFile("notified"); got != want {
		t.Errorf("notified:\n%s\nwant\n%s", got, want)
	}
	holds(t, c, 1, c.Plan.VIPs...)
	handedOver(t, c, packets.Adverts(began))
	evenly(t, c)
}

// handedOver expects that the second director follows the first one's advert
// of priority 0 after its skew time.
func handedOver(t *testing.T, c *rig.Cluster, adverts []rig.Advert) {
	t.Helper()
	const skew = masterDown - 3*advertEvery
	device := c.Plan.VIPs[0].Device
	resigned := map[uint8]time.Time{}
	for _, a := range adverts {
		switch at, ok := resigned[a.VRID]; {
		case a.Source == c.Address(0, device) && a.Priority == 0:
			resigned[a.VRID] = a.At
		case a.Source == c.Address(1, device) && ok:
			t.Logf("virtual router %d was handed over in %s", a.VRID, a.At.Sub(at).Round(time.Millisecond))
			if took := a.At.Sub(at); took > skew+slack {
				t.Errorf("virtual router %d was handed over in %s, want at most %s", a.VRID, took, skew+slack)
			}
			delete(resigned, a.VRID)
		case !ok:
			continue
		}
	}
	if len(resigned) > 0 || len(adverts) == 0 {
		t.Errorf("not handed over: %v of %v", resigned, adverts)
	}
}

// kill -9 and a new start without one of the real servers: what is left behind
// of the configured services and addresses is adopted or removed, and what was
// made by hand stays.
func TestRestart(t *testing.T) {
	onlyLVSD(t, "it leaves the real servers of a crashed one in the table")
	c, full := lifecycleCluster(t)
	d := c.Directors[0]
	byHand, address := netip.MustParseAddrPort("10.70.0.99:99"), netip.MustParseAddr("10.70.0.99")
	device := c.Plan.VIPs[0].Device
	d.Run("ip", "address", "add", address.String()+"/32", "dev", device)
	d.Run("ipvsadm", "-A", "-t", byHand.String(), "-s", "wlc")
	d.Run("ipvsadm", "-a", "-t", byHand.String(), "-r", "10.70.0.21", "-m", "-w", "7")

	master, _ := elect(t, c)
	master.Kill()
	if !d.Has(c.Plan.VIPs[0].Prefix.Addr()) || len(d.IPVS()) != 3 {
		t.Fatal("a killed daemon cleaned up: nothing to test")
	}
	holds(t, c, 1, c.Plan.VIPs...)

	// A real server, a whole service and an address are not configured any more.
	next := without(t, without(t, full, third), "virtual_server 10.70.0.81 443 {")
	d.File("keepalived.conf", strings.Replace(next, "10.70.0.81/24", "10.70.0.82/24", 1))
	again := master.Again()
	for range c.Plan.VIPs {
		again.Wait(0, "Entering BACKUP STATE", patience)
	}
	time.Sleep(masterDown)
	for _, v := range c.Plan.VIPs {
		if d.Has(v.Prefix.Addr()) {
			t.Errorf("%s was left on the backup", v.Prefix)
		}
	}
	table := d.IPVS()
	if !d.Has(address) || len(table[byHand]) != 1 || table[byHand][0].Weight != 7 {
		t.Errorf("what was made by hand changed: address there %t, service %v", d.Has(address), table[byHand])
	}
	delete(table, byHand)
	want := []string{"10.70.0.80:80 -> 10.70.0.21:80", "10.70.0.80:80 -> 10.70.0.22:80"}
	var got []string
	for service, destinations := range table {
		for _, destination := range destinations {
			got = append(got, fmt.Sprintf("%s -> %s", service, destination.Address))
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the table after the new start: %q, want %q", got, want)
	}
}
