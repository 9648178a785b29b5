package rig

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Cluster is what a configuration describes, built: a switch for each of its
// devices, two directors, every real server with the virtual addresses that it
// serves, and a client.
type Cluster struct {
	*Lab
	Directors [2]*Host
	Client    *Host
	Real      map[netip.Addr]*Web // by real server address; their hosts are named after it
	Plan      Plan
}

// A Plan is what a keepalived.conf says about its surroundings. It is read
// without lvsd's parser, which is under test.
type Plan struct {
	VIPs     []PlannedVIP
	Services []PlannedService // one for each virtual_server block
	Ports    []uint16         // all that a real server listens on
}

// A PlannedVIP is a line of virtual_ipaddress: 10.65.32.28/23 dev bond0.
type PlannedVIP struct {
	Prefix netip.Prefix
	Device string
}

// A PlannedService is a virtual_server block.
type PlannedService struct {
	VIP  netip.AddrPort
	Kind string // lb_kind
	Real []netip.Addr
}

// ReadPlan reads a configuration of the usual form, one statement a line.
func ReadPlan(configuration string) (Plan, error) {
	var p Plan
	var inside string // the list of addresses that the line is part of
	for line := range strings.Lines(configuration) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "}":
			inside = ""
		case words[0] == "virtual_ipaddress":
			inside = words[0]
		case inside != "" && len(words) == 3 && words[1] == "dev":
			prefix, err := netip.ParsePrefix(words[0])
			if err != nil {
				return Plan{}, err
			}
			p.VIPs = append(p.VIPs, PlannedVIP{prefix, words[2]})
		case words[0] == "virtual_server" || words[0] == "real_server":
			if err := p.server(words); err != nil {
				return Plan{}, err
			}
		case words[0] == "lb_kind" && len(p.Services) > 0:
			p.Services[len(p.Services)-1].Kind = words[1]
		}
	}
	if len(p.VIPs) == 0 || len(p.Services) == 0 {
		return Plan{}, fmt.Errorf("a configuration with %d virtual addresses and %d services", len(p.VIPs), len(p.Services))
	}
	return p, nil
}

// server takes "virtual_server ADDRESS PORT {" or "real_server ADDRESS PORT {".
func (p *Plan) server(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("%s without address and port", words[0])
	}
	address, err := netip.ParseAddr(words[1])
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(words[2], 10, 16)
	if err != nil {
		return err
	}
	if !slices.Contains(p.Ports, uint16(port)) {
		p.Ports = append(p.Ports, uint16(port))
	}
	if words[0] == "virtual_server" {
		p.Services = append(p.Services, PlannedService{VIP: netip.AddrPortFrom(address, uint16(port))})
		return nil
	}
	if len(p.Services) == 0 {
		return fmt.Errorf("real_server %s outside of a virtual_server", address)
	}
	last := &p.Services[len(p.Services)-1]
	last.Real = append(last.Real, address)
	return nil
}

// vip finds the line of a virtual address.
func (p *Plan) vip(address netip.Addr) (PlannedVIP, bool) {
	for _, v := range p.VIPs {
		if v.Prefix.Addr() == address {
			return v, true
		}
	}
	return PlannedVIP{}, false
}

// Service is where clients reach a virtual address, and the names of the real
// servers behind it, from all of its blocks.
func (p *Plan) Service(vip netip.AddrPort) (names []string) {
	for _, s := range p.Services {
		if s.VIP == vip {
			for _, real := range s.Real {
				names = append(names, real.String())
			}
		}
	}
	return names
}

// NewCluster builds what the configurations describe, and gives both directors
// the files (names to contents); "keepalived.conf" is the configuration.
// No daemon runs yet.
func NewCluster(t T, files map[string]string) *Cluster {
	t.Helper()
	plan, err := ReadPlan(files["keepalived.conf"])
	if err != nil {
		t.Fatalf("read the cluster's configuration: %v", err)
	}
	c := &Cluster{Lab: New(t), Plan: plan, Real: map[netip.Addr]*Web{}}
	c.Client = c.Host("client")
	for i := range c.Directors {
		c.Directors[i] = c.Host(fmt.Sprintf("director%d", i+1))
		for name, content := range files {
			c.Directors[i].File(name, content)
		}
	}
	switches := map[string]*Switch{}
	for _, v := range plan.VIPs {
		if switches[v.Device] == nil {
			switches[v.Device] = c.Switch(v.Device)
			c.plug(switches[v.Device], v)
		}
	}
	for _, s := range plan.Services {
		v, ok := plan.vip(s.VIP.Addr())
		if !ok {
			t.Fatalf("the service %s is at no virtual address", s.VIP)
		}
		for _, address := range s.Real {
			c.realServer(switches[v.Device], v, s.Kind, address)
		}
	}
	c.settle()
	return c
}

// plug connects directors and client to the switch of a virtual address, with
// the highest addresses of its network.
func (c *Cluster) plug(s *Switch, v PlannedVIP) {
	address := broadcast(v.Prefix)
	for _, host := range []*Host{c.Client, c.Directors[1], c.Directors[0]} {
		address = address.Prev()
		host.Plug(s, v.Device, netip.PrefixFrom(address, v.Prefix.Bits()).String())
	}
}

// Address is a director's own address on a device.
func (c *Cluster) Address(director int, device string) netip.Addr {
	for _, v := range c.Plan.VIPs {
		if v.Device == device {
			address := broadcast(v.Prefix)
			for range 3 - director {
				address = address.Prev()
			}
			return address
		}
	}
	c.t.Fatalf("no virtual address is on %s", device)
	return netip.Addr{}
}

// broadcast is the last address of a network.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	address, _ := netip.AddrFromSlice(b)
	return address
}

// realServer makes a real server, or adds a virtual address to the one that
// exists.
func (c *Cluster) realServer(s *Switch, v PlannedVIP, kind string, address netip.Addr) {
	web := c.Real[address]
	if web == nil {
		host := c.Host(address.String())
		if v.Prefix.Masked().Contains(address) {
			host.Plug(s, "eth0", netip.PrefixFrom(address, v.Prefix.Bits()).String())
		} else {
			c.t.Logf("%s is outside of %s: it gets routes, so that it can be reached", address, v.Prefix.Masked())
			host.Plug(s, "eth0", address.String()+"/32")
			host.Route(v.Prefix.Masked().String(), "eth0")
			for _, other := range []*Host{c.Client, c.Directors[0], c.Directors[1]} {
				other.Route(address.String()+"/32", v.Device)
			}
		}
		web = host.Serve(c.Plan.Ports...)
		c.Real[address] = web
	}
	switch kind {
	case "DR":
		web.Host.RealServer(v.Prefix.Addr())
	case "TUN":
		web.Host.TunnelServer(v.Prefix.Addr())
	default:
		c.t.Fatalf("the rig builds real servers for lb_kind DR and TUN, not for %q", kind)
	}
}

// settle waits until the hosts can talk: a fresh port may drop its first
// packets.
func (c *Cluster) settle() {
	c.t.Helper()
	for address, web := range c.Real {
		Until(c.t, "the web server on "+address.String(), 30*time.Second, func() bool {
			name, err := c.Directors[0].Get(netip.AddrPortFrom(address, c.Plan.Ports[0]))
			return err == nil && name == web.Host.Name
		})
	}
}

// Names are the names of all real servers.
func (c *Cluster) Names() []string {
	var names []string
	for _, address := range slices.SortedFunc(maps.Keys(c.Real), netip.Addr.Compare) {
		names = append(names, address.String())
	}
	return names
}

// ReadFolder reads the plain files of a folder: names to contents.
func ReadFolder(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		if e.Type().IsRegular() {
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			files[e.Name()] = string(content)
		}
	}
	return files, nil
}
