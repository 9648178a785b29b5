package vrrp

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// vip is the virtual address unless a test says otherwise, vip6 that of an
// instance over IPv6.
var (
	vip  = netip.MustParseAddr("10.9.0.100")
	vip6 = netip.MustParseAddr("fe80::9:100")
)

// busy is what a protocol deadline may be late on a busy test machine.
const busy = time.Second

// patience is a limit for what no protocol promises.
const patience = 15 * time.Second

// A router is a host on the segment that runs lvsd or keepalived.
type router struct {
	*rig.Host
	*rig.Daemon
	t       *testing.T
	address netip.Addr   // that adverts come from
	vip     netip.Addr   // the virtual one
	wire    *rig.Capture // of eth0

	folder, globals string // of a [fault]
}

// A segment is an Ethernet with routers on it.
type segment struct {
	*rig.Lab
	*rig.Switch
	t *testing.T
}

func newSegment(t *testing.T) *segment {
	t.Helper()
	lab := rig.New(t)
	return &segment{lab, lab.Switch("lan"), t}
}

// router plugs router number n into the segment: 10.9.0.n, and a MAC address
// that is the same in every lab.
func (s *segment) router(n int) *router {
	s.t.Helper()
	h := s.Host(fmt.Sprintf("r%d", n))
	h.Sysctl("net.ipv6.conf.default.disable_ipv6", "1") // no chatter of the kernel's own
	r := &router{Host: h, t: s.t, address: v4(n), vip: vip}
	r.plug("eth0", s.Switch, fmt.Sprintf("02:00:00:00:00:%02x", n), r.address.String()+"/24")
	r.wire = h.Capture("eth0")
	return r
}

// v4 is the IPv4 address of router number n.
func v4(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, byte(n)}) }

// router6 plugs router number n into the segment: fe80::n and 2001:db8:9::n.
func (s *segment) router6(n int) *router {
	s.t.Helper()
	h := s.Host(fmt.Sprintf("r%d", n))
	h.Sysctl("net.ipv6.conf.default.addr_gen_mode", "1") // no address but ours
	h.Sysctl("net.ipv6.conf.default.router_solicitations", "0")
	h.Sysctl("net.ipv6.conf.default.accept_dad", "0")
	r := &router{Host: h, t: s.t, address: netip.MustParseAddr(fmt.Sprintf("fe80::%d", n)), vip: vip6}
	r.plug("eth0", s.Switch, fmt.Sprintf("02:00:00:00:00:%02x", n), r.address.String()+"/64")
	r.Run("ip", "addr", "add", fmt.Sprintf("2001:db8:9::%d/64", n), "dev", "eth0")
	r.wire = h.Capture("eth0")
	return r
}

// routerOf plugs router number n of an instance into the segment.
func (s *segment) routerOf(i instance, n int) *router {
	s.t.Helper()
	if !i.ipv6() {
		r := s.router(n)
		if i.from != "" {
			r.Run("ip", "addr", "add", i.from+"/24", "dev", "eth0")
			r.address = netip.MustParseAddr(i.from)
		}
		return r
	}
	r := s.router6(n)
	if i.source != "" {
		r.address = netip.MustParseAddr(i.source)
	}
	return r
}

// plug connects a device with a MAC address.
func (r *router) plug(device string, to *rig.Switch, mac, address string) {
	r.t.Helper()
	r.Plug(to, device)
	r.Run("ip", "link", "set", device, "address", mac)
	if netip.MustParsePrefix(address).Addr().Is6() {
		r.Run("ip", "addr", "add", address, "dev", device)
		return
	}
	r.Run("ip", "addr", "add", address, "broadcast", "+", "dev", device)
}

// run starts a daemon with this configuration.
func (r *router) run(binary string, configuration ...any) {
	r.t.Helper()
	r.configure(configuration...)
	r.Daemon = r.Start(binary, "-P")
}

// configure writes keepalived.conf.
func (r *router) configure(configuration ...any) {
	r.t.Helper()
	r.File("keepalived.conf", fmt.Sprintln(configuration...))
}

// owns waits until the router has the virtual address, or has not.
func (r *router) owns(want bool, limit time.Duration) {
	r.t.Helper()
	verb := "to own"
	if !want {
		verb = "to let go of"
	}
	rig.Until(r.t, fmt.Sprintf("%s %s %s", r, verb, r.vip), limit, func() bool { return r.Has(r.vip) == want })
}

// String is how messages call the router.
func (r *router) String() string {
	if r.Daemon == nil {
		return r.Name
	}
	return r.Daemon.String()
}

// becomes waits for the log to say that an instance entered a state.
func (r *router) becomes(mark int, name, state string, limit time.Duration) time.Time {
	r.t.Helper()
	return r.Wait(mark, fmt.Sprintf("(%s) Entering %s STATE", name, state), limit).At
}

// sent are the adverts that the router has sent since a moment.
func (r *router) sent(since time.Time) []rig.Advert {
	var own []rig.Advert
	for _, a := range r.wire.Adverts(since) {
		if a.Source == r.address {
			own = append(own, a)
		}
	}
	return own
}

// nextAdvert waits for the router's first advert of a priority since a moment.
func (r *router) nextAdvert(since time.Time, priority int, limit time.Duration) rig.Advert {
	r.t.Helper()
	var found rig.Advert
	rig.Until(r.t, fmt.Sprintf("an advert of %s with priority %d", r, priority), limit, func() bool {
		for _, a := range r.sent(since) {
			if int(a.Priority) == priority {
				found = a
				return true
			}
		}
		return false
	})
	return found
}

// lastAdvert is the latest advert that the router has sent.
func (r *router) lastAdvert() rig.Advert {
	r.t.Helper()
	sent := r.sent(time.Time{})
	if len(sent) == 0 {
		r.t.Fatalf("%s has sent no advert", r)
	}
	return sent[len(sent)-1]
}

// states are the log's lines about states since a mark.
func (r *router) states(mark int) []string {
	var found []string
	for _, line := range r.Lines(mark) {
		if strings.Contains(line.Text, ") Entering ") && strings.Contains(line.Text, " STATE") {
			found = append(found, line.Text[strings.IndexByte(line.Text, '('):])
		}
	}
	return found
}

// within fails the test when a duration is not between bounds. Kernels stamp
// frames in their own time: the lower bound gets a little slack.
func within(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	const slack = 60 * time.Millisecond
	t.Logf("%s: %s, in theory %s", what, got.Round(time.Millisecond), least)
	if got < least-slack || got > most {
		t.Errorf("that is not within %s to %s", least, most)
	}
}

// short is a binary's name in names of tests.
func short(binary string) string { return filepath.Base(binary) }
