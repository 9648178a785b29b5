//go:build linux

package kernel

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
)

// byKeepalived is what 2.2.7 makes of two groups with a TCP and a UDP service,
// as nft shows it.
const byKeepalived = `table ip keepalived_ipvs {
	map tcp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 10.99.0.4/30 . 80 : 0x000003e8,
			     10.99.0.250-10.99.1.5 . 443 : 0x000003e9 }
	}

	map udp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 10.99.0.9 . 53 : 0x000003ea }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip daddr . tcp dport map @tcp_map return
		meta mark set ip daddr . udp dport map @udp_map return
	}
}
table ip6 keepalived_ipvs {
	map tcp_map {
		type ipv6_addr . inet_service : mark
		flags interval
		elements = { 2001:db8:99::4/126 . 80 : 0x000003e8 }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip6 daddr . tcp dport map @tcp_map return
	}
}
`

func markedRange(p config.Protocol, first, last string, port uint16, mark uint32) config.Marked {
	return config.Marked{Protocol: p, First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last), FirstPort: port, LastPort: port, Mark: mark}
}

var byMarked = []config.Marked{
	markedRange(config.TCP, "10.99.0.4", "10.99.0.7", 80, 1000),
	markedRange(config.TCP, "10.99.0.250", "10.99.1.5", 443, 1001),
	markedRange(config.UDP, "10.99.0.9", "10.99.0.9", 53, 1002),
	markedRange(config.TCP, "2001:db8:99::4", "2001:db8:99::7", 80, 1000),
}

// The table is keepalived's, and one that keepalived has made is taken over.
// It changes by what differs, is put back, and replaces what has its name.
func TestMarksTable(t *testing.T) {
	needsNft(t)
	_, ns, _ := newHost(t)
	m := NewMarks("keepalived_ipvs", "")
	m.Prioritise(-1)
	t.Cleanup(func() { _ = m.Close() })
	shown := func() string { return ns.Run(t, "nft list ruleset") }
	mark := func(what string, changes bool, all ...config.Marked) {
		t.Helper()
		err := ns.Do(func() error {
			changed, err := m.Mark(all)
			if changed != changes {
				t.Errorf("%s: changed: %t", what, changed)
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		have, err := m.Marked()
		if d := cmp.Diff(all, have, cmpopts.SortSlices(less), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Errorf("%s: -want +read\n%s%v", what, d, err)
		}
	}
	same := func(what, want string) {
		t.Helper()
		if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(shown(), "\n")); d != "" {
			t.Errorf("%s: -want +got\n%s", what, d)
		}
	}
	mark("none", false)
	mark("made", true, byMarked...)
	same("made", byKeepalived)
	mark("again", false, byMarked...)

	before := ns.Run(t, "nft -a list chain ip keepalived_ipvs in")
	next := slices.Clone(byMarked)
	next[0] = markedRange(config.TCP, "10.99.0.4", "10.99.0.8", 80, 1000)
	mark("another range", true, next...)
	same("another range", strings.Replace(byKeepalived, "10.99.0.4/30 . 80 : 0x000003e8,\n\t\t\t     10.99.0.250-10.99.1.5 . 443 : 0x000003e9",
		"10.99.0.250-10.99.1.5 . 443 : 0x000003e9,\n\t\t\t     10.99.0.4-10.99.0.8 . 80 : 0x000003e8", 1))
	if after := ns.Run(t, "nft -a list chain ip keepalived_ipvs in"); after != before {
		t.Errorf("the chain was made anew:\n%s%s", before, after)
	}

	ns.Run(t, "nft flush ruleset")
	mark("flushed", true, byMarked...)
	same("flushed", byKeepalived)
	ns.Run(t, "nft flush chain ip keepalived_ipvs in")
	mark("without rules", true, byMarked...)
	ns.Run(t, "nft add rule ip keepalived_ipvs in drop")
	mark("with another rule", true, byMarked...)
	same("with another rule", byKeepalived)
	m.Prioritise(7)
	mark("another priority", true, byMarked...)
	same("another priority", strings.ReplaceAll(byKeepalived, "filter - 1", "filter + 7"))
	m.Prioritise(-1)

	ns.Run(t, "nft flush ruleset")
	script := t.TempDir() + "/ruleset"
	if err := os.WriteFile(script, []byte(byKeepalived), 0o600); err != nil {
		t.Fatal(err)
	}
	ns.Run(t, "nft -f "+script)
	mark("by nft", false, byMarked...)
	ns.Run(t, "nft flush ruleset")
	ns.Run(t, "nft add table ip keepalived_ipvs")
	ns.Run(t, "nft add map ip keepalived_ipvs tcp_map { type ipv4_addr : mark; }")
	mark("another map of that name", true, byMarked...)
	same("another map of that name", byKeepalived)
	mark("without UDP", true, byMarked[0], byMarked[1], byMarked[3])
	if text := shown(); strings.Contains(text, "udp") {
		t.Errorf("without UDP:\n%s", text)
	}
	mark("with UDP", true, byMarked...)
	same("with UDP", byKeepalived)
	ns.Run(t, "nft delete chain ip keepalived_ipvs in")
	ns.Run(t, "nft add chain ip keepalived_ipvs in")
	mark("another chain of that name", true, byMarked...)
	same("another chain of that name", byKeepalived)

	var many []config.Marked
	for a, n := netip.MustParseAddr("10.0.0.1"), 0; n < 3000; n++ {
		many = append(many, config.Marked{Protocol: config.SCTP, First: a, Last: a, LastPort: 65535, Mark: uint32(n + 1)})
		a = a.Next()
	}
	mark("many", true, many...)
	ns.Run(t, "nft add table ip foreign")
	mark("none is left", true)
	same("none is left", "table ip foreign {\n}\n")
}

func less(a, b config.Marked) bool {
	if c := a.First.Compare(b.First); c != 0 {
		return c < 0
	}
	return a.FirstPort < b.FirstPort
}
