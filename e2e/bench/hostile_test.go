package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
// longest time of a probe, and takes less than a hundredth of a processor.
// A thousand such servers do not delay the checks of others by a tenth.
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
		if err := askThousand(s, h, self); err != nil {
			t.Error(err)
		}
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

// startChecks starts an lvsd with a configuration.
func startChecks(s *stage, h *rig.Host, self, text string) (p *process, end func(), err error) {
	conf := filepath.Join(s.TempDir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	p, end = beginDaemon(s, h.Command("nice", "-n", "-15", self, checking, conf)) // others may be busy
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

// askThousand checks more than a thousand hostile servers with one lvsd. It asks
// its neighbours that are well as often as another one does that has no others.
func askThousand(s *stage, h *rig.Host, self string) error {
	const loop, during, each = 3 * time.Second, 6 * time.Second, 30
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
	if control < int64(neighbours*during/time.Second/2) || n < control*10/11 {
		return fmt.Errorf("neighbours of %d hostile servers are asked %d times, others %d times", bad, n, control)
	}
	if !beside.said("Removing service", bad+1, time.Millisecond).IsZero() {
		return fmt.Errorf("a server that is well has failed\n%s", beside.log())
	}
	return nil
}
