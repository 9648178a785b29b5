package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

const (
	masterPriority, backupPriority = 200, 100

	// patience is for what takes a moment on a busy machine.
	patience = 20 * time.Second
)

// pair is two routers with the same program on a segment of their own.
type pair struct {
	s              *stage
	program        string
	instances      int
	advert         time.Duration // advert_int
	master, backup *router
}

// router is one of a pair.
type router struct {
	*rig.Host
	*rig.Daemon
	address netip.Addr
	wire    *rig.Capture // of its link, when asked for
}

// newPair makes two hosts; nothing runs on them yet.
func newPair(s *stage, lab *rig.Lab, name, program string, instances int, advert time.Duration) *pair {
	p := &pair{s: s, program: program, instances: instances, advert: advert}
	lan := lab.Switch("lan" + name)
	p.master = p.router(lab, lan, name+"m", 1, masterPriority)
	p.backup = p.router(lab, lan, name+"b", 2, backupPriority)
	return p
}

func (p *pair) router(lab *rig.Lab, lan *rig.Switch, name string, n, priority int) *router {
	h := lab.Host(name)
	h.Sysctl("net.ipv6.conf.default.disable_ipv6", "1") // no chatter of the kernel's own
	r := &router{Host: h, address: netip.AddrFrom4([4]byte{10, 9, 0, byte(n)})}
	h.Plug(lan, "eth0", r.address.String()+"/16")
	var conf strings.Builder
	p.configuration(&conf, priority)
	h.File("keepalived.conf", conf.String())
	return r
}

// configuration has one virtual address for each instance. Gratuitous ARP is
// over with the first burst, so that what is counted later are adverts.
func (p *pair) configuration(w io.Writer, priority int) {
	fmt.Fprintln(w, "global_defs {\n    router_id bench\n    vrrp_version 3\n    vrrp_garp_master_delay 0\n    vrrp_garp_lower_prio_repeat 0\n}")
	for i := range p.instances {
		fmt.Fprintf(w, "vrrp_instance VI_%d {\n    state BACKUP\n    interface eth0\n    virtual_router_id %d\n    priority %d\n    advert_int %g\n", i+1, i+1, priority, p.advert.Seconds())
		fmt.Fprintf(w, "    virtual_ipaddress {\n        10.9.1.%d/16\n    }\n}\n", i+1)
	}
}

// start starts the daemon of a router.
func (p *pair) start(r *router) { r.Daemon = r.Start(p.program, "-P") }

// becomes waits until all instances of a router have entered a state.
func (p *pair) becomes(r *router, state string) {
	rig.Until(p.s, fmt.Sprintf("%s to enter %s", r.Daemon, state), patience+8*p.advert, func() bool {
		return entered(r.Lines(0), state) >= p.instances
	})
}

// entered is how often a log says that an instance enters a state.
func entered(log []rig.Line, state string) (times int) {
	for _, line := range log {
		if strings.Contains(line.Text, ") Entering "+state+" STATE") {
			times++
		}
	}
	return times
}

// down is Active_Down_Interval of the backup, RFC 9568 section 6.1.
func (p *pair) down() time.Duration {
	return 3*p.advert + p.skew()
}

// skew is its Skew_Time.
func (p *pair) skew() time.Duration { return (256 - backupPriority) * p.advert / 256 }
