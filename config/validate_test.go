package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is an environment with one interface, one user and one program.
type world struct{}

func (world) HasInterface(name string) bool { return name == "eth0" || name == "mac0" }
func (world) OnLink(Addr) bool              { return false }
func (world) Subnets() []Subnet             { return nil }
func (world) HasUser(u User) bool           { return u.Name == "root" }
func (world) Executable(name string) error {
	if name != "/usr/bin/true" && name != "true" {
		return errors.New("no such file")
	}
	return nil
}

func (world) HasDirectory(path string) bool   { return path == "/run" }
func (world) HasNamespace(name string) bool   { return name == "blue" }
func (world) Unsafe(string, User) error       { return nil }
func (world) PrivateMacvlan(name string) bool { return false }
func (world) Links() []PresentLink            { return nil }

func (world) Beneath(name string) string {
	if name == "mac0" {
		return "eth0"
	}
	return name
}

// router is an instance that nobody complains about.
func router(name string, vrid uint8) Instance {
	i := DefaultInstance
	i.Name, i.Interface, i.VirtualRouterID = name, "eth0", vrid
	i.VirtualIPAddress = []Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, vrid}), 24)}}
	return i
}

func service(servers ...RealServer) VirtualServer {
	v := DefaultVirtualServer
	v.Addr = netip.MustParseAddrPort("10.0.0.1:80")
	v.Protocol, v.LBAlgo, v.LBKind = Some(TCP), Some("rr"), Some(DR)
	v.RealServers = servers
	return v
}

func server(addr string) RealServer { return RealServer{Addr: netip.MustParseAddrPort(addr)} }

// codes are what Validate complains about.
func codes(problems []Problem) (all []string) {
	for _, p := range problems {
		all = append(all, p.Code)
	}
	return all
}

func TestValidateFixes(t *testing.T) {
	three := router("V3", 3)
	three.Version, three.AdvertInt = Some[uint8](3), 1234*time.Millisecond
	master := router("V4", 4)
	master.State, master.NoPreempt, master.PreemptDelay = Some(Master), true, time.Second
	alone := router("V5", 5)
	alone.UnicastSrcIP, alone.UnicastTTL = MustAddr("10.0.0.9"), Some[uint8](1)
	c := &Config{
		Instances: []Instance{three, master, alone},
		Services:  []VirtualServer{service(server("10.0.0.2:81"), server("10.0.0.2:81"), server("10.0.0.3:80")), service(server("10.0.0.4:80")), service()},
	}
	got := codes(c.Validate(world{}))
	want := []string{"advert-int", "nopreempt", "preempt-delay", "unicast-without-peers", "no-real-server", "duplicate", "port-mismatch", "duplicate-service"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
	if d := c.Instances[0].AdvertInt; d != 1230*time.Millisecond {
		t.Errorf("advert_int %v", d)
	}
	if i := c.Instances[1]; i.NoPreempt || i.PreemptDelay != 0 {
		t.Errorf("state MASTER with nopreempt %v and preempt_delay %v", i.NoPreempt, i.PreemptDelay)
	}
	if i := c.Instances[2]; i.Unicast() || i.UnicastSrcIP.IsValid() || i.McastSrcIP != MustAddr("10.0.0.9") || i.UnicastTTL.Set {
		t.Errorf("a unicast source without peers: %+v", i)
	}
	if n := len(c.Services); n != 2 {
		t.Errorf("%d services, want 2", n)
	}
	if a := c.Services[0].RealServers[0].Addr; a != netip.MustParseAddrPort("10.0.0.2:80") {
		t.Errorf("the port of DR is that of the service: %v", a)
	}
	if again := codes(c.Validate(world{})); !slices.Equal(again, []string{"duplicate-service"}) {
		t.Errorf("a fixed configuration still has %v", again)
	}
}

// A macvlan hears what its parent does: one number serves there for one
// instance, unless dynamic_interfaces allow_if_changes says that it may get
// another parent.
func TestSameWire(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		above, beneath, unicast := router("V1", 1), router("V2", 1), router("V3", 1)
		above.Interface = "mac0"
		unicast.UnicastSrcIP, unicast.UnicastPeers = MustAddr("10.0.0.9"), []Peer{{Addr: MustAddr("10.0.0.8")}}
		c := &Config{Global: DefaultGlobal, Instances: []Instance{above, beneath, unicast}}
		c.Global.AllowIfChanges = allowed
		problems := c.Validate(world{})
		switch {
		case allowed && (len(problems) > 0 || len(c.Instances) != 3):
			t.Errorf("allow_if_changes: %v, %d instances", problems, len(c.Instances))
		case !allowed && (len(problems) != 1 || problems[0].Message != "V1 and V2 both use VRID 1 with IPv4 on interface eth0" || len(c.Instances) != 2):
			t.Errorf("%v, %d instances", problems, len(c.Instances))
		}
	}
}

func TestValidateFatal(t *testing.T) {
	nameless, numberless, elsewhere := router("V1", 1), router("V2", 0), router("V4", 4)
	nameless.Interface, elsewhere.Interface = "", "eth9"
	for name, tc := range map[string]struct {
		instances []Instance
		left      int
		env       Environment
	}{
		"no interface":      {[]Instance{nameless}, 0, nil},
		"no number":         {[]Instance{numberless}, 0, nil},
		"the same number":   {[]Instance{router("a", 7), router("b", 7)}, 1, nil},
		"unknown interface": {[]Instance{elsewhere}, 1, world{}},
	} {
		c := &Config{Instances: tc.instances}
		problems := c.Validate(tc.env)
		if !Fatal(problems) || len(c.Instances) != tc.left {
			t.Errorf("%s: %v, %d instances", name, problems, len(c.Instances))
		}
	}
	for name, c := range map[string]*Config{
		"offline":            {Instances: []Instance{elsewhere}},
		"dynamic_interfaces": {Instances: []Instance{elsewhere}, Global: Global{DynamicInterfaces: true}},
	} {
		var env Environment
		if name != "offline" {
			env = world{}
		}
		if problems := c.Validate(env); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestValidateScripts(t *testing.T) {
	command := func(line string) Command { return NewCommand(line, User{}, Origin{}) }
	script := func(name, line string) TrackScript {
		s := DefaultTrackScript
		s.Name, s.Script = name, command(line)
		return s
	}
	i := router("V1", 1)
	i.TrackScript = []Track{{Name: "good"}, {Name: "gone"}, {Name: "shell"}, {Name: "unknown"}}
	i.Notify = new(command("/nowhere"))
	i.NotifyMaster = new(NewCommand("true", User{Name: "nobody"}, Origin{}))
	c := &Config{Instances: []Instance{i}, Scripts: []TrackScript{script("good", "true"), script("gone", "/nowhere"), script("shell", "if true; then /nowhere; fi")}}
	problems := c.Validate(world{})
	want := []string{"script-not-found", "script-not-found", "script-not-found", "unknown-user", "unknown-script", "script-security"}
	if got := codes(problems); !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
	if got := len(c.Instances[0].TrackScript); got != 2 {
		t.Errorf("%d scripts are tracked, want good and shell", got)
	}
	if c.Instances[0].Notify.IsZero() || !c.Instances[0].NotifyMaster.IsZero() {
		t.Error("a script that may appear stays, one of nobody's goes")
	}
	if status := TestStatus(problems); status != ExitTestSecurity {
		t.Errorf("status %d", status)
	}
}

func TestTestStatus(t *testing.T) {
	for _, tc := range []struct {
		classes []Class
		want    int
	}{
		{nil, ExitOK},
		{[]Class{ClassNone}, ExitOK},
		{[]Class{ClassFatal}, ExitPermission},
		{[]Class{ClassBadInterface, ClassGeneral}, ExitTestFailed},
		{[]Class{ClassSecurity, ClassGeneral}, ExitTestSecurity},
		{[]Class{ClassMissingParameter, ClassSecurity}, ExitConfig},
	} {
		var problems []Problem
		for _, c := range tc.classes {
			problems = append(problems, Problem{Class: c})
		}
		if got := TestStatus(problems); got != tc.want {
			t.Errorf("TestStatus(%v) = %d, want %d", tc.classes, got, tc.want)
		}
	}
}

// An instance that cannot prove who it is must not run, one that can does.
func TestUnable(t *testing.T) {
	block := func(active uint8, keys ...HMACKey) func(*Instance) {
		return func(i *Instance) {
			a := DefaultAuthHMAC
			a.Keys, a.ActiveKey = keys, active
			i.Version, i.AuthHMAC = Some[uint8](3), &a
		}
	}
	without := "auth_hmac without its active key"
	for name, tc := range map[string]struct {
		change func(*Instance)
		want   string
	}{
		"none":            {func(*Instance) {}, ""},
		"PASS":            {func(i *Instance) { i.Authentication = Authentication{Type: AuthPass, Pass: "x"} }, ""},
		"AH":              {func(i *Instance) { i.Authentication = Authentication{Type: AuthAH, Pass: "x"} }, ""},
		"HMAC":            {block(2, HMACKey{ID: 1}, HMACKey{ID: 2}), ""},
		"no key":          {block(1), without},
		"no active key":   {block(0, HMACKey{ID: 1}), without},
		"another key":     {block(2, HMACKey{ID: 1}), without},
		"a file":          {block(1, HMACKey{ID: 1, File: "/key"}), ""},
		"a file, gone":    {block(1, HMACKey{ID: 1, File: "/gone"}), without},
		"a file, short":   {block(1, HMACKey{ID: 1, File: "/short"}), without},
		"an unused file":  {block(2, HMACKey{ID: 1, File: "/gone"}, HMACKey{ID: 2}), ""},
		"a readable file": {block(1, HMACKey{ID: 1, File: "/open"}), ""},
		"ipvlan":          {func(i *Instance) { i.IPVLAN = &IPVLAN{Prefix: netip.MustParsePrefix("10.0.0.51/24")} }, ""},
		"bare ipvlan":     {func(i *Instance) { i.IPVLAN = &IPVLAN{} }, "ipvlan without an IPv4 address"},
		"ipvlan, IPv6":    {func(i *Instance) { i.IPVLAN = &IPVLAN{Prefix: netip.MustParsePrefix("2001:db8::51/64")} }, "ipvlan without an IPv4 address"},
	} {
		c := sample()
		tc.change(&c.Instances[0])
		problems := c.Validate(world{})
		i := c.Instances[0]
		if i.Unable != tc.want {
			t.Errorf("%s: unable because of %q, want %q", name, i.Unable, tc.want)
		}
		security := slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == "auth-hmac" && p.Class == ClassSecurity })
		if security != (name == "a readable file") {
			t.Errorf("%s: problems %v", name, problems)
		}
		if a := i.AuthHMAC; tc.want == "" && a != nil && a.Keys[0].File != "" && string(a.Keys[0].Bytes()) != theKey {
			t.Errorf("%s: the key is %q", name, a.Keys[0].Bytes())
		}
	}
}

const theKey = "0123456789abcdef0123456789abcdef"

// A vrf beside an interface is cleared, so that it need not exist.
func TestVRFBesideInterface(t *testing.T) {
	for name, want := range map[string]string{"eth0": "vrf", "": "unknown-interface"} {
		i := router("V1", 1)
		i.VRF, i.Interface = "nowhere", name
		i.UnicastSrcIP, i.UnicastPeers = MustAddr("10.0.0.9"), []Peer{{Addr: MustAddr("10.0.0.2")}}
		c := &Config{Global: DefaultGlobal, Instances: []Instance{i}}
		var codes []string
		for _, p := range c.Validate(world{}) {
			if p.Code == "vrf" || p.Code == "unknown-interface" {
				codes = append(codes, p.Code)
			}
		}
		if len(codes) == 0 || codes[0] != want || want == "vrf" && len(codes) > 1 {
			t.Errorf("interface %q: %q", name, codes)
		}
	}
}

// unicast_fault_no_peer: FAULT, where a unicast source without peers is one for
// multicast else.
func TestUnicastFaultNoPeer(t *testing.T) {
	alone, heard := router("V1", 1), router("V2", 2)
	for _, i := range []*Instance{&alone, &heard} {
		i.UnicastSrcIP, i.UnicastFaultNoPeer = MustAddr("10.0.0.9"), true
	}
	heard.UnicastPeers = []Peer{{Addr: MustAddr("10.0.0.2")}}
	c := &Config{Global: DefaultGlobal, Instances: []Instance{alone, heard}}
	c.Validate(world{})
	if i := c.Instances[0]; i.Unable != "unicast without any peers" || i.McastSrcIP.IsValid() {
		t.Errorf("without peers: unable because of %q, multicast from %v", i.Unable, i.McastSrcIP)
	}
	if i := c.Instances[1]; i.Unable != "" || !i.Unicast() {
		t.Errorf("with peers: unable because of %q", i.Unable)
	}
}

// The family of adverts is that of the first address, and without one what
// native_ipv6 or the source says.
func TestFamily(t *testing.T) {
	source := func(addr string) func(*Instance) {
		return func(i *Instance) { i.VirtualIPAddress, i.UnicastSrcIP = nil, MustAddr(addr) }
	}
	for name, tc := range map[string]struct {
		change func(*Instance)
		v6     bool
	}{
		"an IPv4 address":   {func(*Instance) {}, false},
		"native_ipv6 wrong": {func(i *Instance) { i.NativeIPv6 = true }, false},
		"an IPv6 address": {func(i *Instance) {
			i.VirtualIPAddress = append([]Address{{Prefix: netip.MustParsePrefix("fe80::5/64")}}, i.VirtualIPAddress...)
		}, true},
		"nothing":           {func(i *Instance) { i.VirtualIPAddress = nil }, false},
		"native_ipv6 alone": {func(i *Instance) { i.VirtualIPAddress, i.NativeIPv6 = nil, true }, true},
		"an IPv4 source":    {source("10.0.0.1"), false},
		"an IPv6 source":    {source("fe80::1"), true},
		"a multicast source": {func(i *Instance) {
			i.VirtualIPAddress, i.McastSrcIP = nil, MustAddr("fe80::1")
		}, true},
	} {
		i := router("V1", 1)
		tc.change(&i)
		if got := i.IPv6(); got != tc.v6 {
			t.Errorf("%s: IPv6 is %t", name, got)
		}
	}
}

// sync_group_tracking_weight: members keep the weights of what they track, which
// have no meaning in a sync group else. What the group itself tracks has them in
// any case.
func TestSyncGroupTrackingWeight(t *testing.T) {
	for _, keep := range []bool{false, true} {
		i := router("V1", 1)
		i.TrackFile = []Track{{Name: "file", Weight: Some(2)}}
		i.TrackScript = []Track{{Name: "chk", Weight: Some(20)}}
		c := &Config{
			Global: DefaultGlobal, Instances: []Instance{i},
			Scripts:  []TrackScript{{Name: "chk", Script: Command{Args: []string{"/usr/bin/true"}}}, {Name: "all", Script: Command{Args: []string{"/usr/bin/true"}}}},
			Trackers: Trackers{Files: []TrackFile{{Name: "file", File: "/run/x"}}},
			Groups:   []SyncGroup{{Name: "G", Members: []string{"V1"}, SyncGroupTrackingWeight: keep, TrackScript: []Track{{Name: "all", Weight: Some(30)}}}},
		}
		problems := c.Validate(world{})
		var weights []int
		for _, list := range [][]Track{c.Instances[0].TrackFile, c.Instances[0].TrackScript, c.Groups[0].TrackScript} {
			for _, track := range list {
				weights = append(weights, track.Weight.Value)
			}
		}
		want := []int{30}
		if keep {
			want = []int{2, 20, 30}
		}
		if !slices.Equal(weights, want) {
			t.Errorf("sync_group_tracking_weight %t: weights %v, want %v (%v)", keep, weights, want, problems)
		}
	}
}

// Beside auth_hmac there is no other authentication, and vrrp_strict has no
// half measures.
func TestHMACAlone(t *testing.T) {
	c := sample()
	a := DefaultAuthHMAC
	a.Keys, a.ActiveKey, a.Mode = []HMACKey{{ID: 1, Secret: theKey}}, 1, HMACPermissive
	i := &c.Instances[0]
	i.AuthHMAC, i.StrictMode = &a, Some(true)
	i.Authentication = Authentication{Type: AuthPass, Pass: "x"}
	c.Validate(nil)
	if i.Authentication != (Authentication{}) || i.AuthHMAC.Mode != HMACEnforce {
		t.Errorf("%+v, %+v", i.Authentication, i.AuthHMAC)
	}
}

func (world) KeyFile(path string) (content []byte, private bool, err error) {
	switch path {
	case "/key", "/open":
		return []byte(theKey + "\n"), path == "/key", nil
	case "/short":
		return []byte(theKey[1:] + "\n"), true, nil
	}
	return nil, false, fs.ErrNotExist
}

func (world) MTU(string) int { return 1500 }

// TestDuplicateServers: the first one stays, in small blocks and in large ones.
func TestDuplicateServers(t *testing.T) {
	for _, n := range []int{2, 16, 17, 300} {
		s := service()
		for i := range n {
			s.RealServers = append(s.RealServers, server(fmt.Sprintf("10.0.%d.%d:80", i>>8, i&255)))
		}
		c := &Config{Services: []VirtualServer{s}}
		if problems := c.Validate(nil); len(problems) > 0 {
			t.Errorf("%d servers: %v", n, problems)
		}
		c.Services[0].RealServers = append(c.Services[0].RealServers, s.RealServers[n-1])
		problems := c.Validate(nil)
		if got := codes(problems); !slices.Equal(got, []string{"duplicate"}) || len(c.Services[0].RealServers) != n {
			t.Errorf("%d servers and one again: %v, %d stay", n, got, len(c.Services[0].RealServers))
		}
	}
}

// What use_vmac makes need not be there before.
func TestOwnLinksAreKnown(t *testing.T) {
	c := &Config{Global: DefaultGlobal, Instances: []Instance{
		{Name: "VI_1", Interface: "eth0", VirtualRouterID: 51, VMAC: &VMAC{}, Version: Some[uint8](2), VirtualIPAddress: all("10.0.0.1/24"),
			VirtualRoutes: []Route{{Dev: "vrrp.51"}, {Dev: "vx"}, {Dev: "vrrp.52"}}},
		{Name: "VI_2", Interface: "eth0", VirtualRouterID: 52, VMAC: &VMAC{Name: "vx"}, Version: Some[uint8](2), VirtualIPAddress: all("10.0.0.2/24")},
	}}
	var unknown []string
	for _, p := range c.Validate(world{}) {
		if p.Code == "unknown-interface" && !p.Fatal {
			unknown = append(unknown, p.Message)
		}
	}
	if len(unknown) != 1 || !strings.Contains(unknown[0], "vrrp.52") {
		t.Errorf("unknown: %q", unknown)
	}
}
