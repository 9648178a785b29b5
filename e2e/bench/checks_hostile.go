package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
