package vrrp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// The virtual router that is killed and its peer; adverts come fast, so that
// a thousand failovers fit into a test.
var (
	killed   = instance{version: 3, priority: 200, advert: "0.1"}
	survivor = instance{version: 3, priority: 100, advert: "0.1"}
)

const (
	// recovery is how long after a start the kernel may be different from what
	// the configuration asks for.
	recovery = 2 * time.Second
	// takeoverSlack is what a busy machine may add to a takeover by lvsd.
	// keepalived takes its turn with all other processes.
	takeoverSlack = 250 * time.Millisecond
	// killPiece is the number of kills in one lab, and killLabs that of labs at
	// the same time.
	killPiece, killLabs = 25, 3
)

// TestEndureKill: kill -9 at any moment, and a start, with the same
// configuration or another. The peer takes over in one down interval; after
// the start the kernel is as after a start on a clean host, and what was made
// by hand is still there.
func TestEndureKill(t *testing.T) {
	t.Parallel()
	labs := make(chan struct{}, killLabs)
	count := endurance.Rounds(killPiece, 1)
	var sum takeovers
	t.Run("pieces", func(t *testing.T) {
		for piece := range (count + killPiece - 1) / killPiece {
			t.Run(fmt.Sprint(piece), func(t *testing.T) {
				t.Parallel()
				labs <- struct{}{}
				t.Cleanup(func() { <-labs })
				newVictim(t, endurance.Random(t, piece), &sum).endure(min(killPiece, count-piece*killPiece))
			})
		}
	})
	t.Logf("%d kills; the peer took over %d times, as lvsd %s after the last advert at most, and was asked to %d times, as lvsd %s after priority 0 at most; the kernel was as wanted %s after a start at most",
		sum.kills, sum.downs, sum.down.Round(time.Millisecond), sum.farewells, sum.farewell.Round(time.Millisecond), sum.recovered.Round(time.Millisecond))
}

// takeovers are what was seen in all pieces.
type takeovers struct {
	sync.Mutex
	kills, downs, farewells   int
	down, farewell, recovered time.Duration // the longest
}

// A victim is a router that is killed over and over.
type victim struct {
	*router
	random         *rand.Rand
	peer, stranger *router
	base           string   // the kernel before
	configurations []string // that it may have
	states         []string // the kernel as MASTER with each of them, after a clean start
	now            int      // the one in its file
	sum            *takeovers
	heir           string // what the peer runs
	slack          time.Duration
}

func newVictim(t *testing.T, random *rand.Rand, sum *takeovers) *victim {
	s := newSegment(t)
	v := &victim{router: vmacRouter(s, 1), peer: s.router(2), stranger: s.router(66), random: random, sum: sum}
	v.address = v4(1)
	v.byHand()
	v.base = v.kernelState()
	for len(v.configurations) < 4 {
		v.configurations = append(v.configurations, anyConfiguration(random))
	}
	for n := range v.configurations {
		v.start(n)
		v.becomes(0, "VI_1", "MASTER", patience)
		v.states = append(v.states, v.settled())
		v.Stop(patience)
		if diff := cmp.Diff(v.base, v.kernelState()); diff != "" {
			t.Fatalf("an orderly end left something (-before +after):\n%s", diff)
		}
	}
	v.heir, v.slack = rig.Binary(), takeoverSlack
	if random.IntN(4) == 0 {
		v.heir, v.slack = rig.Keepalived, busy
	}
	v.peer.run(v.heir, survivor)
	v.peer.becomes(0, "VI_1", "MASTER", patience)
	return v
}

// byHand makes what no lvsd may touch: beside, and on the same links and
// networks as, what it makes.
func (v *victim) byHand() {
	for _, line := range []string{
		"addr add 10.9.0.77/32 dev eth0", "addr add 10.8.0.77/24 dev eth1", "addr add 2001:db8::77/64 dev eth0",
		"route add 198.51.100.0/24 via 10.9.0.77", "route add 198.51.100.0/24 via 10.9.0.77 table 77", "rule add from 198.51.100.77 table 77",
		"link add hand0 link eth0 type macvlan mode private", "link set hand0 up", "addr add 10.7.0.77/24 dev hand0",
	} {
		v.Run("ip", strings.Fields(line)...)
	}
	v.Run("nft", "add table ip byhand; add set ip byhand s { type ipv4_addr; }; add element ip byhand s { 10.9.0.100 }; add chain ip byhand c { type filter hook input priority 0; }; add rule ip byhand c ip saddr @s counter")
}

// anyConfiguration is a random one around [killed].
func anyConfiguration(r *rand.Rand) string {
	one := killed
	one.vips = []string{"10.9.0.100/24"}
	one.excluded = some(r, []string{"10.9.0.101/24", "10.8.0.101/24 dev eth1", "10.6.0.1/24", "10.6.0.2/24", "2001:db8::100/64", "2001:db8:6::1/64 dev eth1", "10.9.0.102/32 label eth0:x"})
	one.more = strings.Join([]string{
		rig.OneOf(r, "", "", "use_vmac", "use_vmac mac51\nvmac_xmit_base", "use_vmac mac51 group 7", "use_vmac mac51 02:00:00:00:00:51"), rig.OneOf(r, "", "no_accept"),
		alikes([3]string{"", rig.OneOf(r, alike[1]...), rig.OneOf(r, alike[2]...)}),
		block("virtual_routes", some(r, []string{"203.0.113.128/25 dev eth1 table 51", "2001:db8:52::/48 dev eth1"})),
		block("virtual_rules", some(r, []string{"to 203.0.113.9/32 table 51 priority 510"})),
	}, "\n")
	text := block("global_defs", some(r, []string{"nftables other"})) +
		block("static_ipaddress", some(r, []string{rig.OneOf(r, "10.5.0.1/24 dev eth1", "10.5.0.1/24 dev eth1 label eth1:s"), "10.5.0.2/24 dev eth1"})) +
		block("static_routes", some(r, []string{"192.0.2.0/24 via 10.8.0.9 dev eth1", "192.0.2.128/25 dev eth0 table 52"})) +
		block("static_rules", some(r, []string{"from 192.0.2.0/24 table 52 priority 520"})) + one.String()
	if r.IntN(2) == 0 {
		text += instance{name: "VI_2", vrid: 52, version: 3, priority: 150, advert: "0.1", device: "eth1", vips: []string{"10.8.0.100/24"},
			excluded: some(r, []string{"10.9.0.103/24 dev eth0", "10.6.0.3/24"}), more: rig.OneOf(r, "", "use_vmac")}.String()
	}
	return text
}

// start begins with one of the configurations.
func (v *victim) start(n int) {
	v.now = n
	v.configure(v.configurations[n])
	if v.Daemon == nil {
		v.Daemon = v.Start(rig.Binary(), "-P")
		return
	}
	v.Daemon = v.Again("-P")
}

// endure kills and starts.
func (v *victim) endure(times int) {
	for n := range times {
		began := time.Now()
		v.start(v.random.IntN(len(v.configurations)))
		moment := v.anyMoment(began)
		v.Kill()
		v.takenOver(fmt.Sprintf("kill %d, %s", n, moment), began)
		if v.t.Failed() {
			return
		}
	}
	v.start(0)
	v.recovers(time.Now())
	v.Stop(patience)
	if diff := cmp.Diff(v.base, v.kernelState()); diff != "" {
		v.t.Errorf("the end left something (-before +after):\n%s", diff)
	}
}

// anyMoment waits for the moment of death, and says which it is.
func (v *victim) anyMoment(started time.Time) string {
	within := func(limit time.Duration) time.Duration {
		d := time.Duration(v.random.Int64N(int64(limit)))
		time.Sleep(d)
		return d
	}
	if v.random.IntN(3) == 0 {
		return fmt.Sprintf("%s after the start", within(600*time.Millisecond))
	}
	v.recovers(started)
	switch v.random.IntN(4) {
	case 0:
		return fmt.Sprintf("%s in peace", within(200*time.Millisecond))
	case 1:
		before := v.now
		v.now = v.random.IntN(len(v.configurations))
		v.configure(v.configurations[v.now])
		v.Signal(syscall.SIGHUP)
		return fmt.Sprintf("%s after a reload from configuration %d to %d", within(60*time.Millisecond), before, v.now)
	case 2:
		if err := v.stranger.wire.Send(v.usurpation()); err != nil {
			v.t.Fatal(err)
		}
		return fmt.Sprintf("%s after losing to another", within(500*time.Millisecond))
	default:
		v.Signal(syscall.SIGTERM)
		return fmt.Sprintf("%s after SIGTERM", within(60*time.Millisecond))
	}
}

// usurpation is an advert of priority 255 at the interval of all.
func (v *victim) usurpation() []byte {
	d := validAdvert(3, 255).from("10.9.0.66")
	d.vrrp[4], d.vrrp[5] = 0, 10
	return d.frame()
}

// recovers waits until the kernel is as the configuration wants it: a look
// that begins later than allowed must find it so.
func (v *victim) recovers(started time.Time) {
	v.t.Helper()
	for {
		after := time.Since(started)
		state := v.kernelState(v.leftNames()...)
		if state == v.states[v.now] {
			v.sum.Lock()
			defer v.sum.Unlock()
			v.sum.recovered = max(v.sum.recovered, after)
			return
		}
		if after > recovery {
			v.t.Fatalf("%s after the start the kernel is not as with a clean start (-clean +now) of\n%s\n%s", after, v.configurations[v.now], cmp.Diff(v.states[v.now], state))
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// leftNames are the names that a start has from a killed predecessor and not
// from its configuration: a VMAC without a name keeps the one that it had.
func (v *victim) leftNames() []string {
	if strings.Contains(v.states[v.now], " vrrp.51 ") {
		return []string{"mac51", "vrrp.51"}
	}
	return nil
}

// takenOver waits for the peer's first advert after the last of the victim,
// and expects it in time: one down interval after the last that it heard, its
// skew after one of priority 0.
func (v *victim) takenOver(when string, since time.Time) {
	v.t.Helper()
	var last, first rig.Advert
	rig.Until(v.t, "the peer to take over after "+when, patience, func() bool {
		first = rig.Advert{}
		for _, a := range v.peer.wire.Adverts(since) {
			switch {
			case a.VRID != 51:
			case a.Source != v.peer.address:
				last, first = a, rig.Advert{}
			case first.Source != v.peer.address:
				first = a
			}
		}
		return first.Source == v.peer.address
	})
	v.sum.Lock()
	defer v.sum.Unlock()
	v.sum.kills++
	if last.Source != v.address && last.Source != v.stranger.address {
		return // it was killed before it had a word
	}
	took, limit := first.At.Sub(last.At), survivor.down()
	times, longest := &v.sum.downs, &v.sum.down
	if last.Priority == 0 {
		limit, times, longest = survivor.skew(), &v.sum.farewells, &v.sum.farewell
	}
	*times++
	if v.heir == rig.Binary() {
		*longest = max(*longest, took)
	}
	if took > limit+v.slack {
		v.t.Errorf("%s: the peer advertised %s after %s, want %s", when, took, last, limit)
	}
}
