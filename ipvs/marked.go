package ipvs

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// marked are the packets to the groups that have a mark. None of them is there
// twice, because nftables takes no ranges that overlap: an address with a port
// belongs to the first service that names it, and goes before one of every port,
// as with services of addresses.
func marked(services []config.Service) (all []config.Marked) {
	type flow struct {
		protocol config.Protocol
		ipv6     bool
	}
	var order []flow
	planes := make(map[flow]*plane)
	for i := range services {
		s := &services[i]
		for k := range s.Entries {
			if s.Mark == 0 {
				break
			}
			e := &s.Entries[k]
			f := flow{s.Key.Protocol, e.First.Is6()}
			p := planes[f]
			if p == nil {
				p = &plane{ports: make(map[uint16][]span)}
				planes[f], order = p, append(order, f)
			}
			p.ports[e.Port] = claim(p.ports[e.Port], span{e.First, e.Last, s.Mark})
		}
	}
	for _, f := range order {
		all = append(all, planes[f].marked(f.protocol)...)
	}
	return all
}

// plane are the addresses of a family and a protocol, by their ports; port 0
// stands for all others.
type plane struct{ ports map[uint16][]span }

// span are addresses with their mark.
type span struct {
	first, last netip.Addr
	mark        uint32
}

func (s span) overlaps(o span) bool {
	return s.first.Compare(o.last) <= 0 && o.first.Compare(s.last) <= 0
}

// claim adds what of a span no other has yet. The spans are in order.
func claim(spans []span, s span) []span {
	at, _ := slices.BinarySearchFunc(spans, s.first, func(other span, first netip.Addr) int { return other.last.Compare(first) })
	for ; at < len(spans) && spans[at].first.Compare(s.last) <= 0; at++ {
		other := spans[at]
		if s.first.Less(other.first) {
			spans = slices.Insert(spans, at, span{s.first, other.first.Prev(), s.mark})
			at++
		}
		if s.last.Compare(other.last) <= 0 {
			return spans
		}
		s.first = other.last.Next()
	}
	return slices.Insert(spans, at, s)
}

const maxPort = 1<<16 - 1

func (p *plane) marked(protocol config.Protocol) (all []config.Marked) {
	ports := make([]uint16, 0, len(p.ports))
	for port := range p.ports {
		ports = append(ports, port)
	}
	slices.Sort(ports)
	for _, port := range ports {
		for _, s := range p.ports[port] {
			if port != 0 {
				all = append(all, config.Marked{Protocol: protocol, First: s.first, Last: s.last, FirstPort: port, LastPort: port, Mark: s.mark})
				continue
			}
			for _, part := range p.around(s, ports) {
				part.Protocol = protocol
				all = append(all, part)
			}
		}
	}
	slices.SortFunc(all, func(a, b config.Marked) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.FirstPort, b.FirstPort))
	})
	return all
}

// around is a span of every port without the ports that its addresses have one
// by one.
func (p *plane) around(s span, ports []uint16) (all []config.Marked) {
	begins := []netip.Addr{s.first} // of stretches in which all addresses have the same ports
	for _, port := range ports {
		for _, other := range p.ports[port] {
			if port == 0 || !s.overlaps(other) {
				continue
			}
			if s.first.Less(other.first) {
				begins = append(begins, other.first)
			}
			if other.last.Less(s.last) {
				begins = append(begins, other.last.Next())
			}
		}
	}
	slices.SortFunc(begins, netip.Addr.Compare)
	begins = slices.Compact(begins)
	for i, first := range begins {
		last := s.last
		if i < len(begins)-1 {
			last = begins[i+1].Prev()
		}
		from := 0
		for _, port := range ports {
			if port == 0 || !slices.ContainsFunc(p.ports[port], span{first, last, 0}.overlaps) {
				continue
			}
			if from < int(port) {
				all = append(all, config.Marked{First: first, Last: last, FirstPort: uint16(from), LastPort: port - 1, Mark: s.mark})
			}
			from = int(port) + 1
		}
		if from <= maxPort {
			all = append(all, config.Marked{First: first, Last: last, FirstPort: uint16(from), LastPort: maxPort, Mark: s.mark})
		}
	}
	return all
}
