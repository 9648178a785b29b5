package parser

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// lvs is what keepalived's checker process writes.
func (d dumper) lvs(c *config.Config) {
	if c.SSL != nil {
		d.ssl(c.SSL)
	}
	if len(c.Services)+len(c.ServiceGroups) == 0 {
		return
	}
	d.line("------< LVS Topology >------")
	for i := range c.ServiceGroups {
		d.serviceGroup(&c.ServiceGroups[i])
	}
	servers := make([][]config.Server, len(c.Services))
	checks := 0
	for i := range c.Services {
		servers[i] = c.Servers(&c.Services[i])
		d.service(c, &c.Services[i], servers[i])
		for k := range servers[i] {
			checks += len(servers[i][k].Checks)
		}
	}
	if checks > 0 {
		d.line("------< Health checkers >------")
	}
	for i := range c.Services {
		for k := range servers[i] {
			d.checks(&c.Services[i], &servers[i][k])
		}
	}
}

func (d dumper) ssl(s *config.SSL) {
	d.line("------< SSL definitions >------")
	if s.Password+config.Secret(s.CA+s.Certificate+s.Key) == "" {
		d.line(" Using autogen SSL context")
	}
	for _, f := range []struct {
		label string
		value fmt.Stringer
	}{{"Password", s.Password}, {"CA-file", plain(s.CA)}, {"Certificate file", plain(s.Certificate)}, {"Key file", plain(s.Key)}} {
		if f.value.String() != "" {
			d.line(" %s : %s", f.label, f.value)
		}
	}
}

type plain string

func (p plain) String() string { return string(p) }

func (d dumper) serviceGroup(g *config.VirtualServerGroup) {
	inet, inet6, _ := g.Families()
	answer := map[bool]string{true: "True", false: "False"}
	d.line(" ------< Virtual server group >------")
	d.line(" Virtual Server Group = %s, IPv4 = %s, IPv6 = %s", g.Name, answer[inet], answer[inet6])
	for i := range g.Entries {
		switch e := &g.Entries[i]; {
		case e.IsMark() && e.Family != 0:
			d.line("   FWMARK = %d %s", e.FWMark, e.Family)
		case e.IsMark():
			d.line("   FWMARK = %d", e.FWMark)
		case e.First == e.Last:
			d.line("   VIP = %s, VPORT = %d", e.First, e.Port)
		default:
			d.line("   VIP Range = %s-%s, VPORT = %d", e.First, e.Last, e.Port)
		}
	}
}

// serviceLabel is what keepalived's dump calls a service.
func serviceLabel(v *config.VirtualServer) string {
	switch {
	case v.Group != "":
		return v.Group
	case v.FWMark != 0:
		return fmt.Sprintf("FWM %d", v.FWMark)
	}
	return endpointText(v.Addr, v.Protocol.Value)
}

// service writes a virtual_server. Blocks of the same key run as one service.
func (d dumper) service(c *config.Config, v *config.VirtualServer, servers []config.Server) {
	d.line(" ------< Virtual server >------")
	switch {
	case v.Group != "":
		d.line("   VS GROUP = %s", v.Group)
	case v.FWMark != 0:
		d.line("   VS FWMARK = %d", v.FWMark)
	default:
		d.line("   VS VIP = %s, VPORT = %d", v.Addr.Addr(), v.Addr.Port())
	}
	if v.VirtualHost != "" {
		d.field("VirtualHost", v.VirtualHost)
	}
	if v.SNMPName != "" {
		d.field("SNMP name", "'"+v.SNMPName+"'")
	}
	d.field("Address family", familyOfService(c, v))
	d.serviceTiming(v)
	d.field("lvs_sched", v.LBAlgo.Value)
	d.schedFlags(v)
	if v.OPS {
		d.field("One packet scheduling", "enabled")
	}
	if v.PersistenceEngine != "" {
		d.field("persistence engine", v.PersistenceEngine)
	}
	if v.PersistenceTimeout > 0 {
		d.field("persistence timeout", wholes(v.PersistenceTimeout))
	}
	if v.PersistenceGranularity > 0 {
		d.field("persistence granularity", granularity(v.Family(), v.PersistenceGranularity))
	}
	d.field("protocol", v.Protocol.Value)
	d.serviceState(v)
	d.line("   default forwarding method = %s", methodText(v.LBKind.Value, v.Tunnel))
	for i := range servers {
		d.server(&v.RealServers[i], &servers[i])
	}
}

func familyOfService(c *config.Config, v *config.VirtualServer) string {
	if g := c.ServiceGroup(v.Group); v.Group != "" && g != nil {
		if inet, inet6, _ := g.Families(); inet && inet6 {
			return "IPv4 & IPv6"
		} else if inet6 {
			return "inet6"
		} else if inet {
			return "inet"
		}
	}
	return v.Family().String()
}

// serviceTiming is what the checks of a service inherit.
func (d dumper) serviceTiming(v *config.VirtualServer) {
	t := &v.Timing
	for _, f := range []struct {
		label string
		value config.Opt[time.Duration]
	}{{"connection timeout", t.ConnectTimeout}, {"delay_loop", t.DelayLoop}, {"Retry delay", t.DelayBeforeRetry}, {"Warmup", t.Warmup}} {
		if f.value.Set {
			d.line("   %s = %f", f.label, f.value.Value.Seconds())
		}
	}
	if t.Retry.Set {
		d.field("Retry count", t.Retry.Value)
	}
}

// serviceState is what decides whether a service is up.
func (d dumper) serviceState(v *config.VirtualServer) {
	d.line("   alpha is %s", onOff(v.Alpha))
	d.line("   omega is %s", onOff(v.Omega))
	d.line("   Inhibit on failure is %s", onOff(v.InhibitOnFailure))
	d.line("   quorum = %d, hysteresis = %d", v.Quorum, v.Hysteresis)
	if !v.QuorumUp.IsZero() {
		d.field("Quorum up notify script", commandText(v.QuorumUp))
	}
	if !v.QuorumDown.IsZero() {
		d.field("Quorum down notify script", commandText(v.QuorumDown))
	}
	if v.HASuspend {
		d.line("   Using HA suspend")
	}
	d.field("Using smtp notification", map[bool]string{true: "yes", false: "no"}[v.SMTPAlert.Value])
	if s := v.SorryServer; s != nil {
		d.field("sorry server", endpointText(s.Addr, v.Protocol.Value))
		m, t := s.Method.Value, s.Tunnel
		if !s.Method.Set {
			m, t = v.LBKind.Value, v.Tunnel
		}
		d.line("     forwarding method = %s", methodText(m, t))
		d.line("     Inhibit on failure is %s", onOff(s.Inhibit))
	}
}

func onOff(v bool) string {
	if v {
		return "ON"
	}
	return "OFF"
}

// methodText is a forwarding method with what a tunnel has more.
func methodText(m config.Method, t config.Tunnel) string {
	if t == (config.Tunnel{}) {
		return m.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "TUN, type = %s", t.Type)
	if t.Port != 0 {
		fmt.Fprintf(&b, ", port = %d", t.Port)
	}
	b.WriteString(map[config.TunnelChecksum]string{config.Checksum: ", checksum", config.RemoteChecksum: ", remote checksum"}[t.Checksum])
	return b.String()
}

// granularity is a netmask for IPv4 and a prefix length for IPv6.
func granularity(f config.Family, ones int) string {
	if f == config.Inet6 || ones > 32 {
		return fmt.Sprint(ones)
	}
	mask := ^uint32(0) << (32 - ones)
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

func (d dumper) schedFlags(v *config.VirtualServer) {
	names := [3]string{"flag-1", "flag-2", "flag-3"}
	if s := v.LBAlgo.Value; s == "sh" || s == "mh" {
		names = [3]string{s + "-fallback", s + "-port", "flag-3"}
	}
	for i, name := range names {
		if v.SchedFlags&(config.SchedFlag1<<i) != 0 {
			d.field(name, "enabled")
		}
	}
}

func (d dumper) server(written *config.RealServer, r *config.Server) {
	d.line("   ------< Real server >------")
	d.line("   RIP = %s, RPORT = %d, WEIGHT = %d", r.Addr.Addr(), r.Addr.Port(), r.Weight)
	if r.UThreshold != 0 || r.LThreshold != 0 {
		d.line("   connection limit range = %d -> %d", r.LThreshold, r.UThreshold)
	}
	d.line("     forwarding method = %s", methodText(r.Method, r.Tunnel))
	if r.InhibitOnFailure {
		d.line("     Inhibit on failure is ON")
	}
	if written.SMTPAlert.Set {
		d.line("     Using smtp notification = %s", map[bool]string{true: "yes", false: "no"}[written.SMTPAlert.Value])
	}
	if !r.NotifyUp.IsZero() {
		d.line("     RS up notify script = %s", commandText(r.NotifyUp))
	}
	if !r.NotifyDown.IsZero() {
		d.line("     RS down notify script = %s", commandText(r.NotifyDown))
	}
	if n := written.Names; n != nil {
		if n.VirtualHost != "" {
			d.line("     VirtualHost = '%s'", n.VirtualHost)
		}
		if n.SNMPName != "" {
			d.line("     SNMP name = %s", n.SNMPName)
		}
	}
}
