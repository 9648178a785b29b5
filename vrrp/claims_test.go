package vrrp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// policed is an instance with everything: closed addresses, routes, rules.
func policed(route, rule string) config.Instance {
	i := virtual("VI_1", 51, 150, "10.0.0.100/24")
	i.VirtualIPAddressExcluded = []config.Address{{Prefix: netip.MustParsePrefix("2001:db8::100/64")}}
	i.Accept = config.Some(false)
	i.VirtualRoutes = []config.Route{
		{Destination: netip.MustParsePrefix("10.20.0.0/16"), Via: config.MustAddr("10.0.0.2")},
		{Destination: netip.MustParsePrefix(route), Type: config.RouteBlackhole},
	}
	i.VirtualRules = []config.Rule{{From: netip.MustParsePrefix(rule), Action: config.RuleLookup, Table: 100, Preference: config.Some[uint32](100)}}
	return i
}

// Addresses, routes and rules come in keepalived's order when an instance
// becomes MASTER, change by their difference in a reload, additions first, and
// go the other way round.
func TestEverythingClaimed(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		r := l.newRouter("10.0.0.1", nil)
		apply(t, r, resolved(policed("10.21.0.0/16", "10.0.0.0/24")))
		want(t, "as BACKUP", r.host.Operations(), nil)
		l.until(4 * time.Second)
		first := r.host.Operations()
		const rounds = 2 * 5 // of announcements
		want(t, "as MASTER", first[:len(first)-rounds], []string{
			"add drop 10.0.0.100", "add drop 2001:db8::100",
			"add 10.0.0.100/24 dev eth0", "add 2001:db8::100/64 dev eth0",
			"add route prepend 10.20.0.0/16 via inet 10.0.0.2 proto 18", "add route prepend blackhole 10.21.0.0/16 proto 18",
			"add rule from 10.0.0.0/24 priority 100 tos 0x0 protocol 18 lookup 100",
		})
		golden := `drop:
    10.0.0.100
    2001:db8::100
eth0:
    inet 10.0.0.100/24 scope global eth0
    inet6 2001:db8::100/64 scope global nodad
routes:
    prepend 10.20.0.0/16 via inet 10.0.0.2 proto 18
    prepend blackhole 10.21.0.0/16 proto 18
rules:
    100: from 10.0.0.0/24 priority 100 tos 0x0 protocol 18 lookup 100
`
		if diff := cmp.Diff(golden, r.host.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		apply(t, r, resolved(policed("10.22.0.0/16", "10.0.1.0/24")))
		want(t, "reload", r.host.Operations(), []string{
			"add route prepend blackhole 10.22.0.0/16 proto 18", "add rule from 10.0.1.0/24 priority 100 tos 0x0 protocol 18 lookup 100",
			"del rule from 10.0.0.0/24 priority 100 tos 0x0 protocol 18 lookup 100", "del route prepend blackhole 10.21.0.0/16 proto 18",
		})
		r.noted()
		r.link(false)
		l.until(5 * time.Second)
		want(t, "as FAULT", r.host.Operations(), []string{
			"del rule from 10.0.1.0/24 priority 100 tos 0x0 protocol 18 lookup 100",
			"del route prepend 10.20.0.0/16 via inet 10.0.0.2 proto 18", "del route prepend blackhole 10.22.0.0/16 proto 18",
			"del 10.0.0.100/24 dev eth0", "del 2001:db8::100/64 dev eth0",
			"del drop 10.0.0.100", "del drop 2001:db8::100",
		})
		if got := r.host.String(); got != "" {
			t.Errorf("left:\n%s", got)
		}
		r.stop(t)
	})
}
