//go:build linux

package kernel

import (
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

func closedClaims(addrs ...config.Address) config.Claims {
	i := config.Instance{Accept: config.Some(false), VirtualIPAddress: addrs, Interface: "eth0"}
	return i.Claims()
}

// reaches reports whether the peer gets an answer: that nobody listens.
func reaches(t *testing.T, peer *netns.NS, address string) bool {
	t.Helper()
	var err error
	_ = peer.Do(func() error {
		dialer := net.Dialer{Timeout: 500 * time.Millisecond}
		if a := netip.MustParseAddr(address); a.IsLinkLocalUnicast() {
			address += "%eth0"
		}
		_, err = dialer.Dial("tcp", net.JoinHostPort(address, "9"))
		return nil
	})
	return errors.Is(err, syscall.ECONNREFUSED)
}

// needsNft is for tests that look with nft(8) at what was made without it.
func needsNft(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		const why = "this test looks at tables with nft, which is not installed"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why)
		}
		t.Fatal(why)
	}
}

func ruleset(t *testing.T, ns *netns.NS) string {
	t.Helper()
	return strings.Join(strings.Fields(ns.Run(t, "nft list ruleset")), " ")
}

// Closed addresses take no packets, others do, and neighbours are found all
// the same; elements come and go without the table being made again.
func TestClosedAddresses(t *testing.T) {
	needsNft(t)
	host, ns, peer := newHost(t)
	peer.Run(t, "ip addr add 10.0.0.9/24 dev eth0")
	peer.Run(t, "ip addr add 2001:db8::9/64 dev eth0 nodad")
	peer.Run(t, "ip addr add fe80::9/64 dev eth0 nodad")
	if err := host.Firewall(config.Firewall{NFTablesPriority: -1, NFTablesCounters: true}); err != nil {
		t.Fatal(err)
	}
	claimAll(t, host, "open", config.Claims{Addresses: []config.Address{addr("10.0.0.1/24", "eth0"), addr("2001:db8::1/64", "eth0")}})
	first := []config.Address{addr("10.0.0.2/24", "eth0"), addr("2001:db8::2/64", "eth0"), addr("fe80::2/64", "eth0")}
	claimAll(t, host, "VI_1", closedClaims(first...))
	for _, address := range []string{"10.0.0.1", "2001:db8::1"} { // the link needs a moment
		eventually(t, "SYN to "+address, func() bool { return reaches(t, peer, address) })
	}
	for _, address := range []string{"10.0.0.2", "2001:db8::2", "fe80::2"} {
		if reaches(t, peer, address) {
			t.Errorf("%s answers", address)
		}
	}
	if out := peer.Run(t, "ip neigh show"); !strings.Contains(out, "2001:db8::2 dev eth0 lladdr") || !strings.Contains(out, "10.0.0.2 dev eth0 lladdr") {
		t.Errorf("neighbours of the peer:\n%s", out)
	}
	if out := ruleset(t, ns); !strings.Contains(out, "ip daddr @vips counter packets 1 ") {
		t.Errorf("nothing was counted: %s", out)
	}
	counted := ruleset(t, ns)
	claimAll(t, host, "VI_2", closedClaims(addr("10.0.0.3/24", "eth0")))
	if out := ruleset(t, ns); !strings.Contains(out, "elements = { 10.0.0.2, 10.0.0.3 }") && !strings.Contains(out, "elements = { 10.0.0.3, 10.0.0.2 }") ||
		strings.Count(out, "packets 0 ") != strings.Count(counted, "packets 0 ") {
		t.Errorf("with a second one: %s", out)
	}
	claimAll(t, host, "VI_1", config.Claims{})
	if out := ruleset(t, ns); !strings.Contains(out, "elements = { 10.0.0.3 }") || strings.Contains(out, "ip6") {
		t.Errorf("without the first: %s", out)
	}
	claimAll(t, host, "VI_2", config.Claims{})
	if out := ruleset(t, ns); out != "" {
		t.Errorf("left: %s", out)
	}
}

// A table that somebody flushes is made again, and one that a crash left is
// replaced, or deleted when nobody needs one.
func TestFirewallComesBack(t *testing.T) {
	needsNft(t)
	host, ns, _ := newHost(t)
	ns.Run(t, "nft add table ip keepalived")
	ns.Run(t, "nft add chain ip keepalived stale")
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp.51", "eth0", false)))
	claimAll(t, host, "VI_1", closedClaims(addr("10.0.0.2/24", "vrrp.51")))
	whole := ruleset(t, ns)
	if strings.Contains(whole, "stale") || !strings.Contains(whole, "vmac_map") || !strings.Contains(whole, "10.0.0.2") {
		t.Errorf("ruleset: %s", whole)
	}
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	go drain(seen)
	ns.Run(t, "nft flush ruleset")
	ns.Run(t, "ip addr add 10.0.0.9/24 dev eth0") // nobody tells about tables
	eventually(t, "nft flush ruleset", func() bool { return ruleset(t, ns) == whole })

	ns.Run(t, "ip link del vrrp.51")
	eventually(t, "ip link del vrrp.51", func() bool {
		out, err := ns.Command(t.Context(), "ip", "-o", "addr", "show", "dev", "vrrp.51").CombinedOutput()
		return err == nil && strings.Contains(string(out), "10.0.0.2") && strings.Contains(ruleset(t, ns), `"vrrp.51" :`)
	})
	claimAll(t, host, "VI_1", config.Claims{})
	claimAll(t, host, "standing", config.Claims{})
	if out := ruleset(t, ns); out != "" {
		t.Errorf("left: %s", out)
	}
	ns.Run(t, "nft add table ip6 keepalived")
	ns.Run(t, "nft add table ip6 foreign")
	if err := host.Sweep(t.Context(), closedClaims(addr("10.0.0.2/24", "eth0"))); err != nil {
		t.Error(err)
	}
	if out := ruleset(t, ns); strings.Contains(out, "keepalived") || !strings.Contains(out, "foreign") {
		t.Errorf("after a sweep: %s", out)
	}
}
