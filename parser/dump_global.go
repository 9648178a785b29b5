package parser

import (
	"fmt"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// daemon writes the keywords of the top level that are no blocks.
func (d dumper) daemon(o *config.Daemon) {
	if o.NetNamespace != "" {
		d.line(" Network namespace = %s", o.NetNamespace)
	}
	if o.NetNamespaceIPVS.Set {
		d.line(" Network namespace ipvs = %v", orNone(o.NetNamespaceIPVS.Value))
	}
	if o.Instance != "" {
		d.line(" Instance = %s", o.Instance)
	}
	if o.ChildWaitTime != config.DefaultDaemon.ChildWaitTime {
		d.line(" Child wait time = %d", wholes(o.ChildWaitTime))
	}
	for _, f := range []struct {
		label string
		on    bool
	}{
		{"Namespace with ipsets", o.NamespaceWithIPSet}, {"Use pid dir", o.UsePIDDir}, {"Linkbeat uses polling", o.LinkbeatUsePolling},
	} {
		if f.on {
			d.line(" %s = true", f.label)
		}
	}
}

// globalMore writes what differs from its default among the keywords that few
// configurations use.
func (d dumper) globalMore(g *config.Global) {
	def := &config.DefaultGlobal
	set := func(label string, value, otherwise any) {
		if v := fmt.Sprint(value); v != fmt.Sprint(otherwise) {
			d.line(" %s = %s", label, v)
		}
	}
	set("Smtp HELO name", g.SMTPHeloName, "")
	d.unset("Default smtp_alert", g.SMTPAlert)
	d.unset("Default smtp_alert_vrrp", g.SMTPAlertVRRP)
	d.unset("Default smtp_alert_checker", g.SMTPAlertChecker)
	set("no_checker_emails", g.NoCheckerEmails, false)
	set("Send emails for fault transitions", map[bool]string{true: "off"}[g.NoEmailFaults], "")
	set("VRRP IPv6 mcast group", g.VRRPMcastGroup6, def.VRRPMcastGroup6)
	set("Gratuitous ARP for each secondary i/f", g.VRRPGarpExtraIf.Interval, def.VRRPGarpExtraIf.Interval)
	set("Gratuitous NA interval", fmt.Sprintf("%f", g.VRRPGnaInterval.Seconds()), "0.000000")
	set("vrrp_startup_delay", g.VRRPStartupDelay.Seconds(), 0)
	set("vrrp_delay_after_boot", g.VRRPDelayAfterBoot.Seconds(), 0)
	set("vrrp_max_advert_interval", g.VRRPMaxAdvertInterval.Seconds(), 0)
	set("VMAC prefix", g.VMACPrefix, def.VMACPrefix)
	set("VMAC address prefix", g.VMACAddrPrefix, "")
	set("log_unknown_vrids", g.LogUnknownVRIDs, false)
	set("umask", fmt.Sprintf("%#o", g.Process.Umask), fmt.Sprintf("%#o", def.Process.Umask))
	set("Process name", g.Process.ProcessName, "")
	set("Max auto priority", g.Process.MaxAutoPriority, 0)
	d.processOptions("VRRP", &g.Process.VRRP)
	d.processOptions("Checker", &g.Process.Checker)
	d.processOptions("BFD", &g.Process.BFD)
	d.fifo("Global", &g.FIFO.Notify)
	d.fifo("VRRP", &g.FIFO.VRRPNotify)
	d.fifo("LVS", &g.FIFO.LVSNotify)
	set("nftables table name", g.Firewall.NFTables, "")
	set("rx_bufs_policy", rxPolicyName(&g.Receive), "none")
	set("rx_bufs_multiples", g.Receive.VRRPRxBufsMultiplier, def.Receive.VRRPRxBufsMultiplier)
	set("SNMP socket", g.Interface.SNMPSocket, "")
	set("DBus service name", g.Interface.DBusServiceName, "")
	d.syncDaemon(g.LVSSyncDaemon)
	d.timeout("TCP", g.LVSTimeouts.TCP.Set, wholes(g.LVSTimeouts.TCP.Value))
	d.timeout("TCPFIN", g.LVSTimeouts.TCPFin.Set, wholes(g.LVSTimeouts.TCPFin.Value))
	d.timeout("UDP", g.LVSTimeouts.UDP.Set, wholes(g.LVSTimeouts.UDP.Value))
}

func (d dumper) unset(label string, o config.Opt[bool]) {
	if o.Set {
		d.line(" %s = %s", label, map[bool]string{true: "on", false: "off"}[o.Value])
	}
}

func (d dumper) timeout(name string, set bool, seconds int64) {
	if set {
		d.line(" LVS %s timeout = %d", name, seconds)
	}
}

// processOptions writes one process of keepalived's.
func (d dumper) processOptions(name string, p *config.Process) {
	def := &config.DefaultGlobal.Process.VRRP
	if p.ProcessName != "" {
		d.line(" %s process name = %s", name, p.ProcessName)
	}
	if p.Priority != 0 {
		d.line(" %s process priority = %d", name, p.Priority)
	}
	if p.NoSwap {
		d.line(" %s don't swap = true", name)
	}
	if p.RTPriority != 0 {
		d.line(" %s realtime priority = %d", name, p.RTPriority)
	}
	if len(p.CPUAffinity) > 0 {
		d.line(" %s CPU Affinity = %s", name, strings.Trim(fmt.Sprint(p.CPUAffinity), "[]"))
	}
	if p.RlimitRttime != def.RlimitRttime {
		d.line(" %s realtime limit = %d", name, p.RlimitRttime.Microseconds())
	}
}

func (d dumper) fifo(name string, f *config.FIFO) {
	if f.Path != "" {
		d.line(" %s notify fifo = %s", name, f.Path)
	}
	if !f.Script.IsZero() {
		d.line(" %s notify fifo script = %s", name, commandText(&f.Script))
	}
}

func (d dumper) syncDaemon(s *config.SyncDaemon) {
	if s == nil {
		return
	}
	set := func(there bool, label string, value any) {
		if there {
			d.line(" LVS %s = %v", label, value)
		}
	}
	set(s.Inst != "", "syncd vrrp name", s.Inst)
	set(true, "syncd interface", s.Interface)
	set(s.ID.Set, "syncd syncid", s.ID.Value)
	set(s.MaxLen != 0, "syncd maxlen", s.MaxLen)
	set(s.Group.IsValid(), "mcast group", s.Group)
	set(s.Port != 0, "syncd mcast port", s.Port)
	set(s.TTL != 0, "syncd mcast ttl", s.TTL)
}
