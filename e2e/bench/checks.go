package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// What is compared of checks that succeed: so many real servers, once in
// delayLoop each, for so long.
const (
	checkedServers = 500
	checkedLoop    = time.Second
	checkedWarmup  = 4 * time.Second
	checkedTime    = 8 * time.Second
)

// checkKinds are the checks that are compared. A counter of the namespace,
// proc_net(5), tells how many were made.
var checkKinds = []struct {
	block      string // of keepalived.conf
	port       uint16
	section    string // of /proc/net/snmp
	counter    string
	eachCounts int64
}{
	{"TCP_CHECK {\n connect_timeout 3\n }", webPort, "Tcp:", "PassiveOpens", 1},
	{"HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 3\n }", webPort, "Tcp:", "PassiveOpens", 1},
	{"SSL_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 3\n }", tlsPort, "Tcp:", "PassiveOpens", 1},
	{"SMTP_CHECK {\n connect_timeout 3\n }", smtpPort, "Tcp:", "PassiveOpens", 1},
	{"DNS_CHECK {\n connect_timeout 3\n }", dnsPort, "Udp:", "InDatagrams", 2}, // the question and the answer
	{"UDP_CHECK {\n require_reply\n connect_timeout 3\n }", echoPort, "Udp:", "InDatagrams", 2},
	{"PING_CHECK {\n connect_timeout 3\n }", webPort, "Icmp:", "InEchos", 1},
}

//go:embed testdata/acknowledge.c
var acknowledge []byte

// compareKinds compares the processor time of a check of each kind, natively.
// The kernel may have no IPVS: neither program speaks with it. A library
// acknowledges what keepalived says, and lvsd has a table of its own.
func compareKinds(ctx context.Context, keepalived, _ string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("\n%-44s  %21s   %21s   %13s\n", "", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-44s  %21s   %21s   %13s\n", "a check that succeeds", "cpu us", "cpu us", "cpu")
	return onStage(ctx, func(s *stage) {
		dir := s.TempDir()
		library := compileAcknowledge(s, dir)
		h := rig.New(s).Host("checks")
		h.Sysctl("net.ipv4.ping_group_range", "0 0")
		begin(s, h.Command(self, answering))
		conf := filepath.Join(dir, "keepalived.conf")
		for _, kind := range checkKinds {
			name, _, _ := strings.Cut(kind.block, " ")
			if err := os.WriteFile(conf, []byte(checkedServices(kind.block, kind.port, checkedServers, checkedLoop)), 0o600); err != nil {
				s.Fatalf("%w", err)
			}
			count := func() int64 { return counter(s, h, kind.section, kind.counter) / kind.eachCounts }
			in := func(name string) string { return filepath.Join(dir, name) }
			k := costOfChecks(s, h.Command("env", "LD_PRELOAD="+library, keepalived, "-C", "-n", "-l", "-G", "-f", conf, "-p", in("pid"), "-c", in("cpid")), count)
			l := costOfChecks(s, h.Command(self, checking, conf), count)
			fmt.Printf("%-44s  %21.1f   %21.1f   %13.2f\n", name, us(k), us(l), ratio(l, k))
		}
	})
}

// compileAcknowledge makes the library of [acknowledge].
func compileAcknowledge(s *stage, dir string) (file string) {
	file = filepath.Join(dir, "acknowledge.so")
	compile := exec.Command("cc", "-shared", "-fPIC", "-O2", "-x", "c", "-o", file, "-")
	compile.Stdin = bytes.NewReader(acknowledge)
	if out, err := compile.CombinedOutput(); err != nil {
		s.Fatalf("compile acknowledge.c: %w\n%s", err, out)
	}
	return file
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// costOfChecks runs a daemon and gives the processor time of one of its checks.
func costOfChecks(s *stage, daemon *exec.Cmd, count func() int64) time.Duration {
	p, end := beginDaemon(s, daemon)
	defer end()
	time.Sleep(checkedWarmup)
	cpu, checks := processorTimeOf(p.pids()), count()
	time.Sleep(checkedTime)
	cpu, checks = processorTimeOf(p.pids())-cpu, count()-checks
	if log := p.log(); strings.Contains(log, "failed") || strings.Contains(log, "timeout") {
		s.Fatalf("%s: its checks do not succeed\n%s", daemon, log)
	}
	if checks < checkedServers { // a busy machine makes fewer than one in each delay_loop
		s.Fatalf("%s made %d checks in %v\n%s", daemon, checks, checkedTime, p.log())
	}
	return cpu / time.Duration(checks)
}

// beginDaemon is begin with a log.
func beginDaemon(s *stage, daemon *exec.Cmd) (p *process, end func()) {
	log, err := os.CreateTemp(s.TempDir(), "log")
	if err != nil {
		s.Fatalf("%w", err)
	}
	defer log.Close()
	daemon.Stdout, daemon.Stderr = log, log
	return &process{cmd: daemon, logFile: log.Name()}, begin(s, daemon)
}

// begin starts a program that is ended with the stage, or before by end.
func begin(s *stage, c *exec.Cmd) (end func()) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.Start(); err != nil {
		s.Fatalf("start %s: %w", c, err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_ = c.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		_ = c.Wait()
		kill.Stop()
	}
	s.Cleanup(end)
	return end
}

// counter is one of the kernel's for a namespace.
func counter(s *stage, h *rig.Host, section, name string) int64 {
	var names []string
	for line := range strings.Lines(h.Run("cat", "/proc/net/snmp")) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != section:
		case names == nil:
			names = fields
		default:
			for i, field := range fields {
				if names[i] == name {
					n, _ := strconv.ParseInt(field, 10, 64)
					return n
				}
			}
		}
	}
	s.Fatalf("the kernel does not count %s %s", section, name)
	return 0
}

// checkedServices is a configuration of n real servers, ten in each service.
func checkedServices(block string, port uint16, n int, loop time.Duration) string {
	return "global_defs {\n    router_id bench\n}\n" + checkedServicesFrom(0, block, port, n, loop)
}

// checkedServicesFrom are more of them; the first has a number.
func checkedServicesFrom(first int, block string, port uint16, n int, loop time.Duration) string {
	const each = 10
	var b strings.Builder
	for i := first; i < first+n; i++ {
		if v := i / each; i%each == 0 {
			fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n    delay_loop %d\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n", 100+v>>8, v&255, loop/time.Second)
		}
		fmt.Fprintf(&b, "    real_server 127.1.%d.%d %d {\n        weight 1\n        %s\n    }\n", i>>8, i&255, port, block)
		if i%each == each-1 {
			fmt.Fprintln(&b, "}")
		}
	}
	return b.String()
}
