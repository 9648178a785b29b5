package vrrp

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// tardy is how late an advert may be where nothing else is tested.
const tardy = 150 * time.Millisecond

// TestEndureReload: a master is reloaded with one edit of its file after the
// other, now and then a broken one, while a client sends requests to its
// address and a keepalived waits for it to fall silent. No request is lost, no
// advert is late, no address that stays goes away, no state changes, nothing
// gathers. What there is at last is what a start with the last file makes.
func TestEndureReload(t *testing.T) { // not in parallel: it measures time
	random := endurance.Random(t, 0)
	s := newSegment(t)
	r, peer, client := s.router(1), s.router(2), s.router(66)
	two := s.Lab.Switch("two")
	r.plug("eth1", two, "02:00:00:00:01:01", "10.8.0.1/24")
	peer.plug("eth1", two, "02:00:00:00:01:02", "10.8.0.2/24")
	r.File("notify.sh", notifyScript)
	peer.File("notify.sh", notifyScript)

	first := firstEdition()
	w := &editor{router: r, peer: peer, now: first, addresses: r.watchAddresses()}
	r.run(rig.Binary(), first)
	r.becomes(0, "VI_2", "MASTER", patience)
	r.owns(true, patience)
	opposite := first.clone()
	opposite.priority = [2]int{100, 100}
	opposite.third = false
	peer.run(rig.Keepalived, opposite)
	peer.becomes(0, "VI_1", "BACKUP", patience)
	peer.becomes(0, "VI_2", "BACKUP", patience)
	r.Serve(80)
	for range 10 {
		w.reload(first) // what is made once and kept
	}
	w.mark()
	before := r.Resources()
	requests := client.Stream(netip.AddrPortFrom(vip, 80))

	count := endurance.Rounds(40, 1)
	for n := range count {
		if random.IntN(6) == 0 {
			w.spoil(random)
		} else {
			w.reload(w.now.edited(random))
		}
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		if w.check(); t.Failed() {
			t.Fatalf("that was reload %d, to\n%s", n, w.now)
		}
	}

	time.Sleep(settle)
	tally := requests.Stop()
	late, adverts := w.latest()
	t.Logf("%d reloads; requests: %s; %d adverts, %s late at most; %v", count, tally, adverts, late.Round(time.Microsecond), w.edits)
	if len(tally.Lost) > 0 || len(tally.Answers) != 1 {
		t.Errorf("requests: %s", tally)
	}
	if late > tardy {
		t.Errorf("an advert was late by %s", late)
	}
	w.asAfterStart(before)
}

// An editor edits the file of a running daemon, whose two first instances must
// not notice.
type editor struct {
	*router
	peer         *router
	now          *edition
	addresses    *addressLog
	edits        map[string]int
	log, peerLog int
	event        int
	began        time.Time
	notified     string
	before       *edition // the one that was edited
}

// mark begins the stretch that is looked at.
func (w *editor) mark() {
	w.log, w.peerLog, w.event, w.began = w.Mark(), w.peer.Mark(), w.addresses.mark(), time.Now()
	w.notified = w.ReadFile("notify.log")
	w.edits = make(map[string]int)
}

// reload goes to another edition.
func (w *editor) reload(next *edition) {
	w.t.Helper()
	w.before, w.now = w.now, next
	w.configure(next)
	mark := w.Mark()
	w.Signal(syscall.SIGHUP)
	w.Wait(mark, reloaded, patience)
	if w.edits != nil {
		w.edits[next.edit]++
	}
}

// spoil reloads a broken file.
func (w *editor) spoil(random *rand.Rand) {
	w.t.Helper()
	text := w.now.String()
	w.before = w.now
	w.File("keepalived.conf", rig.OneOf(random, "", "\n# nothing\n", text[:strings.LastIndexByte(text, '}')], text+"}\n", "vrrp_instances\n"+text,
		strings.Replace(text, "interface eth0", "interface eth9", 1), strings.Replace(text, "version 3", "version 4", 1)))
	if random.IntN(5) == 0 {
		w.RemoveFile("keepalived.conf")
	}
	mark := w.Mark()
	w.Signal(syscall.SIGHUP)
	w.Wait(mark, refused, patience)
	w.edits["broken"]++
}

// check looks at what happened since the last check.
func (w *editor) check() {
	w.t.Helper()
	ofTwo := func(line string) bool { return strings.Contains(line, "VI_1") || strings.Contains(line, "VI_2") }
	if states := slices.DeleteFunc(w.states(w.log), func(line string) bool { return !ofTwo(line) }); len(states) > 0 {
		w.t.Errorf("changes of state: %q", states)
	}
	if states := w.peer.states(w.peerLog); len(states) > 0 {
		w.t.Errorf("changes of the peer's state: %q", states)
	}
	now := w.ReadFile("notify.log")
	for line := range strings.Lines(strings.TrimPrefix(now, w.notified)) {
		if ofTwo(line) {
			w.t.Errorf("a script was called: %s", line)
		}
	}
	stays := w.before.held(w.now)
	for _, line := range w.addresses.since(w.event) {
		for _, address := range stays {
			if strings.Contains(line, " inet "+address+"/") {
				w.t.Errorf("%s stays, but: %s", address, line)
			}
		}
	}
	w.log, w.peerLog, w.event, w.notified = w.Mark(), w.peer.Mark(), w.addresses.mark(), now
	held := append(w.held("eth0"), w.held("eth1")...)
	for _, address := range w.now.held(w.now) {
		if !slices.Contains(held, address) {
			w.t.Errorf("%s is not there: %q", address, held)
		}
	}
}

// latest is by how much the latest advert since the mark was late.
func (w *editor) latest() (late time.Duration, adverts int) {
	w.t.Helper()
	var sent []rig.Advert
	for _, a := range w.peer.wire.Adverts(w.began) {
		switch {
		case a.VRID != 51 && a.VRID != 52:
		case a.Source != w.address:
			w.t.Errorf("the peer advertised: %s", a)
		default:
			sent = append(sent, a)
		}
	}
	return lateness(sent)
}

// lateness is by how much the latest of the adverts of one router was later
// than the interval that the one before it announced.
func lateness(sent []rig.Advert) (late time.Duration, adverts int) {
	last := make(map[uint8]rig.Advert)
	for _, a := range sent {
		if before, ok := last[a.VRID]; ok {
			late = max(late, a.At.Sub(before.At)-announced(before))
		}
		last[a.VRID] = a
	}
	return late, len(sent)
}

// announced is the interval in an advert over IPv4: RFC 9568 section 5.2.7, RFC
// 3768 section 5.3.7.
func announced(a rig.Advert) time.Duration {
	body := a.Datagram[20:]
	if a.Version == 3 {
		return (time.Duration(body[4]&15)<<8 | time.Duration(body[5])) * 10 * time.Millisecond
	}
	return time.Duration(body[5]) * time.Second
}

// asAfterStart compares the kernel with what a start with the same file makes
// of it, and what has gathered with what there was before.
func (w *editor) asAfterStart(before rig.Resources) {
	w.t.Helper()
	w.configure(w.now)
	running := w.settled()
	w.reload(firstEdition())
	time.Sleep(settle)
	after := w.Resources()
	w.t.Logf("before: %+v, after: %+v", before, after)
	if after.Gathered(before) {
		w.t.Errorf("gathered: %+v before, %+v after", before, after)
	}
	w.peer.Stop(patience)
	w.Stop(patience)
	w.configure(w.before)
	w.Daemon = w.Again("-P")
	w.becomes(0, "VI_2", "MASTER", patience)
	if diff := cmp.Diff(w.settled(), running); diff != "" {
		w.t.Errorf("after a start (-) and after reloads (+) of\n%s\n%s", w.before, diff)
	}
}

// settled is the kernel's state once it has not changed for a while.
func (r *router) settled() string {
	state := r.kernelState()
	for began := time.Now(); time.Since(began) < settle; time.Sleep(100 * time.Millisecond) {
		if next := r.kernelState(); next != state {
			state, began = next, time.Now()
		}
	}
	return state
}

// An edition is a configuration of three instances: two that are always
// there, known to the peer, with an address each that never changes, and one
// that comes and goes.
type edition struct {
	edit     string // what makes it another than the one before
	priority [2]int
	interval string         // of the first one
	excluded map[string]int // number of the instance that has an address, 1 to 3
	third    bool
	vmac     string          // of the third
	group    int             // how many of them are in a sync group
	scripts  map[string]int  // weights of tracked scripts
	options  map[string]bool // lines and blocks
	objects  [3]string       // of the second: an IPv6 address, a route and a rule
}

func firstEdition() *edition {
	return &edition{
		edit: "the first", priority: [2]int{200, 200}, interval: "0.1", group: 2, third: true,
		excluded: map[string]int{"10.9.0.111": 1, "10.9.0.112": 2, "10.9.0.113": 3},
		scripts:  map[string]int{}, options: map[string]bool{},
	}
}

func (e *edition) clone() *edition {
	c := *e
	c.excluded, c.scripts, c.options = maps.Clone(e.excluded), maps.Clone(e.scripts), maps.Clone(e.options)
	return &c
}

// edited is the next edition.
func (e *edition) edited(r *rand.Rand) *edition {
	next := e.clone()
	edits := map[string]func(){
		"priority":       func() { next.priority[r.IntN(2)] = 150 + r.IntN(100) },
		"advert_int":     func() { next.interval = rig.OneOf(r, "0.1", "0.2", "0.3") },
		"third instance": func() { next.third = !next.third },
		"use_vmac": func() {
			next.vmac = rig.OneOf(r, "", "use_vmac", "use_vmac mac53", "use_vmac mac54 group 7", "use_vmac mac53 02:00:00:00:00:53", "use_vmac mac53\nvmac_xmit_base")
		},
		"objects":           func() { n := r.IntN(3); next.objects[n] = alike[n][r.IntN(len(alike[n]))] },
		"sync group":        func() { next.group = rig.OneOf(r, 0, 2, 3) },
		"addresses":         func() { move(r, next.excluded) },
		"several addresses": func() { move(r, next.excluded); move(r, next.excluded); move(r, next.excluded) },
		"weight": func() {
			name := rig.OneOf(r, "good", "bad", "slow")
			if next.scripts[name] = 1 + r.IntN(20); r.IntN(2) == 0 {
				next.scripts[name] *= -1 // 0 would be FAULT
			}
			if r.IntN(3) == 0 {
				delete(next.scripts, name)
			}
		},
		"options": func() {
			option := rig.OneOf(r, slices.Sorted(maps.Keys(optional))...)
			next.options[option] = !next.options[option]
		},
	}
	names := slices.Sorted(maps.Keys(edits))
	next.edit = names[r.IntN(len(names))]
	edits[next.edit]()
	return next
}

// alike are addresses, routes and rules that the kernel hardly tells apart.
var alike = [3][]string{
	{"", "2001:db8::100/64", "2001:db8::100/128", "2001:db8::100/64 dev eth1", "2001:db8::100/64 preferred_lft 0", "2001:db8::100/64 home"},
	{
		"", "203.0.113.0/25 via 10.9.0.9", "203.0.113.0/25 via 10.9.0.8", "203.0.113.0/25 dev eth0", "203.0.113.0/25 via 10.9.0.9 dev eth0 onlink",
		"203.0.113.0/25 via 10.9.0.9 metric 5", "203.0.113.0/25 via 10.9.0.9 mtu 1400", "203.0.113.0/25 nexthop via 10.9.0.9 weight 2 nexthop via 10.9.0.8",
		"2001:db8:51::/48 dev eth0", "2001:db8:51::/48 dev eth0 metric 5", "2001:db8:51::/48 dev eth1",
	},
	{
		"", "from 203.0.113.0/24 table 51 priority 500", "not from 203.0.113.0/24 table 51 priority 500", "from 203.0.113.0/24 iif eth0 table 51 priority 500",
		"table 51 priority 500", "from 203.0.113.0/24 blackhole priority 500",
	},
}

// alikes are the objects in their blocks.
func alikes(objects [3]string) string {
	var all []string
	for n, name := range []string{"virtual_ipaddress_excluded", "virtual_routes", "virtual_rules"} {
		if objects[n] != "" {
			all = append(all, block(name, []string{objects[n]}))
		}
	}
	return strings.Join(all, "")
}

// optional are lines of the first two instances, and of global_defs.
var optional = map[string]string{
	"notify": "notify /etc/keepalived/notify.sh", "notify_master": "notify_master /etc/keepalived/notify.sh",
	"notify_backup": "notify_backup /etc/keepalived/notify.sh", "garp": "garp_master_delay 2", "refresh": "garp_master_refresh 60",
	"nopreempt": "preempt_delay 3", "alert": "smtp_alert", "debug": "debug 1", "router": "G router_id other", "link": "track_interface {\n\t\teth1 weight 3\n\t}",
	"changes": "G vrrp_notify_priority_changes", "lower": "G vrrp_lower_prio_no_advert",
}

// move gives an address to another instance, or to none.
func move(r *rand.Rand, excluded map[string]int) {
	address := fmt.Sprintf("10.9.0.%d", 110+r.IntN(12))
	if excluded[address] = r.IntN(4); excluded[address] == 0 {
		delete(excluded, address)
	}
}

// held are the addresses that the first two instances hold in this edition and
// in another one.
func (e *edition) held(other *edition) []string {
	both := []string{"10.9.0.100", "10.9.0.200"}
	two := func(e *edition, address string) bool { return e.excluded[address] == 1 || e.excluded[address] == 2 }
	for address := range e.excluded {
		if two(e, address) && two(other, address) {
			both = append(both, address)
		}
	}
	return both
}

// String is keepalived.conf.
func (e *edition) String() string {
	instances := []instance{
		{name: "VI_1", vrid: 51, version: 3, advert: e.interval, priority: e.priority[0]},
		{name: "VI_2", vrid: 52, version: 2, pass: "s3cret", priority: e.priority[1], vips: []string{"10.9.0.200/24"}},
		{name: "VI_3", vrid: 53, version: 3, advert: "0.1", priority: 120, device: "eth1", vips: []string{"10.8.0.100/24"}},
	}
	if !e.third {
		instances = instances[:2]
	}
	var global, lines []string
	for _, name := range slices.Sorted(maps.Keys(e.options)) {
		if line, ok := strings.CutPrefix(optional[name], "G "); ok && e.options[name] {
			global = append(global, line)
		} else if e.options[name] {
			lines = append(lines, line)
		}
	}
	var b strings.Builder
	b.WriteString(block("global_defs", append([]string{"router_id endurance", "vrrp_garp_master_delay 1"}, global...)))
	var tracked []string
	for _, name := range slices.Sorted(maps.Keys(e.scripts)) {
		command := map[string]string{"good": "/bin/true", "bad": "/bin/false", "slow": "/bin/sleep 0.3"}[name]
		fmt.Fprintf(&b, "vrrp_script %s {\n\tscript \"%s\"\n\tinterval 1\n\tweight %d\n}\n", name, command, e.scripts[name])
		tracked = append(tracked, name)
	}
	if e.group > 0 {
		var names []string
		for _, i := range instances[:min(len(instances), e.group)] {
			names = append(names, i.name)
		}
		b.WriteString(block("vrrp_sync_group G", []string{block("group", names)}))
	}
	for n, i := range instances {
		for _, address := range slices.Sorted(maps.Keys(e.excluded)) {
			if e.excluded[address] == n+1 {
				i.excluded = append(i.excluded, address+"/24 dev eth0")
			}
		}
		if n < 2 {
			i.more = strings.Join(append(lines, block("track_script", tracked)), "\n")
		} else {
			i.more = e.vmac
		}
		if n == 1 {
			i.more += "\n" + alikes(e.objects)
		}
		b.WriteString(i.String())
	}
	return b.String()
}
