package parser

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// writeMinGarp writes vrrp_min_garp where nothing else can say it, and what it
// would change behind it.
func writeMinGarp(w *confWriter, keyword string, g, def *config.Global) {
	if g.VRRPGarpMasterRefreshRepeat != 0 {
		return
	}
	w.line(keyword)
	if g.VRRPGarpMasterDelay != 0 {
		w.line("vrrp_garp_master_delay", seconds6(g.VRRPGarpMasterDelay))
	}
	if g.VRRPGarpMasterRepeat != 1 {
		w.line("vrrp_garp_master_repeat", fmt.Sprint(g.VRRPGarpMasterRepeat))
	}
}

func globalWriters() writers[config.Global] {
	type global = config.Global
	all := writers[global]{
		"enable_script_security": func(w *confWriter, keyword string, g, def *global) {
			w.onceCommand("startup_script", &g.StartupScript, true)
			w.onceCommand("shutdown_script", &g.ShutdownScript, true)
			writeFlag(func(g *global) *bool { return &g.EnableScriptSecurity })(w, keyword, g, def)
		},
		"script_user":   user(func(g *global) *config.User { return &g.ScriptUser }).write,
		"vrrp_iptables": writeWords(func(g *global) []string { return g.Firewall.VRRPIPTables }),
		"vrrp_ipsets":   writeWords(func(g *global) []string { return g.Firewall.VRRPIPSets }),
		"vrrp_min_garp": writeMinGarp,
		"dynamic_interfaces": func(w *confWriter, keyword string, g, _ *global) {
			if g.DynamicInterfaces {
				w.line(keyword, when(g.AllowIfChanges, "allow_if_changes"))
			}
		},
		"lvs_flush_on_stop": func(w *confWriter, keyword string, g, _ *global) {
			if g.LVSFlushOnStop {
				w.line(keyword, when(g.LVSFlushOnStopVS, "VS"))
			}
		},
		"notification_email": each(func(g *global) []string { return g.NotificationEmail }, func(w *confWriter, k string, a *string) string { return w.first(k, *a) }),
		"smtp_server":        writeSMTPServer,
		"smtp_auth": func(w *confWriter, keyword string, g, _ *global) {
			if a := g.SMTPAuth; a.User != "" {
				w.line(keyword, w.word(keyword, a.User), w.word(keyword, a.PasswordFile))
			}
		},
		"smtp_connect_timeout": set(wholeSeconds(0, 4294), func(g *global) *time.Duration { return &g.SMTPConnectTimeout }).write,
		"startup_script":       func(w *confWriter, keyword string, g, _ *global) { w.onceCommand(keyword, &g.StartupScript, false) },
		"shutdown_script":      func(w *confWriter, keyword string, g, _ *global) { w.onceCommand(keyword, &g.ShutdownScript, false) },
		"lvs_timeouts":         writeTimeouts,
		"lvs_sync_daemon":      writeSyncDaemon,
		"process_name":         set(text, func(g *global) *string { return &g.Process.ProcessName }).write,
		"max_auto_priority":    set(num[int](-1, 99), func(g *global) *int { return &g.Process.MaxAutoPriority }).write,
		"umask": func(w *confWriter, keyword string, g, def *global) {
			if g.Process.Umask != def.Process.Umask {
				w.line(keyword, fmt.Sprintf("%#o", g.Process.Umask))
			}
		},
		"vrrp_rx_bufs_policy": func(w *confWriter, keyword string, g, _ *global) {
			if g.Receive.VRRPRxBufsPolicy != config.RxKernel {
				w.line(keyword, rxPolicyName(&g.Receive))
			}
		},
		"include_check":     writeIncludeCheck,
		"nftables":          set(text, func(g *global) *string { return &g.Firewall.NFTables }).write,
		"nftables_ipvs":     set(text, func(g *global) *string { return &g.Firewall.NFTablesIPVS }).write,
		"vrrp_mcast_group4": set(address, func(g *global) *netip.Addr { return &g.VRRPMcastGroup4 }).write,
		"vrrp_mcast_group6": set(address, func(g *global) *netip.Addr { return &g.VRRPMcastGroup6 }).write,
		"vmac_prefix":       set(text, func(g *global) *string { return &g.VMACPrefix }).write,
		"vmac_addr_prefix":  set(text, func(g *global) *string { return &g.VMACAddrPrefix }).write,
		"vrrp_garp_extra_if": func(w *confWriter, keyword string, g, _ *global) {
			if e := g.VRRPGarpExtraIf; e != (config.ExtraGarp{}) {
				w.line(keyword, extraGarp(e))
			}
		},
	}
	maps.Copy(all, processWriters())
	maps.Copy(all, fifoWriters())
	return all
}

func processWriters() writers[config.Global] {
	type global = config.Global
	all := writers[global]{}
	for process, field := range map[string]func(*global) *config.Process{
		"vrrp":    func(g *global) *config.Process { return &g.Process.VRRP },
		"checker": func(g *global) *config.Process { return &g.Process.Checker },
		"bfd":     func(g *global) *config.Process { return &g.Process.BFD },
	} {
		all[process+"_process_name"] = set(text, func(g *global) *string { return &field(g).ProcessName }).write
		all[process+"_rt_priority"] = set(num[int](0, 99), func(g *global) *int { return &field(g).RTPriority }).write
		all[process+"_cpu_affinity"] = func(w *confWriter, keyword string, g, _ *global) {
			if cpus := field(g).CPUAffinity; len(cpus) > 0 {
				w.line(keyword, strings.Trim(fmt.Sprint(cpus), "[]"))
			}
		}
	}
	return all
}

func fifoWriters() writers[config.Global] {
	type global = config.Global
	all := writers[global]{}
	for name, field := range map[string]func(*global) *config.FIFO{
		"notify_fifo":      func(g *global) *config.FIFO { return &g.FIFO.Notify },
		"vrrp_notify_fifo": func(g *global) *config.FIFO { return &g.FIFO.VRRPNotify },
		"lvs_notify_fifo":  func(g *global) *config.FIFO { return &g.FIFO.LVSNotify },
	} {
		all[name] = func(w *confWriter, keyword string, g, _ *global) {
			if f := field(g); f.Path != "" {
				w.line(keyword, w.word(keyword, f.Path), w.user(keyword, f.User))
			}
		}
		all[name+"_script"] = func(w *confWriter, keyword string, g, _ *global) { w.daemonCommand(keyword, &field(g).Script) }
	}
	return all
}

// writeSMTPServer writes HOST [PORT].
func writeSMTPServer(w *confWriter, keyword string, g, _ *config.Global) {
	if g.SMTPServer == "" {
		return
	}
	host, port := g.SMTPServer, ""
	if i := strings.LastIndexByte(host, ' '); i > 0 && decimal(host[i+1:]) {
		host, port = host[:i], host[i+1:]
	}
	w.line(keyword, w.word(keyword, host), port)
}

func writeTimeouts(w *confWriter, keyword string, g, _ *config.Global) {
	t, line := &g.LVSTimeouts, []string{keyword}
	for _, o := range []struct {
		name string
		at   config.Opt[time.Duration]
	}{{"tcp", t.TCP}, {"tcpfin", t.TCPFin}, {"udp", t.UDP}} {
		if o.at.Set {
			line = append(line, o.name, seconds6(o.at.Value))
		}
	}
	if len(line) > 1 {
		w.line(line...)
	}
}

func writeSyncDaemon(w *confWriter, keyword string, g, _ *config.Global) {
	s := g.LVSSyncDaemon
	if s == nil {
		return
	}
	w.line(keyword, w.word(keyword, s.Interface), w.option("inst", s.Inst), optNumber("id", s.ID), nonZero("maxlen", s.MaxLen), nonZero("port", s.Port),
		nonZero("ttl", s.TTL), when(s.Group.IsValid(), "group "+s.Group.String()))
}

// writeIncludeCheck: one word without a sign begins with nothing.
func writeIncludeCheck(w *confWriter, keyword string, g, _ *config.Global) {
	o := g.Reload.IncludeCheck
	if !o.Set {
		return
	}
	line := []string{keyword}
	for _, name := range []struct {
		bit  config.IncludeCheck
		name string
	}{{config.IncludeRead, "read"}, {config.IncludeMatch, "match"}, {config.IncludeWildcardMatch, "wildcard_match"}, {config.IncludeBraceMatch, "brace_match"}} {
		if o.Value&name.bit != 0 {
			line = append(line, name.name)
		}
	}
	if o.Value == 0 {
		line = append(line, "-read")
	}
	w.line(line...)
}

// extraGarp is [all] SECONDS.
func extraGarp(e config.ExtraGarp) string {
	return trimLeft(when(e.All, "all") + " " + seconds6(e.Interval))
}
