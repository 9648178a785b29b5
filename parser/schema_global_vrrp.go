package parser

import (
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// globalVRRPRows are the defaults of all instances.
func globalVRRPRows() rows[config.Global] {
	type global = config.Global
	delay, count := wholeSeconds(0, 4294), count(0, maxInt)
	startup := seconds(time.Millisecond, longest)
	return rows[global]{
		"vrrp_version":      set(num[uint8](2, 3), func(g *global) *uint8 { return &g.VRRPVersion }).or("VRRP Error: Version must be either 2 or 3"),
		"vrrp_mcast_group6": {apply: multicastGroup(netip.Addr.Is6, func(g *global) *netip.Addr { return &g.VRRPMcastGroup6 })},
		"vrrp_mcast_group4": {apply: multicastGroup(netip.Addr.Is4, func(g *global) *netip.Addr { return &g.VRRPMcastGroup4 })},
		"vrrp_garp_master_delay": set(delay, func(g *global) *time.Duration { return &g.VRRPGarpMasterDelay }).
			or("vrrp_garp_master_delay '%V' invalid - ignoring"),
		"vrrp_garp_master_repeat": repeat(func(g *global) *int { return &g.VRRPGarpMasterRepeat }).
			or("vrrp_garp_master_repeat '%V' invalid - ignoring"),
		"vrrp_garp_master_refresh": set(delay, func(g *global) *time.Duration { return &g.VRRPGarpMasterRefresh }).
			or("Invalid vrrp_garp_master_refresh '%V' - ignoring"),
		"vrrp_garp_master_refresh_repeat": repeat(func(g *global) *int { return &g.VRRPGarpMasterRefreshRepeat }).
			or("vrrp_garp_master_refresh_repeat '%V' invalid - ignoring"),
		"vrrp_garp_lower_prio_delay": opt(delay, func(g *global) *config.Opt[time.Duration] { return &g.VRRPGarpLowerPrioDelay }).
			or("vrrp_garp_lower_prio_delay '%V' invalid - ignoring"),
		"vrrp_garp_lower_prio_repeat": opt(count, func(g *global) *config.Opt[int] { return &g.VRRPGarpLowerPrioRepeat }).
			or("Invalid vrrp_garp_lower_prio_repeat '%V'"),
		"vrrp_garp_interval": set(seconds(time.Microsecond, longest), func(g *global) *time.Duration { return &g.VRRPGarpInterval }).
			or("vrrp_garp_interval '%V' is invalid"),
		"vrrp_gna_interval": set(seconds(time.Microsecond, longest), func(g *global) *time.Duration { return &g.VRRPGnaInterval }).
			or("vrrp_gna_interval '%V' is invalid"),
		"log_unknown_vrids": yes(func(g *global) *bool { return &g.LogUnknownVRIDs }),
		"vrrp_down_timer_adverts": set(num[int](1, 100), func(g *global) *int { return &g.VRRPDownTimerAdverts }).
			or("Invalid vrrp_down_timer_adverts [1:100] '%V'"),
		"vrrp_lower_prio_no_advert": setBool(func(g *global) *bool { return &g.VRRPLowerPrioNoAdvert }).
			or("Invalid value for vrrp_lower_prio_no_advert specified"),
		"vrrp_higher_prio_send_advert": setBool(func(g *global) *bool { return &g.VRRPHigherPrioSendAdvert }).
			or("Invalid value for vrrp_higher_prio_send_advert specified"),
		"vrrp_check_unicast_src": yes(func(g *global) *bool { return &g.VRRPCheckUnicastSrc }),
		"vrrp_skip_check_adv_addr": setBool(func(g *global) *bool { return &g.VRRPSkipCheckAdvAddr }).
			or("Invalid value for vrrp_skip_check_adv_addr specified"),
		"vrrp_strict":        setBool(func(g *global) *bool { return &g.VRRPStrict }).or("Invalid value for vrrp_strict specified").at(func(g *global) *config.Origin { return &g.StrictOrigin }),
		"vrrp_startup_delay": set(startup, func(g *global) *time.Duration { return &g.VRRPStartupDelay }).or("vrrp_startup_delay '%V' is invalid"),
		"vrrp_delay_after_boot": set(startup, func(g *global) *time.Duration { return &g.VRRPDelayAfterBoot }).
			or("vrrp_delay_after_boot '%V' is invalid"),
		"vrrp_owner_ignore_adverts": setBool(func(g *global) *bool { return &g.VRRPOwnerIgnoreAdverts }).
			or("Invalid value for vrrp_owner_ignore_adverts specified"),
		"v3_checksum_as_v2":    yes(func(g *global) *bool { return &g.V3ChecksumAsV2 }),
		"vrrp_garp_extra_if":   {apply: globalExtraGarp},
		"vrrp_vmac_garp_intvl": {apply: deprecated("vrrp_vmac_garp_intvl", "vrrp_garp_extra_if", globalExtraGarp)},
		// lvsd's own: what it follows of the intervals that others announce.
		"vrrp_max_advert_interval": set(seconds(10*time.Millisecond, 40950*time.Millisecond), func(g *global) *time.Duration { return &g.VRRPMaxAdvertInterval }).
			or("vrrp_max_advert_interval '%V' is invalid"),
		"vrrp_min_garp":    boolean(minGarp).or("Invalid value for vrrp_min_garp specified"),
		"vmac_prefix":      {apply: firstName("vmac prefix has already been specified - ignoring %s", func(g *global) *string { return &g.VMACPrefix }, config.DefaultGlobal.VMACPrefix)},
		"vmac_addr_prefix": {apply: firstName("vmac address prefix has already been specified - ignoring %s", func(g *global) *string { return &g.VMACAddrPrefix }, "")},
	}
}

// minGarp: one announcement and no more, of what nobody has said before.
func minGarp(g *config.Global, v bool) {
	d := &config.DefaultGlobal
	if !v {
		return
	}
	if g.VRRPGarpMasterRepeat == d.VRRPGarpMasterRepeat {
		g.VRRPGarpMasterRepeat = 1
	}
	if g.VRRPGarpMasterDelay == d.VRRPGarpMasterDelay {
		g.VRRPGarpMasterDelay = 0
	}
	if g.VRRPGarpMasterRefreshRepeat == d.VRRPGarpMasterRefreshRepeat {
		g.VRRPGarpMasterRefreshRepeat = 0
	}
}

// multicastGroup is the default group of one address family.
func multicastGroup(family func(netip.Addr) bool, field func(*config.Global) *netip.Addr) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		word, ok := c.need()
		if !ok {
			return
		}
		switch a, f := address(word); {
		case f != nil || !family(a):
			c.errorf(config.ClassGeneral, "invalid-value", "Can't parse %s [%s]. Skipping", c.keyword, word)
		case !a.IsMulticast():
			c.errorf(config.ClassGeneral, "invalid-value", "%s [%s] is not multicast. Skipping", c.keyword, word)
		default:
			if a.Is6() && !a.IsLinkLocalMulticast() {
				c.errorf(config.ClassGeneral, "invalid-value", "%s [%s] should be link-local multicast.", c.keyword, word)
			}
			*field(g) = a
		}
	}
}

// extraGarp reads [all] SECONDS, in any order.
func (c *cursor) extraGarp(least int64) (e config.ExtraGarp, ok bool) {
	for word, more := c.next(); more; word, more = c.next() {
		if word == "all" {
			e.All = true
			continue
		}
		v, f := wholeSeconds(least, 86400)(word)
		if f != nil {
			c.errorf(f.class, f.code, "%s%s '%s' invalid - ignoring", c.inBlock(), c.keyword, word)
			return e, false
		}
		e.Interval, ok = v, true
	}
	if !ok {
		c.errorf(config.ClassGeneral, "missing-parameter", "%s%s specified without time - ignoring", c.inBlock(), c.keyword)
	}
	return e, ok
}

func globalExtraGarp(c *cursor, g *config.Global) {
	if e, ok := c.extraGarp(1); ok {
		g.VRRPGarpExtraIf = e
	}
}

// deprecated is a keyword that has a new name.
func deprecated[T any](name, better string, apply func(*cursor, *T)) func(*cursor, *T) {
	return func(c *cursor, t *T) {
		c.problem(config.Warning, config.ClassDeprecated, "deprecated", `Keyword "`+name+`" is deprecated - please use "`+better+`"`)
		apply(c, t)
	}
}

// onlyName is a name that cannot be said twice; %V in its
// sentence is the first one.
func onlyName(already string, field func(*config.Global) *string) row[config.Global] {
	return row[config.Global]{apply: func(c *cursor, g *config.Global) {
		before := *field(g)
		if before == "" {
			set(text, field).apply(c, g)
			return
		}
		c.errorf(config.ClassGeneral, "duplicate", "%s", strings.ReplaceAll(already, "%V", before))
		c.complete = true
	}, write: set(text, field).write}
}

// firstName is a name of which the first one counts.
func firstName(already string, field func(*config.Global) *string, otherwise string) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		word, ok := c.need()
		switch {
		case !ok:
		case *field(g) != otherwise:
			c.errorf(config.ClassGeneral, "duplicate", already, word)
		default:
			*field(g), _ = text(word)
		}
	}
}
