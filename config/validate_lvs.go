package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// services checks every virtual_server. One without real servers is left out.
func (v *validator) services() {
	first := make(map[ServiceKey]Origin, len(v.c.Services))
	v.c.Services = slices.DeleteFunc(v.c.Services, func(s VirtualServer) bool {
		if len(s.RealServers) > 0 {
			return false
		}
		v.fixed(s.Origin, "no-real-server", "Virtual server %s has no real servers - ignoring", s.label())
		return true
	})
	for k := range v.c.Services {
		s := &v.c.Services[k]
		v.serviceDefaults(s)
		v.realServers(s)
		v.quorum(s)
		key := s.Key()
		if at, twice := first[key]; twice {
			v.add(s.Origin, ClassNone, "duplicate-service",
				"virtual server %s is also the block of line %d: one service with the real servers of both", s.label(), at.Line).Severity = Note
		} else {
			first[key] = s.Origin
		}
	}
}

// label is the service as keepalived's diagnostics print it.
func (s *VirtualServer) label() string {
	if s.FWMark != 0 {
		return fmt.Sprintf("FWM %d", s.FWMark)
	}
	return endpointLabel(s.Addr, s.Protocol.Value)
}

func endpointLabel(a netip.AddrPort, p Protocol) string {
	name := "none"
	if p != 0 {
		name = map[Protocol]string{TCP: "tcp", UDP: "udp", SCTP: "sctp"}[p]
	}
	return fmt.Sprintf("[%s]:%s:%d", a.Addr(), name, a.Port())
}

// serviceDefaults fills what must be said and was not, as keepalived does.
func (v *validator) serviceDefaults(s *VirtualServer) {
	switch {
	case s.FWMark != 0 && s.Protocol.Set:
		v.fixed(s.Origin, "protocol", "Warning: Virtual server %s: protocol specified for fwmark - protocol will be ignored", s.label())
		s.Protocol = Opt[Protocol]{}
	case s.FWMark == 0 && !s.Protocol.Set:
		v.add(s.Origin, ClassGeneral, "protocol", "Virtual server %s: no protocol set - defaulting to UDP", s.label())
		s.Protocol = Some(UDP)
	}
	if s.OPS && s.FWMark == 0 && s.Protocol.Value != UDP {
		v.fixed(s.Origin, "ops", "Virtual server %s: one packet scheduling requires UDP - resetting", s.label())
		s.OPS = false
	}
	if !s.LBAlgo.Set {
		v.add(s.Origin, ClassGeneral, "scheduler", "Virtual server %s: no scheduler set, setting default 'wlc'", s.label())
		s.LBAlgo = Some("wlc")
	}
	if !s.LBKind.Set && slices.ContainsFunc(s.RealServers, func(r RealServer) bool { return !r.LVSMethod.Set }) {
		v.add(s.Origin, ClassGeneral, "forwarding-method", "Virtual server %s: no forwarding method set, setting default NAT", s.label())
		s.LBKind = Some(NAT)
	}
	if s.FWMark == 0 && s.Addr.Port() == 0 && s.PersistenceTimeout == 0 {
		v.fixed(s.Origin, "zero-port", "Virtual server %s: zero port only valid for persistent services - setting", s.label())
		s.PersistenceTimeout = 360 * time.Second
	}
}

// realServers settles the ports: only NAT can translate them.
func (v *validator) realServers(s *VirtualServer) {
	s.RealServers = slices.DeleteFunc(s.RealServers, func(r RealServer) bool {
		if s.FWMark != 0 || r.Addr.Addr().Is6() == s.Addr.Addr().Is6() || v.method(s, &r) == TUN {
			return false
		}
		v.add(r.Origin, ClassGeneral, "address-family", "Address family of virtual server and real server %s don't match - skipping real server.", r.Addr.Addr())
		return true
	})
	seen := make(map[netip.AddrPort]bool, len(s.RealServers))
	s.RealServers = slices.DeleteFunc(s.RealServers, func(r RealServer) bool {
		if seen[r.Addr] {
			v.add(r.Origin, ClassGeneral, "duplicate", "VS %s: real server %s is duplicated - removing second rs", s.label(), endpointLabel(r.Addr, s.Protocol.Value))
			return true
		}
		seen[r.Addr] = true
		return false
	})
	for k := range s.RealServers {
		r := &s.RealServers[k]
		port := s.Addr.Port()
		switch got := r.Addr.Port(); {
		case v.method(s, r) == NAT || got == 0 || got == port:
			continue
		case s.FWMark != 0:
			v.fixed(r.Origin, "port-mismatch", "WARNING - fwmark virtual server %s, real server %s has port specified - clearing", s.label(), endpointLabel(r.Addr, s.Protocol.Value))
		default:
			v.fixed(r.Origin, "port-mismatch", "WARNING - virtual server %s and real server %s ports don't match - resetting", s.label(), endpointLabel(r.Addr, s.Protocol.Value))
		}
		r.Addr = netip.AddrPortFrom(r.Addr.Addr(), port)
	}
}

// quorum: without any weight there is none.
func (v *validator) quorum(s *VirtualServer) {
	for k := range s.RealServers {
		if w := s.RealServers[k].Weight; w.Value > 0 || !w.Set {
			return
		}
	}
	v.fixed(s.Origin, "quorum", "Warning - quorum 1 for %s exceeds total weight of real servers 0, reducing quorum to 0", s.label())
}

func (v *validator) method(s *VirtualServer, r *RealServer) Method {
	if r.LVSMethod.Set {
		return r.LVSMethod.Value
	}
	return s.LBKind.Value
}
