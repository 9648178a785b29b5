package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// Many checks beside a virtual router: do its adverts stay in time?
const (
	manyServers = 50_000
	manyLoop    = 10 * time.Second
	manyWarmup  = 15 * time.Second // the first checks are spread over delay_loop
	manyTime    = 20 * time.Second
	manyAdvert  = 100 * time.Millisecond
)

// compareMany lets both programs run many TCP_CHECKs of servers on this machine
// and send adverts meanwhile.
func compareMany(ctx context.Context, keepalived, _ string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("\n%-44s %9s  %31s\n", fmt.Sprintf("%d TCP_CHECKs, delay_loop %g", manyServers, manyLoop.Seconds()), "", fmt.Sprintf("gaps of adverts, advert_int %g", manyAdvert.Seconds()))
	fmt.Printf("%-44s %9s  %10s %10s %10s  %10s %10s\n", "", "checks/s", "median ms", "99 % ms", "worst ms", "cpu us", "RSS kB")
	return onStage(ctx, func(s *stage) {
		dir := s.TempDir()
		library := compileAcknowledge(s, dir)
		lab := rig.New(s)
		lan := lab.Switch("lan")
		h, witness := lab.Host("director"), lab.Host("witness")
		h.Plug(lan, "eth0", "10.9.0.1/16")
		witness.Plug(lan, "eth0", "10.9.0.2/16")
		begin(s, h.Command(self, answering))
		wire := witness.Capture("eth0")
		conf := filepath.Join(dir, "keepalived.conf")
		router := fmt.Sprintf("vrrp_instance VI {\n    state MASTER\n    interface eth0\n    virtual_router_id 1\n    priority 200\n    version 3\n    advert_int %g\n"+
			"    virtual_ipaddress {\n        10.9.1.1/16\n    }\n}\n", manyAdvert.Seconds())
		services := checkedServices("TCP_CHECK {\n connect_timeout 3\n }", acceptPort, manyServers, manyLoop)
		if err := os.WriteFile(conf, []byte(services+router), 0o600); err != nil {
			s.Fatalf("%w", err)
		}
		in := func(name string) string { return filepath.Join(dir, name) }
		for _, program := range []struct {
			name string
			cmd  *exec.Cmd
		}{
			{"keepalived", h.Command("env", "LD_PRELOAD="+library, keepalived, "-n", "-l", "-G", "-f", conf, "-p", in("pid"), "-c", in("cpid"), "-r", in("rpid"), "-b", in("bpid"))},
			{"lvsd", h.Command(self, checking, conf)},
		} {
			printMany(program.name, manyOf(s, h, wire, program.cmd))
		}
	})
}

// many is what came of many checks.
type many struct {
	checks int64
	cpu    time.Duration // of a check
	memory int64         // kB
	gaps   []time.Duration
}

func manyOf(s *stage, h *rig.Host, wire *rig.Capture, daemon *exec.Cmd) (m many) {
	p, end := beginDaemon(s, daemon)
	defer end()
	time.Sleep(manyWarmup)
	count := func() int64 { return counter(s, h, "Tcp:", "PassiveOpens") }
	began, cpu, checks := time.Now(), processorTimeOf(p.pids()), count()
	time.Sleep(manyTime)
	m.checks = count() - checks
	m.cpu = (processorTimeOf(p.pids()) - cpu) / time.Duration(max(m.checks, 1))
	m.memory = p.memory()
	adverts := wire.Adverts(began)
	for i := range adverts[:max(len(adverts)-1, 0)] {
		m.gaps = append(m.gaps, adverts[i+1].At.Sub(adverts[i].At))
	}
	slices.Sort(m.gaps)
	if len(m.gaps) == 0 {
		s.Fatalf("%s sends no adverts\n%s", daemon, p.log())
	}
	return m
}

func printMany(name string, m many) {
	fmt.Printf("%-44s %9.0f  %10.2f %10.2f %10.2f  %10.1f %10d\n", name, float64(m.checks)/manyTime.Seconds(),
		ms(m.gaps[len(m.gaps)/2]), ms(m.gaps[len(m.gaps)*99/100]), ms(m.gaps[len(m.gaps)-1]), us(m.cpu), m.memory)
}
