package config

import (
	"cmp"
	"net/netip"
	"time"
)

// Resolve fills every value that a block left to global_defs or to a default.
// It is idempotent and complains about nothing: that is Validate's work.
func (c *Config) Resolve() {
	g := &c.Global
	g.VRRPGarpLowerPrioDelay.inherit(g.VRRPGarpMasterDelay)
	g.VRRPGarpLowerPrioRepeat.inherit(g.VRRPGarpMasterRepeat)
	c.scriptUsers()
	for i := range c.Scripts {
		s := &c.Scripts[i]
		s.Timeout.inherit(s.Interval)
	}
	for i := range c.Instances {
		c.Instances[i].resolve(g, c.Scripts)
	}
	for i := range c.Groups {
		group := &c.Groups[i]
		resolveScriptWeights(group.TrackScript, c.Scripts)
		c.Trackers.weights(group.TrackFile, group.TrackProcess, group.TrackBFD)
	}
	for i := range c.Instances {
		v := &c.Instances[i]
		c.Trackers.weights(v.TrackFile, v.TrackProcess, v.TrackBFD)
	}
	for k := range c.Static.IPAddress {
		a := &c.Static.IPAddress[k]
		a.Dev = cmp.Or(a.Dev, g.DefaultInterface)
	}
}

// weights gives the lines without a weight that of the object.
func (t *Trackers) weights(files, processes, bfd []Track) {
	give := func(list []Track, name string, weight int, reverse bool) {
		for k := range list {
			if list[k].Name == name && !list[k].Weight.Set {
				list[k].Weight.Value, list[k].Reverse = weight, reverse
			}
		}
	}
	for i := range t.Files {
		give(files, t.Files[i].Name, t.Files[i].weight(), t.Files[i].Reverse)
	}
	for i := range t.Processes {
		give(processes, t.Processes[i].Name, t.Processes[i].Weight.Value, t.Processes[i].Reverse)
	}
	for i := range t.BFD {
		give(bfd, t.BFD[i].Name, t.BFD[i].Weight, t.BFD[i].Reverse)
	}
}

func (i *Instance) resolve(g *Global, scripts []TrackScript) {
	if i.IPv6() && !i.Version.Set {
		i.Version.Value = 3
	} else {
		i.Version.inherit(g.VRRPVersion)
	}
	if i.State.Set && i.State.Value == Master {
		i.Priority.inherit(Owner)
	} else {
		i.Priority.inherit(100)
	}
	if i.Priority.Value == Owner {
		i.State.inherit(Master)
	} else {
		i.State.inherit(Backup)
	}
	if !i.McastDstIP.IsValid() && !i.IPv6() {
		i.McastDstIP = g.VRRPMcastGroup4
	}
	i.UnicastTTL.inherit(255)
	i.CheckUnicastSrc.inherit(g.VRRPCheckUnicastSrc)
	i.SkipCheckAdvAddr.inherit(g.VRRPSkipCheckAdvAddr)
	i.StrictMode.inherit(g.VRRPStrict)
	i.GarpMasterDelay.inherit(g.VRRPGarpMasterDelay)
	i.GarpMasterRepeat.inherit(g.VRRPGarpMasterRepeat)
	i.GarpMasterRefresh.inherit(g.VRRPGarpMasterRefresh)
	i.GarpMasterRefreshRepeat.inherit(g.VRRPGarpMasterRefreshRepeat)
	i.DownTimerAdverts.inherit(g.VRRPDownTimerAdverts)
	i.resolveLowerPrio(g)
	for _, list := range [][]Address{i.VirtualIPAddress, i.VirtualIPAddressExcluded} {
		for k := range list {
			list[k].Dev = cmp.Or(list[k].Dev, i.Interface)
		}
	}
	resolveScriptWeights(i.TrackScript, scripts)
}

// resolveLowerPrio: vrrp_strict turns the answers to a lower priority off.
func (i *Instance) resolveLowerPrio(g *Global) {
	delay, repeat := g.VRRPGarpLowerPrioDelay.Value, g.VRRPGarpLowerPrioRepeat.Value
	if !g.VRRPGarpLowerPrioDelay.Set {
		delay = i.GarpMasterDelay.Value
	}
	if !g.VRRPGarpLowerPrioRepeat.Set {
		repeat = i.GarpMasterRepeat.Value
	}
	strict := i.StrictMode.Value
	if strict {
		delay, repeat = 0, 0
	}
	i.GarpLowerPrioDelay.inherit(delay)
	i.GarpLowerPrioRepeat.inherit(repeat)
	i.LowerPrioNoAdvert.inherit(g.VRRPLowerPrioNoAdvert || strict)
	i.HigherPrioSendAdvert.inherit(g.VRRPHigherPrioSendAdvert && !strict)
}

func resolveScriptWeights(tracks []Track, scripts []TrackScript) {
	for k := range tracks {
		t := &tracks[k]
		if t.Weight.Set {
			continue
		}
		for s := range scripts {
			if scripts[s].Name == t.Name {
				t.Weight.Value, t.Reverse = scripts[s].Weight, scripts[s].Reverse
				break
			}
		}
	}
}

// Defaults of a check when neither it nor its servers say anything. The
// retries and their delay are those of TCP_CHECK.
var defaultTiming = Timing{
	DelayLoop:        Opt[time.Duration]{Value: 60 * time.Second},
	Retry:            Opt[int]{Value: 1},
	DelayBeforeRetry: Opt[time.Duration]{Value: time.Second},
	ConnectTimeout:   Opt[time.Duration]{Value: 5 * time.Second},
}

// Key is the identity of the service that the block belongs to.
func (v *VirtualServer) Key() ServiceKey {
	if v.FWMark != 0 {
		return ServiceKey{FWMark: v.FWMark}
	}
	proto := v.Protocol.Value
	if !v.Protocol.Set {
		proto = UDP
	}
	return ServiceKey{Addr: v.Addr, Protocol: proto}
}

// KernelServices are the services as they run: blocks of the same key become
// one service with all their real servers, each with the forwarding method of
// its own block. The first block gives the scheduler, its flags and the
// persistence; of the same real server in two blocks the first counts.
func (c *Config) KernelServices() []Service {
	var all []Service
	index := make(map[ServiceKey]int, len(c.Services))
	for i := range c.Services {
		v := &c.Services[i]
		key := v.Key()
		at, seen := index[key]
		if !seen {
			at = len(all)
			index[key] = at
			all = append(all, Service{
				Origin: v.Origin, Key: key, Scheduler: cmp.Or(v.LBAlgo.Value, "wlc"), SchedFlags: v.SchedFlags,
				PersistenceTimeout: v.PersistenceTimeout, PersistenceMask: v.PersistenceGranularity, OPS: v.OPS,
			})
		}
		all[at].merge(v, c.Global.CheckerLogAllFailures)
	}
	return all
}

func (s *Service) merge(v *VirtualServer, logAll bool) {
	have := make(map[netip.AddrPort]bool, len(s.Servers)+len(v.RealServers))
	for i := range s.Servers {
		have[s.Servers[i].Addr] = true
	}
	for i := range v.RealServers {
		server := v.server(&v.RealServers[i], logAll)
		if !have[server.Addr] {
			have[server.Addr] = true
			s.Servers = append(s.Servers, server)
		}
	}
}

func (v *VirtualServer) server(r *RealServer, logAll bool) Server {
	r2 := *r
	r2.Weight.inherit(v.Weight)
	r2.LVSMethod.inherit(cmp.Or(v.LBKind.Value, NAT))
	r2.InhibitOnFailure.inherit(v.InhibitOnFailure)
	s := Server{
		Origin: r.Origin, Addr: r.Addr, Weight: r2.Weight.Value, Method: r2.LVSMethod.Value,
		InhibitOnFailure: r2.InhibitOnFailure.Value, UThreshold: r.UThreshold, LThreshold: r.LThreshold,
		NotifyUp: r.NotifyUp, NotifyDown: r.NotifyDown,
	}
	if port := v.Addr.Port(); s.Addr.Port() == 0 || s.Method != NAT {
		s.Addr = netip.AddrPortFrom(s.Addr.Addr(), port)
	}
	defaults := defaultTiming
	defaults.Alpha.Value = v.Alpha
	if r.Alpha.Set {
		defaults.Alpha.Value = r.Alpha.Value
	}
	defaults.LogAllFailures.Value = logAll
	for _, check := range r.Checks {
		check.Timing = check.Timing.over(r.Timing).over(v.Timing).over(defaults)
		if !check.Timing.Warmup.Set {
			check.Timing.Warmup.Value = check.Timing.DelayLoop.Value
		}
		if !check.ConnectIP.IsValid() {
			check.ConnectIP = s.Addr.Addr()
		}
		check.ConnectPort = cmp.Or(check.ConnectPort, s.Addr.Port())
		s.Checks = append(s.Checks, check)
	}
	return s
}
