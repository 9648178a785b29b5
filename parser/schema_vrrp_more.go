package parser

import (
	"github.com/lvsd/lvsd/config"
)

// instanceKernelRows are what an instance has in the kernel beside addresses.
func instanceKernelRows() rows[config.Instance] {
	type inst = config.Instance
	return rows[inst]{
		"use_vmac":            {apply: useVMAC},
		"use_vmac_addr":       yes(func(i *inst) *bool { return &i.UseVMACAddr }),
		"vmac_xmit_base":      yes(func(i *inst) *bool { return &i.VMACXmitBase }),
		"use_ipvlan":          {apply: useIPVLAN},
		"vrf":                 instanceVRF(),
		"promote_secondaries": yes(func(i *inst) *bool { return &i.PromoteSecondaries }),
		"accept":              on(func(i *inst) { i.Accept = config.Some(true) }),
		"no_accept":           on(func(i *inst) { i.Accept = config.Some(false) }),
		"virtual_routes": list(func(c *cursor, i *inst) {
			if r, ok := c.route(); ok {
				i.VirtualRoutes = append(i.VirtualRoutes, r)
			}
		}),
		"virtual_rules": list(func(c *cursor, i *inst) {
			if r, ok := c.rule(); ok {
				i.VirtualRules = append(i.VirtualRules, r)
			}
		}),
	}
}

// instanceVRF: the first one counts, and none beside an interface.
func instanceVRF() row[config.Instance] {
	r := set(ifname, func(i *config.Instance) *string { return &i.VRF })
	read := r.apply
	r.apply = func(c *cursor, i *config.Instance) {
		before := *c
		switch name, ok := c.next(); {
		case !ok:
		case i.Interface != "":
			c.errorf(config.ClassGeneral, "vrf", "(%s) Cannot specify VRF interface and interface - ignoring", c.d.name)
			return
		case i.VRF != "":
			c.errorf(config.ClassGeneral, "duplicate", "(%s) VRF interface already specified as '%s' - ignoring", c.d.name, i.VRF)
			return
		case name == "lo":
			c.errorf(config.ClassGeneral, "loopback", "(%s) cannot use a loopback interface (%s) for VRF - ignoring", c.d.name, name)
			return
		}
		*c = before
		read(c, i)
	}
	return r
}

// instanceMoreRows are rarer ones.
func instanceMoreRows() rows[config.Instance] {
	type inst = config.Instance
	return rows[inst]{
		"lvs_sync_daemon_interface": row[inst]{apply: syncDaemonInterface}.at(func(i *inst) *config.Origin { return &i.LVSSyncDaemonOrigin }),
		"track_src_ip":              yes(func(i *inst) *bool { return &i.TrackSrcIP }),
		"smtp_alert":                optBool(func(i *inst) *config.Opt[bool] { return &i.SMTPAlert }).or("Invalid vrrp_instance smtp_alert parameter %V"),
		"unicast_fault_no_peer":     yes(func(i *inst) *bool { return &i.UnicastFaultNoPeer }),
		"old_unicast_checksum":      {apply: unicastChecksum},
		"native_ipv6":               {apply: nativeIPv6, write: writeFlag(func(i *inst) *bool { return &i.NativeIPv6 })},
		"no_virtual_ipaddress":      yes(func(i *inst) *bool { return &i.NoVirtualIPAddress }),
		"v3_checksum_as_v2":         optBool(func(i *inst) *config.Opt[bool] { return &i.V3ChecksumAsV2 }).or("(%N) invalid v3_checksum_as_v2 %V specified"),
		"owner_ignore_adverts":      optBool(func(i *inst) *config.Opt[bool] { return &i.OwnerIgnoreAdverts }).or("(%N) invalid owner_ignore_adverts %V specified"),
		"garp_extra_if":             {apply: instanceExtraGarp},
		"vmac_garp_intvl":           {apply: deprecated("vmac_garp_intvl", "garp_extra_if", instanceExtraGarp)},
		// It has no effect in keepalived either.
		"debug":                set(num[int](0, 4), func(i *inst) *int { return &i.Debug }).or("(%N) Debug value '%V' not valid; must be between 0-4"),
		"timer_expired_backup": {apply: timerExpired},
		"thread_timer_expired": {apply: deprecated("thread_timer_expired", "timer_expired_backup", timerExpired)},
	}
}

func unicastChecksum(c *cursor, i *config.Instance) {
	i.OldUnicastChecksum = config.ChecksumOld
	switch mode, ok := c.next(); {
	case !ok:
	case mode == "never":
		i.OldUnicastChecksum = config.ChecksumNever
	default:
		i.OldUnicastChecksum = config.ChecksumAuto
		c.errorf(config.ClassGeneral, "invalid-value", "(%s) Unknown old_unicast_chksum mode %s - ignoring", c.d.name, mode)
	}
}

func instancePolling(c *cursor, i *config.Instance) {
	i.LinkbeatUsePolling = true
	c.errorf(config.ClassGeneral, "deprecated", "(%s) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block", c.d.name)
}

func syncDaemonInterface(c *cursor, i *config.Instance) {
	c.errorf(config.ClassGeneral, "deprecated", "(%s) Specifying lvs_sync_daemon_interface against a vrrp is deprecated. Please use global lvs_sync_daemon", c.d.name)
	set(text, func(i *config.Instance) *string { return &i.LVSSyncDaemonInterface }).apply(c, i)
}

// timerExpired reads [INT].
func timerExpired(c *cursor, i *config.Instance) {
	i.TimerExpiredBackup = 254
	word, ok := c.next()
	if !ok {
		return
	}
	n, f := num[int](1, 254)(word)
	if f != nil {
		c.errorf(f.class, f.code, "(%s) Invalid %s '%s'", c.d.name, c.keyword, word)
		return
	}
	i.TimerExpiredBackup = n
}

func instanceExtraGarp(c *cursor, i *config.Instance) {
	if e, ok := c.extraGarp(0); ok {
		i.GarpExtraIf = config.Some(e)
	}
}
