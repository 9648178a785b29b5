//go:build linux

package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/parser"
)

// A reload from any of these lines to any other leaves what the other alone
// makes: the kernel finds some by less than what sets them apart.
func TestEveryReplacement(t *testing.T) {
	for _, kind := range []struct {
		name, block, show string
		lines             []string
	}{
		{"address", "virtual_ipaddress", "ip -o addr show dev eth0; ip -o addr show dev eth1", []string{
			"10.9.0.100/24", "10.9.0.100/32", "10.9.0.100/24 dev eth1", "10.9.0.100/24 brd +", "10.9.0.100/24 brd 10.9.0.99", "10.9.0.100/24 label eth0:v",
			"10.9.0.100 peer 10.9.0.200/32", "10.9.0.100/24 noprefixroute", "10.7.0.100/24 scope link", "10.7.0.100/24",
		}},
		{"IPv6 address", "virtual_ipaddress", "ip -o addr show dev eth0; ip -o addr show dev eth1", []string{
			"2001:db8::100/64", "2001:db8::100/128", "2001:db8::100/64 home", "2001:db8::100/64 noprefixroute", "2001:db8::100/64 preferred_lft 0",
			"2001:db8::100/64 preferred_lft 100", "2001:db8::100/64 dev eth1", "2001:db8::100 peer 2001:db8::200/128", "2001:db8::101/64",
		}},
		{"route", "virtual_routes", "ip -4 -d -o route show table all proto keepalived", []string{
			"192.0.2.0/24 via 10.9.0.9", "192.0.2.0/24 via 10.9.0.8", "192.0.2.0/24 dev eth0", "192.0.2.0/24 dev eth1", "192.0.2.0/24 via 10.9.0.9 dev eth0 onlink",
			"192.0.2.0/24 via 10.9.0.9 src 10.9.0.1", "192.0.2.0/24 via 10.9.0.9 tos 8", "192.0.2.0/24 via 10.9.0.9 table 100", "192.0.2.0/24 via 10.9.0.9 metric 5",
			"192.0.2.0/24 dev eth0 scope link", "192.0.2.0/24 via 10.9.0.9 mtu 1400", "192.0.2.0/24 via 10.9.0.9 realms 3/4", "blackhole 192.0.2.0/24",
			"192.0.2.0/24 nexthop via 10.9.0.9 weight 2 nexthop via 10.8.0.9 weight 3", "192.0.2.0/24 nexthop via 10.9.0.9 weight 2 nexthop via 10.8.0.9 weight 4",
			"192.0.2.0/24 nexthop via 10.8.0.9 weight 2 nexthop via 10.9.0.9", "append 192.0.2.0/24 via 10.9.0.7", "192.0.2.0/25 via 10.9.0.9",
		}},
		{"IPv6 route", "virtual_routes", "ip -6 -d -o route show table all proto keepalived", []string{
			"2001:db8:5::/48 dev eth0", "2001:db8:5::/48 dev eth1", "2001:db8:5::/48 dev eth0 metric 5", "2001:db8:5::/48 dev eth0 metric 2000", "2001:db8:5::/48 dev eth0 pref high",
			"2001:db8:5::/48 dev eth0 mtu 1400", "2001:db8:5::/48 dev eth0 table 9", "blackhole 2001:db8:5::/48", "2001:db8:5::/48 via fe80::9 dev eth0",
			"2001:db8:5::/48 via fe80::8 dev eth0", "2001:db8:5::/48 via fe80::8 dev eth1", "2001:db8:5::/48 dev eth0 expires 60",
			"2001:db8:5::/48 nexthop via fe80::8 dev eth0 nexthop via fe80::9 dev eth1",
		}},
		{"rule", "virtual_rules", "ip -4 -d rule; ip -6 -d rule", []string{
			"from 192.0.2.0/24 table 100 priority 500", "from 192.0.2.0/24 table 101 priority 500", "from 192.0.2.0/24 table 100 priority 501", "to 192.0.2.0/24 table 100 priority 500",
			"not from 192.0.2.0/24 table 100 priority 500", "from 192.0.2.0/24 tos 8 table 100 priority 500", "from 192.0.2.0/24 fwmark 5 table 100 priority 500",
			"from 192.0.2.0/24 fwmark 5/255 table 100 priority 500", "from 192.0.2.0/24 realms 3/4 table 100 priority 500", "from 192.0.2.0/24 suppress_prefixlength 5 table 100 priority 500",
			"from 192.0.2.0/24 suppress_ifgroup 5 table 100 priority 500", "from 192.0.2.0/24 iif eth0 table 100 priority 500", "from 192.0.2.0/24 oif eth0 table 100 priority 500",
			"from 192.0.2.0/24 uidrange 1-5 table 100 priority 500", "from 192.0.2.0/24 ipproto tcp table 100 priority 500", "from 192.0.2.0/24 ipproto tcp sport 1-5 table 100 priority 500",
			"from 192.0.2.0/24 ipproto tcp dport 1-5 table 100 priority 500", "from 192.0.2.0/24 goto 32766 priority 500", "from 192.0.2.0/24 blackhole priority 500",
			"from 192.0.2.0/24 unreachable priority 500", "from 2001:db8::/32 table 100 priority 500", "table 100 priority 500", "from 192.0.2.0/24 tunnel-id 5 table 100 priority 500",
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			h, ns, peer := newHost(t)
			netns.Veth(t, ns, "eth1", peer, "eth1")
			for _, line := range []string{"10.9.0.1/24 dev eth0", "10.8.0.1/24 dev eth1", "fe80::1/64 dev eth0 nodad", "fe80::2/64 dev eth1 nodad"} {
				ns.Run(t, "ip addr add "+line)
			}
			before := listed(t, ns, kind.show)
			var claims []config.Claims
			var alone []string
			for _, line := range kind.lines {
				claims = append(claims, claimsOf(t, kind.block, line))
				claimAll(t, h, "VI_1", claims[len(claims)-1])
				alone = append(alone, listed(t, ns, kind.show))
				claimAll(t, h, "VI_1", config.Claims{})
				if left := listed(t, ns, kind.show); left != before {
					t.Fatalf("left of %s (-before +after):\n%s", line, cmp.Diff(before, left))
				}
				if slices.Index(alone, alone[len(alone)-1]) != len(alone)-1 || alone[len(alone)-1] == before {
					t.Fatalf("%s makes nothing of its own:\n%s", line, alone[len(alone)-1])
				}
			}
			for i, a := range kind.lines {
				for j, b := range kind.lines {
					claimAll(t, h, "VI_1", claims[i])
					release := h.Hold()
					claimAll(t, h, "VI_1", claims[j])
					release()
					if got := listed(t, ns, kind.show); got != alone[j] {
						t.Errorf("from %s to %s (-alone +got):\n%s", a, b, cmp.Diff(alone[j], got))
						claimAll(t, h, "VI_1", config.Claims{})
					}
				}
			}
		})
	}
}

// claimsOf are those of a MASTER that has one line in a block.
func claimsOf(t *testing.T, block, line string) config.Claims {
	t.Helper()
	text := "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tno_virtual_ipaddress\n\t" + block + " {\n\t\t" + line + "\n\t}\n}\n"
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := parser.Load(parser.Options{File: file, Environment: twoLinks{}})
	if err != nil || len(c.Instances) != 1 {
		t.Fatalf("%s: %v, %v", line, err, problems)
	}
	return c.Instances[0].Claims()
}

// listed is what commands say, sorted, without what depends on the moment.
func listed(t *testing.T, ns *netns.NS, commands string) string {
	t.Helper()
	out, err := ns.Command(t.Context(), "sh", "-c", commands).Output()
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(preferred_lft|expires) \d+sec`).ReplaceAllString(string(out), "$1 Nsec")
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
