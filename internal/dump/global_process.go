package dump

import (
	"fmt"
	"strings"

	"github.com/lvsd/lvsd/config"
)

func (p *printer) firewall(f *config.Firewall) {
	if f.VRRPIPTables != nil {
		p.global1("Iptables input chain", at(f.VRRPIPTables, 0))
		if len(f.VRRPIPTables) > 1 {
			p.global1("Iptables output chain", f.VRRPIPTables[1])
		}
	}
	for i, name := range f.VRRPIPSets {
		p.global1(fmt.Sprintf("ipset %d", i+1), name)
	}
	if f.NFTables != "" {
		p.global1("nftables table name", f.NFTables)
		p.global1("nftables base chain priority", f.NFTablesPriority)
		p.line(" nftables %sforce use ifindex for link local IPv6", choose(f.NFTablesIfindex, "", "don't "))
	}
	if f.NFTablesIPVS != "" {
		p.global1("ipvs nftables table name", f.NFTablesIPVS)
		p.global1("ipvs nftables base chain priority", f.NFTablesIPVSPriority)
		p.global1("ipvs nftables start fwmark", f.NFTablesIPVSStartFWMark)
	}
	p.line(" nftables with%s counters", choose(f.NFTablesCounters, "", "out"))
}

// needsFirewall says that addresses must be kept from answering, and that
// nothing was said about how.
func needsFirewall(c *config.Config) bool {
	f := &c.Global.Firewall
	if f.NFTables != "" || f.VRRPIPTables != nil {
		return false
	}
	for i := range c.Instances {
		if v := &c.Instances[i]; v.VMAC != nil || !v.Accepts() {
			return true
		}
	}
	return false
}

// keepalivedTable is what keepalived does then.
func keepalivedTable(f config.Firewall) config.Firewall {
	f.NFTables = "keepalived"
	return f
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func (p *printer) processes(o *config.GlobalProcess) {
	if o.MaxAutoPriority < 0 {
		p.global1("Max auto priority", "Disabled")
	} else {
		p.global1("Max auto priority", o.MaxAutoPriority)
	}
	p.line(" Min auto priority delay = %d usecs", o.MinAutoPriorityDelay.Microseconds())
	p.process("VRRP", &o.VRRP)
	p.process("Checker", &o.Checker)
	p.process("BFD", &o.BFD)
}

// process writes one process of keepalived's.
func (p *printer) process(name string, o *config.Process) {
	p.global1(name+" process priority", o.Priority)
	p.global1(name+" don't swap", o.NoSwap)
	p.global1(name+" realtime priority", o.RTPriority)
	if len(o.CPUAffinity) > 0 {
		p.global1(name+" CPU Affinity", strings.Trim(fmt.Sprint(o.CPUAffinity), "[]"))
	}
	p.global1(name+" realtime limit", o.RlimitRttime.Microseconds())
}

// external writes the ways to look into a running daemon.
func (p *printer) external(x *config.ExternalInterfaces) {
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"SNMP vrrp", x.EnableSNMPVRRP}, {"SNMP checker", x.EnableSNMPChecker}, {"SNMP RFCv2", x.EnableSNMPRFCv2},
		{"SNMP RFCv3", x.EnableSNMPRFCv3}, {"SNMP traps", x.EnableTraps},
	} {
		p.line(" %s %s", f.name, enabled(f.on))
	}
	socket := x.SNMPSocket
	if socket == "" {
		socket = "default (unix:/var/agentx/master)"
	}
	p.global1("SNMP socket", socket)
	p.line(" DBus %s", enabled(x.EnableDBus))
	p.global1("DBus service name", x.DBusServiceName)
	given(p, "DBus no interface name", x.DBusNoInterfaceName)
}

// receive writes the sizes of receive buffers and a few more.
func (p *printer) receive(g *config.Global) {
	r := &g.Receive
	for _, b := range []struct {
		name   string
		buffer config.ReceiveBuffer
	}{
		{"vrrp_netlink_cmd", r.VRRPNetlinkCmd}, {"vrrp_netlink_monitor", r.VRRPNetlinkMonitor}, {"process_monitor", r.ProcessMonitor},
		{"lvs_netlink_cmd", r.LVSNetlinkCmd}, {"lvs_netlink_monitor", r.LVSNetlinkMonitor},
	} {
		p.global1(b.name+"_rcv_bufs", b.buffer.Bytes)
		p.global1(b.name+"_rcv_bufs_force", number(b.buffer.Force))
	}
	p.global1("rs_init_notifies", number(g.RSInitNotifies))
	p.global1("no_checker_emails", number(g.NoCheckerEmails))
	switch r.VRRPRxBufsPolicy {
	case config.RxMTU:
		p.global1("rx_bufs_policy", "MTU")
	case config.RxAdvert:
		p.global1("rx_bufs_policy", "ADVERT")
	case config.RxSize:
		p.global1("rx_bufs_size", r.VRRPRxBufsSize)
	}
	p.global1("rx_bufs_multiples", r.VRRPRxBufsMultiplier)
}
