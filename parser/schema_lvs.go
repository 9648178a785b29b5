package parser

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// virtualServer reads virtual_server IPADDR [PORT] | fwmark INT | group NAME.
func (s *schema) virtualServer(c *cursor, cfg *config.Config) {
	n := len(cfg.Services)
	cfg.Services = append(roomy(c, cfg.Services), config.DefaultVirtualServer)
	v := &cfg.Services[n]
	v.Origin = c.origin()
	if !c.serviceName(v) {
		cfg.Services = cfg.Services[:n]
		return
	}
	c.d.begin(c.keyword, c.keyword)
	v.RealServers = c.d.realServers.take(c.st.Body.blocks())
	decode(c.d, s.service, c.st.Body, v)
	c.sorryFamily(v)
}

// serviceName reads what the service is known by.
func (c *cursor) serviceName(v *config.VirtualServer) bool {
	before := *c
	switch kind, _ := c.next(); kind {
	case "group":
		name, ok := c.need()
		if !ok {
			return false
		}
		v.Group = strings.Clone(name)
	case "fwmark":
		word, ok := c.need()
		if !ok {
			return false
		}
		mark, f := num[uint32](0, maxUint)(word)
		switch {
		case f != nil:
			c.errorf(f.class, f.code, "virtual server fwmark '%s' must be in [0, 4294967295] - ignoring", word)
			return false
		case mark == 0:
			c.problem(config.Warning, config.ClassNone, "invalid-value", "virtual server fwmark 0 is no mark - skipping")
			return false
		}
		v.FWMark = mark
	default:
		*c = before
		addr, ok := c.endpoint("virtual server IP")
		if !ok {
			return false
		}
		v.Addr = addr
	}
	return true
}

// virtualServerGroup: of two groups of one name the first counts.
func virtualServerGroup(c *cursor, cfg *config.Config) {
	name, ok := c.need()
	if !ok {
		return
	}
	name = strings.Clone(name)
	c.d.begin(name, "("+name+")")
	g := config.VirtualServerGroup{Name: name, Origin: c.origin()}
	end := *c
	list(groupEntry).apply(c, &g)
	inet, inet6, plain := g.Families()
	switch {
	case len(g.Entries) == 0:
		end.atEnd("empty-group", "virtual server group %s has no entries - removing", name)
	case inet && inet6 && plain:
		end.atEnd("address-family", "virtual server group %s cannot have IPv4, IPv6 and fwmark without family - removing", name)
	case c.d.names["virtual_server_group "+name]:
		end.problem(config.Warning, config.ClassNone, "duplicate", fmt.Sprintf("virtual_server_group %s is defined twice, the first one counts", name))
	default:
		c.d.names["virtual_server_group "+name] = true
		cfg.ServiceGroups = append(cfg.ServiceGroups, g)
	}
}

func virtualServerBlock() *block[config.VirtualServer] {
	type vs = config.VirtualServer
	b := &block[vs]{path: "virtual_server", rows: rows[vs]{
		"ip_family":               {apply: ipFamily, says: "unknown address family %V"},
		"lb_algo":                 opt(schedulers(), func(v *vs) *config.Opt[string] { return &v.LBAlgo }).or("Invalid lvs_scheduler '%V' - ignoring"),
		"lb_kind":                 method("virtual", func(v *vs) (*config.Opt[config.Method], *config.Tunnel) { return &v.LBKind, &v.Tunnel }),
		"protocol":                opt(upper(protocols), func(v *vs) *config.Opt[config.Protocol] { return &v.Protocol }).or("Unknown protocol %V - ignoring"),
		"ops":                     on(func(v *vs) { v.OPS = true }),
		"hashed":                  on(func(*vs) {}),
		"flag-1":                  on(func(v *vs) { v.SchedFlags |= config.SchedFlag1 }),
		"flag-2":                  on(func(v *vs) { v.SchedFlags |= config.SchedFlag2 }),
		"flag-3":                  on(func(v *vs) { v.SchedFlags |= config.SchedFlag3 }),
		"sh-fallback":             hashFlag("sh", config.SchedFlag1),
		"sh-port":                 hashFlag("sh", config.SchedFlag2),
		"mh-fallback":             hashFlag("mh", config.SchedFlag1),
		"mh-port":                 hashFlag("mh", config.SchedFlag2),
		"persistence_engine":      {apply: persistenceEngine},
		"persistence_timeout":     row[vs]{apply: persistenceTimeout, says: "persistence_timeout invalid"}.at(func(v *vs) *config.Origin { return &v.PersistenceOrigin }),
		"persistence_granularity": {apply: persistenceGranularity},
		"ha_suspend":              on(func(v *vs) { v.HASuspend = true }),
		"smtp_alert":              optBool(func(v *vs) *config.Opt[bool] { return &v.SMTPAlert }).or("Invalid virtual_server smtp_alert parameter %V"),
		"virtualhost":             set(text, func(v *vs) *string { return &v.VirtualHost }).orMissing("virtual server virtualhost missing"),
		"snmp_name":               set(text, func(v *vs) *string { return &v.SNMPName }).orMissing("virtual server snmp_name missing or extra parameters").alone("virtual server snmp_name missing or extra parameters"),
		"weight":                  set(count(1, maxWeight), func(v *vs) *int { return &v.Weight }).or("Virtual server weight %V is outside range 1-65535"),
		"inhibit_on_failure":      on(func(v *vs) { v.InhibitOnFailure = true }),
		"drain_timeout":           set(wholeSeconds(0, maxDrain), func(v *vs) *time.Duration { return &v.DrainTimeout }).or("Invalid virtual_server drain_timeout '%V'"),
		"alpha":                   on(func(v *vs) { v.Alpha = true }),
		"omega":                   on(func(v *vs) { v.Omega = true }),
		"quorum":                  row[vs]{apply: quorum, says: "Quorum %V must be in [1, 4294967295]. Setting to 1."},
		"hysteresis":              set(num[uint32](0, maxUint), func(v *vs) *uint32 { return &v.Hysteresis }).or("Hysteresis %V must be in [0, 4294967295] - ignoring"),
		"quorum_up":               script(func(v *vs) *config.Command { return made(&v.QuorumUp) }),
		"quorum_down":             script(func(v *vs) *config.Command { return made(&v.QuorumDown) }),
		"sorry_server":            row[vs]{apply: sorryServer},
		"sorry_server_inhibit":    row[vs]{apply: sorryServerInhibit},
		"sorry_server_lvs_method": row[vs]{apply: sorryServerMethod},
		"real_server":             realServerRow(),
	}}
	timing(b.rows, 1, "retry value invalid - %V", func(v *vs) *config.Timing { return &v.Timing })
	b.says("delay_loop", "virtual server delay loop '%V' invalid - ignoring")
	b.says("delay_before_retry", "virtual server delay before retry '%V' invalid - ignoring")
	b.says("warmup", "virtual server warmup '%V' invalid - ignoring")
	connectTimeout(b.rows, "virtual server connect_timeout %V invalid - ignoring", func(v *vs) *config.Timing { return &v.Timing })
	b.rows["lvs_sched"], b.rows["lvs_method"] = b.rows["lb_algo"], b.rows["lb_kind"]
	return b
}

const (
	maxWeight = 65535     // IPVS_WEIGHT_MAX of keepalived
	maxDrain  = 2678400   // 31 days, as of persistence_timeout
	maxUint   = 1<<32 - 1 // the largest unsigned number of keepalived
)

// says replaces keepalived's sentence for a wrong value of a keyword.
func (b *block[T]) says(keyword, sentence string) {
	b.rows[keyword] = b.rows[keyword].or(sentence)
}

// serverDraft is a real_server block that is being decoded. What real servers
// share is found at its end.
type serverDraft struct {
	*config.RealServer
	protocol config.Protocol
	timing   config.Timing
}

func realServerRow() row[config.VirtualServer] {
	b := realServerBlock()
	return row[config.VirtualServer]{block: true, apply: func(c *cursor, v *config.VirtualServer) {
		at := c.following()
		addr, ok := c.endpoint("real server ip")
		if !ok {
			return
		}
		family := v.Family()
		v.RealServers = append(v.RealServers, config.RealServer{Origin: at, Addr: addr, Checks: c.d.checks.take(c.st.Body.blocks())})
		r := &c.d.server
		*r = serverDraft{RealServer: &v.RealServers[len(v.RealServers)-1], protocol: v.Protocol.Value}
		decode(c.d, b, c.st.Body, r)
		r.Timing = c.d.shared(r.timing)
		method := v.LBKind.Value
		if r.LVSMethod.Set {
			method = r.LVSMethod.Value
		}
		if family != 0 && config.FamilyOf(addr.Addr()) != family && method != config.TUN {
			c.d.problem(c.st.Body.Close.Pos, config.Error, config.ClassGeneral, "address-family",
				fmt.Sprintf("Address family of virtual server and real server %s don't match - skipping real server.", addr.Addr()))
			v.RealServers = v.RealServers[:len(v.RealServers)-1]
		}
	}}
}

func realServerBlock() *block[serverDraft] {
	type rs = serverDraft
	b := &block[rs]{path: "virtual_server/real_server", rows: rows[rs]{
		"weight":             opt(count(0, maxWeight), func(r *rs) *config.Opt[int] { return &r.Weight }).or("Real server weight %V is outside range 0-65535"),
		"lvs_method":         method("real", func(r *rs) (*config.Opt[config.Method], *config.Tunnel) { return &r.LVSMethod, &r.Tunnel }),
		"uthreshold":         set(num[uint32](0, maxUint), func(r *rs) *uint32 { return &r.UThreshold }).or("Invalid real_server uthreshold '%V' - ignoring"),
		"lthreshold":         set(num[uint32](0, maxUint), func(r *rs) *uint32 { return &r.LThreshold }).or("Invalid real_server lthreshold '%V' - ignoring"),
		"inhibit_on_failure": optBool(func(r *rs) *config.Opt[bool] { return &r.InhibitOnFailure }).or("Invalid inhibit_on_failure parameter %V"),
		"drain_timeout":      opt(wholeSeconds(0, maxDrain), func(r *rs) *config.Opt[time.Duration] { return &r.DrainTimeout }).or("Invalid real_server drain_timeout '%V'"),
		"alpha":              optBool(func(r *rs) *config.Opt[bool] { return &r.Alpha }).or("Invalid alpha parameter %V"),
		"smtp_alert":         optBool(func(r *rs) *config.Opt[bool] { return &r.SMTPAlert }).or("Invalid real_server smtp_alert parameter %V"),
		"virtualhost":        set(text, func(r *rs) *string { return &r.names().VirtualHost }).orMissing("real server virtualhost missing"),
		"snmp_name":          set(text, func(r *rs) *string { return &r.names().SNMPName }).orMissing("real server snmp_name missing or extra parameters").alone("real server snmp_name missing or extra parameters"),
		"notify_up":          script(func(r *rs) *config.Command { return made(&r.NotifyUp) }),
		"notify_down":        script(func(r *rs) *config.Command { return made(&r.NotifyDown) }),
	}}
	for _, check := range checkBlocks() {
		b.rows[string(check.kind)] = checkRow(check)
	}
	timing(b.rows, 1, "retry value invalid - %V", func(r *rs) *config.Timing { return &r.timing })
	b.says("delay_loop", "real server delay_loop '%V' invalid - ignoring")
	b.says("delay_before_retry", "real server delay_before_retry '%V' invalid - ignoring")
	b.says("warmup", "real server warmup '%V' invalid - ignoring")
	connectTimeout(b.rows, "real server connect_timeout %V invalid - ignoring", func(r *rs) *config.Timing { return &r.timing })
	return b
}

func (r *serverDraft) names() *config.ServerNames {
	if r.Names == nil {
		r.Names = new(config.ServerNames)
	}
	return r.Names
}

// shared keeps one of all timings that are equal: thousands of servers and
// checks have a few, and mostly that of their neighbour.
func (d *decoder) shared(t config.Timing) *config.Timing {
	if t == (config.Timing{}) {
		return nil
	}
	if d.timing != nil && *d.timing == t {
		return d.timing
	}
	at, ok := d.timings[t]
	if !ok {
		at = new(config.Timing)
		*at = t
		if d.timings == nil {
			d.timings = map[config.Timing]*config.Timing{}
		}
		d.timings[t] = at
	}
	d.timing = at
	return at
}

var (
	protocols = map[string]config.Protocol{"TCP": config.TCP, "UDP": config.UDP, "SCTP": config.SCTP}
	families  = map[string]config.Family{"inet": config.Inet, "inet6": config.Inet6}
)

// schedulers are the names that keepalived knows; they are the kernel's.
func schedulers() value[string] {
	names := map[string]string{}
	for _, name := range strings.Fields("rr wrr lc wlc lblc lblcr sh mh dh fo ovf sed nq twos") {
		names[name] = name
	}
	read := oneOf(names)
	return func(word string) (string, *fault) {
		name, f := read(word)
		if f != nil {
			f.code = "unknown-scheduler"
			f.hint = cmp.Or(dialectOfScheduler(word), f.hint)
		}
		return name, f
	}
}

// ipFamily: the addresses before it have the last word.
func ipFamily(c *cursor, v *config.VirtualServer) {
	word, ok := c.need()
	if !ok {
		return
	}
	family, f := oneOf(families)(word)
	switch was := settled(v); {
	case f != nil:
		c.invalid(f, word)
	case was != 0 && was != family:
		c.errorf(config.ClassGeneral, "address-family", "Virtual server specified family %s conflicts with server family", word)
	default:
		v.IPFamily = family
	}
}

// settled is the family that a service has whatever ip_family says: a tunnel
// leads to real servers of either.
func settled(v *config.VirtualServer) config.Family {
	if v.Addr.IsValid() {
		return config.FamilyOf(v.Addr.Addr())
	}
	for i := range v.RealServers {
		r := &v.RealServers[i]
		if r.LVSMethod.Value != config.TUN && (r.LVSMethod.Set || v.LBKind.Value != config.TUN) {
			return config.FamilyOf(r.Addr.Addr())
		}
	}
	return v.IPFamily
}

// hashFlag is a scheduler flag by a name that only one scheduler has.
func hashFlag(scheduler string, f config.SchedFlags) row[config.VirtualServer] {
	return row[config.VirtualServer]{apply: func(c *cursor, v *config.VirtualServer) {
		if v.LBAlgo.Value != scheduler {
			c.errorf(config.ClassGeneral, "scheduler-flag", "%s only applies to %s scheduler - ignoring", c.keyword, scheduler)
			return
		}
		v.SchedFlags |= f
	}}
}

// quorum: what is no number is 1.
func quorum(c *cursor, v *config.VirtualServer) {
	v.Quorum = 1
	set(num[uint32](1, maxUint), func(v *config.VirtualServer) *uint32 { return &v.Quorum }).apply(c, v)
}

const maxEngineName = 16 // IP_VS_PENAME_MAXLEN

func persistenceEngine(c *cursor, v *config.VirtualServer) {
	word, ok := c.need()
	if !ok {
		return
	}
	if len(word) > maxEngineName {
		c.errorf(config.ClassGeneral, "invalid-value", "persistence_name too long, truncating - %s", word)
		word = word[:maxEngineName]
	}
	v.PersistenceEngine = strings.Clone(word)
}

// defaultPersistence is that of persistence_timeout without a value.
const defaultPersistence = 360 * time.Second

// persistenceTimeout reads [SECONDS].
func persistenceTimeout(c *cursor, v *config.VirtualServer) {
	word, ok := c.next()
	if !ok {
		v.PersistenceTimeout = defaultPersistence
		return
	}
	d, f := wholeSeconds(1, 2678400)(word) // 31 days
	if f != nil {
		c.invalid(f, word)
		return
	}
	v.PersistenceTimeout = d
}

// persistenceGranularity reads an IPv4 netmask or a prefix length. For IPv4
// keepalived takes a number for a netmask, too: 24 for 0.0.0.24.
func persistenceGranularity(c *cursor, v *config.VirtualServer) {
	word, ok := c.need()
	if !ok {
		return
	}
	family := v.Family()
	mask, err := netip.ParseAddr(word)
	n, f := count(1, 128)(word)
	var odd netip.Addr
	switch {
	case family != config.Inet6 && err == nil && mask.Is4():
		f = nil
		if n, ok = prefixLength(mask); !ok {
			odd = mask
		}
	case family == config.Inet && decimal(word) && (f != nil || n > 32):
		c.problem(config.Warning, config.ClassNone, "invalid-value", fmt.Sprintf("persistence_granularity %s is no prefix length of IPv4 - ignoring", word))
		n, f = 0, nil
	}
	if f != nil {
		name := map[config.Family]string{config.Inet6: "IPv6"}[family]
		c.errorf(config.ClassGeneral, "invalid-value", "Invalid %s persistence_granularity specified - %s", cmp.Or(name, "IPv4"), word)
		return
	}
	v.PersistenceGranularity, v.PersistenceNetmask = n, odd
	if v.PersistenceTimeout == 0 {
		v.PersistenceTimeout = defaultPersistence
	}
}

// prefixLength is that of a netmask of IPv4; one that is not contiguous is not
// ok.
func prefixLength(mask netip.Addr) (n int, ok bool) {
	m := binary.BigEndian.Uint32(mask.AsSlice())
	n = bits.OnesCount32(m)
	if m != ^uint32(0)<<(32-n) {
		return 0, false
	}
	return n, true
}

// sorryServer reads IPADDR [PORT]; the last one counts.
func sorryServer(c *cursor, v *config.VirtualServer) {
	if addr, ok := c.endpoint("sorry server IP"); ok {
		v.SorryServer = &config.SorryServer{Origin: c.origin(), Addr: addr}
	}
}

func sorryServerInhibit(c *cursor, v *config.VirtualServer) {
	if v.SorryServer == nil {
		c.errorf(config.ClassGeneral, "sorry-server", "Ignoring sorry_server inhibit used before or without sorry_server")
		return
	}
	v.SorryServer.Inhibit = true
}

func sorryServerMethod(c *cursor, v *config.VirtualServer) {
	if v.SorryServer == nil {
		if _, ok := c.need(); ok {
			c.errorf(config.ClassGeneral, "sorry-server", "sorry_server forwarding used without sorry_server")
			c.complete = true
		}
		return
	}
	method("sorry", func(s *config.SorryServer) (*config.Opt[config.Method], *config.Tunnel) { return &s.Method, &s.Tunnel }).apply(c, v.SorryServer)
}

// sorryFamily drops a sorry server of the other family, at the end of its
// virtual server.
func (c *cursor) sorryFamily(v *config.VirtualServer) {
	s := v.SorryServer
	if s == nil {
		return
	}
	method, family := v.LBKind.Value, v.Family()
	if s.Method.Set {
		method = s.Method.Value
	}
	if family != 0 && config.FamilyOf(s.Addr.Addr()) != family && method != config.TUN {
		c.d.problem(c.st.Body.Close.Pos, config.Error, config.ClassGeneral, "address-family",
			fmt.Sprintf("Address family of virtual server and sorry server %s don't match - skipping sorry server.", s.Addr.Addr()))
		v.SorryServer = nil
	}
}

// endpoint reads IPADDR [PORT]. What it is of is spelled as in keepalived's
// sentence.
func (c *cursor) endpoint(of string) (netip.AddrPort, bool) {
	host, ok := c.need()
	if !ok {
		return netip.AddrPort{}, false
	}
	host, _, _ = strings.Cut(host, "-")
	a, f := address(host)
	at := c.at
	word, hasPort := c.next()
	if f != nil {
		c.at = at
	}
	var port uint16
	if hasPort && word != "0" && f == nil {
		port, f = num[uint16](1, 65535)(word)
	}
	if f == nil {
		return netip.AddrPortFrom(a, port), true
	}
	c.complete = true
	message := fmt.Sprintf("Invalid %s address %s - skipping", of, host)
	if hasPort && of != "sorry server IP" {
		message = fmt.Sprintf("Invalid %s address/port %s/%s - skipping", of, host, word)
	}
	c.errorf(config.ClassGeneral, "invalid-address", "%s", message)
	return netip.AddrPort{}, false
}
