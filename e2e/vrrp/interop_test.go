package vrrp

import (
	"fmt"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestInterop lets lvsd and keepalived share a virtual router, each in both
// roles: election, takeover after kill -9, return of the preferred one, a pulled
// cable, graceful handover, and nopreempt.
func TestInterop(t *testing.T) {
	t.Parallel()
	wires := []struct {
		name     string
		instance instance
		unicast  bool
	}{
		{"v2", instance{}, false},
		{"v2 pass", instance{pass: "s3cret"}, false},
		{"v2 unicast", instance{}, true},
		{"v2 pass unicast", instance{pass: "s3cret"}, true},
		{"v2 AH", instance{ah: "s3cret"}, false},
		{"v2 AH unicast", instance{ah: "s3cret"}, true},
		{"v3", instance{version: 3, advert: "0.2"}, false},
		{"v3 unicast", instance{version: 3, advert: "0.2"}, true},
		{"v3 old_unicast_checksum", instance{version: 3, advert: "0.2", more: "old_unicast_checksum"}, true},
		{"IPv6", instance{advert: "0.2", vips: vips6}, false},
		{"IPv6 v2", instance{version: 2, vips: vips6}, false},
		{"IPv6 unicast", instance{advert: "0.2", vips: vips6}, true},
		{"IPv6 v2 unicast", instance{version: 2, vips: vips6}, true},
		// Not IPv6 v2 with a password: keepalived 2.2.7 crashes when it receives
		// such an advert. TestFrames compares what is sent.
	}
	for _, wire := range wires {
		for _, preferred := range []string{rig.Binary(), rig.Keepalived} {
			other := rig.Keepalived
			if preferred == rig.Keepalived {
				other = rig.Binary()
			}
			t.Run(wire.name+"/"+short(preferred)+" preferred", func(t *testing.T) {
				t.Parallel()
				s := newSegment(t)
				high, low := wire.instance, wire.instance
				high.priority, low.priority = 150, 100
				if wire.unicast {
					first, second := "10.9.0.1", "10.9.0.2"
					if wire.instance.ipv6() {
						first, second = "2001:db8:9::1", "2001:db8:9::2"
					}
					high.source, high.peers = first, []string{second}
					low.source, low.peers = second, []string{first}
				}
				p := &pair{
					t: t, preferred: s.routerOf(high, 1), other: s.routerOf(low, 2),
					binary: preferred, high: high, low: low,
				}
				p.elect(other)
				p.crash()
				p.comeBack()
				p.cut()
				p.handOver()
				p.doNotPreempt()
			})
		}
	}
}

// fastGlobals let keepalived keep to the shortest interval.
const fastGlobals = "global_defs {\n\tvrrp_rt_priority 50\n\tvrrp_rlimit_rttime 1000000\n}\n"

// TestInteropFast is the same with the shortest interval there is. It runs
// alone: keepalived takes a real-time priority for it only when it is told to,
// and is killed when its limit is too low for this machine.
func TestInteropFast(t *testing.T) {
	for _, preferred := range []string{rig.Binary(), rig.Keepalived} {
		other := rig.Keepalived
		if preferred == rig.Keepalived {
			other = rig.Binary()
		}
		t.Run(short(preferred)+" preferred", func(t *testing.T) {
			s := newSegment(t)
			high := instance{version: 3, advert: "0.01", before: fastGlobals}
			low := high
			high.priority, low.priority = 150, 100
			p := &pair{
				t: t, preferred: s.routerOf(high, 1), other: s.routerOf(low, 2),
				binary: preferred, high: high, low: low,
			}
			p.elect(other)
			p.crash()
			p.comeBack()
			p.cut()
			p.handOver()
			p.doNotPreempt()
		})
	}
}

// vips6 make an instance one over IPv6, RFC 9568 section 5.2.9: the link-local
// address first.
var vips6 = []string{vip6.String() + "/64", "2001:db8:9::100/64"}

// A pair is a virtual router of two, the preferred one with the higher
// priority.
type pair struct {
	t                *testing.T
	preferred, other *router
	binary           string // of the preferred one
	high, low        instance
}

// elect: the router with the higher priority becomes master, and from then on
// is the only one that advertises.
func (p *pair) elect(other string) {
	p.t.Helper()
	p.preferred.run(p.binary, p.high)
	p.other.run(other, p.low)
	first := p.preferred.nextAdvert(time.Time{}, p.high.priority, p.high.down()+patience).At
	p.preferred.owns(true, patience)
	p.other.becomes(0, "VI_1", "BACKUP", patience)
	p.other.owns(false, patience)
	time.Sleep(2 * p.high.interval())
	if sent := p.other.sent(first.Add(p.high.interval())); len(sent) > 0 {
		p.t.Errorf("%s advertises although %s is master: %v", p.other, p.preferred, sent)
	}
}

// crash: the other takes over when the master has been silent for the master
// down interval, and not before.
func (p *pair) crash() {
	p.t.Helper()
	p.preferred.Kill()
	last := p.preferred.lastAdvert().At
	first := p.other.nextAdvert(last, p.low.priority, p.low.down()+patience).At
	within(p.t, "from the last advert of the killed master to the first of the other", first.Sub(last), p.low.down(), p.low.down()+busy)
	p.other.owns(true, patience)
	p.other.becomes(0, "VI_1", "MASTER", patience)
}

// comeBack: the preferred one takes over again; the address that it left
// behind when it was killed is not kept meanwhile.
func (p *pair) comeBack() {
	p.t.Helper()
	mark, began := p.other.Mark(), time.Now()
	p.preferred.run(p.binary, p.high)
	backup := p.preferred.becomes(0, "VI_1", "BACKUP", patience)
	first := p.preferred.nextAdvert(began, p.high.priority, p.high.down()+patience).At
	if first.Sub(began) < p.high.down() || first.Sub(backup) > p.high.down()+busy {
		p.t.Errorf("from the start of the preferred one to its first advert: %s, from its log's BACKUP: %s; want %s", first.Sub(began), first.Sub(backup), p.high.down())
	}
	p.other.becomes(mark, "VI_1", "BACKUP", patience)
	p.preferred.owns(true, patience)
	p.other.owns(false, patience)
}

// cut: a master without its cable lets go of the address, and the other takes
// over as if it had died; with the cable back it is preferred again.
func (p *pair) cut() {
	p.t.Helper()
	mark, began := p.preferred.Mark(), p.other.Mark()
	last := p.preferred.lastAdvert().At
	p.preferred.Cable("eth0", false)
	p.preferred.becomes(mark, "VI_1", "FAULT", patience)
	p.preferred.owns(false, patience)
	p.other.becomes(began, "VI_1", "MASTER", p.low.down()+patience)
	first := p.other.nextAdvert(last, p.low.priority, patience).At
	if least := p.low.down() - p.low.interval(); first.Sub(last) < least {
		p.t.Errorf("the other took over %s after an advert of the one whose cable was pulled, want at least %s", first.Sub(last), least)
	}
	p.other.owns(true, patience)
	mark, began = p.preferred.Mark(), p.other.Mark()
	p.preferred.Cable("eth0", true)
	p.preferred.becomes(mark, "VI_1", "MASTER", p.high.down()+patience)
	p.other.becomes(began, "VI_1", "BACKUP", patience)
	p.preferred.owns(true, patience)
	p.other.owns(false, patience)
}

// handOver: a master that stops says so by priority 0, and the other takes
// over after its skew time.
func (p *pair) handOver() {
	p.t.Helper()
	mark, began := p.other.Mark(), time.Now()
	p.preferred.Stop(patience)
	p.preferred.owns(false, patience)
	farewell := p.preferred.nextAdvert(began, 0, patience).At
	first := p.other.nextAdvert(began, p.low.priority, patience).At
	within(p.t, "from priority 0 to the first advert of the other", first.Sub(farewell), p.low.skew(), p.low.skew()+busy)
	p.other.owns(true, patience)
	p.other.becomes(mark, "VI_1", "MASTER", patience) // its log may be late
}

// doNotPreempt: with nopreempt the returning preferred one stays backup.
func (p *pair) doNotPreempt() {
	p.t.Helper()
	modest := p.high
	modest.nopreempt, modest.state = true, "BACKUP"
	mark, began := p.other.Mark(), time.Now()
	p.preferred.run(p.binary, modest)
	p.preferred.becomes(0, "VI_1", "BACKUP", patience)
	time.Sleep(p.high.down() + busy)
	if sent := p.preferred.sent(began); len(sent) > 0 || p.preferred.Has(p.preferred.vip) {
		p.t.Errorf("%s preempted in spite of nopreempt: sent %v, owns the address: %t", p.preferred, sent, p.preferred.Has(p.preferred.vip))
	}
	if states := p.other.states(mark); len(states) > 0 {
		p.t.Errorf("%s changed its state: %q", p.other, states)
	}
	if !p.other.Has(p.other.vip) {
		p.t.Errorf("%s lost %s: %s", p.other, p.other.vip, fmt.Sprint(p.other.sent(began)))
	}
}
