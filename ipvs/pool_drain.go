package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// leaver is a real server that the configuration does not name any more. With
// drain_timeout it has weight 0 until its connections have ended, or until then.
type leaver struct {
	Dest
	until time.Time
}

// Found are destinations that the kernel has at a start, of which the service
// wants none: its drain_timeout says what becomes of them.
type Found struct {
	Dests []Dest
	At    time.Time
}

// Drained are servers of those that leave whose time is over, or who have no
// connection any more, with the number of those that are left.
type Drained map[netip.AddrPort]int

func (Found) event()   {}
func (Drained) event() {}

// depart is the end of a server that is in the kernel: at once, or after its
// connections.
func (p *Pool) depart(h *health, at time.Time) Effect {
	if h.server.DrainTimeout == 0 {
		return p.leaving(removing, h)
	}
	return p.drain(dest(h.server, 0), at, h.server.DrainTimeout)
}

func (p *Pool) drain(d Dest, at time.Time, limit time.Duration) Effect {
	p.leavers = append(p.leavers, leaver{d, at.Add(limit)})
	return logf("Draining service %s of VS %s, for %v at most", p.address(d.Addr), p.service.Key, limit).about(p.address(d.Addr))
}

// retired is a service that an address of the group makes when it leaves the
// group: what the kernel has there drains. It is absent when nothing does.
func (p *Pool) retired(have *Service, at time.Time) (alone *Pool, out []Effect) {
	until := make(map[netip.AddrPort]time.Time)
	for i := range p.servers.list() {
		if s := p.servers.all[i].server; s.DrainTimeout > 0 {
			until[addressAs(s.Addr, s.Method, have.Key)] = at.Add(s.DrainTimeout)
		}
	}
	for _, l := range p.leavers {
		until[addressAs(l.Addr, l.Method, have.Key)] = l.until
	}
	alone = &Pool{service: p.service}
	alone.service.Key, alone.service.Entries = have.Key, nil
	for _, d := range have.Dests {
		if end, drains := until[d.Addr]; drains {
			d.Weight = 0
			out = append(out, alone.drain(d, at, end.Sub(at)))
		}
	}
	return alone, out
}

// draining are the addresses of those that leave.
func (p *Pool) draining() map[netip.AddrPort]bool {
	if len(p.leavers) == 0 {
		return nil
	}
	all := make(map[netip.AddrPort]bool, len(p.leavers))
	for _, l := range p.leavers {
		all[l.Addr] = true
	}
	return all
}

// stay strikes out who is in the configuration again.
func (p *Pool) stay() {
	p.leavers = slices.DeleteFunc(p.leavers, func(l leaver) bool { return p.servers.of(l.Addr) != nil })
}

func (p *Pool) find(e Found) (out []Effect) {
	if p.service.DrainTimeout == 0 {
		return nil
	}
	for _, d := range e.Dests {
		d.Weight = 0
		out = append(out, p.drain(d, e.At, p.service.DrainTimeout))
	}
	return append(out, Want{p.wish()})
}

func (p *Pool) withdraw(e Drained) (out []Effect) {
	p.leavers = slices.DeleteFunc(p.leavers, func(l leaver) bool {
		connections, over := e[l.Addr]
		if over {
			out = append(out, p.drained(l.Addr, connections))
		}
		return over
	})
	return append(out, Want{p.wish()})
}

func (p *Pool) drained(addr netip.AddrPort, connections int) Effect {
	left := ""
	if connections > 0 {
		left = fmt.Sprintf(", its time is over (connections left: %d)", connections)
	}
	return logf("Removing drained service %s from VS %s%s", p.address(addr), p.service.Key, left).about(p.address(addr))
}

func (p *Pool) address(a netip.AddrPort) string { return p.name(&config.Server{Addr: a}) }
