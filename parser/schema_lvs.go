package parser

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func virtualServerBlock() *block[config.VirtualServer] {
	type vs = config.VirtualServer
	b := &block[vs]{path: "virtual_server", rows: rows[vs]{
		"lb_algo":                 opt(schedulers(), func(v *vs) *config.Opt[string] { return &v.LBAlgo }).or("Invalid lvs_scheduler '%V' - ignoring"),
		"lb_kind":                 method("virtual server", func(v *vs) *config.Opt[config.Method] { return &v.LBKind }),
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
		"persistence_timeout":     {apply: persistenceTimeout, says: "persistence_timeout invalid"},
		"persistence_granularity": {apply: persistenceGranularity},
		"weight":                  set(count(1, maxInt), func(v *vs) *int { return &v.Weight }).or("Virtual server weight %V is outside range 1-2147483647"),
		"inhibit_on_failure":      on(func(v *vs) { v.InhibitOnFailure = true }),
		"alpha":                   on(func(v *vs) { v.Alpha = true }),
		"real_server":             realServerRow(),
	}}
	timing(b.rows, 1, func(v *vs) *config.Timing { return &v.Timing })
	b.rows["lvs_sched"], b.rows["lvs_method"] = b.rows["lb_algo"], b.rows["lb_kind"]
	return b
}

func realServerRow() row[config.VirtualServer] {
	b := realServerBlock()
	return row[config.VirtualServer]{block: true, apply: func(c *cursor, v *config.VirtualServer) {
		addr, ok := c.endpoint("real server")
		if !ok {
			return
		}
		if v.RealServers == nil {
			v.RealServers = make([]config.RealServer, 0, c.d.realServers)
		}
		v.RealServers = append(v.RealServers, config.RealServer{Origin: c.origin(), Addr: addr})
		r := &v.RealServers[len(v.RealServers)-1]
		c.d.skipped = ""
		decode(c.d, b, c.st.Body, r)
		if c.d.skipped != "" && len(r.Checks) == 0 {
			c.problem(config.Warning, config.ClassNone, "unchecked",
				fmt.Sprintf("real server %s has no check but %s, which is not acted on yet: it counts as always up", addr, c.d.skipped))
		}
	}}
}

func realServerBlock() *block[config.RealServer] {
	type rs = config.RealServer
	b := &block[rs]{path: "virtual_server/real_server", rows: rows[rs]{
		"weight":             opt(count(0, maxInt), func(r *rs) *config.Opt[int] { return &r.Weight }).or("Real server weight %V is outside range 0-2147483647"),
		"lvs_method":         method("real server", func(r *rs) *config.Opt[config.Method] { return &r.LVSMethod }),
		"uthreshold":         set(num[uint32](0, 1<<32-1), func(r *rs) *uint32 { return &r.UThreshold }).or("Invalid real_server uthreshold '%V' - ignoring"),
		"lthreshold":         set(num[uint32](0, 1<<32-1), func(r *rs) *uint32 { return &r.LThreshold }).or("Invalid real_server lthreshold '%V' - ignoring"),
		"inhibit_on_failure": optBool(func(r *rs) *config.Opt[bool] { return &r.InhibitOnFailure }).or("Invalid inhibit_on_failure parameter %V"),
		"alpha":              optBool(func(r *rs) *config.Opt[bool] { return &r.Alpha }).or("Invalid alpha parameter %V"),
		"notify_up":          script(func(r *rs) *config.Command { return made(&r.NotifyUp) }),
		"notify_down":        script(func(r *rs) *config.Command { return made(&r.NotifyDown) }),
		"TCP_CHECK":          checkRow(config.TCPCheck, checkBlock(config.TCPCheck)),
	}}
	timing(b.rows, 1, func(r *rs) *config.Timing { return &r.Timing })
	return b
}

// checkRow is a checker block.
func checkRow(kind config.CheckKind, b *block[config.Check]) row[config.RealServer] {
	return row[config.RealServer]{block: true, apply: func(c *cursor, r *config.RealServer) {
		r.Checks = append(r.Checks, config.Check{Kind: kind, Origin: c.origin()})
		decode(c.d, b, c.st.Body, &r.Checks[len(r.Checks)-1])
	}}
}

// checkBlock are the keywords that every network check has.
func checkBlock(kind config.CheckKind) *block[config.Check] {
	type check = config.Check
	b := &block[check]{path: "virtual_server/real_server/" + string(kind), rows: rows[check]{
		"connect_ip":       set(address, func(k *check) *netip.Addr { return &k.ConnectIP }).or("Invalid connect_ip address %V - ignoring"),
		"connect_port":     set(num[uint16](1, 65535), func(k *check) *uint16 { return &k.ConnectPort }).or("Invalid checker connect_port '%V'"),
		"bindto":           set(address, func(k *check) *netip.Addr { return &k.BindTo }).or("Invalid bindto address %V - ignoring"),
		"bind_port":        set(num[uint16](1, 65535), func(k *check) *uint16 { return &k.BindPort }).or("Invalid checker bind_port '%V'"),
		"bind_if":          set(ifname, func(k *check) *string { return &k.BindIf }).or("Interface name %V is too long - ignoring"),
		"fwmark":           set(num[uint32](0, 1<<32-1), func(k *check) *uint32 { return &k.FWMark }).or("Invalid fwmark connection value '%V'"),
		"alpha":            optBool(func(k *check) *config.Opt[bool] { return &k.Timing.Alpha }).or("Invalid alpha parameter %V"),
		"log_all_failures": optBool(func(k *check) *config.Opt[bool] { return &k.Timing.LogAllFailures }),
	}}
	timing(b.rows, 0, func(k *check) *config.Timing { return &k.Timing })
	return b
}

// timing adds the keywords that checks inherit.
func timing[T any](to rows[T], leastRetry int64, at func(*T) *config.Timing) {
	type delay = config.Opt[time.Duration]
	to["delay_loop"] = opt(seconds(time.Microsecond, longTime), func(t *T) *delay { return &at(t).DelayLoop }).or("delay_loop '%V' is invalid - ignoring")
	to["warmup"] = opt(seconds(0, longTime), func(t *T) *delay { return &at(t).Warmup })
	to["delay_before_retry"] = opt(seconds(0, longTime), func(t *T) *delay { return &at(t).DelayBeforeRetry })
	to["connect_timeout"] = opt(seconds(time.Microsecond, 4294967295*time.Microsecond), func(t *T) *delay { return &at(t).ConnectTimeout }).
		or("connect_timeout %V invalid - ignoring")
	to["retry"] = opt(count(leastRetry, maxInt), func(t *T) *config.Opt[int] { return &at(t).Retry }).or("Invalid retry connection value '%V'")
}

var (
	protocols = map[string]config.Protocol{"TCP": config.TCP, "UDP": config.UDP, "SCTP": config.SCTP}
	methods   = map[string]config.Method{"NAT": config.NAT, "DR": config.DR, "TUN": config.TUN}
)

// schedulers are the names that keepalived knows; they are the kernel's.
func schedulers() value[string] {
	names := map[string]string{}
	for _, name := range strings.Fields("rr wrr lc wlc lblc lblcr sh mh dh fo ovf sed nq twos") {
		names[name] = name
	}
	return oneOf(names)
}

// method is lb_kind or lvs_method. The kinds of tunnel are not acted on yet.
func method[T any](of string, field func(*T) *config.Opt[config.Method]) row[T] {
	r := opt(oneOf(methods), field).or("PARSER : unknown [%V] routing method for " + of + ".")
	set := r.apply
	r.apply = func(c *cursor, t *T) {
		set(c, t)
		if extra := c.tail(); extra != "" {
			c.d.noteOnce(c.keyword+" TUN "+extra, c.origin())
		}
	}
	return r
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

// persistenceTimeout reads [SECONDS].
func persistenceTimeout(c *cursor, v *config.VirtualServer) {
	word, ok := c.next()
	if !ok {
		v.PersistenceTimeout = 360 * time.Second
		return
	}
	d, f := wholeSeconds(1, 2678400)(word) // 31 days
	if f != nil {
		c.invalid(f, word)
		return
	}
	v.PersistenceTimeout = d
}

// persistenceGranularity reads an IPv4 netmask or a prefix length.
func persistenceGranularity(c *cursor, v *config.VirtualServer) {
	word, ok := c.need()
	if !ok {
		return
	}
	n, f := count(1, 128)(word)
	if mask, err := netip.ParseAddr(word); err == nil && mask.Is4() {
		b := mask.As4()
		m := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		if n, f = bits.OnesCount32(m), nil; m == 0 || m != ^uint32(0)<<(32-n) {
			f = badValue("'%s' is not a contiguous netmask", word)
		}
	}
	if f != nil {
		c.errorf(config.ClassGeneral, "invalid-value", "Invalid IPv4 persistence granularity %s - ignoring", word)
		return
	}
	v.PersistenceGranularity = n
	if v.PersistenceTimeout == 0 {
		v.PersistenceTimeout = 360 * time.Second
	}
}

// endpoint reads IPADDR [PORT].
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
	if f != nil {
		message := fmt.Sprintf("Invalid %s IP address/port %s/%s - skipping", of, host, word)
		if of == "real server" {
			message = fmt.Sprintf("Invalid real server ip address/port %s/%s - skipping", host, word)
		}
		c.errorf(config.ClassGeneral, "invalid-address", "%s", message)
		c.complete = true
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, port), true
}
