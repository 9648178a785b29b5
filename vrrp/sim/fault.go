package sim

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// fault lets one happen:
//
//	crash R | stop R | boot R | load R     kill -9, SIGTERM, start, SIGHUP
//	pause R TIME | stun R TIME             the process, the whole machine
//	link R L up|down|gone|bare             bare: without an address
//	script R S good|bad
//	socket R I open|failed                  of the virtual router of an instance
//	split L N | cut L FROM TO | mend       walls in the network; mend takes all away
//	set I KEY=VALUE... | group G ...       the administrator edits, nobody has loaded it
//	clock R TIME                           the time of day is so far ahead
//	replay R I N                           a copy of what was believed, the N-th from the end
//	garbage R I N                          a datagram that must be rejected
//	flood R I N                            valid adverts of a lower priority
//
// What is about something that does not exist has no effect: scenarios are
// shrunk by leaving things out.
func (w *world) fault(words []string) {
	w.note("fault %v", words)
	w.counts[words[0]]++
	n := numbersOf(words[1:])
	switch words[0] {
	case "set":
		if _, err := w.site.edit(words[1:]); err != nil {
			w.failf("scenario", "%v: %v", words, err)
		}
	case "group":
		if err := w.site.editGroup(words[1:]); err != nil {
			w.failf("scenario", "%v: %v", words, err)
		}
	case "mend":
		w.mend()
	case "split":
		if n[0] <= w.sc.Links {
			w.split(n[0], n[1])
		}
	case "cut":
		if n[0] <= w.sc.Links {
			w.blocked[n[0]][[2]int{n[1], n[2]}] = true
		}
	default:
		if n[0] <= len(w.routers) {
			w.routers[n[0]-1].fault(words, n)
		}
	}
}

// numbersOf are the words as numbers, 0 where one is none, and some zeros more.
func numbersOf(words []string) []int {
	n := make([]int, len(words), len(words)+3)
	for i, word := range words {
		n[i], _ = strconv.Atoi(word)
	}
	return append(n, 0, 0, 0)
}

func (r *router) fault(words []string, n []int) {
	switch words[0] {
	case "crash":
		r.crash()
	case "stop":
		r.stop()
	case "boot":
		r.boot()
	case "load":
		r.later(func() { r.load() })
	case "pause", "stun":
		d, err := time.ParseDuration(words[2])
		if err != nil {
			r.w.failf("scenario", "%v: %v", words, err)
		}
		r.pause(d, words[0] == "stun")
	case "link":
		if n[1] < len(r.links) {
			r.link(n[1], map[string]linkState{
				"up": {true, true, true}, "down": {true, false, true}, "bare": {true, true, false},
			}[words[3]])
		}
	case "script":
		r.script(n[1], words[3] == "good")
	case "socket":
		if i := n[1]; i <= len(r.w.site.instances) {
			r.socket(r.w.site.instances[i-1].key(), words[3] == "open")
		}
	case "clock":
		d, err := time.ParseDuration(words[2])
		if err != nil {
			r.w.failf("scenario", "%v: %v", words, err)
		}
		r.ahead = d
	case "replay":
		r.later(func() { r.replay(n[1], n[2]) })
	case "garbage":
		r.later(func() { r.garbage(n[1], n[2]) })
	case "flood":
		r.later(func() { r.flood(n[1], n[2]) })
	default:
		r.w.failf("scenario", "unknown fault %v", words)
	}
}

// forge is an advert to an instance from somebody who is no router of the
// cluster, so that replies go nowhere.
func (r *router) forge(i int, priority uint8, n int) (*shadow, *arrival) {
	if i > len(r.cfg.Instances) {
		return nil, nil
	}
	s := r.shadows[r.cfg.Instances[i-1].Name]
	a := wire.Advert{Version: s.cfg.Version.Value, VRID: s.cfg.VirtualRouterID, Priority: priority, Interval: s.interval()}
	for _, addr := range s.cfg.VirtualIPAddress {
		a.Addrs = append(a.Addrs, addr.Prefix.Addr())
	}
	if a.AuthType = uint8(s.cfg.Authentication.Type); a.AuthType == wire.AuthPass {
		copy(a.Auth[:], s.cfg.Authentication.Pass)
	}
	number := uint64(s.highest + 1)
	if s.hmac != nil {
		number = stamp(r.now(), n)
	}
	dst := everyone4
	if s.v6 {
		dst = everyone6
	}
	if s.cfg.Unicast() {
		dst = address(s.v6, s.link, r.id)
	}
	return s, r.w.encode(s, vrrp.SendAdvert{Instance: s.cfg.Name, Src: address(s.v6, s.link, 200), Advert: a, Sequence: number}, dst)
}

// garbage looks like an advert of the address owner and is wrong somewhere.
func (r *router) garbage(i, n int) {
	s, d := r.forge(i, 255, 0)
	if s == nil {
		return
	}
	throw := dice(n).of(7)
	bit := throw.of(1).below(8 * len(d.Payload))
	switch throw.below(6) {
	case 0:
		d.Payload = d.Payload[:throw.of(2).below(len(d.Payload))]
	case 1:
		if d.TTL = 254; s.cfg.Unicast() {
			d.Payload[bit/8] ^= 1 << (bit % 8)
		}
	case 2:
		d.Dst = netip.MustParseAddr("10.0.0.77") // neither the group nor of the family
		if s.cfg.Unicast() {
			d.Dst = everyone4
		}
	default:
		d.Payload[bit/8] ^= 1 << (bit % 8)
	}
	if s.accepts(&d.Datagram) {
		return // the bit turned the checksum into its other form
	}
	r.step(r.place[s.cfg.Name], vrrp.Received{Instance: s.cfg.Name, Datagram: d.Datagram})
}

// flood is more valid adverts of a lower priority than anybody needs.
func (r *router) flood(i, n int) {
	for n := range n {
		s, d := r.forge(i, 1, n)
		if s == nil {
			return
		}
		r.step(r.place[s.cfg.Name], vrrp.Received{Instance: s.cfg.Name, Datagram: d.Datagram})
	}
}
