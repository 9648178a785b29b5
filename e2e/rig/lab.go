package rig

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// T is what the rig asks of its caller. A *testing.T is one; the demo brings
// its own. Nothing in this package returns an error that a test could only
// pass on: what must not fail calls Fatalf.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	TempDir() string
}

// A Lab is a set of hosts on switches, for one test. All of it goes away with
// the test; a test that failed prints the daemons' logs before.
type Lab struct {
	t       T
	prefix  string // of the namespaces' names
	home    int    // descriptor of the namespace of this process
	wire    *Host  // holds the bridges, so that nothing appears on the real host
	ports   int
	daemons []*Daemon
}

// namespaceFiles is where ip-netns(8) looks for files that it mounts over
// those in /etc, a folder for each namespace.
const namespaceFiles = "/etc/netns"

// New makes an empty lab. It takes root.
func New(t T) *Lab {
	t.Helper()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open this process's network namespace: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(home) })
	if err := os.MkdirAll(namespaceFiles, 0o755); err != nil {
		t.Fatalf("make a lab: %v", err)
	}
	marker, err := os.MkdirTemp(namespaceFiles, fmt.Sprintf("lvsd-%d-", os.Getpid())) // a name that nobody has
	if err != nil {
		t.Fatalf("make a lab: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(marker) })
	l := &Lab{t: t, prefix: filepath.Base(marker) + "-", home: home}
	t.Cleanup(l.printLogs)
	l.wire = l.Host("wire")
	return l
}

// sweep removes the labs of processes that ended without doing so themselves,
// as a test that is interrupted does.
func sweep() {
	labs, _ := filepath.Glob(filepath.Join(namespaceFiles, "lvsd-*"))
	for _, path := range labs {
		name := filepath.Base(path) // lvsd-PID-NUMBER or lvsd-PID-NUMBER-HOST
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, "lvsd-"), "-")
		if _, err := os.Stat("/proc/" + pid); err == nil {
			continue
		}
		_ = exec.Command("ip", "netns", "del", name).Run() // a lab's own name is no namespace
		_ = os.RemoveAll(path)
	}
}

// printLogs prints every daemon's log when the test has failed.
func (l *Lab) printLogs() {
	if !l.t.Failed() {
		return
	}
	for _, d := range l.daemons {
		l.t.Logf("---- log of %s ----\n%s", d, d.Log())
	}
}

// A Switch is an Ethernet segment: a bridge that floods multicast at once.
type Switch struct {
	lab  *Lab
	name string
}

// Switch makes an Ethernet segment. The name has at most 15 characters.
func (l *Lab) Switch(name string) *Switch {
	l.t.Helper()
	l.wire.batch("link add "+name+" type bridge forward_delay 0 stp_state 0 mcast_snooping 0", "link set "+name+" up")
	return &Switch{lab: l, name: name}
}

// A Host is a network namespace with its own addresses, neighbours, sockets,
// IPVS table and configuration folder: what runs in it by [Host.Command] sees
// the host's files, except that /etc/keepalived is [Host.Folder].
type Host struct {
	Name   string
	Folder string // its /etc/keepalived, seen from outside

	lab        *Lab
	namespace  string
	descriptor int
	dialled    atomic.Uint32     // connections so far
	ports      map[string]string // of the switch, by device
}

// Host makes a host that is connected to nothing.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	h := &Host{Name: name, lab: l, namespace: l.prefix + name}
	etc := filepath.Join(namespaceFiles, h.namespace)
	h.Folder = filepath.Join(etc, "keepalived")
	for _, dir := range []string{h.Folder, "/etc/keepalived"} { // the second is what the first is mounted on
		if err := os.MkdirAll(dir, 0o755); err != nil {
			l.t.Fatalf("make host %s: %v", name, err)
		}
	}
	hosts := "127.0.0.1 localhost " + hostname() + "\n"
	if err := os.WriteFile(filepath.Join(etc, "hosts"), []byte(hosts), 0o644); err != nil {
		l.t.Fatalf("make host %s: %v", name, err)
	}
	l.t.Cleanup(func() { _ = os.RemoveAll(etc) })
	if output, err := exec.Command("ip", "netns", "add", h.namespace).CombinedOutput(); err != nil {
		l.t.Fatalf("make host %s: %v: %s(it takes root)", name, err, output)
	}
	l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.namespace).Run() })
	descriptor, err := unix.Open("/run/netns/"+h.namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		l.t.Fatalf("open the namespace of host %s: %v", name, err)
	}
	h.descriptor = descriptor
	l.t.Cleanup(func() { _ = unix.Close(descriptor) })
	h.batch("link set lo up")
	return h
}

// hostname answers for this machine's name, which every host shares.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// Plug connects h to a switch by a device of that name, up, with addresses in
// the form 192.0.2.1/24.
func (h *Host) Plug(s *Switch, device string, addresses ...string) {
	h.lab.t.Helper()
	h.lab.ports++
	port := fmt.Sprintf("port%d", h.lab.ports)
	h.lab.wire.batch(
		"link add "+port+" type veth peer name "+device+" netns "+h.namespace,
		"link set "+port+" master "+s.name+" up",
	)
	if h.ports == nil {
		h.ports = make(map[string]string)
	}
	h.ports[device] = port
	lines := []string{"link set " + device + " up"}
	for _, address := range addresses {
		lines = append(lines, "addr add "+address+" dev "+device)
	}
	h.batch(lines...)
}

// Cable plugs the cable of a device in or pulls it out, at the switch: the host
// loses the carrier, and nothing else.
func (h *Host) Cable(device string, in bool) {
	h.lab.t.Helper()
	state := "down"
	if in {
		state = "up"
	}
	h.lab.wire.batch("link set " + h.ports[device] + " " + state)
}

// Link sets a device up or down, as its own administrator does.
func (h *Host) Link(device string, up bool) {
	h.lab.t.Helper()
	state := "down"
	if up {
		state = "up"
	}
	h.batch("link set " + device + " " + state)
}

// Route adds a route to a network on a device.
func (h *Host) Route(to, device string) {
	h.lab.t.Helper()
	h.batch("route add " + to + " dev " + device)
}

// RealServer makes h answer for a virtual address that is forwarded to it by
// direct routing: the address on lo, hidden from ARP.
func (h *Host) RealServer(vip netip.Addr) {
	h.lab.t.Helper()
	h.batch("addr replace " + vip.String() + "/32 dev lo")
	for _, device := range []string{"all", "lo"} {
		h.Sysctl("net.ipv4.conf."+device+".arp_ignore", "1")
		h.Sysctl("net.ipv4.conf."+device+".arp_announce", "2")
	}
}

// TunnelServer makes h answer for a virtual address that is forwarded to it
// in IP-in-IP: the address on tunl0, without reverse path filtering.
func (h *Host) TunnelServer(vip netip.Addr) {
	h.lab.t.Helper()
	h.RealServer(vip)
	h.batch("addr del "+vip.String()+"/32 dev lo", "link set tunl0 up", "addr replace "+vip.String()+"/32 dev tunl0")
	h.Sysctl("net.ipv4.conf.all.rp_filter", "0")
	h.Sysctl("net.ipv4.conf.tunl0.rp_filter", "0")
}

// Sysctl writes a kernel parameter of the host's network.
func (h *Host) Sysctl(key, value string) {
	h.lab.t.Helper()
	path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	if err := h.do(func() error { return os.WriteFile(path, []byte(value), 0) }); err != nil {
		h.lab.t.Fatalf("%s: set %s to %s: %v", h.Name, key, value, err)
	}
}

// batch runs ip(8) commands in h.
func (h *Host) batch(lines ...string) {
	h.lab.t.Helper()
	c := exec.Command("ip", "-n", h.namespace, "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if output, err := c.CombinedOutput(); err != nil {
		h.lab.t.Fatalf("%s: ip %s: %v\n%s", h.Name, strings.Join(lines, "; "), err, output)
	}
}

// File writes a file into the host's /etc/keepalived.
func (h *Host) File(name, content string) {
	h.lab.t.Helper()
	path := filepath.Join(h.Folder, name)
	err := os.WriteFile(path, []byte(content), 0o644)
	if err == nil && strings.HasPrefix(content, "#!") {
		err = os.Chmod(path, 0o755)
	}
	if err != nil {
		h.lab.t.Fatalf("%s: write %s: %v", h.Name, name, err)
	}
}

// RemoveFile removes a file of the host's /etc/keepalived.
func (h *Host) RemoveFile(name string) {
	h.lab.t.Helper()
	if err := os.Remove(filepath.Join(h.Folder, name)); err != nil {
		h.lab.t.Fatalf("%s: %v", h.Name, err)
	}
}

// ReadFile reads a file of the host's /etc/keepalived; one that is not there
// is empty.
func (h *Host) ReadFile(name string) string {
	content, err := os.ReadFile(filepath.Join(h.Folder, name))
	if err != nil {
		return ""
	}
	return string(content)
}

// Command is a command that will run in h.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", h.namespace, name}, args...)...)
}

// Run runs a command in h and answers with its output. A command that fails
// fails the test.
func (h *Host) Run(name string, args ...string) string {
	h.lab.t.Helper()
	output, err := h.Command(name, args...).CombinedOutput()
	if err != nil {
		h.lab.t.Fatalf("%s: %s %s: %v\n%s", h.Name, name, strings.Join(args, " "), err, output)
	}
	return string(output)
}

// poll is how often [Until] looks.
const poll = 100 * time.Millisecond

// Until waits until a condition holds, which is said by what, as in "d2 to be
// master". It fails the test when that takes longer than limit. Limits are
// virtual time in the virtual machine and cost nothing there, but elsewhere
// the host may be busy: let them be generous, unless the limit is the test.
func Until(t T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(poll) {
		if time.Since(began) > limit {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
