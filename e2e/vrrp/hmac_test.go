package vrrp

import (
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// hmacConf is auth_hmac with a key in the file and one in a file of its own.
const hmacConf = `auth_hmac {
	key 1 0123456789abcdef0123456789abcdef
	key 2 file:/etc/keepalived/vrrp.key
	active_key 2
}`

// TestHMAC: two routers with auth_hmac elect, fail over and hand over; one that
// does not know the key deposes nobody, and is not believed in its farewell.
// keepalived has it from 2.4 on, which is not here to be asked.
func TestHMAC(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]instance{
		"v3":      {version: 3, advert: "0.2", more: hmacConf},
		"v2":      {more: hmacConf},
		"IPv6":    {advert: "0.2", vips: vips6, more: hmacConf},
		"unicast": {version: 3, advert: "0.2", more: hmacConf},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t)
			high, low := i, i
			high.priority, low.priority = 150, 100
			if name == "unicast" {
				high.source, high.peers = "10.9.0.1", []string{"10.9.0.2"}
				low.source, low.peers = "10.9.0.2", []string{"10.9.0.1"}
			}
			p := &pair{
				t: t, preferred: s.routerOf(high, 1), other: s.routerOf(low, 2),
				binary: rig.Binary(), high: high, low: low,
			}
			for _, r := range []*router{p.preferred, p.other} {
				r.File("vrrp.key", strings.Repeat("k", 40)+"\n")
				r.Run("chmod", "600", "/etc/keepalived/vrrp.key")
			}
			p.elect(rig.Binary())
			if name != "unicast" {
				p.intrude(s)
			}
			p.crash()
			p.comeBack()
			p.handOver()
		})
	}
}

// intrude runs a router of a higher priority without the key for a while.
func (p *pair) intrude(s *segment) {
	p.t.Helper()
	stranger := p.high
	stranger.priority, stranger.more = 200, ""
	r := s.routerOf(stranger, 3)
	mark, began := p.preferred.Mark(), time.Now()
	r.run(rig.Keepalived, stranger)
	r.nextAdvert(began, stranger.priority, stranger.down()+patience)
	time.Sleep(3 * stranger.interval())
	r.Stop(patience)
	if states := p.preferred.states(mark); len(states) > 0 {
		p.t.Errorf("%s changed its state because of a stranger: %q", p.preferred, states)
	}
	if sent := p.other.sent(began); len(sent) > 0 {
		p.t.Errorf("%s advertises: %v", p.other, sent)
	}
	lines := 0
	for _, line := range p.preferred.Lines(mark) {
		if strings.Contains(line.Text, "HMAC") {
			lines++
		}
	}
	if lines != 1 {
		p.t.Errorf("%s says %d times that somebody has no key, want once", p.preferred, lines)
	}
}
