package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// services checks every virtual_server. One without real servers is left out,
// and one of a group that there is not.
func (v *validator) services() {
	first := make(map[ServiceKey]*VirtualServer, len(v.c.Services))
	uses := map[string]int{} // of groups
	groups := make(map[string]*VirtualServerGroup, len(v.c.ServiceGroups))
	for k := range v.c.ServiceGroups {
		groups[v.c.ServiceGroups[k].Name] = &v.c.ServiceGroups[k]
		v.ranges(&v.c.ServiceGroups[k])
	}
	v.c.Services = slices.DeleteFunc(v.c.Services, func(s VirtualServer) bool {
		use := uses[s.Group]
		uses[s.Group]++
		switch {
		case len(s.RealServers) == 0:
			v.fixed(s.Origin, "no-real-server", "Virtual server %s has no real servers - ignoring", s.label(use))
		case s.Group != "" && groups[s.Group] == nil:
			v.add(s.Origin, ClassNone, "unknown-group", "Virtual server group %s specified but not configured - ignoring virtual server %s", s.Group, s.label(use)).Hint =
				DidYouMean(s.Group, names(v.c.ServiceGroups, func(g *VirtualServerGroup) string { return g.Name }))
		default:
			return false
		}
		return true
	})
	clear(uses)
	for k := range v.c.Services {
		s := &v.c.Services[k]
		v.service(serviceOf(s, groups[s.Group], uses[s.Group]))
		uses[s.Group]++
		key := s.Key()
		switch was, twice := first[key]; {
		case !twice:
			first[key] = s
		case s.sameMethods(was): // if not, it is a trap: see linter.mixedForwarding
			v.add(s.Origin, ClassNone, "duplicate-service",
				"virtual server %s is also the block of line %d: one service with the real servers of both", s.label(0), was.Origin.Line).Severity = Note
		}
	}
}

// ranges looks for those that are too long to be acted on.
func (v *validator) ranges(g *VirtualServerGroup) {
	if v.c.Global.Firewall.NFTablesIPVS != "" && !g.hasMark() {
		return // no address is a service of its own
	}
	for k := range g.Entries {
		if e := &g.Entries[k]; e.TooLong() {
			v.add(e.Origin, ClassNone, "invalid-value", "virtual server group %s: %s has more than %d addresses, the first %d are used", g.Name, e.String(), MaxRange, MaxRange).Severity = Warning
		}
	}
}

// label is the service as keepalived's diagnostics print it. Those of one
// group are counted from 0.
func (s *VirtualServer) label(use int) string {
	switch {
	case s.FWMark != 0:
		return fmt.Sprintf("FWM %d", s.FWMark)
	case s.Group != "":
		return fmt.Sprintf("[%s]:%d", s.Group, use)
	}
	return endpointLabel(s.Addr, s.Protocol.Value)
}

func endpointLabel(a netip.AddrPort, p Protocol) string {
	return fmt.Sprintf("[%s]:%s:%d", a.Addr(), strings.ToLower(p.String()), a.Port())
}

// checkedService is a virtual_server and what it is known by.
type checkedService struct {
	*VirtualServer
	use       int          // of its group
	entries   []GroupEntry // addresses of its group
	marks     bool         // it has a firewall mark
	addresses bool         // it has an address
	zeroPort  bool         // one of its addresses has no port
}

func (s *checkedService) label() string { return s.VirtualServer.label(s.use) }

func serviceOf(s *VirtualServer, g *VirtualServerGroup, use int) *checkedService {
	k := &checkedService{VirtualServer: s, use: use, marks: s.FWMark != 0}
	if s.Group != "" && g != nil {
		for i := range g.Entries {
			if g.Entries[i].IsMark() {
				k.marks = true
			} else {
				k.entries = append(k.entries, g.Entries[i])
				k.zeroPort = k.zeroPort || g.Entries[i].Port == 0
			}
		}
		k.addresses = len(k.entries) > 0
	} else if s.Addr.IsValid() {
		k.addresses, k.zeroPort = true, s.Addr.Port() == 0
	}
	return k
}

// endpoint is a real server as keepalived's diagnostics print it.
func (s *checkedService) endpoint(r *RealServer) string {
	return endpointLabel(r.Addr, s.Protocol.Value)
}

func (v *validator) service(s *checkedService) {
	v.serviceDefaults(s)
	v.duplicates(s)
	v.sorryInhibit(s)
	v.quorum(s)
	v.ports(s)
	v.sorryPort(s)
}

// serviceDefaults fills what must be said and was not, as keepalived does.
func (v *validator) serviceDefaults(s *checkedService) {
	switch {
	case !s.addresses && s.Protocol.Set:
		v.fixed(s.Origin, "protocol", "Warning: Virtual server %s: protocol specified for fwmark - protocol will be ignored", s.label())
		s.Protocol = Opt[Protocol]{}
	case s.addresses && !s.Protocol.Set:
		v.add(s.Origin, ClassGeneral, "protocol", "Virtual server %s: no protocol set - defaulting to UDP", s.label())
		s.Protocol = Some(UDP)
	}
	if s.HASuspend && s.marks {
		v.fixed(s.Origin, "ha-suspend", "Virtual server %s: cannot use ha_suspend with fwmarks - clearing ha_suspend", s.label())
		s.HASuspend = false
	}
	if s.OPS && s.addresses && s.Protocol.Value != UDP {
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
	if s.zeroPort && s.PersistenceTimeout == 0 {
		v.fixed(s.Origin, "zero-port", "Virtual server %s: zero port only valid for persistent services - setting", s.label())
		s.PersistenceTimeout = 360 * time.Second
	}
}

// duplicates leaves the first of the same real server in one block.
func (v *validator) duplicates(s *checkedService) {
	if !repeated(s.RealServers) {
		return
	}
	seen := make(map[netip.AddrPort]bool, len(s.RealServers))
	s.RealServers = slices.DeleteFunc(s.RealServers, func(r RealServer) bool {
		if seen[r.Addr] {
			v.add(r.Origin, ClassGeneral, "duplicate", "VS %s: real server %s is duplicated - removing second rs", s.label(), s.endpoint(&r))
			return true
		}
		seen[r.Addr] = true
		return false
	})
}

// repeated reports whether there may be one real server twice. Most blocks are
// small, and need no map to tell.
func repeated(all []RealServer) bool {
	const small = 16
	if len(all) > small {
		return true
	}
	for i := range all {
		for k := range i {
			if all[k].Addr == all[i].Addr {
				return true
			}
		}
	}
	return false
}

// sorryInhibit: one server is inhibited in one way, whatever it serves as.
func (v *validator) sorryInhibit(s *checkedService) {
	if s.SorryServer == nil {
		return
	}
	for k := range s.RealServers {
		r := &s.RealServers[k]
		inhibit := s.InhibitOnFailure
		if r.InhibitOnFailure.Set {
			inhibit = r.InhibitOnFailure.Value
		}
		if r.Addr != s.SorryServer.Addr || inhibit == s.SorryServer.Inhibit {
			continue
		}
		verb := map[bool]string{true: "setting", false: "clearing"}[inhibit]
		v.fixed(s.SorryServer.Origin, "sorry-server", "Virtual server %s: real server %s matches sorry server, but inhibit setting differs, %s on sorry server",
			s.label(), s.endpoint(r), verb)
		s.SorryServer.Inhibit = inhibit
	}
}

// quorum cannot be more than all servers together, hysteresis not as much as
// the quorum.
func (v *validator) quorum(s *checkedService) {
	total := uint64(0)
	for k := range s.RealServers {
		if w := s.RealServers[k].Weight; w.Set {
			total += uint64(w.Value)
		} else {
			total += uint64(s.Weight)
		}
	}
	if uint64(s.Quorum) > total {
		v.fixed(s.Origin, "quorum", "Warning - quorum %d for %s exceeds total weight of real servers %d, reducing quorum to %d", s.Quorum, s.label(), total, total)
		s.Quorum = uint32(total)
	}
	switch {
	case s.Quorum == 0:
		s.Hysteresis = 0
	case s.Hysteresis >= s.Quorum:
		v.fixed(s.Origin, "quorum", "Virtual server %s: hysteresis %d >= quorum %d; setting hysteresis to %d", s.label(), s.Hysteresis, s.Quorum, s.Quorum-1)
		s.Hysteresis = s.Quorum - 1
	}
}

// ports settles the ports of real servers: only NAT can translate them.
func (v *validator) ports(s *checkedService) {
	for k := range s.RealServers {
		r := &s.RealServers[k]
		port := s.Addr.Port()
		if v.method(s.VirtualServer, r) == NAT || r.Addr.Port() == 0 {
			continue
		}
		switch {
		case s.Group != "":
			if s.marks {
				v.fixed(r.Origin, "port-mismatch", "WARNING - fwmark virtual server %s, real server %s has port specified - port will be ignored", s.label(), s.endpoint(r))
			}
			continue
		case r.Addr.Port() == port:
			continue
		case s.FWMark != 0:
			v.fixed(r.Origin, "port-mismatch", "WARNING - fwmark virtual server %s, real server %s has port specified - clearing", s.label(), s.endpoint(r))
		default:
			v.fixed(r.Origin, "port-mismatch", "WARNING - virtual server %s and real server %s ports don't match - resetting", s.label(), s.endpoint(r))
		}
		r.Addr = netip.AddrPortFrom(r.Addr.Addr(), port)
	}
	for i := range s.entries {
		for k := range s.RealServers {
			r := &s.RealServers[k]
			if port := r.Addr.Port(); v.method(s.VirtualServer, r) != NAT && port != 0 && port != s.entries[i].Port {
				v.fixed(r.Origin, "port-mismatch", "virtual server %s:[%s] and real server %s ports don't match", s.label(), s.entries[i].String(), s.endpoint(r))
			}
		}
	}
}

// sorryPort settles the port of the sorry server in the same way.
func (v *validator) sorryPort(s *checkedService) {
	sorry := s.SorryServer
	if sorry == nil || sorry.Addr.Port() == 0 {
		return
	}
	method := s.LBKind.Value
	if sorry.Method.Set {
		method = sorry.Method.Value
	}
	port := s.Addr.Port()
	switch {
	case method == NAT || s.Group == "" && sorry.Addr.Port() == port:
		return
	case s.FWMark != 0:
		v.fixed(sorry.Origin, "port-mismatch", "WARNING - virtual server %s, sorry server has port specified - clearing", s.label())
	case s.Group != "":
		if s.marks {
			v.fixed(sorry.Origin, "port-mismatch", "WARNING - fwmark virtual server %s, sorry server has port specified - port will be ignored", s.label())
		}
		if slices.ContainsFunc(s.entries, func(e GroupEntry) bool { return e.Port != sorry.Addr.Port() }) {
			v.fixed(sorry.Origin, "port-mismatch", "WARNING - virtual server %s, sorry server has port specified - port will be ignored", s.label())
		}
		return
	default:
		v.fixed(sorry.Origin, "port-mismatch", "WARNING - virtual server %s and sorry server ports don't match - resetting", s.label())
	}
	sorry.Addr = netip.AddrPortFrom(sorry.Addr.Addr(), port)
}

func (v *validator) method(s *VirtualServer, r *RealServer) Method {
	if r.LVSMethod.Set {
		return r.LVSMethod.Value
	}
	return s.LBKind.Value
}
