package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// TestPool plays the scripts of testdata/pool: lines that are not indented are
// events, indented ones are the pool's answer, with the operations of Diff as
// arguments of ipvsadm.
//
//	config VIP [rr|wrr...] [tcp|udp|sctp|fwmark=N|group=NAME] [persist=D] [mask=N|netmask=M] [pe=NAME] [sched=N] [ops] [quorum=N] [hysteresis=N] [omega] [init] [drain=D]
//	 - SERVER [w=N] [dr|nat|tun|gue=PORT|gre] [csum|remcsum] [inhibit] [drain=D] [x=N] [y=N] [checks=PORT,PORT] [alpha] [mail] [down=PORT]
//	 sorry SERVER [dr|nat...] [inhibit]
//	 entry ADDRESS[-ADDRESS] PORT | MARK [ipv6], of the group
//	up|down SERVER CHECKPORT [to=N|by=N]
//	found SERVER [w=N] [dr|nat...], in the kernel at the start
//	drained SERVER [CONNECTIONS]
//	removed
//	shutdown
func TestPool(t *testing.T) {
	golden.Play(t, "testdata/pool/*.txt", func(_ *testing.T, script string) string { return play(script) })
}

func play(script string) string {
	p := player{have: map[config.ServiceKey]*Service{}}
	lines := strings.Split(strings.TrimSpace(script), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		fmt.Fprintln(&p.out, line)
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		p.event(words)
		if p.pending != nil && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], " ")) {
			ev := Reconfigured{*p.pending, p.known, time.Time{}}
			p.pending, p.known = nil, nil
			p.step(ev)
		}
	}
	return p.out.String()
}

// player plays a script to a pool.
type player struct {
	out     strings.Builder
	pool    Pool
	want    *Service
	have    map[config.ServiceKey]*Service
	pending *config.Service
	known   []Health
}

func (p *player) event(words []string) {
	switch words[0] {
	case "config":
		s := parseService(words[1:])
		p.pending = &s
	case "-":
		p.pending.Servers = append(p.pending.Servers, parseServer(words[1:]))
		for _, w := range words {
			if port, ok := strings.CutPrefix(w, "down="); ok {
				p.known = append(p.known, parseHealth([]string{"down", words[1], port}))
			}
		}
	case "sorry":
		s := parseServer(words[1:])
		p.pending.Sorry = &s
	case "entry":
		p.pending.Entries = append(p.pending.Entries, parseEntry(words[1:]))
	case "up", "down":
		p.step(parseHealth(words))
	case "found":
		server := parseServer(words[1:])
		p.have[p.pool.service.Key].Dests = append(p.have[p.pool.service.Key].Dests, dest(&server, server.Weight))
		p.step(Found{Dests: []Dest{dest(&server, server.Weight)}})
	case "drained":
		left := 0
		if len(words) > 2 {
			left, _ = strconv.Atoi(words[2])
		}
		p.step(Drained{netip.MustParseAddrPort(words[1]): left})
	case "removed":
		p.step(Removed{})
	case "shutdown":
		p.step(Shutdown{})
		p.pool = Pool{}
	}
}

func (p *player) step(ev Event) {
	for _, e := range p.pool.Step(ev) {
		switch e := e.(type) {
		case Log:
			fmt.Fprintf(&p.out, "\t%s\n", e.Text)
		case Became:
			who := "the service"
			if e.Server != nil {
				who = e.Server.Addr.String()
			}
			fmt.Fprintf(&p.out, "\t=> %s is %s%s\n", who, map[bool]string{true: "UP", false: "DOWN"}[e.Up], weighed(e))
		case Leaves:
			who := "the service"
			if e.Server != nil {
				who = e.Server.Addr.String()
			}
			fmt.Fprintf(&p.out, "\t=> %s leaves, %d are up\n", who, e.Alive)
		case Alert:
			fmt.Fprintf(&p.out, "\t=> mail about %s: %s\n", e.Server.Addr, told(e))
		case Want:
			p.want = e.Service
			p.program()
		case WantDest:
			p.want.Dests = slices.DeleteFunc(slices.Clone(p.want.Dests), func(d Dest) bool { return d.Addr == e.Addr })
			if e.Present {
				p.want.Dests = append(p.want.Dests, e.Dest)
			}
			p.program()
		}
	}
}

func (p *player) program() {
	for key := range p.pool.service.KernelKeys() {
		var as *Service
		if p.want != nil {
			as = p.want.As(key)
		}
		for _, op := range Diff(p.have[key], as) {
			fmt.Fprintf(&p.out, "\tipvsadm %s\n", op)
			p.have[key] = after(p.have[key], op)
		}
	}
}

// parseEntry reads ADDRESS[-ADDRESS] PORT or MARK [ipv6].
func parseEntry(words []string) config.GroupEntry {
	if mark, err := strconv.Atoi(words[0]); err == nil {
		return config.GroupEntry{FWMark: uint32(mark), Family: map[bool]config.Family{true: config.Inet6, false: config.Inet}[len(words) > 1]}
	}
	first, last, ok := strings.Cut(words[0], "-")
	if !ok {
		last = first
	}
	port, _ := strconv.Atoi(words[1])
	return config.GroupEntry{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last), Port: uint16(port)}
}

func parseHealth(words []string) Health {
	server := netip.MustParseAddrPort(words[1])
	check := testCheck(server.Addr(), words[2], false)
	h := Health{Server: server, Check: check.ID(), Up: words[0] == "up"}
	for _, w := range words[3:] {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
			panic(err)
		case name == "to":
			h.Weight.To = config.Some(n)
		case name == "by":
			h.Weight.By = n
		}
	}
	return h
}

func weighed(b Became) string {
	switch {
	case b.Server != nil:
		return ""
	case b.Starting:
		return fmt.Sprintf(" at start, of weight %d: %s", b.Weight, b.Reason)
	}
	return fmt.Sprintf(", of weight %d", b.Weight)
}

func told(a Alert) string {
	word := map[bool]string{true: "up", false: "down"}
	switch {
	case a.Leaving != "":
		return a.Leaving
	case a.Changed:
		return fmt.Sprintf("%s is %s, and so is the server", a.Check.Target, word[a.Up])
	}
	return fmt.Sprintf("%s is %s, the server stays %s", a.Check.Target, word[a.Up], word[a.Alive])
}

func parseService(words []string) config.Service {
	s := config.Service{Scheduler: "rr", Quorum: 1, Key: config.ServiceKey{Protocol: config.TCP}}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "tcp", "udp", "sctp":
			s.Key.Protocol = map[string]config.Protocol{"tcp": config.TCP, "udp": config.UDP, "sctp": config.SCTP}[w]
		case "fwmark":
			s.Key = config.ServiceKey{FWMark: uint32(n)}
		case "ipv6":
			s.Key.IPv6 = true
		case "persist":
			s.PersistenceTimeout, _ = time.ParseDuration(value)
		case "mask":
			s.PersistenceMask = n
		case "netmask":
			s.PersistenceNetmask = netip.MustParseAddr(value)
		case "sched":
			s.SchedFlags = config.SchedFlags(n)
		case "ops":
			s.OPS = true
		case "omega":
			s.Omega = true
		case "drain":
			s.DrainTimeout, _ = time.ParseDuration(value)
		case "init":
			s.InitNotifies = true
		case "quorum":
			s.Quorum = uint32(n)
		case "hysteresis":
			s.Hysteresis = uint32(n)
		case "pe":
			s.PersistenceEngine = value
		case "group":
			s.Key.Group = value
		default:
			if addr, err := netip.ParseAddrPort(w); err == nil {
				s.Key.Addr = addr
			} else {
				s.Scheduler = w
			}
		}
	}
	return s
}

func parseServer(words []string) config.Server {
	s := config.Server{Addr: netip.MustParseAddrPort(words[0]), Weight: 1, Method: config.DR}
	alpha := slices.Contains(words, "alpha")
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "w":
			s.Weight = n
		case "x":
			s.UThreshold = uint32(n)
		case "y":
			s.LThreshold = uint32(n)
		case "dr", "nat", "tun":
			s.Method = map[string]config.Method{"dr": config.DR, "nat": config.NAT, "tun": config.TUN}[w]
		case "gue", "gre":
			s.Method, s.Tunnel.Type, s.Tunnel.Port = config.TUN, map[string]config.TunnelType{"gue": config.GUE, "gre": config.GRE}[name], uint16(n)
		case "csum", "remcsum":
			s.Tunnel.Checksum = map[string]config.TunnelChecksum{"csum": config.Checksum, "remcsum": config.RemoteChecksum}[w]
		case "inhibit":
			s.InhibitOnFailure = true
		case "drain":
			s.DrainTimeout, _ = time.ParseDuration(value)
		case "mail":
			s.SMTPAlert = true
		case "checks":
			for port := range strings.SplitSeq(value, ",") {
				s.Checks = append(s.Checks, testCheck(s.Addr.Addr(), port, alpha))
			}
		}
	}
	return s
}

func testCheck(addr netip.Addr, port string, alpha bool) config.Check {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		panic(err)
	}
	return config.Check{Kind: config.TCPCheck, ConnectIP: addr, ConnectPort: uint16(n), Timing: &config.Timing{Alpha: config.Some(alpha)}}
}

// A service that is the same in the next configuration is that of the next one:
// nothing keeps the one before in memory.
func TestRenew(t *testing.T) {
	var p Pool
	p.Step(Reconfigured{Service: wide("10.0.0.1:80", 20)})
	next := wide("10.0.0.1:80", 20)
	p.renew(next)
	for i := range next.Servers {
		if h := p.servers.of(next.Servers[i].Addr); h.server != &next.Servers[i] {
			t.Errorf("server %d is still that of the configuration before", i)
		}
	}
	if p.service.Servers[0].Addr != next.Servers[0].Addr || &p.service.Servers[0] != &next.Servers[0] {
		t.Error("the service is still that of the configuration before")
	}
}
