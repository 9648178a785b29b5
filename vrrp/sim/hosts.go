package sim

import (
	"net/netip"

	"github.com/lvsd/lvsd/vrrp"
)

// host is what the neighbours of a virtual address know: the router that has
// announced it last.
type host struct {
	holders map[int]int // routers that claim the address, and how often
	last    int
	clean   bool // no two routers have held it at a time since the last take-over
}

func (w *world) host(addr netip.Addr) *host {
	h := w.hosts[addr]
	if h == nil {
		h = &host{holders: map[int]int{}}
		w.hosts[addr] = h
	}
	return h
}

func (w *world) claimed(r *router, addr netip.Addr) {
	h := w.host(addr)
	mine := h.holders[r.id] > 0
	others := len(h.holders) > 1 || len(h.holders) == 1 && !mine
	switch {
	case others:
		h.clean = false
	case !mine:
		h.clean = true
	}
	h.holders[r.id]++
}

func (w *world) released(r *router, addr netip.Addr) {
	h := w.host(addr)
	if h.holders[r.id]--; h.holders[r.id] <= 0 {
		delete(h.holders, r.id)
	}
}

func (w *world) announced(r *router, s *shadow, e vrrp.Announce) {
	for _, a := range e.Addresses {
		h := w.host(a.Prefix.Addr())
		if r.links[s.link].up {
			h.last = r.id
		} else {
			h.clean = false // dont_track_primary: nobody has heard it
		}
	}
}

// checkHosts: the neighbours send to the MASTER, unless two routers were MASTER
// at a time and the one that stayed has not heard of the other.
func (w *world) checkHosts() {
	for addr, h := range w.hosts {
		if !h.clean || len(h.holders) != 1 {
			continue
		}
		for id := range h.holders {
			if h.last != id {
				w.failf("host", "r%d holds %s, the neighbours believe it is r%d", id, addr, h.last)
			}
		}
	}
}
