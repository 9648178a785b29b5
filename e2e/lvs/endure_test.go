package lvs

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// endurance is what `make endure` sets.
var endurance = rig.EnduranceFlags()

// tardy is how late an advert may be, in the machine's virtual time.
const tardy = 50 * time.Millisecond

// What the log says about reloads.
const (
	reloaded = "Reload complete"
	refused  = "everything runs on as before"
)

// TestEndureReload: a director is reloaded with one edit of its services after
// the other, now and then a broken file, while a client sends requests. None is
// lost, the table is as the file says, a broken file writes nothing to the
// kernel, and no advert is late. Lost is not what the kernel refuses while it
// exchanges a scheduler: it takes the old one away and waits until nobody uses it
// (ip_vs_edit_service), whoever asks for it.
func TestEndureReload(t *testing.T) {
	onlyLVSD(t, "it has its own ways with edits")
	c, random := enduranceCluster(t), endurance.Random(t, 0)
	now := firstEdition()
	master, backup := electEdition(t, c, now)
	d := c.Directors[0]
	packets, netlink := c.Client.Capture("bond0"), d.WatchNetlink()
	began, masterMark, backupMark := time.Now(), master.Mark(), backup.Mark()
	var exchanges []interval // of schedulers
	requests := c.Client.Stream(netip.AddrPortFrom(editionVIP, 80))
	before := d.Resources()
	edits := map[string]int{}
	for n := range endurance.Rounds(10, 1) {
		mark, at := master.Mark(), time.Now()
		if random.IntN(5) == 0 {
			d.File("keepalived.conf", now.broken(random))
			master.Signal(syscall.SIGHUP)
			master.Wait(mark, refused, patience)
			edits["broken"]++
			time.Sleep(100 * time.Millisecond)
			if writes := netlink.Writes(at); len(writes) > 0 {
				t.Fatalf("reload %d: a file that is refused wrote %q", n, writes)
			}
			continue
		}
		former, scheduler := now.String(), now.lines["lb_algo"]
		now = now.edited(random)
		edits[now.edit]++
		d.File("keepalived.conf", now.String())
		master.Signal(syscall.SIGHUP)
		master.Wait(mark, reloaded, patience)
		if now.lines["lb_algo"] != scheduler {
			exchanges = append(exchanges, interval{at, time.Now()})
		}
		time.Sleep(time.Duration(random.Int64N(int64(500 * time.Millisecond))))
		if diff := now.differs(d, false); diff != "" {
			t.Fatalf("reload %d (%s): %s; from\n%s\nto\n%s", n, now.edit, diff, former, now)
		}
	}
	time.Sleep(2 * advertEvery)
	tally := requests.Stop()
	all := len(tally.Lost)
	tally.Lost = slices.DeleteFunc(tally.Lost, func(err error) bool { return refusedIn(exchanges, err) })
	late, adverts := lateness(packets.Adverts(began))
	t.Logf("%v; requests: %s; %d refused while one of %d schedulers was exchanged, not counted; %d adverts, %s late at most",
		edits, tally, all-len(tally.Lost), len(exchanges), adverts, late)
	d.File("keepalived.conf", firstEdition().String())
	mark := master.Mark()
	master.Signal(syscall.SIGHUP)
	master.Wait(mark, reloaded, patience)
	nothingGathered(t, d, before)
	if len(tally.Lost) > 0 || len(tally.Answers) < 2 {
		t.Errorf("requests: %s", tally)
	}
	if late > tardy || adverts == 0 {
		t.Errorf("%d adverts, %s late", adverts, late)
	}
	for _, line := range append(master.Lines(masterMark), backup.Lines(backupMark)...) {
		if strings.Contains(line.Text, "Entering") {
			t.Errorf("a state changed: %s", line.Text)
		}
	}
}

// interval is from one moment to another.
type interval struct{ from, to time.Time }

// refusedIn reports whether a request was refused within one of some intervals.
func refusedIn(intervals []interval, err error) bool {
	lost, ok := errors.AsType[*rig.LostRequest](err)
	return ok && errors.Is(err, syscall.ECONNREFUSED) && slices.ContainsFunc(intervals, func(i interval) bool {
		return lost.Ended.After(i.from) && lost.Began.Before(i.to)
	})
}

// nothingGathered expects a director to have no more than before.
func nothingGathered(t *testing.T, d *rig.Host, before rig.Resources) {
	t.Helper()
	var after rig.Resources
	rig.Until(t, "no more descriptors, threads, children and memory than before", patience, func() bool {
		after = d.Resources() // a check may be under way
		return !after.Gathered(before)
	})
	t.Logf("before: %+v, after: %+v", before, after)
}

// TestEndureUnchanged: reloads of the same file write nothing to the kernel, and
// nothing gathers.
func TestEndureUnchanged(t *testing.T) {
	onlyLVSD(t, "it writes at every reload")
	c := enduranceCluster(t)
	master, _ := electEdition(t, c, firstEdition())
	netlink, packets := c.Directors[0].WatchNetlink(), c.Client.Capture("bond0")
	began, count, before := time.Now(), endurance.Rounds(15, 1), c.Directors[0].Resources()
	for range count {
		mark := master.Mark()
		master.Signal(syscall.SIGHUP)
		master.Wait(mark, reloaded, patience)
	}
	time.Sleep(2 * advertEvery)
	if writes := netlink.Writes(began); len(writes) > 0 {
		t.Errorf("%d reloads wrote %q", count, writes)
	}
	late, adverts := lateness(packets.Adverts(began))
	nothingGathered(t, c.Directors[0], before)
	t.Logf("%d reloads, no write; %d adverts, %s late at most", count, adverts, late)
	if late > tardy || adverts == 0 {
		t.Errorf("%d adverts, %s late", adverts, late)
	}
}

// TestEndureKill: the master is killed at any moment and started again, with
// the same services or others. The other director takes over in one down
// interval, the table is as the file says two seconds after the start, and the
// service that somebody made by hand stays.
func TestEndureKill(t *testing.T) {
	onlyLVSD(t, "it leaves the services of a crashed one in the table")
	c, random := enduranceCluster(t), endurance.Random(t, 0)
	for _, d := range c.Directors {
		d.Run("ipvsadm", "-A", "-t", byHand.String(), "-s", "wlc")
		d.Run("ipvsadm", "-a", "-t", byHand.String(), "-r", "10.70.0.21", "-m", "-w", "7")
	}
	var daemons [2]*rig.Daemon
	daemons[0], daemons[1] = electEdition(t, c, firstEdition())
	editions := [2]*edition{firstEdition(), firstEdition()}
	packets := c.Client.Capture("bond0")
	time.Sleep(2 * advertEvery) // it has heard the first victim
	count := endurance.Rounds(2, 1)
	var slowest time.Duration
	for n := range count {
		victim := n % 2 // the master: whoever is killed comes back as the backup
		d, began := c.Directors[victim], time.Now()
		var moment string
		switch within := time.Duration(random.Int64N(int64(200 * time.Millisecond))); random.IntN(3) {
		case 0:
			moment = fmt.Sprintf("%s in peace", within)
			time.Sleep(within)
		case 1:
			editions[victim] = editions[victim].edited(random)
			d.File("keepalived.conf", editions[victim].String())
			daemons[victim].Signal(syscall.SIGHUP)
			moment = fmt.Sprintf("%s after a reload (%s)", within, editions[victim].edit)
			time.Sleep(within)
		default:
			daemons[victim].Signal(syscall.SIGTERM)
			moment = fmt.Sprintf("%s after SIGTERM", within)
			time.Sleep(within)
		}
		daemons[victim].Kill()
		holds(t, c, 1-victim, c.Plan.VIPs...)
		slowest = max(slowest, takeover(t, c, victim, packets, began.Add(-2*advertEvery), moment))
		for random.IntN(3) == 0 { // killed while it starts
			daemons[victim] = daemons[victim].Again()
			time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
			daemons[victim].Kill()
		}
		for range random.IntN(3) {
			editions[victim] = editions[victim].edited(random)
		}
		d.File("keepalived.conf", editions[victim].String())
		began = time.Now()
		daemons[victim] = daemons[victim].Again()
		const recovery = 2 * time.Second
		time.Sleep(time.Until(began.Add(recovery)))
		if diff := editions[victim].differs(d, true); diff != "" {
			t.Fatalf("round %d, killed %s: %s after the start: %s, with\n%s", n, moment, recovery, diff, editions[victim])
		}
		for _, v := range c.Plan.VIPs {
			if d.Has(v.Prefix.Addr()) {
				t.Fatalf("round %d, killed %s: the backup has %s", n, moment, v.Prefix)
			}
		}
	}
	t.Logf("%d kills, taken over in %s at most", count, slowest)
}

// byHand is a service that no lvsd may touch.
var byHand = netip.MustParseAddrPort("10.70.0.99:99")

// takeover waits until the other director advertises, and is how long that took
// after the victim's last word, for the slower of the virtual routers.
func takeover(t *testing.T, c *rig.Cluster, victim int, packets *rig.Capture, since time.Time, moment string) (slowest time.Duration) {
	t.Helper()
	var last, first map[uint8]rig.Advert
	rig.Until(t, "adverts of the other director", patience, func() bool {
		last, first = map[uint8]rig.Advert{}, map[uint8]rig.Advert{}
		for _, a := range packets.Adverts(since) {
			switch _, known := first[a.VRID]; {
			case a.Source == c.Address(victim, "bond0"):
				last[a.VRID] = a
				delete(first, a.VRID)
			case !known:
				first[a.VRID] = a
			}
		}
		return len(last) == len(c.Plan.VIPs) && len(first) == len(last)
	})
	for vrid, a := range last {
		took, limit := first[vrid].At.Sub(a.At), masterDown
		if a.Priority == 0 {
			limit -= 3 * advertEvery
		}
		if took > limit+slack {
			t.Errorf("killed %s: %s followed %s by %s, want %s", moment, first[vrid], a, took, limit)
		}
		slowest = max(slowest, took)
	}
	return slowest
}

// lateness is by how much the latest advert came later than an interval after
// the one before.
func lateness(adverts []rig.Advert) (late time.Duration, count int) {
	last := map[uint8]time.Time{}
	for _, a := range adverts {
		if !last[a.VRID].IsZero() {
			late = max(late, a.At.Sub(last[a.VRID])-advertEvery)
		}
		last[a.VRID] = a.At
	}
	return late, len(adverts)
}

// editionVIP is the first virtual address of the cluster.
var editionVIP = netip.MustParseAddr("10.70.0.80")

// enduranceCluster is that of testdata/lifecycle.conf. The modules of all schedulers
// are there: to read one from the virtual machine's host may take seconds of
// virtual time.
func enduranceCluster(t *testing.T) *rig.Cluster {
	t.Helper()
	c, _ := lifecycleCluster(t)
	for _, scheduler := range schedulers {
		c.Client.Run("modprobe", "ip_vs_"+scheduler)
	}
	return c
}

// schedulers are those of editions.
var schedulers = []string{"wrr", "rr", "wlc", "lc"}

// electEdition starts both directors with an edition.
func electEdition(t *testing.T, c *rig.Cluster, e *edition) (master, backup *rig.Daemon) {
	t.Helper()
	for _, d := range c.Directors {
		d.File("keepalived.conf", e.String())
	}
	return elect(t, c)
}

// An edition is a configuration of the two services of the cluster. The second
// one comes and goes; the real servers of the first one are taken out and put
// in as one does who loses no request: by weight 0 first.
type edition struct {
	edit    string
	weights map[int]int    // of the real servers 10.70.0.2N; 0: no new connections
	checks  map[int]string // of them
	second  bool
	lines   map[string]string // of the first service
	notify  bool
	inhibit map[int]bool
}

func firstEdition() *edition {
	return &edition{
		edit: "the first", weights: map[int]int{1: 1, 2: 1}, checks: map[int]string{}, second: true,
		lines: map[string]string{"lb_algo": "wrr", "delay_loop": "6"}, inhibit: map[int]bool{},
	}
}

// edited is the next edition.
func (e *edition) edited(r *rand.Rand) *edition {
	next := *e
	next.weights, next.checks, next.lines, next.inhibit = maps.Clone(e.weights), maps.Clone(e.checks), maps.Clone(e.lines), maps.Clone(e.inhibit)
	next.edit = rig.OneOf(r, "server", "server", "weight", "check", "service", "line", "notify", "inhibit")
	n := 1 + r.IntN(3)
	weight, there := e.weights[n]
	others := len(e.weights)
	for _, w := range e.weights {
		if w == 0 {
			others--
		}
	}
	switch next.edit {
	case "server":
		switch {
		case !there:
			next.weights[n] = 1 + r.IntN(3)
		case weight == 0:
			delete(next.weights, n)
		case others > 1:
			next.weights[n] = 0
		}
	case "weight":
		if weight > 0 {
			next.weights[n] = 1 + r.IntN(5)
		}
	case "check":
		next.checks[n] = rig.OneOf(r, "", "TCP_CHECK {\nconnect_timeout 3\n}", "TCP_CHECK {\nconnect_timeout 2\nretry 2\n}",
			"HTTP_GET {\nurl {\npath /\nstatus_code 200\n}\nconnect_timeout 3\n}", "MISC_CHECK {\nmisc_path /bin/true\n}", "PING_CHECK {\n}")
	case "service":
		next.second = !e.second
	case "line":
		values := map[string][]string{
			"lb_algo": schedulers, "delay_loop": {"6", "2", "1"}, "quorum": {"1", "-"}, "sorry_server": {"10.70.0.23 80", "10.70.0.22 80", "-"},
			"persistence_timeout": {"30", "60", "-"}, "omega": {"", "-"}, "retry": {"3", "5", "-"},
		}
		name := rig.OneOf(r, slices.Sorted(maps.Keys(values))...)
		if next.lines[name] = rig.OneOf(r, values[name]...); next.lines[name] == "-" {
			delete(next.lines, name)
		}
	case "notify":
		next.notify = !e.notify
	default:
		next.inhibit[n] = !e.inhibit[n]
	}
	return &next
}

// broken is the edition with a mistake.
func (e *edition) broken(r *rand.Rand) string {
	text := e.String()
	return rig.OneOf(r, "", text[:strings.LastIndexByte(text, '}')], text+"}\n", strings.Replace(text, "real_server", "reel_server", 1), strings.Replace(text, "interface bond0", "interface bond9", 1))
}

// String is keepalived.conf.
func (e *edition) String() string {
	var b strings.Builder
	b.WriteString("vrrp_sync_group PAIR {\ngroup {\nVI_A\nVI_B\n}\nnotify /etc/keepalived/record.sh\n}\n")
	for i, name := range []string{"VI_A", "VI_B"} {
		fmt.Fprintf(&b, "vrrp_instance %s {\nstate BACKUP\ninterface bond0\nvirtual_router_id %d\npriority %d\nadvert_int 1\nnopreempt\nauthentication {\nauth_type PASS\nauth_pass s3cret\n}\nvirtual_ipaddress {\n10.70.0.%d/24 dev bond0\n}\n}\n", name, 61+i, priority, 80+i)
	}
	fmt.Fprintf(&b, "virtual_server %s 80 {\nlb_kind DR\nprotocol TCP\n", editionVIP)
	for _, name := range slices.Sorted(maps.Keys(e.lines)) {
		fmt.Fprintf(&b, "%s %s\n", name, e.lines[name])
	}
	if e.notify {
		b.WriteString("quorum_up \"/etc/keepalived/record.sh up\"\n")
	}
	for _, n := range slices.Sorted(maps.Keys(e.weights)) {
		fmt.Fprintf(&b, "real_server 10.70.0.2%d 80 {\nweight %d\n%s\n", n, e.weights[n], e.checks[n])
		if e.inhibit[n] {
			b.WriteString("inhibit_on_failure\n")
		}
		if e.notify {
			b.WriteString("notify_up \"/etc/keepalived/record.sh server\"\n")
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
	if e.second {
		b.WriteString("virtual_server 10.70.0.81 443 {\nlb_algo rr\nlb_kind DR\nprotocol TCP\nreal_server 10.70.0.21 443 {\nTCP_CHECK {\nconnect_timeout 3\n}\n}\n}\n")
	}
	return b.String()
}

// differs tells how a director's table is not as the edition says, or "". All
// real servers are up.
func (e *edition) differs(d *rig.Host, withByHand bool) string {
	want := map[string]int{} // destinations and their weights
	for n, weight := range e.weights {
		want[fmt.Sprintf("%s:80 -> 10.70.0.2%d:80", editionVIP, n)] = weight
	}
	if e.second {
		want["10.70.0.81:443 -> 10.70.0.21:443"] = 1
	}
	if withByHand {
		want[byHand.String()+" -> 10.70.0.21:99"] = 7
	}
	have := map[string]int{}
	for service, destinations := range d.IPVS() {
		for _, destination := range destinations {
			have[fmt.Sprintf("%s -> %s", service, destination.Address)] = destination.Weight
		}
	}
	if maps.Equal(have, want) {
		return ""
	}
	return fmt.Sprintf("the table is %v, want %v", have, want)
}
