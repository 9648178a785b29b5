package config

import (
	"cmp"
	"slices"
)

// Resolve fills every value that a block left to global_defs or to a default.
// It is idempotent and complains about nothing: that is Validate's work. With a
// nil environment nothing is looked up.
func (c *Config) Resolve(env Environment) {
	g := &c.Global
	g.VRRPGarpLowerPrioDelay.inherit(g.VRRPGarpMasterDelay)
	g.VRRPGarpLowerPrioRepeat.inherit(g.VRRPGarpMasterRepeat)
	c.scriptUsers()
	c.alerts()
	for i := range c.Scripts {
		s := &c.Scripts[i]
		s.Timeout.inherit(s.Interval)
	}
	scripts := c.scriptsByName()
	for i := range c.Instances {
		c.Instances[i].resolve(g, scripts)
	}
	for i := range c.Groups {
		group := &c.Groups[i]
		resolveScriptWeights(group.TrackScript, scripts)
		c.Trackers.weights(group.TrackFile, group.TrackProcess, group.TrackBFD)
	}
	for i := range c.Instances {
		v := &c.Instances[i]
		c.Trackers.weights(v.TrackFile, v.TrackProcess, v.TrackBFD)
	}
	c.priorityNotifications()
	c.virtualLinks(env)
	for k := range c.Static.IPAddress {
		a := &c.Static.IPAddress[k]
		a.Dev = cmp.Or(a.Dev, g.DefaultInterface)
	}
	c.requires()
}

// priorityNotifications: an instance has what its sync group says, or else
// global_defs.
func (c *Config) priorityNotifications() {
	said := make(map[string]Opt[bool])
	for i := range c.Groups {
		g := &c.Groups[i]
		g.NotifyPriorityChanges.inherit(c.Global.FIFO.VRRPNotifyPriorityChanges)
		for _, member := range g.Members {
			said[member] = g.NotifyPriorityChanges
		}
	}
	for i := range c.Instances {
		v := &c.Instances[i]
		if g, member := said[v.Name]; member {
			v.NotifyPriorityChanges.inherit(g.Value)
		} else {
			v.NotifyPriorityChanges.inherit(c.Global.FIFO.VRRPNotifyPriorityChanges)
		}
	}
}

// weights gives the lines without a weight, and those that do not say whether it
// is reversed, what the object has.
func (t *Trackers) weights(files, processes, bfd []Track) {
	give := func(list []Track, name string, weight int, reverse bool) {
		for k := range list {
			if list[k].Name == name {
				list[k].Weight.inherit(weight)
				list[k].Reverse.inherit(reverse)
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

func (i *Instance) resolve(g *Global, scripts map[string]*TrackScript) {
	if i.IPv6() && !i.Version.Set {
		i.Version.Value = 3
	} else {
		i.Version.inherit(g.VRRPVersion)
	}
	if i.State.Set && i.State.Value == Master {
		i.Priority.inherit(Owner)
	} else {
		i.Priority.inherit(DefaultPriority)
	}
	if i.Priority.Value == Owner {
		i.State.inherit(Master)
	} else {
		i.State.inherit(Backup)
	}
	i.MaxAdvertInterval = g.VRRPMaxAdvertInterval
	if !i.GarpExtraIf.Set {
		i.GarpExtraIf.Value = g.VRRPGarpExtraIf
	}
	i.resolveDestination(g)
	i.CheckUnicastSrc.inherit(g.VRRPCheckUnicastSrc || slices.ContainsFunc(i.UnicastPeers, Peer.bounded))
	i.SkipCheckAdvAddr.inherit(g.VRRPSkipCheckAdvAddr)
	i.StrictMode.inherit(g.VRRPStrict)
	i.GarpExtraIf.inherit(g.VRRPGarpExtraIf)
	i.GarpMasterDelay.inherit(g.VRRPGarpMasterDelay)
	i.GarpMasterRepeat.inherit(g.VRRPGarpMasterRepeat)
	i.GarpMasterRefresh.inherit(g.VRRPGarpMasterRefresh)
	i.GarpMasterRefreshRepeat.inherit(g.VRRPGarpMasterRefreshRepeat)
	i.resolveStrict(g)
	i.resolveLowerPrio(g)
	for _, list := range [][]Address{i.VirtualIPAddress, i.VirtualIPAddressExcluded} {
		for k := range list {
			list[k].Dev = cmp.Or(list[k].Dev, i.Interface)
		}
	}
	resolveScriptWeights(i.TrackScript, scripts)
}

// resolveStrict: where vrrp_strict has other defaults.
func (i *Instance) resolveStrict(g *Global) {
	strict := i.StrictMode.Value
	i.DownTimerAdverts.inherit(g.VRRPDownTimerAdverts)
	owner := i.Priority.Value == Owner
	i.Accept.inherit(!strict || owner)
	i.OwnerIgnoreAdverts.inherit(owner && (strict || g.VRRPOwnerIgnoreAdverts))
	i.V3ChecksumAsV2.inherit(g.V3ChecksumAsV2)
}

// resolveDestination: where adverts go, and how far. Over IPv6 the hop limit of
// unicast adverts is the kernel's unless one is given.
func (i *Instance) resolveDestination(g *Global) {
	group := g.VRRPMcastGroup4
	if i.IPv6() {
		group = g.VRRPMcastGroup6
	} else {
		i.UnicastTTL.inherit(255)
	}
	if !i.McastDstIP.IsValid() {
		i.McastDstIP = group
	}
}

// resolveLowerPrio: vrrp_strict turns the answers to a lower priority off. What
// is not given is that of global_defs, whatever the instance says about its
// other announcements.
func (i *Instance) resolveLowerPrio(g *Global) {
	delay, repeat := g.VRRPGarpLowerPrioDelay.Value, g.VRRPGarpLowerPrioRepeat.Value
	strict := i.StrictMode.Value
	if strict {
		delay, repeat = 0, 0
	}
	i.GarpLowerPrioDelay.inherit(delay)
	i.GarpLowerPrioRepeat.inherit(repeat)
	i.LowerPrioNoAdvert.inherit(g.VRRPLowerPrioNoAdvert || strict)
	i.HigherPrioSendAdvert.inherit(g.VRRPHigherPrioSendAdvert && !strict)
}

func resolveScriptWeights(tracks []Track, scripts map[string]*TrackScript) {
	for k := range tracks {
		t := &tracks[k]
		if s := scripts[t.Name]; s != nil {
			t.Weight.inherit(s.Weight)
			t.Reverse.inherit(s.Reverse)
		}
	}
}

// scriptsByName are the vrrp_scripts; of several with one name the first.
func (c *Config) scriptsByName() map[string]*TrackScript {
	all := make(map[string]*TrackScript, len(c.Scripts))
	for k := range c.Scripts {
		if s := &c.Scripts[k]; all[s.Name] == nil {
			all[s.Name] = s
		}
	}
	return all
}
