package dump

import (
	"cmp"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// global writes global_defs and the keywords of the top level.
func (p *printer) global(c *config.Config, k kind) {
	g := &c.Global
	p.title("Global definitions")
	if g.Reload.ConfigSaveDir != "" {
		p.global1("Config save dir", g.Reload.ConfigSaveDir)
	}
	p.names(c)
	p.mail(g)
	p.global1("Default smtp_alert", unsetText(g.SMTPAlert))
	p.global1("Default smtp_alert_vrrp", unsetText(g.SMTPAlertVRRP))
	p.global1("Default smtp_alert_checker", unsetText(g.SMTPAlertChecker))
	p.global1("Checkers log all failures", g.CheckerLogAllFailures)
	p.reload(c, k)
	p.interfaces(c, k)
	p.lvsGlobal(g, k)
	p.fifos(c, k)
	p.vrrpGlobal(g, k)
	firewall := g.Firewall
	if k == router && needsFirewall(c) {
		firewall = keepalivedTable(firewall)
	}
	p.firewall(&firewall)
	p.global1("VRRP check unicast_src", g.VRRPCheckUnicastSrc)
	p.global1("VRRP skip check advert addresses", g.VRRPSkipCheckAdvAddr)
	p.global1("VRRP strict mode", g.VRRPStrict)
	p.processes(&g.Process)
	p.external(&g.Interface)
	p.line(" Script security %s", enabled(g.EnableScriptSecurity))
	if g.ScriptUser.Name != "" || !g.EnableScriptSecurity { // nobody is to run as root then
		p.line(" Default script uid:gid %s", p.account(g.ScriptUser))
	}
	p.receive(g)
	p.lastGlobal(g)
}

func (p *printer) global1(label string, value any) { p.line(" %s = %v", label, value) }

// given writes a value that is not its zero.
func given[T comparable](p *printer, label string, value T) {
	var zero T
	if value != zero {
		p.global1(label, value)
	}
}

func unsetText(o config.Opt[bool]) string {
	if !o.Set {
		return "unset"
	}
	return choose(o.Value, "on", "off")
}

func (p *printer) names(c *config.Config) {
	d, g := &c.Daemon, &c.Global
	p.global1("Network namespace", cmp.Or(d.NetNamespace, "(default)"))
	ipvs := "(main namespace)"
	if d.NetNamespaceIPVS.Set {
		ipvs = cmp.Or(d.NetNamespaceIPVS.Value, "(default)")
	}
	p.global1("Network namespace ipvs", ipvs)
	given(p, "Instance name", d.Instance)
	o := &g.Process
	given(p, "Parent process name", o.ProcessName)
	for _, n := range []struct {
		label, name, otherwise string
	}{
		{"VRRP", o.VRRP.ProcessName, "keepalived_vrrp"}, {"LVS", o.Checker.ProcessName, "keepalived_lvs"}, {"BFD", o.BFD.ProcessName, "keepalived_bfd"},
	} {
		if !o.ProcessNames {
			n.otherwise = ""
		}
		given(p, n.label+" process name", cmp.Or(n.name, n.otherwise))
	}
	p.global1("Router ID", cmp.Or(g.RouterID, p.hostname()))
}

func (p *printer) hostname() string { return cmp.Or(p.facts.Hostname, "(none)") }

// mail writes what is needed to send some: nothing, when there is no server.
func (p *printer) mail(g *config.Global) {
	server, port := g.MailServer()
	if server != "" {
		p.global1("Smtp server", server)
		p.global1("Smtp server port", port)
	}
	if server != "" || g.SMTPHeloName != "" {
		p.global1("Smtp HELO name", cmp.Or(g.SMTPHeloName, p.hostname()))
	}
	if server != "" || g.SMTPConnectTimeout != config.DefaultGlobal.SMTPConnectTimeout {
		p.global1("Smtp server connection timeout", wholes(g.SMTPConnectTimeout))
	}
	if server != "" || g.NotificationEmailFrom != "" {
		p.global1("Email notification from", cmp.Or(g.NotificationEmailFrom, "root@"+p.hostname()))
	}
	if server != "" || g.NotificationEmailFrom != "" || len(g.NotificationEmail) > 0 {
		p.line(" Email notification to:")
	}
	for _, to := range g.NotificationEmail {
		p.line("   %s", to)
	}
}

func (p *printer) reload(c *config.Config, k kind) {
	g, r := &c.Global, &c.Global.Reload
	if r.ReloadCheckConfig.Set {
		p.line(" Test config before reload, log to %s", r.ReloadCheckConfig.Value)
	} else {
		p.line(" No test config before reload")
	}
	if r.ReloadTimeFile != "" {
		p.global1("Reload time file", r.ReloadTimeFile+choose(r.ReloadRepeat, " (repeat)", ""))
		if p.facts.Scheduled.IsZero() {
			p.line(" No reload scheduled")
		} else {
			p.line(" Reload scheduled for %s", p.facts.Scheduled.Format(time.DateTime))
		}
	}
	if r.ReloadFile.Set {
		p.global1("Reload_file", cmp.Or(r.ReloadFile.Value, ReloadFile(&c.Daemon)))
	}
	given(p, "config save directory", r.TmpConfigDirectory)
	if c.Global.Interface.DataUseInstance {
		p.line(" Use instance name in data dumps")
	}
	if k != parent {
		return
	}
	given(p, "Last reload failed", p.facts.Refused)
	if !g.StartupScript.IsZero() {
		p.line(" Startup script = %s, timeout %d", p.commandText(&g.StartupScript), wholes(g.StartupScriptTimeout))
	}
	if !g.ShutdownScript.IsZero() {
		p.line(" Shutdown script = %s timeout %d", p.commandText(&g.ShutdownScript), wholes(g.ShutdownScriptTimeout))
	}
}

// ReloadFile is where the marker of a reload is by default.
func ReloadFile(d *config.Daemon) string {
	dir, name := "/run/", "keepalived"
	if d.UsePIDDir || d.Instance != "" || d.NetNamespace != "" {
		dir = "/run/keepalived/"
	}
	for _, part := range []string{d.NetNamespace, d.Instance} {
		if part != "" {
			name += "_" + part
		}
	}
	return dir + name + ".reload"
}

func (p *printer) interfaces(c *config.Config, k kind) {
	g := &c.Global
	p.global1("Dynamic interfaces", g.DynamicInterfaces)
	if g.DynamicInterfaces {
		p.global1("Allow interface changes", g.AllowIfChanges)
	}
	if g.NoEmailFaults {
		p.global1("Send emails for fault transitions", "off")
	}
	if k == router {
		p.global1("Default interface", g.DefaultInterface)
	}
	for _, t := range []struct {
		name  string
		value config.Opt[time.Duration]
	}{{"TCP", g.LVSTimeouts.TCP}, {"TCP FIN", g.LVSTimeouts.TCPFin}, {"UDP", g.LVSTimeouts.UDP}} {
		if t.value.Set {
			p.line(" LVS %s timeout = %d", t.name, wholes(t.value.Value))
		}
	}
	p.global1("Disable local IGMP", yesNo(g.DisableLocalIGMP))
}

// lvsGlobal writes the sync daemon, and what becomes of services.
func (p *printer) lvsGlobal(g *config.Global, k kind) {
	if s := g.LVSSyncDaemon; s != nil {
		if s.Inst != "" {
			p.global1(choose(k == router, "LVS syncd vrrp instance", "LVS syncd vrrp name"), s.Inst)
		}
		p.global1("LVS syncd interface", s.Interface)
		p.global1("LVS syncd syncid", s.ID.Value)
		given(p, "LVS syncd maxlen", s.MaxLen)
		if s.Group.IsValid() {
			p.line(" LVS mcast group %s", s.Group)
		}
		given(p, "LVS syncd mcast port", s.Port)
		given(p, "LVS syncd mcast ttl", s.TTL)
	}
	p.global1("LVS flush", g.LVSFlush)
	flush := "disabled"
	switch {
	case g.LVSFlushOnStopVS:
		flush = "VS"
	case g.LVSFlushOnStop:
		flush = "full"
	}
	p.global1("LVS flush on stop", flush)
}

// fifos writes the pipes. A process that runs the script of one shows it with
// the argument that it is given; that of all is run by the checkers, or by VRRP
// when there are none.
func (p *printer) fifos(c *config.Config, k kind) {
	g := &c.Global.FIFO
	first := router
	if len(c.Services) > 0 {
		first = checkers
	}
	for _, f := range []struct {
		name   string
		fifo   *config.FIFO
		runner kind
	}{{"Global", &g.Notify, first}, {"VRRP", &g.VRRPNotify, router}, {"LVS", &g.LVSNotify, checkers}} {
		if f.fifo.Path == "" {
			continue
		}
		p.line(" %s notify fifo = %s, uid:gid %s", f.name, f.fifo.Path, p.account(f.fifo.User))
		script := f.fifo.Script
		if script.IsZero() || f.name == "Global" && k == router && first != router {
			continue
		}
		if k == f.runner && !script.Shell {
			script.Args = append(slices.Clip(script.Args), f.fifo.Path)
		}
		p.line(" %s notify fifo script = %s", f.name, p.commandText(&script))
	}
	p.global1("FIFO write vrrp states on reload", g.FIFOWriteVRRPStatesOnReload)
	p.global1("VRRP notify priority changes", g.VRRPNotifyPriorityChanges)
}

func (p *printer) vrrpGlobal(g *config.Global, k kind) {
	p.global1("VRRP IPv4 mcast group", g.VRRPMcastGroup4)
	p.global1("VRRP IPv6 mcast group", g.VRRPMcastGroup6)
	p.global1("Gratuitous ARP delay", wholes(g.VRRPGarpMasterDelay))
	p.global1("Gratuitous ARP repeat", g.VRRPGarpMasterRepeat)
	p.global1("Gratuitous ARP refresh timer", wholes(g.VRRPGarpMasterRefresh))
	p.global1("Gratuitous ARP refresh repeat", g.VRRPGarpMasterRefreshRepeat)
	// Only the process that needs them resolves what was left open.
	const open = 1<<32 - 1
	delay, repeat := wholes(g.VRRPGarpLowerPrioDelay.Value), int64(g.VRRPGarpLowerPrioRepeat.Value)
	if k != router && !g.VRRPGarpLowerPrioDelay.Set {
		delay = open
	}
	if k != router && !g.VRRPGarpLowerPrioRepeat.Set {
		repeat = open
	}
	p.global1("Gratuitous ARP lower priority delay", delay)
	p.global1("Gratuitous ARP lower priority repeat", repeat)
	p.global1("Num adverts before down", g.VRRPDownTimerAdverts)
	p.line(" Gratuitous ARP for each secondary %s = %ds", choose(g.VRRPGarpExtraIf.All, "i/f", "VMAC"), wholes(g.VRRPGarpExtraIf.Interval))
	p.global1("Send advert after receive lower priority advert", !g.VRRPLowerPrioNoAdvert)
	p.global1("Send advert after receive higher priority advert", g.VRRPHigherPrioSendAdvert)
	p.line(" Gratuitous ARP interval = %f", g.VRRPGarpInterval.Seconds())
	p.line(" Gratuitous NA interval = %f", g.VRRPGnaInterval.Seconds())
	p.global1("VRRP default protocol version", g.VRRPVersion)
}

// lastGlobal writes what stands at the end of the section.
func (p *printer) lastGlobal(g *config.Global) {
	p.line(" umask = %#o", g.Process.Umask)
	if g.VRRPStartupDelay > 0 {
		p.line(" vrrp_startup_delay = %g", g.VRRPStartupDelay.Seconds())
	}
	if g.VRRPDelayAfterBoot > 0 {
		p.line(" vrrp_delay_after_boot = %g", g.VRRPDelayAfterBoot.Seconds())
	}
	if g.LogUnknownVRIDs {
		p.line(" log_unknown_vrids")
	}
	if g.VMACPrefix != config.DefaultGlobal.VMACPrefix {
		p.global1("VMAC prefix", g.VMACPrefix)
	}
	given(p, "VMAC address prefix", g.VMACAddrPrefix)
	given(p, "State dump file", g.Interface.StateDumpFile)
	given(p, "Stats dump file", g.Interface.StatsDumpFile)
	given(p, "JSON dump file", g.Interface.JSONDumpFile)
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"v3_checksum_as_v2", g.V3ChecksumAsV2}, {"vrrp_owner_ignore_adverts", g.VRRPOwnerIgnoreAdverts},
		{"use_symlink_paths", g.UseSymlinkPaths}, {"set_supplementary_groups", g.SetSupplementaryGroups},
	} {
		if f.on {
			p.line(" %s", f.name)
		}
	}
	if v := g.Interface.JSONVersion; v != config.DefaultGlobal.Interface.JSONVersion {
		p.line(" json_version %d", v)
	}
}
