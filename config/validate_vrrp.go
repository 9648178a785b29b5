package config

import (
	"maps"
	"slices"
	"time"
)

// segment is what two virtual routers of the same number must differ in.
type segment struct {
	vrid uint8
	ipv6 bool
	link string
	dst  Addr
}

// instances checks every vrrp_instance. One that cannot run is left out.
func (v *validator) instances() {
	users := make(map[segment]string, len(v.c.Instances))
	v.c.Instances = slices.DeleteFunc(v.c.Instances, func(i Instance) bool { return !v.viable(&i, users) })
	v.sharedPeers()
	for k := range v.c.Instances {
		i := &v.c.Instances[k]
		v.version(i)
		v.strictState(i)
		v.authHMAC(i)
		v.authentication(i)
		v.source(i)
		v.strictAddresses(i)
		v.capacity(i)
		v.initialState(i)
		v.preemption(i)
		v.waiting(i)
		v.strictValues(i)
		v.advertInt(i)
		v.strict(i)
		v.vmac(i)
		v.syncDaemon(i)
		i.TrackScript = v.tracked(i.Name, i.TrackScript)
		v.trackers(i.Name, &i.TrackFile, &i.TrackProcess, &i.TrackBFD)
		i.TrackInterface = slices.DeleteFunc(i.TrackInterface, func(t Track) bool {
			if t.Name != i.Interface {
				return false
			}
			v.fixed(t.Origin, "own-interface", "(%s) Ignoring track_interface %s since own interface", i.Name, t.Name)
			return true
		})
	}
}

// viable reports what keepalived exits for.
func (v *validator) viable(i *Instance, users map[segment]string) bool {
	switch {
	case i.VirtualRouterID == 0:
		v.fatal(i.Origin, "missing-vrid", "(%s) the virtual router id must be set", i.Name)
		return false
	case i.Interface == "" && (!i.Unicast() || !i.UnicastSrcIP.IsValid()):
		v.fatal(i.Origin, "missing-interface", "(%s) Unknown interface!", i.Name)
		return false
	}
	s := segment{i.VirtualRouterID, i.IPv6(), v.wire(i.Interface), i.McastDstIP}
	if other, taken := users[s]; taken && !i.Unicast() {
		family := 4
		if s.ipv6 {
			family = 6
		}
		v.fatal(i.Origin, "duplicate-vrid", "%s and %s both use VRID %d with IPv%d on interface %s", other, i.Name, s.vrid, family, s.link)
		return false
	}
	if !i.Unicast() {
		users[s] = i.Name
	}
	return true
}

// wire is the interface that adverts leave through, unless the one that is
// configured may be made anew on another.
func (v *validator) wire(link string) string {
	if v.env == nil || v.c.Global.AllowIfChanges {
		return link
	}
	return v.env.Beneath(link)
}

// sharedPeers: unicast adverts of one number are told apart by who sends them,
// so that two instances of an interface cannot have a peer in common.
func (v *validator) sharedPeers() {
	users := map[segment][]*Instance{}
	twice := map[string]bool{}
	for k := range v.c.Instances {
		i := &v.c.Instances[k]
		if !i.Unicast() {
			continue
		}
		s := segment{vrid: i.VirtualRouterID, ipv6: i.IPv6(), link: i.Interface}
		if i.Interface == "" {
			s.dst = i.UnicastSrcIP
		}
		for _, other := range users[s] {
			if i.sharesPeer(other) {
				v.fatal(i.Origin, "duplicate-vrid", "(%s) duplicate VRID conflict with %s VRID %d", other.Name, i.Name, s.vrid)
				twice[i.Name] = true
				break
			}
		}
		if !twice[i.Name] {
			users[s] = append(users[s], i)
		}
	}
	v.c.Instances = slices.DeleteFunc(v.c.Instances, func(i Instance) bool { return twice[i.Name] })
}

func (i *Instance) sharesPeer(other *Instance) bool {
	return slices.ContainsFunc(i.UnicastPeers, func(p Peer) bool {
		return slices.ContainsFunc(other.UnicastPeers, func(o Peer) bool { return o.Addr == p.Addr })
	})
}

// version settles the protocol: IPv6 has version 2 only when it is asked for,
// and then against the RFCs.
func (v *validator) version(i *Instance) {
	if i.IPv6() && i.Version.Set && i.Version.Value == 2 && v.isStrict(i) {
		v.fixed(i.Origin, "version", "(%s) cannot use IPv6 with VRRP version 2; setting version 3", i.Name)
		i.Version = Opt[uint8]{}
	}
	switch {
	case len(i.VirtualIPAddress) > 0 || i.NoVirtualIPAddress:
	case v.versionOf(i) == 3:
		v.fatal(i.Origin, "no-address", "(%s) No VIP specified; at least one is required", i.Name)
	default:
		v.fixed(i.Origin, "no-address", "(%s) No VIP specified; at least one is sensible", i.Name)
	}
}

func (v *validator) versionOf(i *Instance) uint8 {
	switch {
	case i.Version.Set:
		return i.Version.Value
	case i.IPv6():
		return 3
	}
	return v.c.Global.VRRPVersion
}

// source: a unicast source without peers is a multicast source, unless that is
// a reason to be in FAULT.
func (v *validator) source(i *Instance) {
	switch {
	case i.Unicast():
		return
	case i.UnicastFaultNoPeer:
		v.add(i.Origin, ClassNone, "unicast-without-peers", "(%s) Cannot use unicast without any peers - going to fault state", i.Name)
		i.Unable = "unicast without any peers"
		return
	case !i.UnicastSrcIP.IsValid() && !i.UnicastTTL.Set && !i.CheckUnicastSrc.Set && i.UnicastPeers == nil && i.OldUnicastChecksum == ChecksumAuto:
		return
	}
	v.add(i.Origin, ClassDeprecated, "unicast-without-peers",
		"(%s) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.", i.Name)
	if i.UnicastSrcIP.IsValid() {
		i.McastSrcIP, i.UnicastSrcIP = i.UnicastSrcIP, Addr{}
	}
	i.UnicastPeers, i.UnicastTTL, i.CheckUnicastSrc = nil, Opt[uint8]{}, Opt[bool]{}
}

// initialState: with authentication headers an instance must hear first which
// numbers have been used.
func (v *validator) initialState(i *Instance) {
	if i.Authentication.Type == AuthAH && i.State.Set && i.State.Value == Master && i.Priority.Set && i.Priority.Value != Owner {
		v.fixed(i.Origin, "initial-state", "(%s) Initial state master is incompatible with AH authentication - clearing", i.Name)
		i.State = Some(Backup)
	}
}

// preemption drops what contradicts the initial state and itself.
func (v *validator) preemption(i *Instance) {
	master := i.State.Set && i.State.Value == Master
	owner := i.owner()
	switch {
	case i.NoPreempt && owner:
		v.fixed(i.Origin, "nopreempt", "(%s) nopreempt is incompatible with priority %d. resetting nopreempt", i.Name, Owner)
		i.NoPreempt = false
	case i.NoPreempt && master:
		v.fixed(i.Origin, "nopreempt", "(%s) Warning - nopreempt will not work with initial state MASTER - clearing", i.Name)
		i.NoPreempt = false
	}
	if i.PreemptDelay == 0 {
		return
	}
	for _, bad := range []struct {
		it   bool
		says string
	}{
		{v.isStrict(i), "(%s) preempt_delay is incompatible with strict mode - resetting"},
		{i.NoPreempt, "(%s) preempt_delay is incompatible with nopreempt mode - resetting"},
		{master || owner, "(%s) Warning - preempt delay will not work with initial state MASTER - clearing"},
	} {
		if bad.it {
			v.fixed(i.Origin, "preempt-delay", bad.says, i.Name)
			i.PreemptDelay = 0
		}
	}
}

// advertInt rounds to what the wire carries: whole seconds, RFC 3768 section
// 5.3.7, or twelve bits of hundredths, RFC 9568 section 5.2.7.
func (v *validator) advertInt(i *Instance) {
	const most = 40950 * time.Millisecond
	unit := time.Second
	if v.versionOf(i) == 3 {
		unit = 10 * time.Millisecond
	}
	d := max(i.AdvertInt.Round(unit), unit)
	switch {
	case unit != time.Second && d > most:
		v.fixed(i.Origin, "advert-int", "(%s) VRRPv3 advertisement interval %.2fs is out of range. Must be less than %.2fs. Setting to %.2fs",
			i.Name, i.AdvertInt.Seconds(), (most + unit).Seconds(), most.Seconds())
		d = most
	case d == i.AdvertInt:
	case unit == time.Second:
		v.fixed(i.Origin, "advert-int", "(%s) VRRPv2 advertisement interval %fs must be an integer. rounding", i.Name, i.AdvertInt.Seconds())
	default:
		v.fixed(i.Origin, "advert-int", "(%s) VRRPv3 advertisement interval %fs must be in units of 10ms - rounding", i.Name, i.AdvertInt.Seconds())
	}
	i.AdvertInt = d
}

func (v *validator) authentication(i *Instance) {
	a := &i.Authentication
	switch {
	case a.Type == AuthNone:
		a.Pass = ""
		return
	case v.versionOf(i) == 3:
		v.fixed(i.Origin, "authentication", "(%s) VRRP version 3 does not support authentication. Ignoring.", i.Name)
	case v.isStrict(i):
		v.fixed(i.Origin, "authentication", "(%s) Strict mode does not support authentication. Ignoring.", i.Name)
	case a.Pass == "":
		v.fixed(i.Origin, "authentication", "(%s) Authentication specified but no password given. Ignoring", i.Name)
	case a.Type == AuthAH && i.IPv6():
		v.fixed(i.Origin, "authentication", "(%s) Cannot use AH authentication with IPv6. ignoring", i.Name)
	default:
		return
	}
	*a = Authentication{}
}

func (v *validator) strict(i *Instance) {
	if v.isStrict(i) && i.Unicast() {
		v.fatal(i.Origin, "strict", "(%s) Unicast peers are not supported in strict mode", i.Name)
	}
}

// groups settles who belongs to which sync group. One without members is left
// out.
func (v *validator) groups() {
	known, member := make(map[string]bool, len(v.c.Instances)), map[string]*SyncGroup{}
	for k := range v.c.Instances {
		known[v.c.Instances[k].Name] = true
	}
	for k := range v.c.Groups {
		g := &v.c.Groups[k]
		g.TrackScript = v.tracked(g.Name, g.TrackScript)
		v.trackers(g.Name, &g.TrackFile, &g.TrackProcess, &g.TrackBFD)
		if len(g.Members) == 0 {
			v.fixed(g.Origin, "empty-group", "Sync group %s has no virtual router(s). removing", g.Name)
			continue
		}
		at := -1
		g.Members = slices.DeleteFunc(g.Members, func(name string) bool {
			at++
			return !v.joins(name, g.memberOrigin(at), g, known, member)
		})
		g.MemberOrigins = nil
		switch len(g.Members) {
		case 0:
			v.fixed(g.Origin, "empty-group", "Sync group %s, no matching virtual router found in group declaration - removing", g.Name)
		case 1:
			v.fixed(g.Origin, "lonely-member", "Sync group %s has only 1 virtual router(s) - this probably isn't what you want", g.Name)
		}
	}
	v.c.Groups = slices.DeleteFunc(v.c.Groups, func(g SyncGroup) bool { return len(g.Members) == 0 })
	for k := range v.c.Instances {
		i := &v.c.Instances[k]
		if g := member[i.Name]; g != nil {
			v.memberTracking(i, g)
		}
		if i.owner() {
			v.ownerWeights(i)
		}
	}
	for k := range v.c.Groups {
		v.ownersGroup(&v.c.Groups[k])
	}
}

// memberOrigin is where a member is named, or else the block.
func (g *SyncGroup) memberOrigin(at int) Origin {
	if at < len(g.MemberOrigins) {
		return g.MemberOrigins[at]
	}
	return g.Origin
}

func (v *validator) joins(name string, at Origin, g *SyncGroup, known map[string]bool, member map[string]*SyncGroup) bool {
	switch {
	case !known[name]:
		v.add(at, ClassGeneral, "unknown-instance", "Virtual router %s specified in sync group %s doesn't exist - ignoring", name, g.Name).Hint =
			DidYouMean(name, slices.Collect(maps.Keys(known)))
	case member[name] != nil:
		v.add(at, ClassGeneral, "two-groups", "Virtual router %s cannot exist in more than one sync group; ignoring %s", name, g.Name)
	default:
		group := *g
		member[name] = &group
		return true
	}
	return false
}

// memberTracking: the members of a group change state together, so a weight
// that moves one of them has no meaning unless it was asked for. Of what both
// track the group's line counts, unless the member's has weight 0; of BFD
// sessions both.
func (v *validator) memberTracking(i *Instance, g *SyncGroup) {
	has := func(tracks []Track, name string) bool {
		return slices.ContainsFunc(tracks, func(t Track) bool { return t.Name == name })
	}
	i.TrackInterface = slices.DeleteFunc(i.TrackInterface, func(t Track) bool {
		switch {
		case has(g.TrackInterface, t.Name):
			v.fixed(t.Origin, "tracked-twice", "(%s) track_interface %s is configured on VRRP instance and sync group. Remove vrrp instance or sync group config", i.Name, t.Name)
			return t.Weight.Value != 0
		case t.Weight.Value != 0 && !g.SyncGroupTrackingWeight:
			v.fixed(t.Origin, "weight-in-group", "(%s) ignoring %s tracked interface weight due to SYNC group", i.Name, t.Name)
		default:
			return false
		}
		return true
	})
	if !g.SyncGroupTrackingWeight {
		v.clearWeights(i, "weight-in-group", "SYNC group")
	}
	i.TrackScript = slices.DeleteFunc(i.TrackScript, func(t Track) bool {
		switch {
		case has(g.TrackScript, t.Name):
			v.fixed(t.Origin, "tracked-twice", "(%s) track_script %s is configured on VRRP instance and sync group. Remove vrrp instance config", i.Name, t.Name)
			return v.weight(t) != 0
		case v.weight(t) != 0 && !g.SyncGroupTrackingWeight:
			v.fixed(t.Origin, "weight-in-group", "(%s) ignoring tracked script %s with weights due to SYNC group", i.Name, t.Name)
		default:
			return false
		}
		return true
	})
	for _, l := range []struct {
		kind      string
		own, both []Track
	}{{"file", i.TrackFile, g.TrackFile}, {"process", i.TrackProcess, g.TrackProcess}, {"bfd", i.TrackBFD, g.TrackBFD}} {
		for _, t := range l.own {
			if has(l.both, t.Name) {
				v.fixed(t.Origin, "tracked-twice", "(%s) track_%s %s is configured on VRRP instance and sync group. Remove vrrp instance config", i.Name, l.kind, t.Name)
			}
		}
	}
}

// weight is that of the line, or else that of the script.
func (v *validator) weight(t Track) int {
	if t.Weight.Set {
		return t.Weight.Value
	}
	if s := v.runs[t.Name]; s != nil {
		return s.Weight
	}
	return 0
}
