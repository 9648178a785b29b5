package vrrp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// announced are the times of announcements in milliseconds, each with the last
// part of its address.
func announced(l *lan, r *router, until time.Duration) []string {
	var all []string
	for at := time.Since(l.start); at < until; at += 50 * time.Millisecond {
		l.until(at)
		for _, op := range r.host.Operations() {
			if addr, ok := strings.CutPrefix(op, "announce "); ok {
				addr, _, _ = strings.Cut(addr, "/")
				all = append(all, fmt.Sprintf("%d %s", at.Milliseconds(), addr[strings.LastIndexAny(addr, ".:")+1:]))
			}
		}
	}
	return all
}

// owning is an instance that is MASTER at once, with two rounds of
// announcements.
func owning(name string, vrid uint8, dev string, vips ...string) config.Instance {
	i := virtual(name, vrid, 255)
	i.GarpMasterRepeat, i.GarpMasterDelay = config.Some(2), config.Some(time.Duration(0))
	for _, vip := range vips {
		i.VirtualIPAddress = append(i.VirtualIPAddress, config.Address{Prefix: netip.MustParsePrefix(vip), Dev: dev})
	}
	return i
}

// vrrp_garp_interval keeps a distance on each interface, vrrp_gna_interval does
// so for neighbour advertisements; interfaces of a garp_group share one of
// their own.
func TestAnnouncementsKeepTheirDistance(t *testing.T) {
	group := func(arp time.Duration, links ...string) config.GarpGroup {
		g := config.GarpGroup{GarpInterval: config.Some(arp)}
		for _, link := range links {
			g.Interfaces = append(g.Interfaces, config.Link{Name: link})
		}
		return g
	}
	for _, tt := range []struct {
		name    string
		arp, na time.Duration
		groups  []config.GarpGroup
		want    []string
	}{
		{"none", 0, 0, nil, []string{"0 1", "0 2", "0 3", "0 9", "0 1", "0 2", "0 3", "0 9"}},
		{"each interface", 200 * time.Millisecond, 0, nil, []string{"0 1", "0 3", "0 9", "0 9", "200 2", "200 3", "400 1", "600 2"}},
		{"neighbour advertisements", 0, 300 * time.Millisecond, nil, []string{"0 1", "0 1", "0 2", "0 2", "0 3", "0 3", "0 9", "300 9"}},
		{"a group", 100 * time.Millisecond, 0, []config.GarpGroup{group(300*time.Millisecond, "eth0", "eth1")},
			[]string{"0 1", "0 9", "0 9", "300 2", "600 3", "900 1", "1200 2", "1500 3"}},
		{"a group without a distance for ARP", 100 * time.Millisecond, 0, []config.GarpGroup{{GnaInterval: config.Some(time.Second), Interfaces: []config.Link{{Name: "eth0"}, {Name: "eth1"}}}},
			[]string{"0 1", "0 1", "0 2", "0 2", "0 3", "0 3", "0 9", "1000 9"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lan) {
				a := l.newRouter("10.0.0.250", nil)
				_ = a.runner.Link(vrrp.LinkChanged{Link: "eth1", Exists: true, Up: true})
				i := owning("VI_1", 51, "eth0", "10.0.0.1/24", "10.0.0.2/24")
				i.VirtualIPAddress = append(i.VirtualIPAddress, config.Address{Prefix: netip.MustParsePrefix("10.0.0.3/24"), Dev: "eth1"})
				i.VirtualIPAddressExcluded = []config.Address{{Prefix: netip.MustParsePrefix("2001:db8::9/64"), Dev: "eth0"}}
				cfg := resolved(i)
				cfg.Global.VRRPGarpInterval, cfg.Global.VRRPGnaInterval, cfg.Links.GarpGroups = tt.arp, tt.na, tt.groups
				apply(t, a, cfg)
				got := announced(l, a, 3*time.Second)
				slices.SortStableFunc(got, func(x, y string) int {
					var m, n, p, q int
					_, errs := fmt.Sscan(x, &m, &p)
					_, err := fmt.Sscan(y, &n, &q)
					if errors.Join(errs, err) != nil {
						t.Fatal(x, y)
					}
					if m != n || tt.name == "none" {
						return m - n
					}
					return p - q
				})
				want(t, "announcements", got, tt.want)
				a.stop(t)
			})
		})
	}
}

// Each announcement is told, with detail once for an address, with more detail
// every time.
func TestAnnouncementsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.9", nil)
		cfg := resolved(owning("VI_1", 51, "eth0", "10.0.0.1/24", "10.0.0.2/24", "fe80::1/64"))
		cfg.Global.VRRPGarpInterval = 100 * time.Millisecond
		apply(t, a, cfg)
		l.until(time.Second)
		var got []string
		for _, e := range a.log.All() {
			if strings.Contains(e.Message, "Sending") {
				got = append(got, e.Level.String()+": "+e.Message)
			}
		}
		slices.Sort(got)
		want(t, "lines", got, []string{
			"Level(-2): Sending gratuitous ARP on eth0 for 10.0.0.1",
			"Level(-2): Sending gratuitous ARP on eth0 for 10.0.0.1",
			"Level(-2): Sending gratuitous ARP on eth0 for 10.0.0.2",
			"Level(-2): Sending gratuitous ARP on eth0 for 10.0.0.2",
			"Level(-2): Sending unsolicited Neighbour Advert on eth0 for fe80::1",
			"Level(-2): Sending unsolicited Neighbour Advert on eth0 for fe80::1",
			"debug: (VI_1) Sending/queueing Unsolicited Neighbour Adverts on eth0 for fe80::1",
			"debug: (VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.0.0.1",
			"debug: (VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.0.0.2",
		})
		a.stop(t)
	})
}

// Who has given its addresses up speaks of them no more, and a flood of reasons
// to announce does not make the queue longer.
func TestAnnouncementsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.9", nil)
		i := owning("VI_1", 51, "eth0", "10.0.0.1/24")
		i.Priority, i.GarpMasterRepeat = config.Some[uint8](150), config.Some(100)
		cfg := resolved(i)
		cfg.Global.VRRPGarpInterval = time.Second
		apply(t, a, cfg)
		got := announced(l, a, 10*time.Second)
		if len(got) != 7 {
			t.Errorf("announced %q", got)
		}
		b := l.newRouter("10.0.0.8", nil)
		i.Priority, i.GarpMasterRepeat = config.Some[uint8](200), config.Some(1)
		apply(t, b, resolved(i)) // takes over after 3.2 s
		l.until(15 * time.Second)
		a.host.Operations()
		if got := announced(l, a, 20*time.Second); len(got) > 0 {
			t.Errorf("announced as BACKUP: %q", got)
		}
		b.stop(t)
		l.until(22 * time.Second)
		a.host.Operations()
		a.stop(t) // with a hundred that wait
		if got := announced(l, a, 30*time.Second); len(got) > 0 {
			t.Errorf("announced after the end: %q", got)
		}
	})
}
