package dbus

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// system is a bus that allows what the system bus of a distribution does, and
// what our own policy adds.
const system = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>%s</include>
</busconfig>
`

// busDaemon is a dbus-daemon that can be killed and started again.
type busDaemon struct {
	t      *testing.T
	socket string
	file   string
	cmd    *exec.Cmd
}

func newBusDaemon(t *testing.T) *busDaemon {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil || os.Geteuid() != 0 {
		const why = "this test needs root and dbus-daemon"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why)
		}
		t.Fatal(why + "; `go run ./e2e/needs` installs it")
	}
	policy, err := filepath.Abs("../../dist/org.keepalived.Vrrp1.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &busDaemon{t: t, socket: filepath.Join(dir, "socket"), file: filepath.Join(dir, "bus.conf")}
	if err := os.WriteFile(d.file, fmt.Appendf(nil, system, d.socket, policy), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	d.start()
	return d
}

func (d *busDaemon) address() string { return "unix:path=" + d.socket }

func (d *busDaemon) start() {
	d.t.Helper()
	d.cmd = exec.Command("dbus-daemon", "--config-file="+d.file, "--nofork", "--nopidfile", "--print-address=1")
	ready, err := d.cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	if n, err := ready.Read(make([]byte, 1)); n == 0 {
		d.t.Fatalf("dbus-daemon does not start: %v", err)
	}
}

func (d *busDaemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait() // it was killed
		d.cmd = nil
	}
	_ = os.Remove(d.socket)
}

// client is somebody else on the bus.
func (d *busDaemon) client() *dbus.Conn {
	d.t.Helper()
	conn, err := dbus.Connect(d.address())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// lvsd is what the bus asks.
type lvsd struct {
	mu     sync.Mutex
	asked  []string
	states map[string]config.State
	err    error
}

func (l *lvsd) ask(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, what)
	return l.err
}
func (l *lvsd) PrintData() error           { return l.ask("data") }
func (l *lvsd) PrintStats() error          { return l.ask("stats") }
func (l *lvsd) PrintStatsClear() error     { return l.ask("clear") }
func (l *lvsd) Reload() error              { return l.ask("reload") }
func (l *lvsd) SendGarp(name string) error { return l.ask("garp " + name) }
func (l *lvsd) State(name string) (config.State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.states[name]
	return s, ok
}

func instance(name, link string, vrid uint8, address string) config.Instance {
	return config.Instance{Name: name, Interface: link, VirtualRouterID: vrid, VirtualIPAddress: []config.Address{{Prefix: netip.MustParsePrefix(address)}}}
}

func testConfig() *config.Config {
	c := &config.Config{Instances: []config.Instance{
		instance("V1", "eth0", 7, "10.0.0.1/24"), instance("V2", "eth0.5", 8, "10.0.0.2/24"), instance("V 6", "br-1", 9, "fd00::7/64"),
	}}
	c.Global.Interface.EnableDBus = true
	return c
}

// bench is a Bus under test.
type bench struct {
	*Bus
	t      *testing.T
	lvsd   *lvsd
	logs   *observer.ObservedLogs
	cancel context.CancelFunc
	done   chan error
}

func newBench(t *testing.T, address string, c *config.Config) *bench {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	l := &lvsd{states: map[string]config.State{"V1": config.Master, "V2": config.Backup, "V 6": config.Fault}}
	b := &bench{Bus: New(Options{Log: zap.New(core), Daemon: l, Address: address, minDelay: 5 * time.Millisecond}), t: t, lvsd: l, logs: logs, done: make(chan error, 1)}
	b.Apply(c)
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(t.Context())
	go func() { b.done <- b.Run(ctx) }()
	return b
}

func (b *bench) stop() {
	b.t.Helper()
	b.cancel()
	select {
	case err := <-b.done:
		if err != nil {
			b.t.Error(err)
		}
	case <-time.After(20 * time.Second):
		b.t.Fatal("Run does not end")
	}
}

func (b *bench) log() string {
	var text strings.Builder
	for _, e := range b.logs.All() {
		text.WriteString(e.Message + "\n")
	}
	return text.String()
}

func (b *bench) until(what string, held func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !held(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s; the log:\n%s", what, b.log())
		}
	}
}

func (b *bench) acquired(times int) {
	b.t.Helper()
	b.until("the name", func() bool { return strings.Count(b.log(), "Acquired DBus bus") >= times })
}

// listen collects signals as text.
func listen(t *testing.T, conn *dbus.Conn) func() string {
	t.Helper()
	if err := conn.AddMatchSignal(dbus.WithMatchPathNamespace("/org/keepalived/Vrrp1")); err != nil {
		t.Fatal(err)
	}
	ch := make(chan *dbus.Signal, 100)
	conn.Signal(ch)
	var all []string
	return func() string {
		for {
			select {
			case s := <-ch:
				all = append(all, strings.TrimPrefix(string(s.Path), "/org/keepalived/Vrrp1/")+" "+strings.TrimPrefix(s.Name, "org.keepalived.Vrrp1.")+strings.TrimSuffix(fmt.Sprintf(" %v", s.Body), " []"))
			default:
				return strings.Join(all, "\n")
			}
		}
	}
}

type node struct {
	Interfaces []struct {
		Name    string `xml:"name,attr"`
		Methods []struct {
			Name string `xml:"name,attr"`
			Args []arg  `xml:"arg"`
		} `xml:"method"`
		Signals []struct {
			Name string `xml:"name,attr"`
			Args []arg  `xml:"arg"`
		} `xml:"signal"`
		Properties []struct {
			Name   string `xml:"name,attr"`
			Type   string `xml:"type,attr"`
			Access string `xml:"access,attr"`
		} `xml:"property"`
	} `xml:"interface"`
	Nodes []struct {
		Name string `xml:"name,attr"`
	} `xml:"node"`
}

type arg struct {
	Type      string `xml:"type,attr"`
	Direction string `xml:"direction,attr"`
}

// tree walks over all objects as busctl does: paths, and what keepalived has
// there.
func tree(t *testing.T, conn *dbus.Conn, path string) (all []string) {
	t.Helper()
	var text string
	object := conn.Object(defaultName, dbus.ObjectPath(path))
	if err := object.Call("org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&text); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var n node
	if err := xml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, text)
	}
	line := path
	for _, i := range n.Interfaces {
		if !strings.HasPrefix(i.Name, "org.keepalived.") {
			continue
		}
		line += " " + i.Name + ":"
		for _, m := range i.Methods {
			line += fmt.Sprint(" ", m.Name, m.Args)
		}
		for _, s := range i.Signals {
			line += fmt.Sprint(" ", s.Name, s.Args)
		}
		for _, p := range i.Properties {
			line += fmt.Sprint(" ", p)
		}
	}
	all = append(all, line)
	for _, below := range n.Nodes {
		all = append(all, tree(t, conn, strings.TrimSuffix(path, "/")+"/"+below.Name)...)
	}
	return all
}

// What keepalived 2.2.7 answers to busctl tree and gdbus introspect.
func TestTree(t *testing.T) {
	daemon := newBusDaemon(t)
	b := newBench(t, daemon.address(), testConfig())
	b.acquired(1)
	const instance = " org.keepalived.Vrrp1.Instance: SendGarp[] VrrpStatusChange[{u }] {Name s read} {State (us) read}"
	want := []string{
		"/", "/org", "/org/keepalived", "/org/keepalived/Vrrp1", "/org/keepalived/Vrrp1/Instance",
		"/org/keepalived/Vrrp1/Instance/br_1", "/org/keepalived/Vrrp1/Instance/br_1/9",
		"/org/keepalived/Vrrp1/Instance/br_1/9/IPv6" + instance,
		"/org/keepalived/Vrrp1/Instance/eth0", "/org/keepalived/Vrrp1/Instance/eth0/7",
		"/org/keepalived/Vrrp1/Instance/eth0/7/IPv4" + instance,
		"/org/keepalived/Vrrp1/Instance/eth0_5", "/org/keepalived/Vrrp1/Instance/eth0_5/8",
		"/org/keepalived/Vrrp1/Instance/eth0_5/8/IPv4" + instance,
		"/org/keepalived/Vrrp1/Vrrp org.keepalived.Vrrp1.Vrrp: PrintData[] PrintStats[] PrintStatsClear[] ReloadConfig[] VrrpStarted[] VrrpReloaded[] VrrpStopped[]",
	}
	if d := cmp.Diff(want, tree(t, daemon.client(), "/")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	b.stop()
}

func TestAddresses(t *testing.T) {
	for options, want := range map[string]string{
		"path=/run/dbus/socket": "/run/dbus/socket", "abstract=/tmp/x,guid=1f": "@/tmp/x", "guid=1f,path=/a%20b": "/a b", "dir=/tmp": "",
	} {
		if got, err := socketOf(options); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", options, got, err, want)
		}
	}
	if _, err := dial(t.Context(), "tcp:host=localhost,port=1"); !errors.Is(err, errNoSocket) {
		t.Error(err)
	}
}

func TestPaths(t *testing.T) {
	for want, i := range map[string]config.Instance{
		"/eth0/1/IPv4":  instance("a", "eth0", 1, "10.0.0.1/24"),
		"/none/2/IPv4":  instance("a", "", 2, "10.0.0.1/24"),
		"/a___b/3/IPv6": instance("a", "a.-ä"+"b", 3, "fe80::1/64"),
	} {
		if got := instancePath(&i, &config.ExternalInterfaces{}); string(got) != instancesPath+want || !got.IsValid() {
			t.Errorf("%s, want %s", got, want)
		}
	}
	i := instance("a", "", 2, "10.0.0.1/24")
	if got := instancePath(&i, &config.ExternalInterfaces{DBusNoInterfaceName: "no-link"}); got != instancesPath+"/no_link/2/IPv4" {
		t.Error(got)
	}
}

func TestProperties(t *testing.T) {
	daemon := newBusDaemon(t)
	b := newBench(t, daemon.address(), testConfig())
	b.acquired(1)
	v1 := daemon.client().Object(defaultName, instancesPath+"/eth0/7/IPv4")
	for name, want := range map[string]string{"State": `(us) [2 Master]`, "Name": `(s) [V1]`} {
		v, err := v1.GetProperty(instanceInterface + "." + name)
		if got := fmt.Sprintf("%s %v", v.Signature(), v.Value()); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	var all map[string]dbus.Variant
	if err := v1.Call("org.freedesktop.DBus.Properties.GetAll", 0, instanceInterface).Store(&all); err != nil || len(all) != 2 {
		t.Errorf("GetAll: %v, %v", all, err)
	}
	if _, err := v1.GetProperty(instanceInterface + ".Nope"); err == nil || err.Error() != "No such property “Nope”" {
		t.Errorf("an unknown property: %v", err)
	}
	if _, err := v1.GetProperty("org.example.Other.Name"); err == nil || err.Error() != "No such interface “org.example.Other”" {
		t.Errorf("a property of an unknown interface: %v", err)
	}
	if err := v1.Call("org.freedesktop.DBus.Properties.GetAll", 0, vrrpInterface).Err; err == nil {
		t.Error("an instance has the properties of another interface")
	}
	if err := v1.SetProperty(instanceInterface+".Nope", dbus.MakeVariant("x")); err == nil || err.Error() != "No such property “Nope”" {
		t.Errorf("an unknown property is set: %v", err)
	}
	if err := v1.SetProperty(instanceInterface+".Name", dbus.MakeVariant("x")); err == nil || err.Error() != "Property “Name” is not writable" {
		t.Errorf("a property is set: %v", err)
	}
	for s, want := range map[config.State]string{config.Init: "Init", config.Backup: "Backup", config.Master: "Master", config.Fault: "Fault"} {
		if stateText(s) != want {
			t.Errorf("%s, want %s", stateText(s), want)
		}
	}
	b.stop()
}

func TestMethods(t *testing.T) {
	daemon := newBusDaemon(t)
	b := newBench(t, daemon.address(), testConfig())
	b.acquired(1)
	client := daemon.client()
	vrrp := client.Object(defaultName, vrrpPath)
	for _, name := range []string{"PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig"} {
		if call := vrrp.Call(vrrpInterface+"."+name, 0); call.Err != nil || len(call.Body) != 0 {
			t.Errorf("%s: %v %v", name, call.Body, call.Err)
		}
	}
	if err := client.Object(defaultName, instancesPath+"/br_1/9/IPv6").Call("SendGarp", 0).Err; err != nil { // without the interface
		t.Error(err)
	}
	b.lvsd.mu.Lock()
	if want := []string{"data", "stats", "clear", "reload", "garp V 6"}; !slices.Equal(b.lvsd.asked, want) {
		t.Errorf("asked for %q, want %q", b.lvsd.asked, want)
	}
	b.lvsd.err = errors.New("too busy")
	b.lvsd.mu.Unlock()
	if err := vrrp.Call(vrrpInterface+".PrintData", 0).Err; err == nil || err.Error() != "too busy" {
		t.Errorf("a failure: %v", err)
	}
	for _, call := range []*dbus.Call{
		vrrp.Call(vrrpInterface+".Nope", 0), vrrp.Call("org.nope.PrintData", 0), vrrp.Call(vrrpInterface+".PrintData", 0, "argument"),
		client.Object(defaultName, instancesPath+"/nope/9/IPv6").Call(instanceInterface+".SendGarp", 0),
	} {
		if call.Err == nil {
			t.Errorf("%s %s has no error", call.Path, call.Method)
		}
	}
	b.stop()
}

// The signals of a life, with a reload that renames one instance and removes
// another.
func TestSignals(t *testing.T) {
	daemon := newBusDaemon(t)
	signals := listen(t, daemon.client())
	c := testConfig()
	b := newBench(t, daemon.address(), c)
	b.State(&c.Instances[0], &c.Global.Interface, config.Fault) // before the bus is there
	b.acquired(1)
	b.State(&c.Instances[0], &c.Global.Interface, config.Backup)
	next := testConfig()
	next.Instances = next.Instances[:2]
	next.Instances[0].Name = "V1 anew"
	b.Apply(next)
	b.State(&c.Instances[2], &c.Global.Interface, config.Deleted)
	b.Reloaded()
	b.State(&c.Instances[0], &c.Global.Interface, config.Stop)
	b.stop()
	b.until("the end", func() bool { return strings.Contains(signals(), "VrrpStopped") })
	lines := strings.Split(signals(), "\n")
	slices.Sort(lines[1:4]) // the instances that are there
	want := []string{
		"Vrrp Vrrp.VrrpStarted",
		"Instance/br_1/9/IPv6 Instance.VrrpStatusChange [3]",
		"Instance/eth0/7/IPv4 Instance.VrrpStatusChange [2]",
		"Instance/eth0_5/8/IPv4 Instance.VrrpStatusChange [1]",
		"Instance/eth0/7/IPv4 Instance.VrrpStatusChange [1]",
		"Instance/br_1/9/IPv6 Instance.VrrpStatusChange [97]",
		"Vrrp Vrrp.VrrpReloaded",
		"Instance/eth0/7/IPv4 Instance.VrrpStatusChange [98]",
		"Vrrp Vrrp.VrrpStopped",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	const log = "Acquired DBus bus org.keepalived.Vrrp1\nDeleted DBus object for instance V 6\nReleased DBus\n"
	if d := cmp.Diff(log, b.log()); d != "" {
		t.Errorf("log, -want +got:\n%s", d)
	}
}

// A bus that dies and comes back, a configuration that turns it off and on, and
// another name.
func TestBusComesBack(t *testing.T) {
	daemon := newBusDaemon(t)
	daemon.kill()
	b := newBench(t, daemon.address(), testConfig())
	b.until("trouble", func() bool { return strings.Contains(b.log(), "Failed to initialise DBus") })
	daemon.start()
	b.acquired(1)
	daemon.kill()
	b.until("the loss", func() bool { return strings.Count(b.log(), "Failed to initialise DBus") >= 2 })
	time.Sleep(100 * time.Millisecond) // some attempts
	for i, e := range b.logs.All()[1:] {
		if before := b.logs.All()[i]; e.Message == before.Message && e.ContextMap()["error"] == before.ContextMap()["error"] {
			t.Errorf("says again: %s: %v", e.Message, e.ContextMap())
		}
	}
	daemon.start()
	b.acquired(2)
	off := testConfig()
	off.Global.Interface.EnableDBus = false
	b.Apply(off)
	b.until("the end", func() bool { return strings.Count(b.log(), "Released DBus") == 1 })
	other := testConfig()
	other.Global.Interface.DBusServiceName = "org.example.Other"
	b.Apply(other)
	b.until("the policy's answer", func() bool { return strings.HasSuffix(b.log(), "Failed to initialise DBus\n") })
	b.Apply(testConfig())
	b.acquired(3)
	b.stop()
}

// A bus that answers nothing holds nobody up, and neither does one that stops
// reading.
func TestMuteBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	c := testConfig()
	b := newBench(t, "unix:path="+socket, c)
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	b.State(&c.Instances[0], &c.Global.Interface, config.Master)
	b.stop()
}

// Nobody reads the signals' queue while the bus stands still; it is bounded.
func TestStoppedBus(t *testing.T) {
	daemon := newBusDaemon(t)
	c := testConfig()
	b := newBench(t, daemon.address(), c)
	b.acquired(1)
	if err := exec.Command("kill", "-STOP", fmt.Sprint(daemon.cmd.Process.Pid)).Run(); err != nil {
		t.Fatal(err)
	}
	for range 20 * maxSignals {
		b.State(&c.Instances[0], &c.Global.Interface, config.Master)
	}
	b.stop()
}
