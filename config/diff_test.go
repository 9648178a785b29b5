package config

import (
	"net/netip"
	"testing"
	"time"
)

func sample() *Config {
	c := &Config{Global: DefaultGlobal}
	vi := DefaultInstance
	vi.Origin = Origin{"a.conf", 3, 1}
	vi.Name, vi.Interface, vi.VirtualRouterID = "VI_1", "eth0", 51
	vi.VirtualIPAddress = []Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}}
	vi.Notify = new(NewCommand("/etc/notify.sh", User{}, Origin{"a.conf", 9, 1}))
	c.Instances = []Instance{vi}
	vs := DefaultVirtualServer
	vs.Addr, vs.Protocol, vs.LBAlgo, vs.LBKind = netip.MustParseAddrPort("10.0.0.1:80"), Some(TCP), Some("rr"), Some(DR)
	vs.RealServers = []RealServer{{Addr: netip.MustParseAddrPort("10.0.0.11:80"), Checks: []Check{{Kind: TCPCheck}}}}
	c.Services = []VirtualServer{vs}
	return c
}

func resolved(change func(*Config)) *Config {
	c := sample()
	if change != nil {
		change(c)
	}
	c.Resolve(nil)
	return c
}

// What a reload touches is what differs, and nothing else.
func TestDiff(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		check  func(Plan) bool
	}{
		"equal": {nil, Plan.Empty},
		"moved in the file": {func(c *Config) {
			c.Instances[0].Origin.Line = 77
			c.Instances[0].Notify.Origin.Line = 78
			c.Services[0].RealServers[0].Checks[0].Origin = Origin{"b.conf", 1, 1}
		}, Plan.Empty},
		"priority": {func(c *Config) { c.Instances[0].Priority = Some[uint8](50) }, func(p Plan) bool {
			return len(p.Instances.Changed) == 1 && p.Instances.Changed[0].Next.Priority.Value == 50 && p.Services.Empty()
		}},
		"renamed instance": {func(c *Config) { c.Instances[0].Name = "VI_2" }, func(p Plan) bool { return len(p.Instances.Changed) == 1 }},
		"other VRID": {func(c *Config) { c.Instances[0].VirtualRouterID = 52 }, func(p Plan) bool {
			return len(p.Instances.Removed) == 1 && len(p.Instances.Added) == 1 && p.Instances.Changed == nil
		}},
		"address added": {func(c *Config) {
			c.Instances[0].VirtualIPAddress = append(c.Instances[0].VirtualIPAddress, Address{Prefix: netip.MustParsePrefix("10.0.0.2/24")})
		}, func(p Plan) bool { return len(p.Instances.Changed) == 1 }},
		"real server added": {func(c *Config) {
			v := &c.Services[0]
			v.RealServers = append(v.RealServers, RealServer{Addr: netip.MustParseAddrPort("10.0.0.12:80")})
		}, func(p Plan) bool { return len(p.Services.Changed) == 1 && p.Instances.Empty() }},
		"delay_loop of the service": {func(c *Config) { c.Services[0].Timing.DelayLoop = Some(6 * time.Second) }, func(p Plan) bool {
			return len(p.Services.Changed) == 1 && p.Services.Changed[0].Next.Servers[0].Checks[0].Timing.DelayLoop.Value == 6*time.Second
		}},
		"global": {func(c *Config) { c.Global.RouterID = "x" }, func(p Plan) bool { return p.Global != nil && p.Instances.Empty() && p.Services.Empty() }},
		"all gone": {func(c *Config) { *c = Config{Global: c.Global} }, func(p Plan) bool {
			return len(p.Instances.Removed) == 1 && len(p.Services.Removed) == 1
		}},
	} {
		if plan := Diff(resolved(nil), resolved(tc.change)); !tc.check(plan) {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}

// One service in two blocks: both blocks' servers, each with its own method;
// the scheduler of the first; what is written twice counts once.
func TestKernelServicesMerge(t *testing.T) {
	c := sample()
	second := c.Services[0]
	second.LBKind, second.LBAlgo, second.Weight = Some(TUN), Some("wlc"), 7
	second.RealServers = []RealServer{
		{Addr: netip.MustParseAddrPort("10.0.0.11:80"), Weight: Some(99)},
		{Addr: netip.MustParseAddrPort("10.0.0.12:8080")},
		{Addr: netip.MustParseAddrPort("10.0.0.13:8080"), LVSMethod: Some(NAT)},
	}
	c.Services = append(c.Services, second)
	c.Resolve(nil)
	services := c.KernelServices()
	if len(services) != 1 || services[0].Scheduler != "rr" || len(services[0].Servers) != 3 {
		t.Fatalf("%+v", services)
	}
	for i, want := range []struct {
		addr   string
		method Method
		weight int
	}{{"10.0.0.11:80", DR, 1}, {"10.0.0.12:80", TUN, 7}, {"10.0.0.13:8080", NAT, 7}} {
		s := services[0].Servers[i]
		if s.Addr.String() != want.addr || s.Method != want.method || s.Weight != want.weight {
			t.Errorf("server %d: %s %s weight %d, want %+v", i, s.Addr, s.Method, s.Weight, want)
		}
	}
}

// The same of any number of servers.
func TestKernelServicesMergeMany(t *testing.T) {
	for _, n := range []int{4, 40} {
		c := sample()
		first := &c.Services[0]
		second := *first
		first.RealServers, second.RealServers, second.Weight = nil, nil, 7
		for i := range n {
			r := RealServer{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 80)}
			first.RealServers = append(first.RealServers, r)
			r.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i + n/2)}), 80)
			second.RealServers = append(second.RealServers, r)
		}
		second.RealServers = append(second.RealServers, second.RealServers[n-1])
		c.Services = append(c.Services, second)
		c.Resolve(nil)
		servers := c.KernelServices()[0].Servers
		if len(servers) != n+n/2 || servers[n-1].Weight == 7 || servers[n].Weight != 7 {
			t.Errorf("%d servers of two times %d: weights %d and %d around the end of the first", len(servers), n, servers[n-1].Weight, servers[n].Weight)
		}
	}
}

// The nearest block that says something wins: check, real server, virtual
// server, default.
func TestTiming(t *testing.T) {
	c := sample()
	v := &c.Services[0]
	v.Timing = Timing{DelayLoop: Some(6 * time.Second), Retry: Some(5), ConnectTimeout: Some(9 * time.Second)}
	v.RealServers[0].Timing = &Timing{Retry: Some(4), ConnectTimeout: Some(8 * time.Second)}
	v.RealServers[0].Checks[0].Timing = &Timing{ConnectTimeout: Some(3 * time.Second)}
	v.Alpha = true
	got := c.KernelServices()[0].Servers[0].Checks[0]
	timing := got.Timing
	if timing.DelayLoop.Value != 6*time.Second || timing.Retry.Value != 4 || timing.ConnectTimeout.Value != 3*time.Second ||
		timing.DelayBeforeRetry.Value != time.Second || timing.Warmup.Value != 6*time.Second || !timing.Alpha.Value {
		t.Errorf("%+v", timing)
	}
	if got.Target().String() != "10.0.0.11:80" {
		t.Errorf("target %s", got.Target())
	}
}

// What runs is made of what is written with a few allocations for a service,
// however many real servers and checks it has.
func TestKernelServicesAllocateByService(t *testing.T) {
	allocations := func(n int) float64 {
		c := sample()
		v := &c.Services[0]
		v.RealServers = nil
		for i := range n {
			v.RealServers = append(v.RealServers, RealServer{
				Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80), Checks: []Check{{Kind: TCPCheck}, {Kind: PingCheck}},
			})
		}
		c.Resolve(nil)
		return testing.AllocsPerRun(10, func() { c.KernelServices() })
	}
	if few, many := allocations(20), allocations(2000); many > few+40 { // the map of addresses grows
		t.Errorf("%.0f allocations with 20 real servers, %.0f with 2000", few, many)
	}
}
