package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// sharedSegment: adverts are told apart by their number only. Two interfaces
// on one network hear each other's.
func (l *linter) sharedSegment() {
	type key struct {
		vrid    uint8
		ipv6    bool
		network netip.Prefix
	}
	first := map[key]*Instance{}
	for k := range l.c.Instances {
		i := &l.c.Instances[k]
		if i.Unicast() || i.VRF != "" || i.Interface == "" {
			continue
		}
		said := false
		for _, network := range l.networks(i) {
			at := key{i.VirtualRouterID, i.IPv6(), network}
			other, taken := first[at]
			switch {
			case !taken:
				first[at] = i
			case other.McastDstIP == i.McastDstIP && !said:
				said = true
				l.warn(i.Origin, "vrid-on-segment", "%s on %s and %s on %s both use VRID %d, and both interfaces are on %s: each hears the adverts of the other",
					other.Name, other.Interface, i.Name, i.Interface, i.VirtualRouterID, network)
			}
		}
	}
}

// networks are those that the interface of an instance is on, as its addresses
// and the machine say.
func (l *linter) networks(i *Instance) (all []netip.Prefix) {
	add := func(p netip.Prefix) {
		if !isHost(p) && p.Addr().Is6() == i.IPv6() && !p.Addr().IsLinkLocalUnicast() && p.Bits() > 0 && !slices.Contains(all, p.Masked()) {
			all = append(all, p.Masked())
		}
	}
	for _, a := range i.VirtualIPAddress {
		if a.Dev == i.Interface && !a.Peer.IsValid() {
			add(a.Prefix)
		}
	}
	for _, s := range l.byLink[i.Interface] {
		add(s.Prefix)
	}
	return all
}

// silentAddresses: by the letter of the RFC only the owner of an address
// answers at it, RFC 9568 section 6.4.3. Strict mode has it so.
func (l *linter) silentAddresses() {
	var order []Origin
	names := map[Origin][]string{}
	for k := range l.c.Instances {
		i := &l.c.Instances[k]
		if !i.StrictMode.Value || i.owner() || len(i.VirtualIPAddress) == 0 || i.Version.Value == 3 && i.Accept.Set && i.Accept.Value {
			continue
		}
		at := l.c.Global.StrictOrigin
		if i.StrictMode.Set || at.Line == 0 {
			at = i.StrictOrigin
		}
		if names[at] == nil {
			order = append(order, at)
		}
		names[at] = append(names[at], i.Name)
	}
	for _, at := range order {
		l.warn(at, "silent-addresses", "strict mode: the addresses of %s answer nobody, no ping and no service, unless the router is their owner with priority %d", some(names[at]), Owner)
	}
}

// some are the first few of a list of names.
func some(names []string) string {
	const few = 3
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}

// otherPrefix: an address with another prefix length than its interface brings
// a second route to the same network. One of a host brings none.
func (l *linter) otherPrefix() {
	own := map[netip.Addr]bool{} // a MASTER has its virtual addresses already
	for k := range l.c.Instances {
		for _, a := range l.c.Instances[k].Addresses() {
			own[a.Prefix.Addr()] = true
		}
	}
	for k := range l.c.Instances {
		i := &l.c.Instances[k]
		for _, a := range i.Addresses() {
			if isHost(a.Prefix) || a.Peer.IsValid() || a.Prefix.Addr().IsLinkLocalUnicast() {
				continue
			}
			if s, differs := differing(l.byLink[a.Dev], own, a); differs {
				l.warn(a.Origin, "vip-prefix", "(%s) %s has another prefix length than the address %s of interface %s: while MASTER, %s leads to the interface by a second route",
					i.Name, a.Prefix, s.Prefix, s.Link, a.Prefix.Masked())
			}
		}
	}
}

// differing is an address of the same interface and network with another
// prefix length, when there is none with the same.
func differing(link []Subnet, own map[netip.Addr]bool, a Address) (found Subnet, differs bool) {
	for _, s := range link {
		if own[s.Prefix.Addr()] || isHost(s.Prefix) || !s.Prefix.Overlaps(a.Prefix) {
			continue
		}
		if s.Prefix.Bits() == a.Prefix.Bits() {
			return Subnet{}, false
		}
		found, differs = s, true
	}
	return found, differs
}

// unequalTracking: what one member tracks moves the whole group, so that the
// list of one member is that of all. The interfaces of the members are tracked
// by each of them anyway.
func (l *linter) unequalTracking() {
	byName := make(map[string]*Instance, len(l.c.Instances))
	for k := range l.c.Instances {
		byName[l.c.Instances[k].Name] = &l.c.Instances[k]
	}
	for k := range l.c.Groups {
		g := &l.c.Groups[k]
		var members []*Instance
		links := map[string]bool{}
		for _, name := range g.Members {
			if i := byName[name]; i != nil {
				members = append(members, i)
				links[i.Interface] = true
			}
		}
		if a, b, what := unequal(members, links, g); what != "" {
			l.warn(g.Origin, "unequal-tracking", "(%s) %s tracks %s and %s does not, but members change state together: track it on the group", g.Name, a, what, b)
		}
	}
}

// unequal are two members, and what only the first of them tracks; nothing when
// all track the same.
func unequal(members []*Instance, links map[string]bool, g *SyncGroup) (has, lacks, what string) {
	lacking := func(all, of []string) string {
		for _, thing := range all {
			if !slices.Contains(of, thing) {
				return thing
			}
		}
		return ""
	}
	for k := 1; k < len(members); k++ {
		one, other := tracking(members[0], links, g), tracking(members[k], links, g)
		if thing := lacking(one, other); thing != "" {
			return members[0].Name, members[k].Name, thing
		}
		if thing := lacking(other, one); thing != "" {
			return members[k].Name, members[0].Name, thing
		}
	}
	return "", "", ""
}

// tracking are the names of what an instance tracks and its group does not, with
// their weights.
func tracking(i *Instance, links map[string]bool, g *SyncGroup) (all []string) {
	add := func(kind string, list, group []Track) {
		for _, t := range list {
			switch {
			case kind == "interface" && links[t.Name]:
			case slices.ContainsFunc(group, func(all Track) bool { return all.Name == t.Name }): // is said elsewhere
			case t.Weight.Value == 0:
				all = append(all, kind+" "+t.Name)
			default:
				all = append(all, fmt.Sprintf("%s %s with weight %d", kind, t.Name, t.Weight.Value))
			}
		}
	}
	add("interface", i.TrackInterface, g.TrackInterface)
	add("script", i.TrackScript, g.TrackScript)
	add("file", i.TrackFile, g.TrackFile)
	add("process", i.TrackProcess, g.TrackProcess)
	add("bfd", i.TrackBFD, g.TrackBFD)
	return all
}
