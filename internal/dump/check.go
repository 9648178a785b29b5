package dump

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
)

// lvs writes what the checker process has beside the global definitions.
func (p *printer) lvs(c *config.Config) {
	if c.SSL != nil {
		p.ssl(c.SSL)
	} else if usesTLS(c) {
		p.ssl(&config.SSL{})
	}
	if len(c.Services) == 0 {
		return
	}
	p.title("LVS Topology")
	p.line(" System is compiled with LVS v1.2.1")
	for i := range c.ServiceGroups {
		p.serviceGroup(c, &c.ServiceGroups[i])
	}
	checks := false
	for i := range c.Services {
		v := &c.Services[i]
		servers := c.Servers(v)
		p.service(c, v)
		for k := range servers {
			p.server(c, v, &v.RealServers[k], &servers[k])
			checks = checks || len(servers[k].Checks) > 0
		}
	}
	p.draining()
	if checks {
		p.title("Health checkers")
		p.checks(c)
	}
	p.checkTrackers(c)
}

// usesTLS says that a context for TLS is needed, which is made when no SSL
// block describes one.
func usesTLS(c *config.Config) bool {
	for i := range c.Services {
		for k := range c.Services[i].RealServers {
			for _, check := range c.Services[i].RealServers[k].Checks {
				if check.Kind == config.SSLGet {
					return true
				}
			}
		}
	}
	return false
}

func (p *printer) ssl(s *config.SSL) {
	p.title("SSL definitions")
	if s.Password == "" && s.CA+s.Certificate+s.Key == "" {
		p.line(" Using autogen SSL context")
	}
	for _, f := range []struct{ label, value string }{
		{"Password", s.Password.String()}, {"CA-file", s.CA}, {"Certificate file", s.Certificate}, {"Key file", s.Key},
	} {
		if f.value != "" {
			p.line(" %s : %s", f.label, f.value)
		}
	}
}

func (p *printer) serviceGroup(c *config.Config, g *config.VirtualServerGroup) {
	inet, inet6 := groupFamilies(c, g)
	p.line(" ------< Virtual server group >------")
	p.line(" Virtual Server Group = %s, IPv4 = %s, IPv6 = %s", g.Name, yesNo(inet), yesNo(inet6))
	if c.Global.Firewall.NFTablesIPVS != "" {
		mark := func(protocol config.Protocol) uint32 {
			return p.facts.Marks[config.ServiceKey{Group: g.Name, Protocol: protocol}]
		}
		p.line("   Fwmark TCP: %d UDP: %d SCTP: %d", mark(config.TCP), mark(config.UDP), mark(config.SCTP))
	}
	for i := range g.Entries {
		switch e := &g.Entries[i]; {
		case e.IsMark() && e.Family != 0:
			p.line("   FWMARK = %d %s", e.FWMark, familyText(e.Family == config.Inet6))
		case e.IsMark():
			p.line("   FWMARK = %d", e.FWMark)
		case e.First == e.Last:
			p.line("   VIP = %s, VPORT = %d", e.First, e.Port)
		default:
			p.line("   VIP Range = %s-%s, VPORT = %d", e.First, e.Last, e.Port)
		}
	}
}

func familyText(inet6 bool) string { return choose(inet6, "IPv6", "IPv4") }

// groupFamilies are those of the entries. Marks that do not say theirs have
// that of the service which uses the group.
func groupFamilies(c *config.Config, g *config.VirtualServerGroup) (inet, inet6 bool) {
	inet, inet6, plain := g.Families()
	if !plain {
		return inet, inet6
	}
	for i := range c.Services {
		if v := &c.Services[i]; v.Group == g.Name {
			inet6 = inet6 || v.Family() == config.Inet6
			inet = inet || v.Family() == config.Inet
		}
	}
	return inet, inet6
}

// serviceLabel is what keepalived calls a service.
func serviceLabel(v *config.VirtualServer) string {
	switch {
	case v.Group != "":
		return fmt.Sprintf("[%s]:%d", v.Group, v.Addr.Port())
	case v.FWMark != 0:
		return fmt.Sprintf("FWM %d", v.FWMark)
	}
	return endpointText(v.Addr, v.Protocol.Value)
}

// endpointText is a server as keepalived's sentences name it.
func endpointText(a netip.AddrPort, p config.Protocol) string {
	return config.ServiceKey{Addr: a, Protocol: p}.String()
}

// service writes a virtual_server. Blocks of the same key run as one service.
func (p *printer) service(c *config.Config, v *config.VirtualServer) {
	p.line(" ------< Virtual server >------")
	switch {
	case v.Group != "":
		p.line(" VS GROUP = %s", serviceLabel(v))
	case v.FWMark != 0:
		p.line(" VS FWMARK = %d", v.FWMark)
	default:
		p.line(" VS VIP = %s, VPORT = %d", v.Addr.Addr(), v.Addr.Port())
	}
	if v.VirtualHost != "" {
		p.field("VirtualHost", v.VirtualHost)
	}
	if v.SNMPName != "" {
		p.field("SNMP name", "'"+v.SNMPName+"'")
	}
	p.field("Address family", familyOfService(c, v))
	p.serviceTiming(v)
	p.field("lvs_sched", v.Scheduler())
	p.field("Hashed", "disabled")
	p.schedFlags(v)
	p.field("One packet scheduling", enabled(v.OPS)+choose(v.OPS && v.Protocol.Value != config.UDP, " (inactive due to not UDP)", ""))
	if v.PersistenceEngine != "" {
		p.field("persistence engine", v.PersistenceEngine)
	}
	if v.PersistenceTimeout > 0 {
		p.field("persistence timeout", wholes(v.PersistenceTimeout))
	}
	if v.PersistenceNetmask.IsValid() {
		p.field("persistence granularity", v.PersistenceNetmask)
	} else if v.PersistenceGranularity > 0 {
		p.field("persistence granularity", granularity(v.Family(), v.PersistenceGranularity))
	}
	p.field("protocol", v.Protocol.Value)
	p.line("   alpha is %s", onOff(v.Alpha))
	p.line("   omega is %s", onOff(v.Omega))
	p.attempts(&v.Timing)
	p.serviceState(c, v)
}

func familyOfService(c *config.Config, v *config.VirtualServer) string {
	if g := c.ServiceGroup(v.Group); v.Group != "" && g != nil {
		switch inet, inet6 := groupFamilies(c, g); {
		case inet && inet6:
			return "IPv4 & IPv6"
		case inet6:
			return "inet6"
		case inet:
			return "inet"
		}
	}
	return v.Family().String()
}

// serviceTiming is what the checks of a service inherit.
func (p *printer) serviceTiming(v *config.VirtualServer) {
	defaults := config.DefaultTiming(config.TCPCheck)
	t := v.Timing.Over(&defaults)
	p.line("   connection timeout = %f", t.ConnectTimeout.Value.Seconds())
	p.line("   delay_loop = %f", t.DelayLoop.Value.Seconds())
}

// attempts writes what was said about them.
func (p *printer) attempts(t *config.Timing) {
	if t.Retry.Set {
		p.field("Retry count", t.Retry.Value)
	}
	for _, f := range []struct {
		label string
		value config.Opt[time.Duration]
	}{{"Retry delay", t.DelayBeforeRetry}, {"Warmup", t.Warmup}} {
		if f.value.Set {
			p.line("   %s = %f", f.label, f.value.Value.Seconds())
		}
	}
}

// serviceState is what decides whether a service is up, and whether it is.
func (p *printer) serviceState(c *config.Config, v *config.VirtualServer) {
	p.line("   Inhibit on failure is %s", onOff(v.InhibitOnFailure))
	p.drainTimeout(v.DrainTimeout)
	p.line("   quorum = %d, hysteresis = %d", v.Quorum, v.Hysteresis)
	if !v.QuorumUp.IsZero() {
		p.field("Quorum up notify script", p.commandText(v.QuorumUp))
	}
	if !v.QuorumDown.IsZero() {
		p.field("Quorum down notify script", p.commandText(v.QuorumDown))
	}
	if v.HASuspend {
		p.line("   Using HA suspend")
	}
	p.field("Using smtp notification", yesNo(v.SMTPAlert.Value))
	p.method("   default ", v.Method(), v.Tunnel)
	if s := v.SorryServer; s != nil {
		p.field("sorry server"+choose(duplicates(v, s), " (duplicates rs)", ""), endpointText(v.SorryAddr(), v.Protocol.Value))
		m, t := s.Method.Value, s.Tunnel
		if !s.Method.Set {
			m, t = v.Method(), v.Tunnel
		}
		p.method("     ", m, t)
		p.line("     Inhibit on failure is %s", onOff(s.Inhibit))
	}
	p.field("alive", 1)
	p.field("quorum_state_up", number(p.quorum(c, v)))
	p.field("reloaded", 0)
}

// quorum says that the quorum is held; when the service has just been read, that
// the weights of the servers that are up are enough.
func (p *printer) quorum(c *config.Config, v *config.VirtualServer) bool {
	if s, ok := p.facts.Services[v.Key()]; ok {
		return s.Quorum
	}
	var sum int
	for _, server := range c.Servers(v) {
		if s := p.serverState(v, &server); s.Alive {
			sum += s.Weight
		}
	}
	return sum > 0 && sum >= int(v.Quorum)
}

// duplicates says that the sorry server is one of the real servers, too.
func duplicates(v *config.VirtualServer, s *config.SorryServer) bool {
	for i := range v.RealServers {
		if v.ServerAddr(&v.RealServers[i]) == v.SorryAddr() {
			return true
		}
	}
	return false
}

// method writes a forwarding method. keepalived drops what it would begin a
// line with where the tunnel is none of IP in IP.
func (p *printer) method(begin string, m config.Method, t config.Tunnel) {
	if m != config.TUN {
		p.line("%sforwarding method = %s", begin, m)
		return
	}
	if t.Type != config.IPIP {
		begin = "   "
	}
	text := fmt.Sprintf("TUN, type = %s", t.Type)
	if t.Type == config.GUE {
		text += fmt.Sprintf(", port = %d", t.Port)
	}
	if t.Type != config.IPIP {
		text += [...]string{config.NoChecksum: ", no checksum", config.Checksum: ", checksum", config.RemoteChecksum: ", remote checksum"}[t.Checksum%3]
	}
	p.line("%sforwarding method = %s", begin, text)
}

// granularity is a netmask for IPv4 and a prefix length for IPv6.
func granularity(f config.Family, ones int) string {
	if f == config.Inet6 || ones > 32 {
		return fmt.Sprint(ones)
	}
	mask := ^uint32(0) << (32 - ones)
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

func (p *printer) schedFlags(v *config.VirtualServer) {
	type flag struct {
		name string
		bit  config.SchedFlags
	}
	flags := []flag{{"flag-1", config.SchedFlag1}, {"flag-2", config.SchedFlag2}, {"flag-3", config.SchedFlag3}}
	if s := v.Scheduler(); s == "sh" || s == "mh" {
		flags = []flag{{s + "-port", config.SchedFlag2}, {s + "-fallback", config.SchedFlag1}}
	}
	for _, f := range flags {
		p.field(f.name, enabled(v.SchedFlags&f.bit != 0))
	}
}

// serverState is that of a real server; when it has just been read, checks with
// alpha are down and others up.
func (p *printer) serverState(v *config.VirtualServer, r *config.Server) Server {
	if s, ok := p.facts.Services[v.Key()].Servers[r.Addr]; ok {
		return s
	}
	s := Server{Weight: r.Weight, Checks: map[config.CheckID]Check{}}
	for i := range r.Checks {
		s.Checks[r.Checks[i].ID()] = Check{Up: !r.Checks[i].Timing.Alpha.Value}
	}
	s.Alive = s.failed() == 0
	return s
}

func (p *printer) server(c *config.Config, v *config.VirtualServer, written *config.RealServer, r *config.Server) {
	s := p.serverState(v, r)
	p.line("   ------< Real server >------")
	p.line("   RIP = %s, RPORT = %d, WEIGHT = %d EFF WEIGHT = %d", r.Addr.Addr(), r.Addr.Port(), r.Weight, s.Weight)
	p.method("   ", r.Method, r.Tunnel)
	alpha := v.Alpha
	if written.Alpha.Set {
		alpha = written.Alpha.Value
	}
	p.line("   Alpha is %s", onOff(alpha))
	t := v.Timing
	if written.Timing != nil {
		t = written.Timing.Over(&t)
	}
	defaults := config.DefaultTiming(config.TCPCheck)
	all := t.Over(&defaults)
	p.line("   connection timeout = %f", all.ConnectTimeout.Value.Seconds())
	p.line("   connection limit range = %d -> %d", r.LThreshold, r.UThreshold)
	p.line("   Delay loop = %f", all.DelayLoop.Value.Seconds())
	p.attempts(&t)
	p.line("   Inhibit on failure is %s", onOff(r.InhibitOnFailure))
	p.drainTimeout(r.DrainTimeout)
	if !r.NotifyUp.IsZero() {
		p.line("     RS up notify script = %s", p.commandText(r.NotifyUp))
	}
	if !r.NotifyDown.IsZero() {
		p.line("     RS down notify script = %s", p.commandText(r.NotifyDown))
	}
	if n := written.Names; n != nil {
		if n.VirtualHost != "" {
			p.line("    VirtualHost = '%s'", n.VirtualHost)
		}
		if n.SNMPName != "" {
			p.field("SNMP name", n.SNMPName)
		}
	}
	p.field("Using smtp notification", yesNo(written.SMTPAlert.Value))
	p.field("initial weight", r.Weight)
	p.field("effective weight", s.Weight)
	p.field("alive", number(s.Alive))
	p.field("num failed checkers", s.failed())
	p.field("RS set", number(s.Alive || r.InhibitOnFailure))
	p.serverTrackers(c, r)
}

// serverTrackers are the checks that have no probe of their own.
func (p *printer) serverTrackers(c *config.Config, r *config.Server) {
	var files, sessions []string
	for i := range r.Checks {
		switch k := r.Checks[i].Params.(type) {
		case *config.FileParams:
			files = append(files, k.TrackFile+fileWeight(c, k))
		case *config.BFDParams:
			sessions = append(sessions, k.Name)
		}
	}
	for _, l := range []struct {
		title string
		list  []string
	}{{"Files", files}, {"BFDs", sessions}} {
		if len(l.list) > 0 {
			p.line("   Tracked %s", l.title)
		}
		for _, text := range l.list {
			p.line("     %s", text)
		}
	}
}

func (p *printer) drainTimeout(d time.Duration) {
	if d > 0 {
		p.field("Drain timeout", wholes(d))
	}
}

// draining writes the real servers that have left the configuration.
func (p *printer) draining() {
	if len(p.facts.Draining) == 0 {
		return
	}
	p.title("Draining real servers")
	for _, d := range p.facts.Draining {
		p.line(" %s of %s until %s", endpointText(d.Server, d.Service.Protocol), d.Service, d.Until.Format(time.DateTime))
	}
}
