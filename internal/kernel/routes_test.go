//go:build linux

package kernel

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

func via(dst, gateway string, metric uint32) config.Route {
	return config.Route{Destination: netip.MustParsePrefix(dst), Via: netip.MustParseAddr(gateway), Metric: config.Some(metric)}
}

func from(prefix string, table, preference uint32) config.Rule {
	p := netip.MustParsePrefix(prefix)
	return config.Rule{From: p, IPv6: p.Addr().Is6(), Action: config.RuleLookup, Table: table, Preference: config.Some(preference)}
}

// routed is a host with an address of its own on eth0.
func routed(t *testing.T) (*Host, *netns.NS) {
	t.Helper()
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add 10.9.0.1/24 dev eth0")
	ns.Run(t, "ip addr add 2001:db8:9::1/64 dev eth0 nodad")
	return host, ns
}

func claimAll(t *testing.T, h *Host, owner string, want config.Claims) {
	t.Helper()
	if err := h.Claim(context.Background(), owner, want); err != nil {
		t.Errorf("claim of %s: %v", owner, err)
	}
}

// policy are keepalived's routes and rules as `ip` shows them.
func policy(t *testing.T, ns *netns.NS) string {
	t.Helper()
	var found []string
	for _, command := range []string{"-4 route show table all proto keepalived", "-6 route show table all proto keepalived", "rule", "-6 rule"} {
		for line := range strings.Lines(ns.Run(t, "ip "+command)) {
			line = strings.Join(strings.Fields(line), " ")
			if !strings.Contains(command, "rule") || strings.Contains(line, "proto keepalived") {
				found = append(found, strings.TrimSuffix(line, " pref medium"))
			}
		}
	}
	slices.Sort(found)
	return strings.Join(found, "\n")
}

func wantPolicy(t *testing.T, ns *netns.NS, want ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(sorted(want), "\n"), policy(t, ns)); diff != "" {
		t.Errorf("routes and rules (-want +got):\n%s", diff)
	}
}

// Routes and rules come with the addresses that they need and go before them,
// are counted by owner, and foreign ones that look alike stay.
func TestRoutesAndRules(t *testing.T) {
	host, ns := routed(t)
	ns.Run(t, "ip route add 10.20.0.0/16 via 10.9.0.3 metric 5 proto static")
	ns.Run(t, "ip rule add from 10.0.0.0/24 fwmark 1 table 100 preference 100")
	withSource := via("10.21.0.0/16", "10.9.0.2", 0)
	withSource.Src = netip.MustParseAddr("10.0.0.1")
	want := config.Claims{
		Addresses: []config.Address{addr("10.0.0.1/24", "eth0")},
		Routes:    []config.Route{via("10.20.0.0/16", "10.9.0.2", 5), withSource, via("2001:db8:20::/48", "2001:db8:9::2", 0)},
		Rules:     []config.Rule{from("10.0.0.0/24", 100, 100), from("2001:db8::/32", 1000, 101)},
	}
	claimAll(t, host, "VI_1", want)
	claimAll(t, host, "VI_2", config.Claims{Routes: want.Routes[:1], Rules: want.Rules[:1]})
	all := []string{
		"10.20.0.0/16 via 10.9.0.2 dev eth0 metric 5", "10.21.0.0/16 via 10.9.0.2 dev eth0 src 10.0.0.1", "2001:db8:20::/48 via 2001:db8:9::2 dev eth0 metric 1024",
		"100: from 10.0.0.0/24 lookup 100 proto keepalived", "101: from 2001:db8::/32 lookup 1000 proto keepalived",
	}
	wantPolicy(t, ns, all...)
	claimAll(t, host, "VI_1", config.Claims{})
	wantPolicy(t, ns, all[0], all[3])
	claimAll(t, host, "VI_2", config.Claims{})
	wantPolicy(t, ns)
	if out := ns.Run(t, "ip route show 10.20.0.0/16") + ns.Run(t, "ip rule show"); !strings.Contains(out, "via 10.9.0.3") || !strings.Contains(out, "fwmark 0x1") {
		t.Errorf("foreign ones are gone:\n%s", out)
	}
	if len(host.claims)+len(host.owners)+len(host.unwanted) != 0 {
		t.Errorf("left: %v %v %v", host.claims, host.owners, host.unwanted)
	}
}

// A reload changes what differs: an attribute of a route that stays, another
// gateway, another rule.
func TestRoutesChange(t *testing.T) {
	host, ns := routed(t)
	four, six := via("10.20.0.0/16", "10.9.0.2", 5), via("2001:db8:20::/48", "2001:db8:9::2", 7)
	claimAll(t, host, "VI_1", config.Claims{Routes: []config.Route{four, six}, Rules: []config.Rule{from("10.0.0.0/24", 100, 100)}})
	four.Metrics = &config.RouteMetrics{MTU: config.Metric{Value: 1400, Set: true}}
	six.Metrics = four.Metrics
	claimAll(t, host, "VI_1", config.Claims{Routes: []config.Route{four, six}, Rules: []config.Rule{from("10.0.0.0/24", 101, 100)}})
	wantPolicy(t, ns, "10.20.0.0/16 via 10.9.0.2 dev eth0 metric 5 mtu 1400", "2001:db8:20::/48 via 2001:db8:9::2 dev eth0 metric 7 mtu 1400",
		"100: from 10.0.0.0/24 lookup 101 proto keepalived")
	four.Metrics, six.Metrics = nil, nil
	four.Via, six.Via = netip.MustParseAddr("10.9.0.3"), netip.MustParseAddr("2001:db8:9::3")
	claimAll(t, host, "VI_1", config.Claims{Routes: []config.Route{four, six}})
	wantPolicy(t, ns, "10.20.0.0/16 via 10.9.0.3 dev eth0 metric 5", "2001:db8:20::/48 via 2001:db8:9::3 dev eth0 metric 7")
}

// What others remove comes back, with the address that a route needs; no_track
// means that it does not.
func TestRoutesComeBack(t *testing.T) {
	host, ns := routed(t)
	withSource, loose := via("10.21.0.0/16", "10.9.0.2", 0), via("10.22.0.0/16", "10.9.0.2", 0)
	withSource.Src, loose.NoTrack = netip.MustParseAddr("10.0.0.1"), true
	ways := config.Route{Destination: netip.MustParsePrefix("10.23.0.0/16"), NextHops: []config.NextHop{
		{Via: netip.MustParseAddr("10.9.0.2")}, {Via: netip.MustParseAddr("10.9.0.3"), Dev: "eth0", Weight: 3}}}
	six := config.Route{Destination: netip.MustParsePrefix("2001:db8:20::/48"), Dev: "eth0"}
	claimAll(t, host, "VI_1", config.Claims{
		Addresses: []config.Address{addr("10.0.0.1/24", "eth0")}, Routes: []config.Route{withSource, loose, ways, six},
		Rules: []config.Rule{from("10.0.0.0/24", 100, 100), from("2001:db8::/32", 1000, 101)},
	})
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "eth0 exists=true up=true [10.9.0.1] []")
	all := []string{
		"10.21.0.0/16 via 10.9.0.2 dev eth0 src 10.0.0.1", "10.22.0.0/16 via 10.9.0.2 dev eth0",
		"10.23.0.0/16", "nexthop via 10.9.0.2 dev eth0 weight 1", "nexthop via 10.9.0.3 dev eth0 weight 3", "2001:db8:20::/48 dev eth0 metric 1024",
		"100: from 10.0.0.0/24 lookup 100 proto keepalived", "101: from 2001:db8::/32 lookup 1000 proto keepalived",
	}
	wantPolicy(t, ns, all...)
	for _, harm := range []string{"addr del 10.0.0.1/24 dev eth0", "route del 10.21.0.0/16", "route del 10.23.0.0/16", "-6 route del 2001:db8:20::/48", "rule del preference 100", "-6 rule del preference 101"} {
		ns.Run(t, "ip "+harm)
		eventually(t, harm, func() bool { return policy(t, ns) == strings.Join(sorted(all), "\n") })
	}
	ns.Run(t, "ip route del 10.22.0.0/16")
	ns.Run(t, "ip rule del preference 100") // comes back, and then the route would have
	eventually(t, "the rule", func() bool { return strings.Contains(policy(t, ns), "100: ") })
	wantPolicy(t, ns, append(slices.Clone(all[:1]), all[2:]...)...)
}

// Of rules the kernel tells less than it was told: what is there is found all
// the same, neither added again nor left behind.
func TestRulesFoundAgain(t *testing.T) {
	host, ns := routed(t)
	four, six := func(c func(*config.Rule)) config.Rule {
		r := from("10.0.0.0/24", 100, 300)
		c(&r)
		return r
	}, func(c func(*config.Rule)) config.Rule {
		r := from("2001:db8::/32", 100, 300)
		c(&r)
		return r
	}
	for name, r := range map[string]config.Rule{
		"preference 0":            from("10.0.0.0/24", 100, 0),
		"preference 0 over IPv6":  from("2001:db8::/32", 100, 0),
		"bits of a host":          from("10.0.0.1/24", 100, 300),
		"realms":                  four(func(r *config.Rule) { r.Realms = config.Realms{Src: 3, Dst: 4} }),
		"realms over IPv6":        six(func(r *config.Rule) { r.Realms = config.Realms{Dst: 4} }),
		"fwmark 0/0":              four(func(r *config.Rule) { r.FWMark, r.FWMask = config.Some[uint32](0), config.Some[uint32](0) }),
		"fwmark 0":                four(func(r *config.Rule) { r.FWMark = config.Some[uint32](0) }),
		"fwmark 5/0":              six(func(r *config.Rule) { r.FWMark, r.FWMask = config.Some[uint32](5), config.Some[uint32](0) }),
		"tunnel-id 0":             four(func(r *config.Rule) { r.TunnelID = config.Some[uint32](0) }),
		"ipproto 0":               four(func(r *config.Rule) { r.IPProto = config.Some[uint8](0) }),
		"uidrange 0-0":            four(func(r *config.Rule) { r.UIDRange = config.Some(config.Range{}) }),
		"suppress_prefixlength 0": four(func(r *config.Rule) { r.SuppressPrefixLength = config.Some(0) }),
		"suppress_ifgroup 0":      six(func(r *config.Rule) { r.SuppressInterfaceGroup = config.Some[uint32](0) }),
		"table 0":                 from("10.0.0.0/24", 0, 300),
	} {
		t.Run(name, func(t *testing.T) {
			before := ns.Run(t, "ip rule") + ns.Run(t, "ip -6 rule")
			claimAll(t, host, "VI_1", config.Claims{Rules: []config.Rule{r}})
			want := policy(t, ns)
			if strings.Count(want, "proto keepalived") != 1 {
				t.Errorf("not one rule:\n%s", want)
			}
			host.mu.Lock()
			err := host.repair(host.batch(t.Context()), presence{})
			for _, c := range host.claims {
				if !c.there {
					t.Errorf("not seen in the kernel: %s", c)
				}
			}
			host.mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			wantPolicy(t, ns, strings.Split(want, "\n")...)
			claimAll(t, host, "VI_1", config.Claims{})
			if diff := cmp.Diff(before, ns.Run(t, "ip rule")+ns.Run(t, "ip -6 rule")); diff != "" {
				t.Errorf("left (-before +after):\n%s", diff)
			}
		})
	}
}

// Of what a predecessor left, a sweep on hold keeps what is claimed before the
// release, and nothing of that was ever absent.
func TestSweepTakesOver(t *testing.T) {
	host, ns := routed(t)
	left := config.Claims{
		Addresses: []config.Address{addr("10.0.0.1/32", "eth0"), addr("10.0.0.2/32", "eth0")},
		Routes:    []config.Route{via("10.20.0.0/16", "10.9.0.2", 5), via("10.21.0.0/16", "10.9.0.2", 5)},
		Rules:     []config.Rule{from("10.0.0.0/24", 100, 100), from("10.0.1.0/24", 100, 101)},
	}
	claimAll(t, host, "before the crash", left)
	var next *Host
	if err := ns.Do(func() (err error) { next, err = Open(host.log); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close() }()
	gone := monitor(t, ns)
	release := next.Hold()
	if err := next.Sweep(t.Context(), left); err != nil {
		t.Error(err)
	}
	claimAll(t, next, "VI_1", config.Claims{Addresses: left.Addresses[:1], Routes: left.Routes[:1], Rules: left.Rules[:1]})
	release()
	wantPolicy(t, ns, "10.20.0.0/16 via 10.9.0.2 dev eth0 metric 5", "100: from 10.0.0.0/24 lookup 100 proto keepalived")
	want := []string{"10.0.0.2", "10.0.1.0/24", "10.21.0.0/16"}
	if got := slices.Compact(sorted(gone())); !slices.Equal(got, want) {
		t.Errorf("deleted: %q, want %q", got, want)
	}
}

// Rules go before the routes of their table, and these before the addresses
// that they come from.
func TestOrderOfDeletions(t *testing.T) {
	host, ns := routed(t)
	withSource := via("10.21.0.0/16", "10.9.0.2", 0)
	withSource.Src = netip.MustParseAddr("10.0.0.1")
	claimAll(t, host, "VI_1", config.Claims{
		Addresses: []config.Address{addr("10.0.0.1/32", "eth0")}, Routes: []config.Route{withSource}, Rules: []config.Rule{from("10.0.5.0/24", 100, 100)},
	})
	deleted := monitor(t, ns)
	claimAll(t, host, "VI_1", config.Claims{})
	if got, want := deleted(), []string{"10.0.5.0/24", "10.21.0.0/16", "10.0.0.1"}; !slices.Equal(got, want) {
		t.Errorf("deleted %q, want %q", got, want)
	}
}

// fading is a context that ends when it has been asked so many times whether it
// has.
type fading struct {
	context.Context
	left int
}

func (f *fading) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return nil
}

// A repair that is interrupted at any point, as by a stop, takes nothing for
// gone that it has not looked at: what is claimed is removed afterwards.
func TestRepairInterrupted(t *testing.T) {
	host, ns := routed(t)
	route := via("10.51.0.0/24", "10.9.0.7", 0)
	route.Dev = "eth0"
	for n := range 30 {
		claimAll(t, host, "static", config.Claims{Routes: []config.Route{route}})
		host.mu.Lock()
		err := host.repair(host.batch(&fading{context.Background(), n}), presence{})
		host.mu.Unlock()
		claimAll(t, host, "static", config.Claims{})
		wantPolicy(t, ns)
		if err == nil && n > 0 {
			return // it was not interrupted any more
		}
	}
	t.Error("never whole")
}
