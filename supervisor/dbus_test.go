//go:build linux

package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const bused = `
global_defs {
    router_id r1
    enable_dbus
}
vrrp_instance V1 {
    interface veth0
    virtual_router_id 7
    priority 100
    advert_int 1
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance "V 6" {
    interface veth0
    virtual_router_id 8
    priority 100
    advert_int 1
    virtual_ipaddress {
        fe80::7/64
        fd00::7/64
    }
}
%s`

const allowAll = `<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy>
</busconfig>
`

// startBus makes a system bus for this process and those that it starts.
func startBus(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "bus.conf"), filepath.Join(dir, "socket")
	if err := os.WriteFile(file, fmt.Appendf(nil, allowAll, socket), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("dbus-daemon", "--config-file="+file, "--nofork", "--nopidfile", "--print-address=1")
	ready, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait() // it was killed
	})
	if n, err := ready.Read(make([]byte, 1)); n == 0 {
		t.Fatalf("dbus-daemon does not start: %v", err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
}

func busctl(args ...string) string {
	out, err := exec.Command("busctl", append([]string{"--system"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: %v", out, err)
	}
	return string(out)
}

const (
	busName     = "org.keepalived.Vrrp1"
	busVRRP     = "/org/keepalived/Vrrp1/Vrrp"
	busInstance = "/org/keepalived/Vrrp1/Instance/veth0/7/IPv4"
)

// look is what busctl shows of a daemon whose instances are MASTER.
func (b *bench) look() string {
	b.t.Helper()
	var all strings.Builder
	b.wait("MASTER on the bus", func() bool {
		return busctl("get-property", busName, busInstance, busName+".Instance", "State") == "(us) 2 \"Master\"\n"
	})
	b.wait("the other MASTER on the bus", func() bool {
		return strings.Contains(busctl("get-property", busName, "/org/keepalived/Vrrp1/Instance/veth0/8/IPv6", busName+".Instance", "State"), "Master")
	})
	for _, args := range [][]string{
		{"tree", busName}, {"introspect", busName, busVRRP}, {"introspect", busName, busInstance},
		{"get-property", busName, busInstance, busName + ".Instance", "Name"},
		{"get-property", busName, busInstance, busName + ".Instance", "Nope"},
		{"set-property", busName, busInstance, busName + ".Instance", "Name", "s", "x"},
		{"call", busName, busVRRP, busName + ".Vrrp", "PrintData"},
		{"call", busName, busVRRP, busName + ".Vrrp", "PrintStats"},
		{"call", busName, busInstance, busName + ".Instance", "SendGarp"},
	} {
		fmt.Fprintf(&all, "### %s\n%s", strings.Join(args, " "), busctl(args...))
	}
	for _, file := range []string{"keepalived.data", "keepalived.stats"} {
		b.wait(file, func() bool {
			text, err := os.ReadFile(filepath.Join(os.Getenv("TMPDIR"), file))
			return err == nil && strings.Contains(string(text), "V1")
		})
	}
	return all.String()
}

// TestBus: lvsd on a real bus looks like Debian's keepalived, and does what it
// is asked for.
func TestBus(t *testing.T) {
	needOracle(t, "keepalived", "cc", "dbus-daemon", "busctl")
	if !inside(t) {
		return
	}
	startBus(t)
	t.Setenv("TMPDIR", t.TempDir())
	ip(t, "link", "set", "veth0", "addrgenmode", "none")
	ip(t, "addr", "add", "fe80::1/64", "dev", "veth0", "nodad")

	ours := prepare(t)
	ours.put(fmt.Sprintf(bused, ""))
	ours.start()
	got := ours.look()
	ours.put(fmt.Sprintf(bused, "vrrp_instance V3 {\n interface veth0\n virtual_router_id 9\n priority 100\n virtual_ipaddress {\n 10.9.0.102/24\n }\n}\n"))
	if out := busctl("call", busName, busVRRP, busName+".Vrrp", "ReloadConfig"); out != "" {
		t.Error(out)
	}
	ours.wait("the new instance", func() bool { return strings.Contains(busctl("tree", busName), "/veth0/9/IPv4") })
	ours.wait("the reload", func() bool { return strings.Contains(ours.log(), "Reload complete") })
	ours.stop()
	for _, line := range []string{"Acquired DBus bus org.keepalived.Vrrp1", "Sending garps on V1 on DBus request", "Released DBus"} {
		if strings.Count(ours.log(), line) != 1 {
			t.Errorf("not once in the log: %s\n%s", line, ours.log())
		}
	}

	t.Setenv("TMPDIR", t.TempDir())
	theirs := prepare(t)
	theirs.put(fmt.Sprintf(bused, ""))
	theirs.keepalived()
	if d := cmp.Diff(theirs.look(), got); d != "" {
		t.Errorf("-keepalived +lvsd:\n%s", d)
	}
}
