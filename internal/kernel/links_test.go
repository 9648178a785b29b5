//go:build linux

package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

// watch runs Links in the namespace; what it reports arrives in the channel.
func watch(t *testing.T, host *Host, ns *netns.NS, buffer int) <-chan string {
	t.Helper()
	seen := make(chan string)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- ns.Do(func() error {
			links := NewLinks(host.log, host, func(l Link) {
				select {
				case seen <- fmt.Sprintf("%s exists=%t up=%t %v %v", l.Name, l.Exists, l.Up, l.IPv4, l.IPv6):
				case <-ctx.Done():
				}
			})
			links.buffer = buffer
			return links.Run(ctx)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		close(seen)
	})
	return seen
}

// expect waits for a report, whatever comes before it.
func expect(t *testing.T, seen <-chan string, want string) {
	t.Helper()
	var others []string
	timeout := time.After(20 * time.Second)
	for {
		select {
		case got := <-seen:
			if got == want {
				return
			}
			others = append(others, got)
		case <-timeout:
			t.Fatalf("waited for %q, saw %q", want, others)
		}
	}
}

func TestLinks(t *testing.T) {
	host, ns, peer := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1")
	ns.Run(t, "ip addr add 10.0.0.1/24 dev eth0")
	mustClaim(t, host, "VI_1", addr("10.0.0.100/24", "eth0"), addr("fe80::100/64", "eth0"))
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "lo exists=true up=true [127.0.0.1] []")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1] []")

	// What is static is the host's own.
	claimAll(t, host, "standing", config.Claims{Addresses: []config.Address{addr("10.0.1.1/24", "eth0")}, Static: true})
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1 10.0.1.1] []")
	claimAll(t, host, "standing", config.Claims{})
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1] []")

	// A claim is no news; carrier and administrative state are.
	mustClaim(t, host, "VI_1", addr("10.0.0.100/24", "eth0"), addr("10.0.0.101/24", "eth0"))
	peer.Run(t, "ip link set eth0 down")
	expect(t, seen, "eth0 exists=true up=false [10.0.0.1] []")
	peer.Run(t, "ip link set eth0 up")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1] []")
	ns.Run(t, "ip link set eth0 down")
	expect(t, seen, "eth0 exists=true up=false [10.0.0.1] []")
	ns.Run(t, "ip link set eth0 up")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1] []")

	ns.Run(t, "ip addr add 10.0.0.2/24 dev eth0")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.1 10.0.0.2] []")
	ns.Run(t, "ip addr del 10.0.0.1/24 dev eth0")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.2] []")
	ns.Run(t, "ip -6 addr add fe80::5/64 dev eth0 nodad")
	expect(t, seen, "eth0 exists=true up=true [10.0.0.2] [fe80::5]")

	ns.Run(t, "ip link del eth0")
	expect(t, seen, "eth0 exists=false up=false [] []")
}

// A link that is replaced by another of the same name between two looks is
// reported as gone and come.
func TestLinkReplaced(t *testing.T) {
	var seen []string
	links := NewLinks(nil, nil, func(l Link) { seen = append(seen, fmt.Sprintf("%s/%d/%t", l.Name, l.index, l.Exists)) })
	links.deliver([]Link{{Name: "eth0", Exists: true, index: 7}})
	links.deliver([]Link{{Name: "eth0", Exists: true, index: 7}})
	links.deliver([]Link{{Name: "eth0", Exists: true, index: 8}})
	if got, want := fmt.Sprint(seen), "[eth0/7/true eth0/0/false eth0/8/true]"; got != want {
		t.Errorf("reports %s, want %s", got, want)
	}
}

// What others remove comes back: an address, and all of them when the link is
// made again.
func TestRepair(t *testing.T) {
	host, ns, _ := newHost(t)
	mustClaim(t, host, "VI_1", addr("10.0.0.1/24", "eth0"))
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "eth0 exists=true up=true [] []")
	ns.Run(t, "ip addr flush dev eth0")
	ns.Run(t, "ip addr add 10.9.0.1/24 dev eth0")
	expect(t, seen, "eth0 exists=true up=true [10.9.0.1] []")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/24 scope global eth0", "inet 10.9.0.1/24 scope global eth0")

	ns.Run(t, "ip link del eth0")
	expect(t, seen, "eth0 exists=false up=false [] []")
	ns.Run(t, "ip link add eth0 type bridge")
	expect(t, seen, "eth0 exists=true up=false [] []")
	ns.Run(t, "ip addr add 10.9.0.1/24 dev eth0")
	expect(t, seen, "eth0 exists=true up=false [10.9.0.1] []")
	wantShown(t, ns, "eth0", "inet 10.0.0.1/24 scope global eth0", "inet 10.9.0.1/24 scope global eth0")
	mustClaim(t, host, "VI_1")
	wantShown(t, ns, "eth0", "inet 10.9.0.1/24 scope global eth0")
}

// A burst that the receive buffer cannot hold (ENOBUFS): Links subscribes anew
// and knows all links afterwards.
func TestOverrun(t *testing.T) {
	host, ns, _ := newHost(t)
	core, logged := observer.New(zap.InfoLevel)
	host.log = zap.New(core)
	seen := watch(t, host, ns, 2048)
	expect(t, seen, "lo exists=true up=true [127.0.0.1] []")
	// The callback is not read from now on, so that the messages pile up.
	const burst = 300
	script := fmt.Sprintf("for i in $(seq 0 %d); do ip link add br$i type bridge; done", burst-1)
	if out, err := ns.Command(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i := range burst {
		expect(t, seen, fmt.Sprintf("br%d exists=true up=false [] []", i))
	}
	ns.Run(t, "ip link del br0")
	expect(t, seen, "br0 exists=false up=false [] []")
	lost := logged.FilterMessageSnippet("messages lost").All()
	if len(lost) == 0 || !strings.Contains(fmt.Sprint(lost[0].ContextMap()), "no buffer space") {
		t.Errorf("the buffer was never too small, so this tested nothing: %v", lost)
	}
}

// While messages are lost (ENOBUFS) somebody deletes everything that is
// claimed: it is back as soon as there is somebody to look again.
func TestOverrunRepairs(t *testing.T) {
	host, ns, _ := newHost(t)
	core, logged := observer.New(zap.InfoLevel)
	host.log = zap.New(core)
	ns.Run(t, "ip addr add 10.9.0.1/24 dev eth0")
	want := config.Claims{
		Addresses: []config.Address{addr("10.0.0.1/24", "eth0")}, Routes: []config.Route{via("10.20.0.0/16", "10.9.0.2", 0)},
		Rules: []config.Rule{from("10.0.0.0/24", 100, 100)},
	}
	claimAll(t, host, "VI_1", want)
	seen := watch(t, host, ns, 2048)
	expect(t, seen, "eth0 exists=true up=true [10.9.0.1] []")
	// The callback is busy with another link from now on.
	ns.Run(t, "ip link add stuck type bridge")
	const script = "ip addr del 10.0.0.1/24 dev eth0; ip route del 10.20.0.0/16; ip rule del preference 100; " +
		"for i in $(seq 250); do echo addr add 10.77.0.$i/32 dev stuck; echo addr del 10.77.0.$i/32 dev stuck; done | ip -batch -"
	if out, err := ns.Command(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	go drain(seen)
	eventually(t, "an overrun", func() bool {
		return strings.Contains(shown(t, ns, "eth0"), "10.0.0.1/24") && strings.Contains(policy(t, ns), "10.20.0.0/16") && strings.Contains(policy(t, ns), "100: ") &&
			logged.FilterMessageSnippet("messages lost").Len() > 0
	})
}
