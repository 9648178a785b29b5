package config

import "slices"

// requires finds the links that instances cannot be MASTER without: those of
// their addresses, routes and rules, and of what is static and names a
// track_group that they are in. What has no_track, and a next hop of several,
// does not count; the instance's own interface is a matter of
// dont_track_primary.
func (c *Config) requires() {
	static := make(map[string][]Track) // by track_group
	for _, a := range c.Static.IPAddress {
		static[a.TrackGroup] = append(static[a.TrackGroup], needs(a.Origin, a.NoTrack, a.Dev)...)
	}
	for k := range c.Static.Routes {
		r := &c.Static.Routes[k]
		static[r.TrackGroup] = append(static[r.TrackGroup], needs(r.Origin, r.NoTrack, r.Dev)...)
	}
	for k := range c.Static.Rules {
		r := &c.Static.Rules[k]
		static[r.TrackGroup] = append(static[r.TrackGroup], needs(r.Origin, r.NoTrack, r.IIF, r.OIF)...)
	}
	member := make(map[string][]Track)
	for _, g := range c.Static.TrackGroups {
		for _, name := range g.Members {
			member[name] = append(member[name], static[g.Name]...)
		}
	}
	for k := range c.Instances {
		i := &c.Instances[k]
		i.Requires = nil
		for _, t := range append(i.needs(), member[i.Name]...) {
			known := func(o Track) bool { return o.Name == t.Name }
			if t.Name != i.Interface && t.Name != i.Device() && !slices.ContainsFunc(i.Requires, known) {
				i.Requires = append(i.Requires, t)
			}
		}
	}
}

// needs are the links of what the instance holds while it is MASTER.
func (i *Instance) needs() (all []Track) {
	for _, list := range [][]Address{i.VirtualIPAddress, i.VirtualIPAddressExcluded} {
		for k := range list {
			all = append(all, needs(list[k].Origin, list[k].NoTrack, list[k].Dev)...)
		}
	}
	for k := range i.VirtualRoutes {
		r := &i.VirtualRoutes[k]
		all = append(all, needs(r.Origin, r.NoTrack, r.Dev)...)
	}
	for k := range i.VirtualRules {
		r := &i.VirtualRules[k]
		all = append(all, needs(r.Origin, r.NoTrack, r.IIF, r.OIF)...)
	}
	return all
}

func needs(at Origin, noTrack bool, links ...string) (all []Track) {
	for _, link := range links {
		if link != "" && !noTrack {
			all = append(all, Track{Origin: at, Name: link})
		}
	}
	return all
}
