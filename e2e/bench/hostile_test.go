package main

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestMain is this program in its other roles, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == answering || os.Args[1] == checking) {
		main()
		return
	}
	os.Exit(rig.Main(m))
}

// testTimeout is connect_timeout here.
const testTimeout = time.Second

// limit is the longest that a probe may take, as docs/compatibility.md has it.
func (s *hostileServer) limit() time.Duration {
	switch s.check {
	case "HTTP_GET", "SSL_GET", "SMTP_CHECK":
		return 4 * testTimeout
	}
	return testTimeout
}

// TestHostile: every kind of check fails with each hostile server within the
// longest time of a probe, and takes less than a hundredth of a processor. That
// a thousand of them delay nobody `make bench PART=hostile` shows.
func TestHostile(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	err = onStage(t.Context(), func(s *stage) {
		h := rig.New(s).Host("checks")
		h.Sysctl("net.ipv4.ping_group_range", "0 0")
		h.Sysctl("net.ipv4.icmp_echo_ignore_all", "1")
		begin(s, h.Command(self, answering))
		rig.Until(s, "the servers to answer", patience, func() bool {
			return h.Command("bash", "-c", fmt.Sprintf(": </dev/tcp/127.0.0.1/%d", countPort)).Run() == nil
		})
		var each sync.WaitGroup
		for i := range hostile {
			each.Go(func() {
				if err := probeOnce(s, h, self, &hostile[i], hostilePort+uint16(i)); err != nil {
					t.Errorf("%s: %s: %v", hostile[i].check, hostile[i].name, err)
				}
			})
		}
		each.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// probeOnce checks one hostile server with an lvsd of its own until it has failed.
func probeOnce(s *stage, h *rig.Host, self string, server *hostileServer, port uint16) error {
	const loop, share = 6 * time.Second, 100
	text := fmt.Sprintf("virtual_server 10.0.0.1 80 {\n protocol TCP\n delay_loop %d\n warmup 0\n retry 0\n real_server 127.1.0.1 %d {\n %s\n }\n}\n",
		loop/time.Second, port, server.block(testTimeout))
	p, end, err := startChecks(s, h, self, text)
	if err != nil {
		return err
	}
	defer end()
	began := p.said("Activating healthchecker", 1, patience)
	cpu := processorTimeOf(p.pids())
	failed := p.said("Removing service", 1, server.limit()+patience)
	cpu = processorTimeOf(p.pids()) - cpu
	const bootstrap, busy = time.Second, 2 * time.Second // before the first probe; on a busy machine
	switch took := failed.Sub(began) - bootstrap; {
	case began.IsZero() || failed.IsZero():
		return fmt.Errorf("the check does not fail\n%s", p.log())
	case took > server.limit()+busy:
		return fmt.Errorf("the check fails after %v\n%s", took, p.log())
	case cpu > loop/share:
		return fmt.Errorf("the check takes %v of processor time in %v", cpu, took)
	}
	return nil
}
