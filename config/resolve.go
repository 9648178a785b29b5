package config

import (
	"cmp"
	"slices"
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
	i.MaxAdvertInterval = g.VRRPMaxAdvertInterval
	if !i.GarpExtraIf.Set {
		i.GarpExtraIf.Value = g.VRRPGarpExtraIf
	}
	i.resolveDestination(g)
	i.CheckUnicastSrc.inherit(g.VRRPCheckUnicastSrc || slices.ContainsFunc(i.UnicastPeers, Peer.bounded))
	i.SkipCheckAdvAddr.inherit(g.VRRPSkipCheckAdvAddr)
	i.StrictMode.inherit(g.VRRPStrict)
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
