package bfd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

// host is a runner in a namespace, and what a follower of its session was told.
type host struct {
	*Runner
	cancel func()
	result chan error
	told   chan bool
}

// hang is how long a test waits for what does not come.
const hang = 20 * time.Second

func newHost(t *testing.T, ns *netns.NS, seed uint64) *host {
	ctx, cancel := context.WithCancel(context.Background())
	h := &host{
		Runner: New(Options{Log: zaptest.NewLogger(t).Named(ns.Name), Rand: rand.New(rand.NewPCG(seed, 1))}),
		cancel: cancel, result: make(chan error, 1), told: make(chan bool, 100),
	}
	go func() { h.result <- ns.Do(func() error { return h.Run(ctx) }) }()
	t.Cleanup(h.stop)
	go h.Follow(ctx, "peer", func(up bool) { h.told <- up })
	h.expect(t, false) // at once
	return h
}

func (h *host) stop() {
	h.cancel()
	<-h.stopped
}

func (h *host) expect(t *testing.T, want bool) {
	t.Helper()
	select {
	case up := <-h.told:
		if up != want {
			t.Fatalf("told %t, not %t", up, want)
		}
	case <-time.After(hang):
		t.Fatalf("not told %t within %v", want, hang)
	}
}

func (h *host) quiet(t *testing.T) {
	t.Helper()
	select {
	case up := <-h.told:
		t.Fatalf("told %t", up)
	case <-time.After(300 * time.Millisecond):
	}
}

func peer(neighbor string, change func(*config.BFDInstance)) []config.BFDInstance {
	c := config.DefaultBFDInstance
	c.Name, c.NeighborIP = "peer", netip.MustParseAddr(neighbor)
	c.MinTx, c.MinRx = 50*time.Millisecond, 50*time.Millisecond // generous: the machine may be busy
	c.Multiplier = 20
	if change != nil {
		change(&c)
	}
	return []config.BFDInstance{c}
}

// TestRunner: two runners on a wire come up, agree on other intervals in a
// reload, notice a cut link and a neighbor that stops.
func TestRunner(t *testing.T) {
	for _, test := range []struct {
		name   string
		a, b   string
		change func(*config.BFDInstance)
	}{
		{"IPv4", "10.0.0.1", "10.0.0.2", nil},
		{"IPv6", "fd00::1", "fd00::2", func(c *config.BFDInstance) { c.TTL = config.Opt[uint8]{Value: 255, Set: true} }},
		{"multihop", "10.0.0.1", "10.0.0.2", func(c *config.BFDInstance) { c.Multihop, c.MaxHops = true, 3 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			nsA, nsB := netns.New(t, "bfd-a"), netns.New(t, "bfd-b")
			netns.Veth(t, nsA, "eth0", nsB, "eth0")
			for ns, n := range map[*netns.NS]int{nsA: 1, nsB: 2} {
				ns.Run(t, fmt.Sprintf("ip addr add 10.0.0.%d/24 dev eth0", n))
				ns.Run(t, fmt.Sprintf("ip -6 addr add fd00::%d/64 dev eth0 nodad", n))
			}
			a, b := newHost(t, nsA, 1), newHost(t, nsB, 2)
			if err := a.Apply(peer(test.b, test.change), &config.DefaultGlobal.Process); err != nil {
				t.Fatal(err)
			}
			a.quiet(t)
			if err := b.Apply(peer(test.a, test.change), &config.DefaultGlobal.Process); err != nil {
				t.Fatal(err)
			}
			a.expect(t, true)
			b.expect(t, true)
			slower := func(c *config.BFDInstance) {
				if test.change != nil {
					test.change(c)
				}
				c.MinTx, c.MinRx = 80*time.Millisecond, 30*time.Millisecond
			}
			if err := a.Apply(peer(test.b, slower), &config.DefaultGlobal.Process); err != nil {
				t.Fatal(err)
			}
			a.quiet(t)
			nsB.Run(t, "ip link set eth0 down")
			a.expect(t, false)
			b.expect(t, false)
			nsB.Run(t, "ip link set eth0 up")
			if strings.Contains(test.b, ":") { // the kernel takes IPv6 addresses away with the link
				nsB.Run(t, "ip -6 addr add fd00::2/64 dev eth0 nodad")
			}
			a.expect(t, true)
			b.expect(t, true)
			b.stop()
			a.expect(t, false)
		})
	}
}

// TestHops: a packet that came over more routers than max_hops is dropped.
func TestHops(t *testing.T) {
	for _, test := range []struct {
		ttl, configured uint8
		hops            int
		want            bool
	}{
		{255, 255, 0, true}, {254, 255, 0, false}, {254, 255, 1, true}, {1, 255, -1, true}, {64, 64, 0, true}, {63, 64, 0, false},
	} {
		s := &session{cfg: config.BFDInstance{TTL: config.Opt[uint8]{Value: test.configured, Set: true}, MaxHops: test.hops}}
		if got := s.near(int(test.ttl)); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
	}
}

// TestReceive: a packet that names another session, or comes from a stranger, to
// another port or from too far, is counted and dropped.
func TestReceive(t *testing.T) {
	own := listener{}
	for _, test := range []struct {
		name string
		from string
		at   listener
		ttl  int
		your uint32 // added to the session's own
		want wire.State
	}{
		{"right", "10.0.0.2", own, 255, 0, wire.Up},
		{"another session", "10.0.0.2", own, 255, 1, wire.Down},
		{"a stranger", "10.0.0.3", own, 255, 0, wire.Down},
		{"another port", "10.0.0.2", listener{multihop: true}, 255, 0, wire.Down},
		{"too far", "10.0.0.2", own, 254, 0, wire.Down},
	} {
		r := New(Options{Log: zaptest.NewLogger(t), Rand: rand.New(rand.NewPCG(1, 1))})
		r.begin(peer("10.0.0.2", nil)[0], time.Now())
		s := r.sessions["peer"]
		p := wire.Packet{State: wire.Init, Multiplier: 3, My: 9, Your: s.my + test.your, MinTx: time.Second, MinRx: time.Second}
		r.receive(arrival{test.at, netip.MustParseAddr(test.from), test.ttl, p.Append(nil)})
		if dropped := r.discarded == 1; s.State() != test.want || dropped != (test.want == wire.Down) {
			t.Errorf("%s: %s, dropped: %t", test.name, s.State(), dropped)
		}
	}
}

// TestKeepalived: a session with Debian's keepalived comes up in both roles,
// stays up with its 10 ms, and notices its end.
func TestKeepalived(t *testing.T) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		const why = "this test speaks with Debian's keepalived, which is not installed"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why)
		}
		t.Fatal(why + "; `go run ./e2e/needs` installs it")
	}
	for _, passive := range []bool{false, true} {
		t.Run(fmt.Sprintf("passive=%t", passive), func(t *testing.T) {
			nsA, nsB := netns.New(t, "bfd-a"), netns.New(t, "bfd-b")
			netns.Veth(t, nsA, "eth0", nsB, "eth0")
			nsA.Run(t, "ip addr add 10.0.0.1/24 dev eth0")
			nsB.Run(t, "ip addr add 10.0.0.2/24 dev eth0")
			a := newHost(t, nsA, 1)
			if err := a.Apply(peer("10.0.0.2", func(c *config.BFDInstance) { c.Passive = passive }), &config.DefaultGlobal.Process); err != nil {
				t.Fatal(err)
			}
			a.quiet(t)
			stop := keepalived(t, nsB, `
bfd_instance lvsd {
    neighbor_ip 10.0.0.1
    min_rx 50
    min_tx 50
    multiplier 20
}
`)
			a.expect(t, true)
			a.quiet(t)
			stop()
			a.expect(t, false)
		})
	}
}

// keepalived runs Debian's keepalived in a namespace until stop is called.
func keepalived(t *testing.T, ns *netns.NS, conf string) (stop func()) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	pid := func(part string) string { return filepath.Join(dir, part+".pid") }
	cmd := ns.Command(ctx, "keepalived", "-n", "-l", "-G", "-D", "-f", file, "-p", pid("main"), "-r", pid("vrrp"), "-c", pid("check"), "-b", pid("bfd"))
	log := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = hang
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log("keepalived:\n" + log.String())
		}
	})
	return stop
}
