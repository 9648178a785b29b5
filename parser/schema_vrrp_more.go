package parser

import (
	"path"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// instanceUnusedRows are what an instance says that is not acted on yet.
func instanceUnusedRows() rows[config.Instance] {
	type inst = config.Instance
	return unused(rows[inst]{
		"use_vmac":                  {apply: useVMAC},
		"use_vmac_addr":             yes(func(i *inst) *bool { return &i.UseVMACAddr }),
		"vmac_xmit_base":            yes(func(i *inst) *bool { return &i.VMACXmitBase }),
		"use_ipvlan":                {apply: useIPVLAN},
		"vrf":                       set(ifname, func(i *inst) *string { return &i.VRF }),
		"unicast_fault_no_peer":     yes(func(i *inst) *bool { return &i.UnicastFaultNoPeer }),
		"old_unicast_checksum":      {apply: unicastChecksum},
		"native_ipv6":               yes(func(i *inst) *bool { return &i.NativeIPv6 }),
		"track_src_ip":              yes(func(i *inst) *bool { return &i.TrackSrcIP }),
		"no_virtual_ipaddress":      yes(func(i *inst) *bool { return &i.NoVirtualIPAddress }),
		"promote_secondaries":       yes(func(i *inst) *bool { return &i.PromoteSecondaries }),
		"v3_checksum_as_v2":         optBool(func(i *inst) *config.Opt[bool] { return &i.V3ChecksumAsV2 }).or("(%N) invalid v3_checksum_as_v2 %V specified"),
		"owner_ignore_adverts":      optBool(func(i *inst) *config.Opt[bool] { return &i.OwnerIgnoreAdverts }).or("(%N) invalid owner_ignore_adverts %V specified"),
		"accept":                    on(func(i *inst) { i.Accept = config.Some(true) }),
		"no_accept":                 on(func(i *inst) { i.Accept = config.Some(false) }),
		"debug":                     set(num[int](0, 4), func(i *inst) *int { return &i.Debug }).or("(%N) Debug value '%V' not valid; must be between 0-4"),
		"smtp_alert":                optBool(func(i *inst) *config.Opt[bool] { return &i.SMTPAlert }).or("Invalid vrrp_instance smtp_alert parameter %V"),
		"lvs_sync_daemon_interface": {apply: syncDaemonInterface},
		"timer_expired_backup":      {apply: timerExpired},
		"thread_timer_expired":      {apply: deprecated("thread_timer_expired", "timer_expired_backup", timerExpired)},
		"garp_extra_if":             {apply: instanceExtraGarp},
		"vmac_garp_intvl":           {apply: deprecated("vmac_garp_intvl", "garp_extra_if", instanceExtraGarp)},
		"kernel_rx_buf_size": set(num[uint32](0, 1<<32-1), func(i *inst) *uint32 { return &i.KernelRxBufSize }).
			or("(%N) invalid kernel_rx_buf_size specified").orMissing("(%N) invalid kernel_rx_buf_size specified"),
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
		"auth_hmac": {block: true, apply: authHMAC},
	})
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

func authHMAC(c *cursor, i *config.Instance) {
	a := config.DefaultAuthHMAC
	a.Origin = c.origin()
	decode(c.d, authHMACBlock(), c.st.Body, &a)
	i.AuthHMAC = &a
}

func authHMACBlock() *block[config.AuthHMAC] {
	type auth = config.AuthHMAC
	return &block[auth]{path: "vrrp_instance/auth_hmac", rows: unused(rows[auth]{
		"key":        {apply: hmacKey},
		"active_key": set(num[uint8](1, 255), func(a *auth) *uint8 { return &a.ActiveKey }).or("(%N) auth_hmac active_key '%V' must be between 1 and 255 - ignoring"),
		"time_window": opt(wholeSeconds(1, 300), func(a *auth) *config.Opt[time.Duration] { return &a.TimeWindow }).
			or("(%N) auth_hmac time_window '%V' must be between 1 and 300 - ignoring"),
		"anti_replay": set(oneOf(map[string]config.AntiReplay{"time": config.ReplayTime, "monotonic": config.ReplayMonotonic}),
			func(a *auth) *config.AntiReplay { return &a.AntiReplay }).or("(%N) auth_hmac unknown anti_replay '%V' - ignoring"),
		"mode": set(oneOf(map[string]config.HMACMode{
			"enforce": config.HMACEnforce, "permissive": config.HMACPermissive, "receive-only": config.HMACReceiveOnly,
		}), func(a *auth) *config.HMACMode { return &a.Mode }).or("(%N) auth_hmac unknown mode '%V' - ignoring"),
	})}
}

// hmacKey reads ID STRING | hex:HEX | file:PATH, of 32 to 64 bytes.
func hmacKey(c *cursor, a *config.AuthHMAC) {
	number, ok := c.need()
	if !ok {
		return
	}
	id, f := num[uint8](1, 255)(number)
	value, ok := c.need()
	k := config.HMACKey{Origin: c.origin(), ID: id}
	switch {
	case !ok:
		return
	case f != nil:
		c.errorf(f.class, f.code, "(%s) auth_hmac key id '%s' must be between 1 and 255 - ignoring", c.d.name, number)
		return
	case c.d.twice("auth_hmac key", number):
		c.errorf(config.ClassGeneral, "duplicate", "(%s) auth_hmac key %s is a duplicate - ignoring", c.d.name, number)
		return
	}
	text, isHex := strings.CutPrefix(value, "hex:")
	name, isFile := strings.CutPrefix(value, "file:")
	length := len(text)
	if isHex {
		length /= 2
		if strings.Trim(text, "0123456789abcdefABCDEF") != "" || len(text)%2 != 0 {
			length = 0
		}
	}
	switch {
	case isFile:
		k.File = path.Clean(name)
	case length < 32 || length > 64:
		c.errorf(config.ClassGeneral, "invalid-value", "(%s) auth_hmac key %d must be 32 to 64 bytes long - ignoring", c.d.name, id)
		return
	default:
		k.Secret = config.Secret(strings.Clone(value))
	}
	a.Keys = append(a.Keys, k)
}
