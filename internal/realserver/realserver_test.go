package realserver

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

const directors = `
virtual_server_group web {
	10.0.0.60-62 80
	2001:db8::60 80
	fwmark 3 inet
}
virtual_server 10.0.0.50 80 {
	lb_algo rr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.11 80 { }
	real_server 10.0.0.12 80 { }
}
virtual_server 10.0.0.50 80 {
	lb_algo rr
	lb_kind TUN
	protocol TCP
	real_server 10.1.0.13 80 { }
}
virtual_server 10.0.0.51 80 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	real_server 10.0.0.11 8080 { }
	real_server 10.1.0.14 80 {
		lvs_method TUN type gue port 5555
	}
}
virtual_server 2001:db8::50 80 {
	lb_algo rr
	lb_kind TUN type gre
	protocol TCP
	real_server 10.0.0.15 80 { }
	real_server 2001:db8::15 80 { }
	real_server 2001:db8::16 80 {
		lvs_method TUN
	}
	real_server 10.0.0.17 80 {
		lvs_method TUN
	}
}
virtual_server 10.0.0.52 80 {
	lb_algo rr
	lb_kind DR
	protocol TCP
	sorry_server 10.0.0.19 80
	sorry_server_lvs_method TUN type gre csum
	real_server 10.0.0.20 80 { }
}
virtual_server 10.0.0.53 80 {
	lb_algo rr
	lb_kind TUN
	protocol TCP
	sorry_server 127.0.0.1 80
	real_server 2001:db8::21 80 { }
	real_server 2001:db8::22 80 {
		lvs_method TUN type gue port 5556
	}
}
virtual_server group web {
	lb_algo rr
	lb_kind TUN
	protocol TCP
	real_server 10.0.0.18 80 { }
}
`

func TestFromConfig(t *testing.T) {
	c, _, err := parser.Load(parser.Options{File: "main", Files: parser.Memory{"main": directors}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	const (
		nat   = "virtual_server 10.0.0.51 80 is forwarded by NAT, for which a real server needs its route through the director and nothing else"
		marks = "virtual_server group web has a firewall mark, whose addresses only the director's firewall knows: name them by hand"
	)
	for here, want := range map[string]string{
		"10.0.0.11":              "10.0.0.50 on lo\n" + nat,
		"10.0.0.12":              "10.0.0.50 on lo",
		"10.1.0.13":              "10.0.0.50 on tunl0; tunl0",
		"10.0.0.12 10.1.0.13":    "10.0.0.50 on lo; tunl0", // lo serves both
		"10.1.0.14":              "10.0.0.51 on tunl0; tunl0; {5555 false}",
		"10.0.0.15":              "2001:db8::50 on gre0; gre0",
		"2001:db8::15 127.0.0.1": "2001:db8::50 on ip6gre0; ip6gre0",
		"2001:db8::16":           "2001:db8::50 on ip6tnl0; ip6tnl0",
		"10.0.0.17":              "2001:db8::50 on sit0; sit0",
		"10.0.0.19":              "10.0.0.52 on lvs-?; lvs-?; ip link add lvs-? type gre local 10.0.0.19 csum",
		"2001:db8::21":           "10.0.0.53 on lvs-?; lvs-?; ip link add lvs-? type ip6tnl local 2001:db8::21 remote :: mode any",
		"2001:db8::22":           "10.0.0.53 on lvs-?; lvs-?; {5556 true}; ip link add lvs-? type ip6tnl local 2001:db8::22 remote :: mode any",
		"10.0.0.18":              "10.0.0.60 on tunl0, 10.0.0.61 on tunl0, 10.0.0.62 on tunl0, 2001:db8::60 on sit0; sit0 tunl0\n" + marks,
		"192.0.2.1": "10.0.0.50 on lo, 10.0.0.51 on tunl0, 10.0.0.52 on lo, 10.0.0.53 on tunl0, 10.0.0.60 on tunl0, 10.0.0.61 on tunl0, 10.0.0.62 on tunl0, " +
			"2001:db8::50 on ip6gre0, 2001:db8::60 on ip6tnl0; gre0 ip6gre0 ip6tnl0 tunl0; {5555 false} {5556 false}\n" +
			"no real_server is an address of this host: taking the virtual addresses of all of them\n" +
			"virtual_server 10.0.0.52 80 has GRE with checksums, which only a device of this host's own address unwraps: name the address by hand\n" + marks,
	} {
		var addresses []netip.Addr
		for _, a := range strings.Fields(here) {
			addresses = append(addresses, netip.MustParseAddr(a))
		}
		w, notes := FromConfig(c, addresses)
		got := w.String()
		if len(w.Tunnels) > 0 {
			got += "; " + strings.Join(w.Tunnels, " ")
		}
		if len(w.GUE) > 0 {
			got += "; " + strings.Trim(fmt.Sprint(w.GUE), "[]")
		}
		for _, d := range w.Made {
			got += "; " + d.command("add")
		}
		got = regexp.MustCompile(`lvs-[0-9a-f]{8}\b`).ReplaceAllString(got, "lvs-?")
		if d := cmp.Diff(want, strings.Join(append([]string{got}, notes...), "\n")); d != "" {
			t.Errorf("%s: -want +got:\n%s", here, d)
		}
	}
}

// A range of which only the first addresses are acted on has no more here, and
// an end.
func TestFromConfigOfALongRange(t *testing.T) {
	const directors = `virtual_server_group wide {
	2001:db8::-2001:db8:0:0:ffff:: 80
}
virtual_server group wide {
	lb_algo rr
	lb_kind DR
	protocol TCP
	real_server 2001:db8:1::1 80 { }
}
`
	c, _, err := parser.Load(parser.Options{File: "main", Files: parser.Memory{"main": directors}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	w, notes := FromConfig(c, []netip.Addr{netip.MustParseAddr("2001:db8:1::1")})
	want := []string{"virtual_server group wide has a range of more than 65536 addresses: a real server takes the first ones"}
	if d := cmp.Diff(want, notes); d != "" || len(w.VIPs) != config.MaxRange || w.VIPs[netip.MustParseAddr("2001:db8::ffff")] != "lo" {
		t.Errorf("%d addresses; notes, -want +got:\n%s", len(w.VIPs), d)
	}
}

// machine is a host that carries out steps.
type machine struct{ Have }

// fresh is a host with an interface, ARP as the kernel begins with, and strict
// reverse paths, as many distributions have it.
func fresh() *machine {
	m := &machine{Have{
		Links: map[string]Link{
			"lo":    {Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			"eth0":  {Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.11/24")}},
			"tunl0": {},
		},
		Settings: map[string]string{},
	}}
	for _, link := range []string{"all", "lo", "eth0", "tunl0"} {
		m.Settings[link+".arp_ignore"], m.Settings[link+".arp_announce"], m.Settings[link+".rp_filter"] = "0", "0", "0"
	}
	m.Settings["all.rp_filter"] = "1"
	return m
}

func (m *machine) do(t *testing.T, steps []Step) (text []string) {
	for _, s := range steps {
		text = append(text, s.String())
		switch {
		case s.Setting != "":
			m.Settings[s.Setting] = s.Value
		case s.Link != "":
			link := m.Links[s.Link]
			link.Up = !s.Undo
			m.Links[s.Link] = link
		case s.GUE != Port{} && s.Undo:
			m.GUE = without(m.GUE, []Port{s.GUE})
		case s.GUE != Port{}:
			m.GUE = append(m.GUE, s.GUE)
		case s.Device != Device{} && s.Undo:
			delete(m.Links, s.Device.Name) // with its addresses
			delete(m.Settings, s.Device.Name+".rp_filter")
		case s.Device != Device{}:
			m.Links[s.Device.Name] = Link{}
			m.Settings[s.Device.Name+".rp_filter"] = "1" // of the default
		default:
			link := m.Links[s.Address.Device]
			had := m.has(s.Address.Device, s.Address.Prefix)
			if had != s.Undo {
				t.Errorf("%s: it is there: %t", s, had)
			}
			if s.Undo {
				link.Addresses = without(link.Addresses, []netip.Prefix{s.Address.Prefix})
			} else {
				link.Addresses = append(link.Addresses, s.Address.Prefix)
			}
			m.Links[s.Address.Device] = link
		}
	}
	return text
}

func (m *machine) place(device, prefix string) {
	link := m.Links[device]
	link.Addresses = append(link.Addresses, netip.MustParsePrefix(prefix))
	m.Links[device] = link
}

func wanted(m config.Method, t config.Tunnel, vips ...string) (w Want) {
	for _, vip := range vips {
		w.Add(netip.MustParseAddr(vip), netip.Addr{}, m, t)
	}
	return w
}

func expect(t *testing.T, what string, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: -want +got:\n%s", what, d)
	}
}

// A life: start, start again, another address, tunnels, stop. ARP is quiet
// before an address comes and until the last has gone, and in the end all is as
// it was.
func TestLife(t *testing.T) {
	m := fresh()
	var saved Saved
	start := func(w Want) []string {
		t.Helper()
		var steps []Step
		steps, saved = Start(m.Have, w, saved)
		text := m.do(t, steps)
		if found := Check(m.Have, w); len(found) > 0 {
			t.Errorf("after a start: %v", found)
		}
		return text
	}
	quiet := []string{
		"sysctl -w net.ipv4.conf.all.arp_announce=2", "sysctl -w net.ipv4.conf.all.arp_ignore=1",
		"sysctl -w net.ipv4.conf.lo.arp_announce=2", "sysctl -w net.ipv4.conf.lo.arp_ignore=1",
	}
	dr := wanted(config.DR, config.Tunnel{}, "10.0.0.50", "10.0.0.51")
	expect(t, "start", append(quiet, "ip addr add 10.0.0.50/32 dev lo", "ip addr add 10.0.0.51/32 dev lo"), start(dr))
	expect(t, "again", nil, start(dr))
	m.Settings["lo.arp_ignore"] = "0" // somebody meddles
	expect(t, "repair", []string{"sysctl -w net.ipv4.conf.lo.arp_ignore=1"}, start(dr))
	tunnels := wanted(config.TUN, config.Tunnel{Type: config.GUE, Port: 6080}, "10.0.0.51")
	expect(t, "a tunnel", []string{
		"sysctl -w net.ipv4.conf.tunl0.rp_filter=2", "ip link set tunl0 up", "ip fou add port 6080 gue", "ip addr add 10.0.0.51/32 dev tunl0",
		"ip addr del 10.0.0.50/32 dev lo", "ip addr del 10.0.0.51/32 dev lo",
	}, start(tunnels))
	expect(t, "IPv6 alone", []string{
		"ip addr add 2001:db8::50/128 dev lo", "ip addr del 10.0.0.51/32 dev tunl0", "ip fou del port 6080 gue", "ip link set tunl0 down",
		"sysctl -w net.ipv4.conf.all.arp_announce=0", "sysctl -w net.ipv4.conf.all.arp_ignore=0",
		"sysctl -w net.ipv4.conf.lo.arp_announce=0", "sysctl -w net.ipv4.conf.lo.arp_ignore=0", "sysctl -w net.ipv4.conf.tunl0.rp_filter=0",
	}, start(wanted(config.DR, config.Tunnel{}, "2001:db8::50")))
	start(dr)
	m.Settings["all.arp_announce"] = "1" // somebody else's, from here on
	steps := Stop(m.Have, saved)
	expect(t, "stop", []string{
		"ip addr del 10.0.0.50/32 dev lo", "ip addr del 10.0.0.51/32 dev lo",
		"sysctl -w net.ipv4.conf.all.arp_ignore=0", "sysctl -w net.ipv4.conf.lo.arp_announce=0", "sysctl -w net.ipv4.conf.lo.arp_ignore=0",
	}, m.do(t, steps))
	was := fresh()
	was.Settings["all.arp_announce"] = "1"
	if d := cmp.Diff(was.Have, m.Have, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("after a stop: -was +is:\n%s", d)
	}
}

// A device that the kernel does not begin with is made before anything is set on
// it, and goes last.
func TestMade(t *testing.T) {
	m := fresh()
	var w Want
	w.Add(netip.MustParseAddr("10.0.0.50"), netip.MustParseAddr("10.0.0.11"), config.TUN, config.Tunnel{Type: config.GRE, Checksum: config.Checksum})
	name := w.Tunnels[0]
	steps, saved := Start(m.Have, w, Saved{})
	expect(t, "start", []string{
		"ip link add " + name + " type gre local 10.0.0.11 csum",
		"sysctl -w net.ipv4.conf.all.arp_announce=2", "sysctl -w net.ipv4.conf.all.arp_ignore=1",
		"sysctl -w net.ipv4.conf.lo.arp_announce=2", "sysctl -w net.ipv4.conf.lo.arp_ignore=1",
		"sysctl -w net.ipv4.conf." + name + ".rp_filter=2",
		"ip link set " + name + " up", "ip addr add 10.0.0.50/32 dev " + name,
	}, m.do(t, steps))
	if found := Check(m.Have, w); len(found) > 0 {
		t.Errorf("after a start: %v", found)
	}
	steps, again := Start(m.Have, w, saved)
	expect(t, "again", nil, m.do(t, steps))
	expect(t, "stop", []string{
		"ip addr del 10.0.0.50/32 dev " + name, "ip link set " + name + " down", "ip link del " + name,
		"sysctl -w net.ipv4.conf.all.arp_announce=0", "sysctl -w net.ipv4.conf.all.arp_ignore=0",
		"sysctl -w net.ipv4.conf.lo.arp_announce=0", "sysctl -w net.ipv4.conf.lo.arp_ignore=0",
	}, m.do(t, Stop(m.Have, again)))
	var what []string
	for _, f := range Check(m.Have, w)[1:2] {
		what = append(what, f.String())
	}
	expect(t, "check", []string{"nothing unwraps GRE with checksums to 10.0.0.11: the kernel drops it\n" +
		"    ip link add " + name + " type gre local 10.0.0.11 csum; lvsd real-server start does it"}, what)
}

// What was there before a start is not its own.
func TestForeignStays(t *testing.T) {
	m := fresh()
	m.place("lo", "10.0.0.50/32")
	m.Settings["all.arp_ignore"], m.Settings["all.arp_announce"] = "8", "2"
	steps, saved := Start(m.Have, wanted(config.DR, config.Tunnel{}, "10.0.0.50"), Saved{})
	expect(t, "start", []string{"sysctl -w net.ipv4.conf.lo.arp_announce=2", "sysctl -w net.ipv4.conf.lo.arp_ignore=1"}, m.do(t, steps))
	expect(t, "stop", []string{"sysctl -w net.ipv4.conf.lo.arp_announce=0", "sysctl -w net.ipv4.conf.lo.arp_ignore=0"}, m.do(t, Stop(m.Have, saved)))
	if !m.has("lo", netip.MustParsePrefix("10.0.0.50/32")) {
		t.Error("the address of somebody else has gone")
	}
}

// Mistakes of hands, each alone on a server that is otherwise as it should be.
func TestCheck(t *testing.T) {
	dr, tun := wanted(config.DR, config.Tunnel{}, "10.0.0.50"), wanted(config.TUN, config.Tunnel{}, "10.0.0.50")
	gue := wanted(config.TUN, config.Tunnel{Type: config.GUE, Port: 6080}, "10.0.0.50")
	for name, tc := range map[string]struct {
		want  Want
		spoil func(*machine)
		found []string
	}{
		"nothing":     {dr, func(*machine) {}, nil},
		"no address":  {dr, func(m *machine) { m.Links["lo"] = Link{Up: true} }, []string{"10.0.0.50 is not on lo: what the director forwards to this host is dropped"}},
		"on eth0":     {dr, func(m *machine) { m.place("eth0", "10.0.0.50/24") }, []string{"10.0.0.50/24 is on eth0: this host answers neighbours that ask for it, and takes clients from the director"}},
		"a network":   {dr, func(m *machine) { m.place("lo", "10.0.0.50/24") }, []string{"10.0.0.50/24 on lo is a whole network: what this host sends to its neighbours there stays on the host"}},
		"on a dummy":  {dr, func(m *machine) { m.Links["lo"] = Link{Up: true}; m.place("dummy1", "10.0.0.50/32") }, nil},
		"ARP answers": {dr, func(m *machine) { m.Settings["all.arp_ignore"] = "0" }, []string{"arp_ignore counts as 0 on eth0: this host answers neighbours that ask for a virtual address, and takes clients from the director"}},
		"ARP by scope": {dr, func(m *machine) { m.Settings["eth0.arp_ignore"] = "3" }, []string{
			"arp_ignore counts as 3 on eth0: this host answers neighbours that ask for a virtual address, and takes clients from the director",
		}},
		"quiet on eth0 alone": {dr, func(m *machine) {
			m.Settings["all.arp_ignore"], m.Settings["eth0.arp_ignore"] = "0", "1"
			m.Settings["all.arp_announce"], m.Settings["eth0.arp_announce"] = "0", "2"
		}, nil},
		"ARP asks":       {dr, func(m *machine) { m.Settings["all.arp_announce"] = "1" }, []string{"arp_announce counts as 1 on eth0: this host may ask for neighbours in the name of a virtual address, and so move it here"}},
		"a device down":  {dr, func(m *machine) { m.Settings["all.arp_ignore"] = "0"; m.Links["eth0"] = Link{} }, nil},
		"a tunnel":       {tun, func(*machine) {}, nil},
		"on lo":          {tun, func(m *machine) { m.Links["tunl0"] = Link{Up: true}; m.place("lo", "10.0.0.50/32") }, nil},
		"no tunnel":      {tun, func(m *machine) { delete(m.Links, "tunl0"); m.place("lo", "10.0.0.50/32") }, []string{"there is no tunl0: what comes through a tunnel is not unwrapped"}},
		"a tunnel down":  {tun, func(m *machine) { m.Links["tunl0"] = Link{Addresses: m.Links["tunl0"].Addresses} }, []string{"tunl0 is down: what comes through the tunnel is dropped"}},
		"strict filter":  {tun, func(m *machine) { m.Settings["tunl0.rp_filter"] = "1" }, []string{"rp_filter counts as 1 on tunl0: the kernel drops what comes out of the tunnel, because its senders are reached another way"}},
		"strict for all": {tun, func(m *machine) { m.Settings["tunl0.rp_filter"] = "0" }, []string{"rp_filter counts as 1 on tunl0: the kernel drops what comes out of the tunnel, because its senders are reached another way"}},
		"no port":        {gue, func(m *machine) { m.GUE = nil }, []string{"nothing unwraps generic UDP encapsulation on port 6080"}},
	} {
		m := fresh()
		steps, _ := Start(m.Have, tc.want, Saved{})
		m.do(t, steps)
		tc.spoil(m)
		var found []string
		for _, f := range Check(m.Have, tc.want) {
			found = append(found, f.What)
			if f.Do == "" || !strings.HasSuffix(f.String(), "\n    "+f.Do) {
				t.Errorf("%s: nothing to do about it: %q", name, f)
			}
		}
		expect(t, name, tc.found, found)
	}
}
