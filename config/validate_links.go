package config

import (
	"cmp"
	"fmt"
	"slices"
)

// lookup asks the machine once for each interface. Those that are made because
// of this configuration need not be there yet.
func (v *validator) lookup() func(name string) bool {
	known := map[string]bool{"": true}
	for k := range v.c.Instances {
		i := &v.c.Instances[k]
		name := ""
		switch {
		case i.VMAC != nil:
			name = i.VMAC.Name
		case i.IPVLAN != nil:
			name = i.IPVLAN.Name
		default:
			continue
		}
		known[cmp.Or(name, fmt.Sprintf("%s.%d", v.c.Global.VMACPrefix, i.VirtualRouterID))] = true
	}
	return func(name string) bool {
		if _, ok := known[name]; !ok {
			known[name] = v.env.HasInterface(name)
		}
		return known[name]
	}
}

// linkLines drops what is said about interfaces that are not there, whether
// dynamic_interfaces is set or not.
func (v *validator) linkLines() {
	if v.env == nil {
		return
	}
	exists := v.lookup()
	l := &v.c.Links
	l.Linkbeat = slices.DeleteFunc(l.Linkbeat, func(b Linkbeat) bool {
		return v.absent(exists, b.Link, "unknown interface %s specified for linkbeat interface")
	})
	l.Delays = slices.DeleteFunc(l.Delays, func(d UpDownDelay) bool {
		return v.absent(exists, d.Link, "unknown interface %s specified for up/down delay")
	})
}

// delays: those that are too long for an instance are cut, see
// [Config.LinkDelays].
func (v *validator) delays() {
	for _, d := range v.c.Links.Delays {
		for k := range v.c.Instances {
			i := &v.c.Instances[k]
			adverts := v.c.Global.VRRPDownTimerAdverts
			if i.DownTimerAdverts.Set {
				adverts = i.DownTimerAdverts.Value
			}
			if i.Interface == d.Name && max(d.Down, d.Up) > i.longestDelay(adverts) {
				v.add(d.Origin, ClassNone, "debounce", "%s: interface %s debounce timer(s) not less that %d * advert_int - resetting", i.Name, d.Name, adverts-1)
			}
		}
	}
}

func (v *validator) absent(exists func(string) bool, l Link, says string) bool {
	if exists(l.Name) {
		return false
	}
	v.add(l.Origin, ClassFatal, "unknown-interface", says, l.Name).Hint = v.nearLink(l.Name)
	return true
}

// staticLinks looks up the interfaces of everything outside of instances.
func (v *validator) staticLinks(exists func(string) bool) {
	s := &v.c.Static
	for _, g := range v.c.Links.GarpGroups {
		for _, l := range g.Interfaces {
			if !exists(l.Name) {
				v.add(l.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s specified for garp_group doesn't exist", l.Name).Hint = v.nearLink(l.Name)
			}
		}
	}
	for _, a := range s.IPAddress {
		switch {
		case a.Dev == "" && !exists(v.c.Global.DefaultInterface):
			v.add(a.Origin, ClassFatal, "unknown-interface", "Static address %s requires either an interface or default interface must exist", a.Prefix)
		case !exists(a.Dev):
			v.add(a.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for ip address %s doesn't exist", a.Dev, a.Prefix).Hint = v.nearLink(a.Dev)
		}
	}
	v.routeLinks(exists, s.Routes)
	v.ruleLinks(exists, s.Rules)
}

func (v *validator) routeLinks(exists func(string) bool, routes []Route) {
	for k := range routes {
		r := &routes[k]
		if !exists(r.Dev) {
			v.add(r.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for VROUTE nexthop doesn't exist", r.Dev).Hint = v.nearLink(r.Dev)
		}
		if !exists(r.VRF) {
			v.add(r.Origin, ClassGeneral, "unknown-interface", "VRF %s not found for route", r.VRF).Hint = v.nearLink(r.VRF)
		}
		for _, n := range r.NextHops {
			if !exists(n.Dev) {
				v.add(n.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for VROUTE nexthop doesn't exist", n.Dev).Hint = v.nearLink(n.Dev)
			}
		}
	}
}

func (v *validator) ruleLinks(exists func(string) bool, rules []Rule) {
	for k := range rules {
		for _, name := range []string{rules[k].IIF, rules[k].OIF} {
			if !exists(name) {
				v.add(rules[k].Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for rule doesn't exist", name).Hint = v.nearLink(name)
			}
		}
	}
}

// vmac settles what contradicts itself about macvlan and ipvlan.
func (v *validator) vmac(i *Instance) {
	if v.env != nil && i.VMAC != nil && i.VMAC.Name != "" && v.env.HasInterface(i.VMAC.Name) && !v.env.PrivateMacvlan(i.VMAC.Name) {
		v.add(i.VMAC.Origin, ClassGeneral, "vmac", "(%s) interface %s already exists and is not a private macvlan; ignoring vmac if_name", i.Name, i.VMAC.Name).Late = false
		i.VMAC.Name = ""
	}
	if i.VMACXmitBase && i.VMAC == nil {
		v.fixed(i.Origin, "vmac", "(%s) vmac_xmit_base is only valid with a vmac", i.Name)
		i.VMACXmitBase = false
	}
	if i.PromoteSecondaries && i.VMAC != nil {
		v.fixed(i.Origin, "vmac", "(%s) promote_secondaries is automatically set for vmacs - ignoring", i.Name)
		i.PromoteSecondaries = false
	}
	if i.IPVLAN != nil && !i.IPv6() && !i.IPVLAN.Prefix.Addr().Is4() {
		v.fixed(i.Origin, "ipvlan", "(%s) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state", i.Name)
		i.Unable = "ipvlan without an IPv4 address"
	}
	if i.VRF != "" && i.Interface != "" {
		v.fixed(i.Origin, "vrf", "(%s) vrf can only be specified without interface - clearing", i.Name)
		i.VRF = ""
	}
	i.eachAddress(func(a *Address) {
		if i.UseVMACAddr && a.UseVMAC {
			v.fixed(i.Origin, "vmac", "(%s) use_vmac_addr specified and use_vmac specified for VIP/eVIP %s", i.Name, a.Prefix.Addr())
		}
	})
}

// syncDaemon makes lvs_sync_daemon of the first interface that an instance
// names for it, unless there is one. Its id is 0, not the virtual router's.
func (v *validator) syncDaemon(i *Instance) {
	name, global := i.LVSSyncDaemonInterface, &v.c.Global.LVSSyncDaemon
	i.LVSSyncDaemonInterface = ""
	switch {
	case name == "":
	case *global != nil:
		v.add(i.LVSSyncDaemonOrigin, ClassGeneral, "duplicate", "(%s) lvs_sync_daemon_interface has already been specified as %s - ignoring", i.Name, (*global).Interface)
	default:
		*global = &SyncDaemon{Origin: i.LVSSyncDaemonOrigin, Interface: name, Inst: i.Name, ID: Some[uint8](0)}
	}
}
