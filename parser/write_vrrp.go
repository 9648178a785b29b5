package parser

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// instanceDefaults are what an instance has that says nothing: the group of
// its adverts is that of its family.
func (w *confWriter) instanceDefaults(i *config.Instance) *config.Instance {
	def := config.DefaultInstance
	def.McastDstIP = w.cfg.Global.VRRPMcastGroup4
	if i.IPv6() {
		def.McastDstIP = w.cfg.Global.VRRPMcastGroup6
	}
	return &def
}

func instanceWriters(i *config.Instance) writers[config.Instance] {
	type inst = config.Instance
	address := func(w *confWriter, keyword string, a *config.Address) string {
		was := *a
		was.Dev = i.Beneath(a.Dev)
		return w.address(keyword, &was, i.Interface)
	}
	return writers[inst]{
		"state":              opt(oneOf(map[string]config.State{"MASTER": config.Master, "BACKUP": config.Backup}), func(i *inst) *config.Opt[config.State] { return &i.State }).write,
		"interface":          set(ifname, func(i *inst) *string { return &i.Interface }).write,
		"nopreempt":          writeFlag(func(i *inst) *bool { return &i.NoPreempt }),
		"dont_track_primary": writeFlag(func(i *inst) *bool { return &i.DontTrackPrimary }),
		"check_unicast_src":  writeChoice(true, func(i *inst) *config.Opt[bool] { return &i.CheckUnicastSrc }),
		"accept":             writeChoice(true, func(i *inst) *config.Opt[bool] { return &i.Accept }),
		"no_accept":          writeChoice(false, func(i *inst) *config.Opt[bool] { return &i.Accept }),
		"unicast_peer": func(w *confWriter, keyword string, i, _ *inst) {
			w.block(keyword, i.UnicastPeers != nil, func() {
				for k := range i.UnicastPeers {
					p := &i.UnicastPeers[k]
					w.line(p.Addr.String(), optNumber("min_ttl", p.MinTTL), optNumber("max_ttl", p.MaxTTL))
				}
			})
		},
		"authentication": func(w *confWriter, keyword string, i, def *inst) {
			w.block(keyword, false, func() {
				writeRows(w, authenticationBlock(), writers[config.Authentication]{
					"auth_pass": func(w *confWriter, keyword string, a, _ *config.Authentication) { w.secret(keyword, a.Pass) },
				}, &i.Authentication, &def.Authentication)
			})
		},
		"virtual_ipaddress":          each(func(i *inst) []config.Address { return i.VirtualIPAddress }, address),
		"virtual_ipaddress_excluded": each(func(i *inst) []config.Address { return i.VirtualIPAddressExcluded }, address),
		"virtual_routes":             each(func(i *inst) []config.Route { return i.VirtualRoutes }, (*confWriter).route),
		"virtual_rules":              each(func(i *inst) []config.Rule { return i.VirtualRules }, (*confWriter).rule),
		"notify_deleted": func(w *confWriter, keyword string, i, _ *inst) {
			switch o := &i.NotifyDeleted; {
			case o.Set && o.Value.IsZero():
				w.line(keyword)
			case o.Set:
				w.command(keyword, o.Value)
			}
		},
		"use_vmac":             writeVMAC,
		"use_ipvlan":           writeIPVLAN,
		"linkbeat_use_polling": writeFlag(func(i *inst) *bool { return &i.LinkbeatUsePolling }),
		"old_unicast_checksum": func(w *confWriter, keyword string, i, _ *inst) {
			if i.OldUnicastChecksum != config.ChecksumAuto {
				w.line(keyword, when(i.OldUnicastChecksum == config.ChecksumNever, "never"))
			}
		},
		"timer_expired_backup": set(num[int](0, 254), func(i *inst) *int { return &i.TimerExpiredBackup }).write,
		"garp_extra_if": func(w *confWriter, keyword string, i, _ *inst) {
			if i.GarpExtraIf.Set {
				w.line(keyword, extraGarp(i.GarpExtraIf.Value))
			}
		},
		"auth_hmac": func(w *confWriter, keyword string, i, _ *inst) {
			if i.AuthHMAC != nil {
				def := config.DefaultAuthHMAC
				w.block(keyword, true, func() {
					writeRows(w, authHMACBlock(), writers[config.AuthHMAC]{"key": writeHMACKeys}, i.AuthHMAC, &def)
				})
			}
		},
	}
}

// writeChoice writes one of two keywords without a value.
func writeChoice[T any](says bool, field func(*T) *config.Opt[bool]) writer[T] {
	return func(w *confWriter, keyword string, t, _ *T) {
		if o := field(t); o.Set && o.Value == says {
			w.line(keyword)
		}
	}
}

func writeVMAC(w *confWriter, keyword string, i, _ *config.Instance) {
	if v := i.VMAC; v != nil {
		w.line(keyword, w.linkName(keyword, v.Name), v.MAC.String(), when(v.NetlinkNotifyMsg, "netlink_notify_msg"), w.option("group", v.Group))
	}
}

// linkName is the name of a link: behind `name`, which only 2.4 knows, where it
// would mean something else without.
func (w *confWriter) linkName(keyword, name string) string {
	_, err := netip.ParseAddr(name)
	if err == nil || strings.ContainsAny(name, ":/") || slices.Contains([]string{"name", "group", "netlink_notify_msg", "bridge", "private", "vepa"}, name) {
		return w.option("name", name)
	}
	return when(name != "", w.word(keyword, name))
}

func writeIPVLAN(w *confWriter, keyword string, i, _ *config.Instance) {
	if v := i.IPVLAN; v != nil {
		prefix := when(v.Prefix.IsValid(), v.Prefix.String())
		w.line(keyword, w.linkName(keyword, v.Name), v.Mode, prefix, w.option("group", v.Group))
	}
}

func writeHMACKeys(w *confWriter, keyword string, a, _ *config.AuthHMAC) {
	for _, k := range a.Keys {
		value := w.password(keyword, k.Secret)
		if k.File != "" {
			value = w.word(keyword, "file:"+k.File)
		}
		w.line(keyword, fmt.Sprint(k.ID), value)
	}
}

// track is a line of a list of tracked things.
func (w *confWriter) track(keyword string, t *config.Track) string {
	line := w.first(keyword, t.Name)
	if t.Weight.Set {
		line += fmt.Sprintf(" weight %d %s", t.Weight.Value, when(t.Reverse.Set, map[bool]string{true: "reverse", false: "noreverse"}[t.Reverse.Value]))
	}
	return trimRight(line)
}

// address is a line of virtual_ipaddress or static_ipaddress. Its device is
// left out when it is the one that it has otherwise.
func (w *confWriter) address(keyword string, a *config.Address, otherwise string) string {
	line := []string{a.Prefix.String()}
	host := fmt.Sprintf("/%d", a.Prefix.Addr().BitLen()) // which 2.2 does not read after a peer
	add := func(words ...string) {
		for _, word := range words {
			if word != "" {
				line = append(line, word)
			}
		}
	}
	if a.Dev != otherwise {
		add(w.option("dev", a.Dev))
	}
	add(w.option("label", a.Label), when(a.Scope != config.ScopeGlobal, "scope "+scopeName(a.Scope)))
	add(when(a.Broadcast.IsValid(), "brd "+a.Broadcast.String()), when(a.Peer.IsValid(), "peer "+strings.TrimSuffix(a.Peer.String(), host)))
	for _, flag := range []struct {
		bit  config.AddressFlags
		name string
	}{
		{config.AddressHome, "home"}, {config.AddressDAD, "-nodad"}, {config.AddressManageTemp, "mngtmpaddr"},
		{config.AddressNoPrefixRoute, "noprefixroute"}, {config.AddressAutoJoin, "autojoin"},
	} {
		add(when(a.Flags&flag.bit != 0, flag.name))
	}
	lft := optNumber("preferred_lft", a.PreferredLft)
	if a.PreferredLft.Value == config.Forever {
		lft = "preferred_lft forever"
	}
	add(lft, when(a.NoTrack, "no_track"), when(a.UseVMAC, "use_vmac"), w.option("track_group", a.TrackGroup))
	return strings.Join(line, " ")
}

// scopeName is a scope as [scopes] reads it.
func scopeName(s config.Scope) string {
	for _, name := range []string{"global", "site", "link", "host", "nowhere"} {
		if known, _ := scopes(name); known == s {
			return name
		}
	}
	return fmt.Sprint(uint8(s))
}
