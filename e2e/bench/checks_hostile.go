package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// What is compared of hostile servers: so many of a kind, beside neighbours that
// are well and are asked every second.
const (
	hostileServers = 20
	hostileLoop    = 6 * time.Second
	neighbours     = 100
	hostileWarmup  = 4 * time.Second
	hostileTime    = 9 * time.Second
)

// compareHostile compares what a check of a hostile server costs, and how often
// its neighbours are asked meanwhile.
func compareHostile(ctx context.Context, keepalived, _ string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("\n%-44s  %21s   %21s   %23s\n", "", "keepalived", "lvsd", "neighbours asked, 1/s")
	fmt.Printf("%-44s  %21s   %21s   %11s %11s\n", "a check of a hostile server, delay_loop 6", "cpu, % of a core", "cpu, % of a core", "keepalived", "lvsd")
	return onStage(ctx, func(s *stage) {
		dir := s.TempDir()
		library := compileAcknowledge(s, dir)
		h := rig.New(s).Host("checks")
		begin(s, h.Command(self, answering))
		conf := filepath.Join(dir, "keepalived.conf")
		in := func(name string) string { return filepath.Join(dir, name) }
		h.Sysctl("net.ipv4.ping_group_range", "0 0")
		h.Sysctl("net.ipv4.icmp_echo_ignore_all", "1")
		for i, server := range hostile {
			if len(os.Args) > 2 && !slices.Contains(os.Args[2:], server.check) {
				continue
			}
			if err := os.WriteFile(conf, []byte(hostileConf(i)), 0o600); err != nil {
				s.Fatalf("%w", err)
			}
			kCost, kAsked := costOfHostile(s, h, "env", "LD_PRELOAD="+library, keepalived, "-C", "-n", "-l", "-G", "-f", conf, "-p", in("pid"), "-c", in("cpid"))
			lCost, lAsked := costOfHostile(s, h, self, checking, conf)
			fmt.Printf("%-44s  %21.3f   %21.3f   %11.2f %11.2f\n", server.check+": "+server.name, kCost, lCost, kAsked, lAsked)
		}
		if err := askThousand(s, h, self); err != nil {
			s.Fatalf("%w", err)
		}
	})
}

// hostileConf has servers of one kind, and neighbours.
func hostileConf(i int) string {
	bad := checkedServices(hostile[i].block(3*time.Second), hostilePort+uint16(i), hostileServers, hostileLoop)
	return bad + checkedServicesFrom(hostileServers, "TCP_CHECK {\n connect_timeout 3\n }", acceptPort, neighbours, time.Second)
}

// costOfHostile is the processor time of one check as a part of a core, that of
// the neighbours included, and how often each neighbour is asked in a second.
func costOfHostile(s *stage, h *rig.Host, daemon string, args ...string) (percent, perSecond float64) {
	command := h.Command(daemon, args...)
	p, end := beginDaemon(s, command)
	defer end()
	time.Sleep(hostileWarmup)
	before, _ := asked(s, h)
	cpu := processorTimeOf(p.pids())
	time.Sleep(hostileTime)
	cpu = processorTimeOf(p.pids()) - cpu
	after, _ := asked(s, h)
	if after == before {
		s.Fatalf("%s asks nobody\n%s", command, p.log())
	}
	return 100 * float64(cpu) / float64(hostileTime) / hostileServers, float64(after-before) / hostileTime.Seconds() / neighbours
}

// asked is how many connections neighbours have accepted, and how many those have
// that another lvsd asks.
func asked(s *stage, h *rig.Host) (n, control int64) {
	text := h.Run("bash", "-c", fmt.Sprintf("cat </dev/tcp/127.0.0.1/%d", countPort))
	if _, err := fmt.Sscan(text, &n, &control); err != nil {
		s.Fatalf("%q are no numbers: %w", text, err)
	}
	return n, control
}

// startChecks starts an lvsd with a configuration.
func startChecks(s *stage, h *rig.Host, self, text string) (p *process, end func(), err error) {
	conf := filepath.Join(s.TempDir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	p, end = beginDaemon(s, h.Command(self, checking, conf))
	return p, end, nil
}

// said waits until the daemon has said something a number of times, and tells
// when: never, the zero time, if that takes too long.
func (p *process) said(what string, times int, limit time.Duration) time.Time {
	for began := time.Now(); time.Since(began) < limit; time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(p.logFile)
		n := 0
		for line := range bytes.Lines(text) {
			var said struct {
				At   float64 `json:"ts"`
				Text string  `json:"msg"`
			}
			if !bytes.Contains(line, []byte(what)) || json.Unmarshal(line, &said) != nil || !strings.HasPrefix(said.Text, what) {
				continue
			}
			if n++; n == times {
				return time.UnixMicro(int64(said.At * 1e6))
			}
		}
	}
	return time.Time{}
}

// askThousand checks more than a thousand hostile servers with one lvsd, and says
// how often it asks their neighbours, and another one that has no others its own.
func askThousand(s *stage, h *rig.Host, self string) error {
	const loop, during, each, testTimeout = 3 * time.Second, 6 * time.Second, 30, time.Second
	var hostiles strings.Builder
	for i := range hostile {
		hostiles.WriteString(checkedServicesFrom(i*each, hostile[i].block(testTimeout), hostilePort+uint16(i), each, loop))
	}
	bad := len(hostile) * each
	well := func(port uint16) string {
		return checkedServicesFrom(bad, "TCP_CHECK {\n connect_timeout 3\n }", port, neighbours, time.Second)
	}
	beside, _, err := startChecks(s, h, self, hostiles.String()+well(acceptPort))
	if err != nil {
		return err
	}
	if _, _, err = startChecks(s, h, self, well(controlPort)); err != nil {
		return err
	}
	if beside.said("Removing service", bad, patience).IsZero() {
		return fmt.Errorf("not all of %d checks have failed\n%s", bad, beside.log())
	}
	n, control := asked(s, h)
	time.Sleep(during)
	nAfter, controlAfter := asked(s, h)
	n, control = nAfter-n, controlAfter-control
	fmt.Printf("\n%d neighbours of %d hostile servers, delay_loop %s, are asked %d times in %s, others %d times\n", neighbours, bad, loop, n, during, control)
	if !beside.said("Removing service", bad+1, time.Millisecond).IsZero() {
		return fmt.Errorf("a server that is well has failed\n%s", beside.log())
	}
	return nil
}
