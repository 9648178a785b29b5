//go:build linux

package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

// newHost is a host in a namespace that is wired to a peer.
func newHost(t *testing.T) (*Host, *netns.NS, *netns.NS) {
	t.Helper()
	ns, peer := netns.New(t, "kernel"), netns.New(t, "kernel-peer")
	netns.Veth(t, ns, "eth0", peer, "eth0")
	var host *Host
	err := ns.Do(func() (err error) {
		host, err = Open(zaptest.NewLogger(t))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host, ns, peer
}

func addr(prefix, dev string) config.Address {
	return config.Address{Prefix: netip.MustParsePrefix(prefix), Dev: dev}
}

// shown are the addresses of a link, one line each as `ip -o` prints them,
// sorted.
func shown(t *testing.T, ns *netns.NS, link string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(ns.Run(t, "ip -o addr show dev "+link)) {
		line, _, _ = strings.Cut(line, `\`)
		lines = append(lines, strings.Join(strings.Fields(line)[2:], " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func wantShown(t *testing.T, ns *netns.NS, link string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(strings.Join(want, "\n"), shown(t, ns, link)); diff != "" {
		t.Errorf("addresses of %s (-want +got):\n%s", link, diff)
	}
}

func mustClaim(t *testing.T, h *Host, owner string, want ...config.Address) {
	t.Helper()
	if err := h.Claim(context.Background(), owner, config.Claims{Addresses: want}); err != nil {
		t.Errorf("claim of %s: %v", owner, err)
	}
}

// An address arrives with prefix, label, scope and broadcast address as
// keepalived 2.2.7 adds it, and nothing of it stays.
func TestClaimAttributes(t *testing.T) {
	host, ns, _ := newHost(t)
	labelled := addr("10.1.0.1/32", "eth0")
	labelled.Label, labelled.Scope = "eth0:vip", config.ScopeLink
	broadcast := addr("10.2.0.1/24", "eth0")
	broadcast.Broadcast = netip.MustParseAddr("10.2.0.255")
	mustClaim(t, host, "VI_1", addr("10.0.0.1/24", "eth0"), labelled, broadcast,
		addr("2001:db8::1/64", "eth0"), addr("2001:db8::2/128", "eth0"))
	wantShown(t, ns, "eth0",
		"inet 10.1.0.1/32 scope link eth0:vip",
		"inet 10.0.0.1/24 scope global eth0",
		"inet 10.2.0.1/24 brd 10.2.0.255 scope global eth0",
		"inet6 2001:db8::2/128 scope global nodad deprecated",
		"inet6 2001:db8::1/64 scope global nodad",
	)

	labelled.Label = "eth0:two"
	mustClaim(t, host, "VI_1", labelled)
	wantShown(t, ns, "eth0", "inet 10.1.0.1/32 scope link eth0:two")
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0")
}

// What is already there is adopted and then treated like an own address; what
// nobody claimed is never touched.
func TestAdoption(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add 10.0.0.1/24 dev eth0")
	ns.Run(t, "ip addr add 10.0.0.9/24 dev eth0")
	mustClaim(t, host, "VI_1", addr("10.0.0.9/24", "eth0"), addr("10.0.0.1/32", "eth0"))
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/24 scope global eth0")
}

func TestSweep(t *testing.T) {
	host, ns, _ := newHost(t)
	for _, a := range []string{"10.0.0.1/24", "10.0.0.9/24", "10.0.0.8/24"} {
		ns.Run(t, "ip addr add "+a+" dev eth0")
	}
	mustClaim(t, host, "VI_1", addr("10.0.0.8/24", "eth0"))
	err := host.Sweep(context.Background(), config.Claims{Addresses: []config.Address{
		addr("10.0.0.9/24", "eth0"), addr("10.0.0.8/24", "eth0"), addr("10.0.0.7/24", "eth0"), addr("10.0.0.7/24", "none"),
	}})
	if err != nil {
		t.Error(err)
	}
	wantShown(t, ns, "eth0", "inet 10.0.0.1/24 scope global eth0", "inet 10.0.0.8/24 scope global secondary eth0")
}

// Two owners of one address: it goes with the last of them.
func TestReferenceCount(t *testing.T) {
	host, ns, _ := newHost(t)
	mustClaim(t, host, "VI_1", addr("10.0.0.1/24", "eth0"), addr("10.0.0.1/24", "eth0"))
	mustClaim(t, host, "VI_2", addr("10.0.0.1/24", "eth0"))
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/24 scope global eth0")
	mustClaim(t, host, "VI_2")
	wantShown(t, ns, "eth0")
	if len(host.claims)+len(host.owners)+len(host.unwanted) != 0 {
		t.Errorf("left: %v %v %v", host.claims, host.owners, host.unwanted)
	}
}

// Without promote_secondaries the kernel deletes a subnet's secondaries with
// its primary. None of them may be missing afterwards, foreign or not.
func TestSecondariesSurvive(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.all.promote_secondaries=0 net.ipv4.conf.eth0.promote_secondaries=0")
	mustClaim(t, host, "VI_1", addr("10.0.0.1/24", "eth0"))
	mustClaim(t, host, "VI_2", addr("10.0.0.2/24", "eth0"))
	ns.Run(t, "ip addr add 10.0.0.3/24 brd + dev eth0 label eth0:x")
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0",
		"inet 10.0.0.2/24 scope global eth0",
		"inet 10.0.0.3/24 brd 10.0.0.255 scope global secondary eth0:x")
}

// In a reload an address moves from one owner to another: no deletion of it is
// ever seen, in either order of the claims.
func TestMoveIsNeverAbsent(t *testing.T) {
	host, ns, _ := newHost(t)
	vip := addr("10.0.0.1/32", "eth0")
	mustClaim(t, host, "VI_1", vip)
	monitor := ns.Command(t.Context(), "ip", "monitor", "address")
	var seen strings.Builder
	monitor.Stdout = &seen
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	ns.Run(t, "sleep 0.3") // ip monitor has no way to say that it listens

	release := host.Hold()
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/32 scope global eth0")
	mustClaim(t, host, "VI_2", vip)
	release()
	release()
	mustClaim(t, host, "VI_3", vip)
	mustClaim(t, host, "VI_2")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/32 scope global eth0")
	mustClaim(t, host, "VI_3", addr("10.0.0.2/32", "eth0"))

	ns.Run(t, "sleep 0.3")
	_ = monitor.Process.Kill()
	_ = monitor.Wait()
	if got := strings.Count(seen.String(), "Deleted"); got != 1 || !strings.Contains(seen.String(), "10.0.0.2") {
		t.Errorf("want one deletion, the last, and an addition; seen:\n%s", seen.String())
	}
}

// What cannot be done is reported, everything else is done.
func TestPartialFailure(t *testing.T) {
	host, ns, _ := newHost(t)
	err := host.Claim(context.Background(), "VI_1", config.Claims{Addresses: []config.Address{
		addr("10.0.0.1/24", "gone0"), addr("10.0.0.2/24", "eth0"),
	}})
	if err == nil || !strings.Contains(err.Error(), "add 10.0.0.1/24 to gone0: ") {
		t.Errorf("error %v", err)
	}
	wantShown(t, ns, "eth0", "inet 10.0.0.2/24 scope global eth0")
	ns.Run(t, "ip link add gone0 type bridge")
	mustClaim(t, host, "VI_1", addr("10.0.0.1/24", "gone0"), addr("10.0.0.2/24", "eth0"))
	wantShown(t, ns, "gone0", "inet 10.0.0.1/24 scope global gone0")
	ns.Run(t, "ip link del gone0")
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0")
}

// Claims that come at the same time are all carried out, and each hears of its
// own failures.
func TestClaimsTogether(t *testing.T) {
	host, ns, _ := newHost(t)
	const owners = 60
	claimed := make(map[int]error)
	var mu sync.Mutex
	all := func(want func(i int) config.Claims) {
		var busy sync.WaitGroup
		for i := range owners {
			busy.Go(func() {
				err := host.Claim(context.Background(), fmt.Sprint(i), want(i))
				mu.Lock()
				defer mu.Unlock()
				claimed[i] = err
			})
		}
		busy.Wait()
	}
	all(func(i int) config.Claims {
		a := addr(fmt.Sprintf("10.0.%d.1/32", i), "eth0")
		if i == 7 {
			a.Dev = "gone0"
		}
		return config.Claims{Closed: []config.ClosedAddress{{Addr: a.Prefix.Addr()}}, Addresses: []config.Address{a}, Rules: []config.Rule{from(a.Prefix.String(), 100, uint32(100+i))}}
	})
	for i, err := range claimed {
		if (err != nil) != (i == 7) {
			t.Errorf("claim of %d: %v", i, err)
		}
	}
	if n := strings.Count(shown(t, ns, "eth0"), "inet 10.0."); n != owners-1 {
		t.Errorf("%d addresses", n)
	}
	if n := strings.Count(policy(t, ns), "lookup 100"); n != owners {
		t.Errorf("%d rules", n)
	}
	if n := len(host.firewall.tables[0].sets[setVIPs]); n != owners {
		t.Errorf("%d closed addresses", n)
	}
	all(func(int) config.Claims { return config.Claims{} })
	if left := shown(t, ns, "eth0") + policy(t, ns); left != "" || host.firewall.tables[0] != nil || len(host.claims)+len(host.owners)+len(host.unwanted) != 0 {
		t.Errorf("left: %s %v %v", left, host.claims, host.firewall.tables)
	}
}
