package ipvs

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

var update = flag.Bool("update", false, "write the answers into the scripts")

// TestPool plays the scripts of testdata/pool: lines that are not indented are
// events, indented ones are the pool's answer, with the operations of Diff as
// arguments of ipvsadm.
//
//	config VIP [rr|wrr...] [tcp|udp|sctp|fwmark=N] [persist=D] [mask=N] [sched=N] [ops]
//	 - SERVER [w=N] [dr|nat|tun] [inhibit] [x=N] [y=N] [checks=PORT,PORT] [alpha] [mail] [down=PORT]
//	up|down SERVER CHECKPORT [to=N|by=N]
//	removed
//	shutdown
func TestPool(t *testing.T) {
	scripts, err := filepath.Glob("testdata/pool/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range scripts {
		t.Run(filepath.Base(file), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(string(script))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(string(script), got); d != "" && !*update {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func play(script string) string {
	var out strings.Builder
	var pool Pool
	var have *Service
	var pending *Reconfigured
	step := func(ev Event) {
		for _, e := range pool.Step(ev) {
			switch e := e.(type) {
			case Log:
				fmt.Fprintf(&out, "\t%s\n", e.Text)
			case Became:
				fmt.Fprintf(&out, "\t=> %s is %s\n", e.Server.Addr, map[bool]string{true: "UP", false: "DOWN"}[e.Up])
			case Alert:
				fmt.Fprintf(&out, "\t=> mail about %s: %s\n", e.Server.Addr, told(e))
			case Want:
				for _, op := range Diff(have, e.Service) {
					fmt.Fprintf(&out, "\tipvsadm %s\n", op)
					have = after(have, op)
				}
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(script), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "config":
			pending = &Reconfigured{Service: parseService(words[1:])}
		case "-":
			pending.Service.Servers = append(pending.Service.Servers, parseServer(words[1:]))
			for _, w := range words {
				if port, ok := strings.CutPrefix(w, "down="); ok {
					pending.Known = append(pending.Known, parseHealth([]string{"down", words[1], port}))
				}
			}
		case "up", "down":
			step(parseHealth(words))
		case "removed":
			step(Removed{})
			pool = Pool{}
		case "shutdown":
			step(Shutdown{})
			pool = Pool{}
		}
		if pending != nil && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], " -")) {
			step(*pending)
			pending = nil
		}
	}
	return out.String()
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
	s := config.Service{Scheduler: "rr", Key: config.ServiceKey{Protocol: config.TCP}}
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
		case "sched":
			s.SchedFlags = config.SchedFlags(n)
		case "ops":
			s.OPS = true
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
		case "inhibit":
			s.InhibitOnFailure = true
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
