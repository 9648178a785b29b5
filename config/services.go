package config

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// defaultScheduler is keepalived's.
const defaultScheduler = "wlc"

// Key is the identity of the service that the block belongs to.
func (v *VirtualServer) Key() ServiceKey {
	switch {
	case v.Group != "":
		return ServiceKey{Group: v.Group, Protocol: v.Protocol.Value}
	case v.FWMark != 0:
		return ServiceKey{FWMark: v.FWMark, IPv6: v.Family() == Inet6}
	}
	proto := v.Protocol.Value
	if !v.Protocol.Set {
		proto = UDP
	}
	return ServiceKey{Addr: v.Addr, Protocol: proto}
}

// Scheduler is how ipvsadm -s names the scheduler.
func (v *VirtualServer) Scheduler() string { return cmp.Or(v.LBAlgo.Value, "wlc") }

// Method is the forwarding method of servers that do not give their own.
func (v *VirtualServer) Method() Method { return cmp.Or(v.LBKind.Value, NAT) }

// ServerAddr is the address of a real server in the kernel.
func (v *VirtualServer) ServerAddr(r *RealServer) netip.AddrPort {
	if r.LVSMethod.Set {
		return v.portOf(r.Addr, r.LVSMethod.Value)
	}
	return v.portOf(r.Addr, v.Method())
}

// SorryAddr is the address of the sorry server in the kernel. With NAT it may
// have port 0, which stands for that of the service.
func (v *VirtualServer) SorryAddr() netip.AddrPort {
	m := v.Method()
	if v.SorryServer.Method.Set {
		m = v.SorryServer.Method.Value
	}
	if m == NAT {
		return v.SorryServer.Addr
	}
	return v.portOf(v.SorryServer.Addr, m)
}

// Drain is the drain_timeout of a real server.
func (v *VirtualServer) Drain(r *RealServer) time.Duration {
	if r.DrainTimeout.Set {
		return r.DrainTimeout.Value
	}
	return v.DrainTimeout
}

// portOf gives an address the port of the service where it has none, or where
// only NAT could translate it.
func (v *VirtualServer) portOf(a netip.AddrPort, m Method) netip.AddrPort {
	if v.Group == "" && (a.Port() == 0 || m != NAT) {
		return netip.AddrPortFrom(a.Addr(), v.Addr.Port())
	}
	return a
}

// KernelServices are the services as they run: blocks of the same key become
// one service with all their real servers, each with the forwarding method of
// its own block. The first block gives the scheduler, its flags, the
// persistence, ha_suspend, the drain_timeout of the service and the quorum, and the first that has one the sorry
// server and the scripts; omega and smtp_alert of one are those of all. Of the same
// real server in two blocks the first counts.
func (c *Config) KernelServices() []Service {
	all := make([]Service, 0, len(c.Services))
	from := c.resolver()
	index := make(map[ServiceKey]int, len(c.Services))
	for i := range c.Services {
		v := &c.Services[i]
		key := v.Key()
		at, seen := index[key]
		if !seen {
			at = len(all)
			index[key] = at
			all = append(all, Service{
				Origin: v.Origin, Key: key, Entries: c.entries(v), Scheduler: v.Scheduler(), SchedFlags: v.SchedFlags,
				PersistenceEngine: v.PersistenceEngine, PersistenceTimeout: v.PersistenceTimeout, PersistenceMask: v.PersistenceGranularity, PersistenceNetmask: v.PersistenceNetmask,
				OPS: v.OPS, HASuspend: v.HASuspend, Quorum: v.Quorum, Hysteresis: v.Hysteresis, DrainTimeout: v.DrainTimeout, InitNotifies: c.Global.RSInitNotifies,
				Servers: make([]Server, 0, len(v.RealServers)),
			})
		}
		all[at].merge(v, from)
	}
	return all
}

// entries are those of the group of a block. Marks that do not say their family
// have that of the block.
func (c *Config) entries(v *VirtualServer) []GroupEntry {
	g := c.ServiceGroup(v.Group)
	if v.Group == "" || g == nil {
		return nil
	}
	all := slices.Clone(g.Entries)
	for i := range all {
		if e := &all[i]; e.IsMark() && e.Family == 0 {
			e.Family = v.Family()
		}
	}
	return all
}

// Servers are the real servers of a block with every inherited value.
func (c *Config) Servers(v *VirtualServer) []Server {
	s := Service{Servers: make([]Server, 0, len(v.RealServers))}
	s.add(v, c.resolver(), func(netip.AddrPort) bool { return false })
	return s.Servers
}

// resolver is what a real server takes from elsewhere than its service.
type resolver struct {
	logAll bool
	shared sharedTimings
	files  map[string]*TrackFile
	ssl    *SSL
}

func (c *Config) resolver() resolver {
	r := resolver{c.Global.CheckerLogAllFailures, sharedTimings{}, make(map[string]*TrackFile, len(c.Trackers.Files)), c.SSL}
	for i := range c.Trackers.Files {
		if f := &c.Trackers.Files[i]; r.files[f.Name] == nil {
			r.files[f.Name] = f
		}
	}
	return r
}

// sharedTimings keeps one of all timings that are equal: thousands of checks
// have a few.
type sharedTimings map[Timing]*Timing

func (s sharedTimings) of(t Timing) *Timing {
	at, ok := s[t]
	if !ok {
		at = new(t) // not t itself, which would cost an allocation each time
		s[t] = at
	}
	return at
}

func (s *Service) merge(v *VirtualServer, from resolver) {
	s.Omega = s.Omega || v.Omega
	s.SMTPAlert = s.SMTPAlert || v.SMTPAlert.Value
	if s.QuorumUp.IsZero() {
		s.QuorumUp = v.QuorumUp
	}
	if s.QuorumDown.IsZero() {
		s.QuorumDown = v.QuorumDown
	}
	if s.Sorry == nil {
		s.Sorry = v.Sorry()
	}
	s.add(v, from, s.hasServer(len(s.Servers)+len(v.RealServers)))
}

// add adds the real servers of a block with every inherited value, without those
// that are there already. All of their checks are parts of one slice.
func (s *Service) add(v *VirtualServer, from resolver, has func(netip.AddrPort) bool) {
	n := 0
	for i := range v.RealServers {
		n += len(v.RealServers[i].Checks)
	}
	checks := make([]Check, 0, n)
	for i := range v.RealServers {
		r := &v.RealServers[i]
		server := v.server(r)
		if has(server.Addr) {
			continue
		}
		first := len(checks)
		for k := range r.Checks {
			checks = append(checks, v.check(r, &r.Checks[k], server.Addr, from))
		}
		if len(checks) > first {
			server.Checks = slices.Clip(checks[first:])
		}
		s.Servers = append(s.Servers, server)
	}
}

// hasServer tells of each address whether the service has a server with it, or
// was asked for it before. Few servers need no map for that.
func (s *Service) hasServer(most int) func(netip.AddrPort) bool {
	const few = 16
	if most <= few {
		return func(addr netip.AddrPort) bool {
			return slices.ContainsFunc(s.Servers, func(other Server) bool { return other.Addr == addr })
		}
	}
	have := make(map[netip.AddrPort]bool, most)
	for i := range s.Servers {
		have[s.Servers[i].Addr] = true
	}
	return func(addr netip.AddrPort) bool {
		was := have[addr]
		have[addr] = true
		return was
	}
}

// Sorry is the sorry server as it runs, nil when there is none.
func (v *VirtualServer) Sorry() *Server {
	written := v.SorryServer
	if written == nil {
		return nil
	}
	s := &Server{
		Origin: written.Origin, Addr: v.SorryAddr(), Weight: 1, Method: v.Method(), Tunnel: v.Tunnel,
		InhibitOnFailure: written.Inhibit,
	}
	if written.Method.Set {
		s.Method, s.Tunnel = written.Method.Value, written.Tunnel
	}
	return s
}

// server is a real server without its checks.
func (v *VirtualServer) server(r *RealServer) Server {
	s := Server{
		Origin: r.Origin, Addr: r.Addr, Weight: v.Weight, Method: v.Method(), Tunnel: v.Tunnel,
		InhibitOnFailure: v.InhibitOnFailure, DrainTimeout: v.Drain(r), SMTPAlert: r.SMTPAlert.Value, UThreshold: r.UThreshold, LThreshold: r.LThreshold,
		NotifyUp: r.NotifyUp, NotifyDown: r.NotifyDown,
	}
	if r.Weight.Set {
		s.Weight = r.Weight.Value
	}
	if r.LVSMethod.Set {
		s.Method, s.Tunnel = r.LVSMethod.Value, r.Tunnel
	}
	if r.InhibitOnFailure.Set {
		s.InhibitOnFailure = r.InhibitOnFailure.Value
	}
	s.Addr = v.portOf(s.Addr, s.Method)
	return s
}

// check is a check with its target and its timing.
func (v *VirtualServer) check(r *RealServer, written *Check, server netip.AddrPort, from resolver) Check {
	c := *written
	defaults := DefaultTiming(c.Kind)
	defaults.Alpha.Value = v.Alpha
	if r.Alpha.Set {
		defaults.Alpha.Value = r.Alpha.Value
	}
	defaults.LogAllFailures.Value = from.logAll
	t := Timing{}.Over(c.Timing).Over(r.Timing).Over(&v.Timing).Over(&defaults)
	if !t.Warmup.Set {
		t.Warmup.Value = t.DelayLoop.Value
	}
	if c.Kind == DNSCheck && !t.DelayBeforeRetry.Set {
		t.DelayBeforeRetry.Value = t.DelayLoop.Value
	}
	switch p := c.Params.(type) {
	case *MiscParams:
		t.ConnectTimeout = Opt[time.Duration]{Value: v.Timing.Over(&defaults).DelayLoop.Value}
		if p.MiscTimeout.Value > 0 {
			t.ConnectTimeout.Value = p.MiscTimeout.Value
		}
	case *FileParams:
		c.Params = p.over(from.files)
	case *HTTPParams:
		inherited := HTTPInherited{Host: v.VirtualHost, ServerName: v.VirtualHost}
		if r.Names != nil && r.Names.VirtualHost != "" {
			inherited.Host = r.Names.VirtualHost
		}
		if c.Kind == SSLGet {
			inherited.SSL = from.ssl
		}
		c.Params = p.inherit(inherited)
	}
	c.Timing = from.shared.of(t)
	if c.Kind.Connects() {
		if !c.ConnectIP.IsValid() {
			c.ConnectIP = server.Addr()
		}
		c.ConnectPort = cmp.Or(c.ConnectPort, server.Port())
	}
	return c
}

// CheckedFiles are the track_files that FILE_CHECKs name, by their names.
func (c *Config) CheckedFiles() map[string]*TrackFile {
	files := c.resolver().files
	checked := make(map[string]*TrackFile)
	if len(files) == 0 {
		return checked
	}
	for i := range c.Services {
		for k := range c.Services[i].RealServers {
			for _, check := range c.Services[i].RealServers[k].Checks {
				if p, ok := check.Params.(*FileParams); ok && files[p.TrackFile] != nil {
					checked[p.TrackFile] = files[p.TrackFile]
				}
			}
		}
	}
	return checked
}
