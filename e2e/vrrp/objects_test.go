package vrrp

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// everything is one of every attribute that an address, a route or a rule can
// have and that this kernel knows.
const everything = `
static_ipaddress {
	10.50.0.1/24 dev eth0 label eth0:st
	2001:db8:50::1/64 dev eth1
}
static_routes {
	10.51.0.0/24 via 10.9.0.7 dev eth0
	blackhole 10.52.0.0/24
	2001:db8:51::/48 dev eth0
}
static_rules {
	from 10.50.0.0/24 table 7 preference 50
	from 2001:db8:50::/64 table 7 preference 51
}
vrrp_instance VI_1 {
	state MASTER
	interface eth0
	virtual_router_id 51
	priority 255
	virtual_ipaddress {
		10.0.0.1/24
		10.0.1.1/24 label eth0:vip scope link brd +
		10.0.2.1 peer 10.0.2.2
		10.0.3.1/24 noprefixroute
		10.0.4.1/24 preferred_lft 300
		10.0.6.1/24 dev eth1
		10.0.7.1/24 brd -
		10.0.8.1/24 scope site home
	}
	virtual_ipaddress_excluded {
		2001:db8::1/64
		2001:db8::2
		2001:db8::3/64 -nodad
		2001:db8::4/64 home mngtmpaddr noprefixroute
		2001:db8::5/128 preferred_lft forever
		2001:db8::6/64 preferred_lft 0
		2001:db8::7/64 preferred_lft 100
		2001:db8::8 peer 2001:db8:9::1
		224.1.2.3/32 autojoin
	}
	virtual_routes {
		10.20.0.0/16 via 10.9.0.2
		10.20.0.0/16 via 10.9.0.3 metric 5
		append 10.20.0.0/16 via 10.9.0.4
		10.21.0.0/16 dev eth1 scope link
		src 10.0.0.1 to 10.22.0.0/16 via 10.9.0.2 dev eth0 table 100
		blackhole 10.23.0.0/16
		unreachable 10.24.0.0/16 metric 7
		prohibit 10.25.0.0/16
		throw 10.26.0.0/16 table 1000
		10.27.0.0/16 nexthop via 10.9.0.2 dev eth0 weight 2 nexthop via 10.8.0.3 dev eth1 onlink
		10.28.0.0/16 via 10.9.0.2 mtu lock 1400 advmss 1300 rtt 300ms rttvar 500ms reordering 4 window 1000 cwnd lock 5 ssthresh 7 rto_min 400ms initcwnd 4 initrwnd 5 features ecn quickack 1 congctl cubic hoplimit 30
		10.29.0.0/16 via 10.9.0.2 realms 1/2 tos 0x10
		10.30.0.0/16 via 10.77.0.2 dev eth0 onlink
		10.31.0.0/16 encap ip id 5 dst 1.2.3.4 ttl 4 via 10.9.0.2
		10.38.0.0/16 encap ip6 id 6 dst 2001:db8::9 hoplimit 4 via 10.9.0.2
		2001:db8:20::/48 via fe80::2 dev eth0
		2001:db8:21::/48 dev eth0 expires 500 pref high metric 77
		2001:db8:22::/48 from 2001:db8::/32 dev eth0
		unreachable 2001:db8:23::/48
		2001:db8:24::/48 nexthop via fe80::2 dev eth0 weight 2 nexthop via fe80::3 dev eth1
		10.32.0.0/16 via 10.9.0.2 or 10.9.0.3
		10.34.0.0/16 via 10.9.0.2 protocol 99 no_track
		10.35.0.0/16 via 10.9.0.2 ttl-propagate enabled
		10.36.0.0/16 via 10.9.0.2 fastopen_no_cookie 1
		default via 10.9.0.9 table 100
		default6 via fe80::9 dev eth0 table 100
	}
	virtual_rules {
		from 10.0.0.0/24 table 100 preference 100
		to 10.20.0.0/16 table 101 preference 101
		fwmark 0x10/0xff table 102 preference 102
		fwmark 7 table 1002 preference 122
		iif eth0 oif eth1 table 103 preference 103
		from 10.1.0.0/16 tos 0x10 lookup 104 preference 104
		not from 10.1.0.0/16 table 105 preference 105
		from 10.1.0.0/16 goto 200 preference 106
		from 10.2.0.0/16 table 200 preference 200
		from 10.3.0.0/16 nop preference 107
		from 10.4.0.0/16 blackhole preference 108
		from 10.5.0.0/16 unreachable preference 109
		from 10.6.0.0/16 prohibit preference 110
		uidrange 10-20 table 111 preference 111
		l3mdev preference 112
		ipproto tcp sport 10-20 dport 30-40 table 113 preference 113
		tunnel-id 5 table 114 preference 114
		from 10.7.0.0/16 suppress_prefixlength 8 table 115 preference 115
		from 10.7.0.0/16 suppress_ifgroup 3 table 116 preference 116
		from 10.8.0.0/16 table 117 realms 3/4 preference 117
		from 2001:db8::/32 table 118 preference 118
		from 10.9.9.0/24 table 119
		from 10.9.8.0/24 table 121 preference 121 protocol 99 no_track
	}
}
`

// listed is what `ip` shows of a router: the words that two kernels could
// disagree in are left out.
func (r *router) listed() string {
	r.t.Helper()
	var lines []string
	add := func(title string, args ...string) {
		lines = append(lines, "# "+title)
		text := strings.ReplaceAll(r.Run("ip", args...), "\n\t", " ")
		text = regexp.MustCompile(`(preferred_lft|expires) \d+sec`).ReplaceAllString(text, "$1 Nsec")
		found := strings.Split(strings.TrimSpace(text), "\n")
		if title == "routes" {
			slices.Sort(found)
		}
		for _, line := range found {
			line = strings.TrimSpace(line)
			if !stray(line) && !strings.HasPrefix(line, "link/") && !strings.Contains(line, "numtxqueues") && !strings.Contains(line, "qdisc") {
				lines = append(lines, line)
			}
		}
	}
	for _, device := range []string{"eth0", "eth1"} {
		add("addresses of "+device, "-d", "addr", "show", "dev", device)
	}
	add("routes", "-d", "route", "show", "table", "all")
	add("routes", "-6", "-d", "route", "show", "table", "all")
	add("rules", "-d", "rule")
	add("rules", "-6", "-d", "rule")
	return strings.Join(lines, "\n")
}

// stray says that a line is no answer: ip(8) complains about the other ends of
// cables in labs that are being taken down.
func stray(line string) bool { return strings.HasPrefix(line, "Error: Peer netns") }

// TestKernelObjects: addresses, routes and rules are in the kernel as
// keepalived has them with the same configuration, while MASTER and after the
// end.
func TestKernelObjects(t *testing.T) {
	t.Parallel()
	states := make(map[string][]string)
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		s := newSegment(t)
		r := s.router6(1)
		r.Run("ip", "addr", "add", "10.9.0.1/24", "broadcast", "+", "dev", "eth0")
		r.plug("eth1", s.Lab.Switch("two"), "02:00:00:00:01:01", "10.8.0.1/24")
		before := r.listed()
		r.run(binary, everything)
		r.becomes(0, "VI_1", "MASTER", patience)
		r.Wait(0, "Startup complete", patience)
		rig.Until(t, "the last rule of "+r.String(), patience, func() bool { return strings.Contains(r.Run("ip", "rule"), "121:") })
		master := r.listed()
		r.Daemon.Stop(patience)
		// keepalived 2.2.7 forgets the address with a peer.
		if diff := cmp.Diff(before, r.listed()); diff != "" && binary == rig.Binary() {
			t.Errorf("%s left something (-before +after):\n%s", r, diff)
		}
		states[short(binary)] = strings.Split(master, "\n")
	}
	if diff := cmp.Diff(states["keepalived"], states["lvsd"]); diff != "" {
		t.Errorf("(-keepalived +lvsd):\n%s", diff)
	}
}
