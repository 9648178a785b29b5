package parser

import (
	"os"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// fifoRows are the pipes that state changes are written to.
func fifoRows() rows[config.Global] {
	type global = config.Global
	all := rows[global]{
		"vrrp_notify_priority_changes": setBool(func(g *global) *bool { return &g.FIFO.VRRPNotifyPriorityChanges }).
			or("Invalid value '%V' for global vrrp_notify_priority_changes specified"),
		"fifo_write_vrrp_states_on_reload": yes(func(g *global) *bool { return &g.FIFO.FIFOWriteVRRPStatesOnReload }),
	}
	for name, field := range map[string]func(*global) *config.FIFO{
		"notify_fifo":      func(g *global) *config.FIFO { return &g.FIFO.Notify },
		"vrrp_notify_fifo": func(g *global) *config.FIFO { return &g.FIFO.VRRPNotify },
		"lvs_notify_fifo":  func(g *global) *config.FIFO { return &g.FIFO.LVSNotify },
	} {
		all[name] = row[global]{missing: "No " + name + " name specified", apply: func(c *cursor, g *global) {
			word, ok := c.need()
			switch f := field(g); {
			case !ok:
			case f.Path != "":
				c.errorf(config.ClassGeneral, "duplicate", "%s already specified - ignoring %s", name, word)
				c.complete = true
			default:
				f.Path, f.User = strings.Clone(word), c.user()
			}
		}}
		all[name+"_script"] = row[global]{missing: "No " + name + "_script specified", apply: func(c *cursor, g *global) {
			cmd, ok := c.command()
			switch f := field(g); {
			case !ok:
			case !f.Script.IsZero():
				c.errorf(config.ClassGeneral, "duplicate", "%s_script already specified - ignoring %s", name, cmd.Line)
			default:
				f.Script = cmd
			}
		}}
	}
	return all
}

// reloadRows are about reading the configuration.
func reloadRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"reload_check_config": optText(func(g *global) *config.Opt[string] { return &g.Reload.ReloadCheckConfig }),
		"reload_time_file":    set(text, func(g *global) *string { return &g.Reload.ReloadTimeFile }).orMissing("reload_time_file invalid").alone("reload_time_file invalid"),
		"reload_repeat":       yes(func(g *global) *bool { return &g.Reload.ReloadRepeat }),
		"reload_file":         optText(func(g *global) *config.Opt[string] { return &g.Reload.ReloadFile }),
		"config_save_dir":     configSaveDir(),
		"tmp_config_directory": onlyName("tmp_config_directory already specified - ignoring", func(g *global) *string { return &g.Reload.TmpConfigDirectory }).
			orMissing("tmp_config_directory missing directory name"),
	}
}

// configSaveDir is a folder, that need not be there.
func configSaveDir() row[config.Global] {
	r := set(text, func(g *config.Global) *string { return &g.Reload.ConfigSaveDir })
	read := r.apply
	r.apply = func(c *cursor, g *config.Global) {
		read(c, g)
		dir := g.Reload.ConfigSaveDir
		if there, err := os.Stat(dir); dir != "" && !c.d.offline && err == nil && !there.IsDir() {
			c.errorf(config.ClassGeneral, "invalid-value", "config_save_dir %s exists and is not a directory", dir)
			g.Reload.ConfigSaveDir = ""
		}
	}
	return r
}

// readingRows are about the reading of the configuration itself.
func readingRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"include_check":   {apply: globalIncludeCheck},
		"iproute_usr_dir": set(text, func(g *global) *string { return &g.Reload.IPRouteUsrDir }),
		"iproute_etc_dir": set(text, func(g *global) *string { return &g.Reload.IPRouteEtcDir }),
		"random_seed":     opt(num[uint32](0, 1<<32-1), func(g *global) *config.Opt[uint32] { return &g.Process.RandomSeed }).or("random_seed %V invalid"),
	}
}

// optText is [TEXT], where the keyword alone means something, too.
func optText[T any](field func(*T) *config.Opt[string]) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, _ := c.next()
		*field(t) = config.Some(strings.Clone(word))
	}, write: func(w *confWriter, keyword string, t, _ *T) {
		switch o := field(t); {
		case o.Set && o.Value == "":
			w.line(keyword)
		case o.Set:
			w.line(keyword, w.word(keyword, o.Value))
		}
	}}
}

// globalIncludeCheck reads [+|-]NAME...; without names it means all of them.
func globalIncludeCheck(c *cursor, g *config.Global) {
	names := map[string]config.IncludeCheck{
		"read": config.IncludeRead, "match": config.IncludeMatch,
		"wildcard_match": config.IncludeWildcardMatch, "brace_match": config.IncludeBraceMatch,
	}
	checks := g.Reload.IncludeCheck.Value
	word, ok := c.next()
	if !ok {
		checks = config.IncludeAll
	}
	if ok && !strings.HasPrefix(word, "+") && !strings.HasPrefix(word, "-") {
		checks = 0
	}
	for ; ok; word, ok = c.next() {
		name := strings.TrimLeft(word, "+-")
		bit, known := names[name]
		switch {
		case !known:
			c.errorf(config.ClassGeneral, "invalid-value", "Unknown include_check type '%s' - ignoring", name)
		case strings.HasPrefix(word, "-"):
			checks &^= bit
		default:
			checks |= bit
		}
	}
	g.Reload.IncludeCheck = config.Some(checks)
}

// lookRows are the ways to look into a running daemon.
func lookRows() rows[config.Global] {
	type global = config.Global
	stats := seconds(time.Millisecond, 30*time.Second)
	return rows[global]{
		"snmp_socket": onlyName("SNMP socket already set to %V - ignoring", func(g *global) *string { return &g.Interface.SNMPSocket }).
			orMissing("SNMP error : snmp socket name missing").alone("Too many parameters specified for snmp_socket - ignoring"),
		"enable_traps":           yes(func(g *global) *bool { return &g.Interface.EnableTraps }),
		"enable_snmp_vrrp":       yes(func(g *global) *bool { return &g.Interface.EnableSNMPVRRP }),
		"enable_snmp_keepalived": yes(func(g *global) *bool { return &g.Interface.EnableSNMPVRRP }), // its name until 2.0.0
		"enable_snmp_rfc": on(func(g *global) {
			g.Interface.EnableSNMPRFCv2, g.Interface.EnableSNMPRFCv3 = true, true
		}),
		"enable_snmp_rfcv2":   yes(func(g *global) *bool { return &g.Interface.EnableSNMPRFCv2 }),
		"enable_snmp_rfcv3":   yes(func(g *global) *bool { return &g.Interface.EnableSNMPRFCv3 }),
		"enable_snmp_checker": yes(func(g *global) *bool { return &g.Interface.EnableSNMPChecker }),
		"snmp_vs_stats_update_interval": set(stats, func(g *global) *time.Duration { return &g.Interface.SNMPVSStatsUpdateInterval }).
			or("snmp_vs_stats_update_interval '%V' is invalid"),
		"snmp_rs_stats_update_interval": opt(stats, func(g *global) *config.Opt[time.Duration] { return &g.Interface.SNMPRSStatsUpdateInterval }).
			or("snmp_rs_stats_update_interval '%V' is invalid"),
	}
}

// busRows are about D-Bus.
func busRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"enable_dbus":       yes(func(g *global) *bool { return &g.Interface.EnableDBus }),
		"dbus_service_name": set(text, func(g *global) *string { return &g.Interface.DBusServiceName }).orMissing("dbus_service_name missing - ignoring"),
		"dbus_no_interface_name": set(text, func(g *global) *string { return &g.Interface.DBusNoInterfaceName }).
			orMissing("dbus_no_interface_name missing - ignoring"),
	}
}

// dumpRows are where dumps are written.
func dumpRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"data_use_instance": setBool(func(g *global) *bool { return &g.Interface.DataUseInstance }).
			or("Invalid value '%V' for global date_use_instance specified"),
		"json_version":    set(num[uint8](1, 2), func(g *global) *uint8 { return &g.Interface.JSONVersion }).or("Invalid json_version '%V'"),
		"json_dump_file":  set(text, func(g *global) *string { return &g.Interface.JSONDumpFile }),
		"state_dump_file": set(text, func(g *global) *string { return &g.Interface.StateDumpFile }),
		"stats_dump_file": set(text, func(g *global) *string { return &g.Interface.StatsDumpFile }),
	}
}

// firewallRows are how addresses are kept from answering.
func firewallRows() rows[config.Global] {
	type global = config.Global
	priority := num[int](-1<<31, maxInt)
	return rows[global]{
		"vrrp_iptables": {apply: iptables},
		"vrrp_ipsets":   {apply: ipsets},
		"nftables":      {apply: nftables("nftables", nftablesTable, func(g *global) *string { return &g.Firewall.NFTables })},
		"nftables_priority": set(priority, func(g *global) *int { return &g.Firewall.NFTablesPriority }).
			or("invalid nftables chain priority '%V'"),
		"nftables_ifindex":  yes(func(g *global) *bool { return &g.Firewall.NFTablesIfindex }),
		"nftables_counters": yes(func(g *global) *bool { return &g.Firewall.NFTablesCounters }),
		"nftables_ipvs":     {apply: nftables("ipvs nftables", "keepalived_ipvs", func(g *global) *string { return &g.Firewall.NFTablesIPVS })},
		"nftables_ipvs_priority": set(priority, func(g *global) *int { return &g.Firewall.NFTablesIPVSPriority }).
			or("invalid ipvs nftables chain priority '%V'"),
		"nftables_ipvs_start_fwmark": set(num[uint32](1, 1<<32-1), func(g *global) *uint32 { return &g.Firewall.NFTablesIPVSStartFWMark }).
			or("invalid ipvs nftables start_fwmark priority '%V'"),
	}
}

// iptables reads [CHAIN [CHAIN]]. lvsd has no iptables, and neither have the
// keepaliveds of the distributions any more.
func iptables(c *cursor, g *config.Global) {
	words(2, func(g *config.Global) *[]string { return &g.Firewall.VRRPIPTables }).apply(c, g)
	c.at = 0
	c.errorf(config.ClassGeneral, "iptables",
		"iptables not supported, using nftables instead. Please replace 'vrrp_iptables and 'vrrp_ipsets' with 'nftables' config option")
	if g.Firewall.NFTables == "" {
		g.Firewall.NFTables = nftablesTable
	}
}

// ipsets reads up to six names of sets.
func ipsets(c *cursor, g *config.Global) {
	words(6, func(g *config.Global) *[]string { return &g.Firewall.VRRPIPSets }).apply(c, g)
	c.at = 0
	c.errorf(config.ClassGeneral, "iptables", "ipsets not supported, nftables has sets of its own")
}

// words is a list of up to so many names on the line.
func words[T any](most int, field func(*T) *[]string) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		all := []string{}
		for len(all) < most {
			word, ok := c.next()
			if !ok {
				break
			}
			all = append(all, strings.Clone(word))
		}
		*field(t) = all
	}}
}

// nftablesTable is the table that keepalived uses when nftables names none.
const nftablesTable = "keepalived"

// nftables reads [TABLE].
func nftables(what, otherwise string, field func(*config.Global) *string) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		word, ok := c.next()
		if !ok {
			word = otherwise
		}
		if *field(g) != "" {
			c.errorf(config.ClassGeneral, "duplicate", "%s already specified - ignoring", what)
			return
		}
		*field(g) = strings.Clone(word)
	}
}
