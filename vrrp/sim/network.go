package sim

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// arrival is a datagram on its way to a router.
type arrival struct {
	wire.Datagram
	link int
	vrid uint8
}

func (d *arrival) key() wireKey { return wireKey{d.link, d.vrid, d.Src.Is6()} }

var (
	everyone4 = netip.MustParseAddr("224.0.0.18")
	everyone6 = netip.MustParseAddr("ff02::12")
)

// send gives an advert to the routers that it is meant for.
func (w *world) send(from *router, s *shadow, e vrrp.SendAdvert) {
	link := s.link
	if !from.links[link].up || from.unopened[s.key()] {
		return
	}
	peers := s.cfg.UnicastPeers
	if len(peers) == 0 {
		dst := everyone4
		if s.v6 {
			dst = everyone6
		}
		d := w.encode(s, e, dst)
		for _, to := range w.routers {
			w.carry(from, to, d)
		}
		return
	}
	for i := range peers {
		for _, to := range w.routers {
			if address(s.v6, link, to.id) == peers[i].Addr {
				w.carry(from, to, w.encode(s, e, peers[i].Addr))
			}
		}
	}
}

func (w *world) encode(s *shadow, e vrrp.SendAdvert, dst netip.Addr) *arrival {
	d := &arrival{Datagram: wire.Datagram{Src: e.Src, Dst: dst, TTL: 255}, link: s.link, vrid: e.Advert.VRID}
	payload, err := make([]byte, 0, 64), error(nil)
	if s.signer != nil {
		payload, err = e.Advert.AppendSigned(payload, d.Pseudo(), s.signer, e.Sequence)
	} else {
		payload, err = e.Advert.AppendTo(payload, d.Pseudo())
	}
	if err != nil {
		w.failf("unsendable", "%s: %v", e.Instance, err)
	}
	if d.Payload = payload; s.ah != nil {
		const headers = 20 + wire.AHLen
		all := s.ah.AppendIPv4(nil, e.Src, dst, 255, 0, uint32(e.Sequence), payload)
		d.Headers, d.Payload = all[:headers], all[headers:]
	}
	return d
}

// carry takes a datagram from one router to another, or loses it.
func (w *world) carry(from, to *router, d *arrival) {
	if from == to || w.blocked[d.link][[2]int{from.id, to.id}] {
		return
	}
	f := from.flow(to, d)
	f.sent++
	throw := w.dice.of(uint64(from.id), uint64(to.id), uint64(d.link), uint64(d.vrid), uint64(len(d.Src.AsSlice())), f.sent)
	if !w.quiet && throw.of(1).below(1000) < w.sc.Net.Loss {
		w.counts["lost"]++
		return
	}
	copies := 1
	if !w.quiet && throw.of(2).below(1000) < w.sc.Net.Twice {
		copies = 2
		w.counts["twice"]++
	}
	for n := range copies {
		most := w.sc.Net.Latency
		if !w.quiet && throw.of(3, uint64(n)).below(1000) < w.sc.Net.Late {
			most *= 4
			w.counts["late"]++
		}
		delay := most/16 + time.Duration(throw.of(4, uint64(n)).below(int(most-most/16)))
		at := w.now + delay
		if w.quiet { // no overtaking
			at = max(at, f.last)
			f.last = at
		}
		w.agenda.add(entry{at: at, r: to, d: d})
	}
}

// flow is what a router sends to another for one virtual router. Flows know
// nothing of each other, so that what happens to one does not depend on how
// many others there are.
type flow struct {
	sent uint64
	last time.Duration // when the last datagram arrives
}

type flowKey struct {
	wireKey
	to int
}

func (r *router) flow(to *router, d *arrival) *flow {
	key := flowKey{d.key(), to.id}
	f := r.flows[key]
	if f == nil {
		f = &flow{}
		r.flows[key] = f
	}
	return f
}

// mend takes all walls out of the network.
func (w *world) mend() {
	for link := range w.blocked {
		w.blocked[link] = map[[2]int]bool{}
	}
}

// split puts a wall between the routers up to n and the others.
func (w *world) split(link, n int) {
	for _, a := range w.routers {
		for _, b := range w.routers {
			if a.id <= n && b.id > n {
				w.blocked[link][[2]int{a.id, b.id}] = true
				w.blocked[link][[2]int{b.id, a.id}] = true
			}
		}
	}
}
