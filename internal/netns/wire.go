//go:build linux

package netns

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Veth connects two namespaces by a cable with the given link names at its
// ends, both up. Addresses come from [NS.Run].
func Veth(t testing.TB, a *NS, nameA string, b *NS, nameB string) {
	t.Helper()
	// Without duplicate address detection and router solicitations the wire
	// carries nothing but what the test puts there.
	command(t, "ip", "link", "add", nameA, "netns", a.Name, "type", "veth", "peer", "name", nameB, "netns", b.Name)
	a.up(t, nameA)
	b.up(t, nameB)
	a.carries(t, nameA)
	b.carries(t, nameB)
}

// carries waits for the kernel to let frames through a link that is up, which
// it does later and, on a busy machine, much later: until then they are lost.
func (ns *NS) carries(t testing.TB, link string) {
	t.Helper()
	for range 1000 {
		out, err := exec.Command("ip", "-n", ns.Name, "-o", "link", "show", link).Output()
		if err == nil && strings.Contains(string(out), " state UP ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s in %s does not come up", link, ns.Name)
}

func (ns *NS) up(t testing.TB, link string) {
	t.Helper()
	ns.Run(t, "ip link set "+link+" addrgenmode none")
	ns.Run(t, "ip link set "+link+" up")
}

// LAN is a bridge in a namespace of its own; the namespace sees every frame on
// link br0.
type LAN struct {
	*NS
}

// NewLAN makes a bridge without spanning tree and without multicast snooping:
// it forwards at once and everything.
func NewLAN(t testing.TB) *LAN {
	t.Helper()
	lan := &LAN{New(t, "lan")}
	lan.Run(t, "ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
	lan.up(t, "br0")
	return lan
}

// Attach plugs a namespace into the bridge: its link gets the addresses. It
// returns the name of the bridge's port, for tests that pull the plug.
func (lan *LAN) Attach(t testing.TB, ns *NS, link string, addrs ...string) (port string) {
	t.Helper()
	port = unique("p")
	Veth(t, ns, link, lan.NS, port)
	lan.Run(t, "ip link set "+port+" master br0")
	for _, addr := range addrs {
		ns.Run(t, "ip addr add "+addr+" dev "+link)
	}
	return port
}
