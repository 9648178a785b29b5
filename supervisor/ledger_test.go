//go:build linux

package supervisor

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
)

// What was noted and not crossed out is there after a crash, half a line is
// not, and an empty ledger leaves no file.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keepalived.ledger")
	address := func(s string) entry { return entry{dev: "eth0.7", prefix: netip.MustParsePrefix(s)} }
	service := func(s string) entry {
		return entry{service: config.ServiceKey{Protocol: config.TCP, Addr: netip.MustParseAddrPort(s)}}
	}
	peer := entry{dev: "eth0", prefix: netip.MustParsePrefix("10.0.0.2/32"), peer: netip.MustParsePrefix("10.0.0.3/24")}
	policy := claimEntries(config.Claims{
		Links:  []config.VirtualLink{{Name: "vrrp.51", Parent: "eth0", MAC: [6]byte{0, 0, 0x5e, 0, 1, 51}}},
		Closed: []config.ClosedAddress{{Addr: config.MustAddr("fe80::1"), Dev: "eth0"}},
		Routes: []config.Route{{Origin: config.Origin{Line: 3}, Destination: netip.MustParsePrefix("10.1.0.0/16"), Via: config.MustAddr("10.0.0.9"),
			Metric: config.Some[uint32](7), NextHops: []config.NextHop{{Dev: "eth0", Weight: 2}}, Encap: &config.Encap{Type: "ip"}}},
		Rules: []config.Rule{{From: netip.MustParsePrefix("10.2.0.0/16"), Action: config.RuleLookup, Table: 5}},
	})
	setting := entry{setting: `{"Link":"eth0","Name":"arp_ignore","Was":"0","Set":"1"}`}
	marks := entry{marks: "keepalived_ipvs ns1"}
	mark := entry{service: config.ServiceKey{FWMark: 7, IPv6: true}}

	l, left := openLedger(zap.NewNop(), path)
	if len(left) > 0 {
		t.Errorf("a new ledger has %v", left)
	}
	l.enter(address("10.0.0.1/24"), address("2001:db8::1/64"), service("10.0.0.1:80"), service("[2001:db8::1]:80"), mark, marks, peer)
	l.enter(policy...)
	l.Setting(kernel.Setting{Link: "eth0", Name: "arp_ignore", Was: "0", Set: "1"})
	l.Setting(kernel.Setting{Link: "eth1", Name: "arp_ignore", Was: "0", Set: "1"})
	l.Restored(kernel.Setting{Link: "eth1", Name: "arp_ignore", Was: "0", Set: "1"})
	l.Table("keepalived")
	l.Table("other")
	l.Dropped("other")
	l.cross(address("10.0.0.1/24"))
	if _, err := l.file.WriteString("+ address eth0 10.0"); err != nil {
		t.Fatal(err)
	}

	l, left = openLedger(zap.NewNop(), path)
	want := []entry{peer, address("2001:db8::1/64"), policy[1], policy[0], marks, policy[2], policy[3], service("10.0.0.1:80"), service("[2001:db8::1]:80"), mark, setting, {table: "keepalived"}}
	if !slices.Equal(left, want) {
		t.Errorf("left behind: %v, want %v", left, want)
	}
	var said []string
	for _, e := range policy {
		said = append(said, e.said())
	}
	if want := []string{"link vrrp.51", "closed address fe80::1", "route prepend 10.1.0.0/16 encap ip via inet 10.0.0.9 proto 18 metric 7 nexthop dev eth0 weight 2", "rule from 10.2.0.0/16 tos 0x0 protocol 18 lookup 5"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	var claims config.Claims
	for _, e := range left {
		e.claim(&claims)
	}
	if again := claimEntries(claims); len(again) != 6 || !slices.Equal(again[:2], policy[:2]) || !slices.Equal(again[4:], policy[2:]) {
		t.Errorf("claims of what was left: %v", again)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
	l.cross(want...)
	l.close()
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
}

// What a predecessor left and the configuration names stays in the ledger until
// the instances have seen to it, what they claim until it has been removed.
func TestLeftAndNamed(t *testing.T) {
	if !inside(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "keepalived.ledger")
	claim := func(address string) config.Claims {
		return config.Claims{Addresses: []config.Address{{Dev: "veth0", Prefix: netip.MustParsePrefix(address)}}}
	}
	both := claim("10.0.0.1/24")
	both.Add(claim("10.0.0.2/24"))
	stale, named := claimEntries(claim("10.0.0.3/24")), claimEntries(both)
	l, _ := openLedger(zap.NewNop(), path)
	l.enter(slices.Concat(stale, named)...)
	l.enter(entry{table: "old"}, entry{table: config.DefaultTable})
	for _, name := range []string{"old", config.DefaultTable} {
		if out, err := exec.Command("nft", "add", "table", "ip", name).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}

	l, left := openLedger(zap.NewNop(), path)
	host, err := kernel.Open(zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Close() }()
	s := &Supervisor{log: zap.NewNop(), ledger: l, host: host}
	if got := s.sweep(t.Context(), left, &config.Config{Static: config.Static{IPAddress: both.Addresses}}); !slices.Equal(got, named) {
		t.Errorf("named: %v, want %v", got, named)
	}
	noted := func(when string, want ...entry) {
		t.Helper()
		have, err := readLedger(path)
		if err != nil || len(have) != len(want) || slices.ContainsFunc(want, func(e entry) bool { return !have[e] }) {
			t.Errorf("in the ledger %s: %v %v, want %v", when, have, err, want)
		}
	}
	noted("when this start is killed", append(named, entry{table: config.DefaultTable})...)
	if tables, err := exec.Command("nft", "list", "tables").CombinedOutput(); err != nil || strings.Contains(string(tables), "old") || !strings.Contains(string(tables), config.DefaultTable) {
		t.Errorf("tables: %v %s", err, tables)
	}
	l.Dropped(config.DefaultTable)
	c := &claims{Host: host, ledger: l, keep: new(atomic.Bool)}
	if err := c.Claim(t.Context(), "VI_1", claim("10.0.0.2/24")); err != nil {
		t.Fatal(err)
	}
	c.settle(named)
	noted("once all have begun", named[1:]...)

	// Within a reload everything is there until its end.
	release, inner := c.Hold(), c.Hold()
	for _, owner := range []string{"VI_1", "VI_2", "VI_1"} {
		want := config.Claims{}
		if owner == "VI_2" {
			want = claim("10.0.0.1/24")
		}
		if err := c.Claim(t.Context(), owner, want); err != nil {
			t.Fatal(err)
		}
	}
	inner()
	noted("while a reload goes on", named...)
	release()
	noted("after a reload", named[0])
}

// A ledger that cannot be written is a warning, not an end.
func TestLedgerCannotBeWritten(t *testing.T) {
	l, _ := openLedger(zap.NewNop(), filepath.Join(t.TempDir(), "no", "such", "folder"))
	l.enter(entry{dev: "eth0", prefix: netip.MustParsePrefix("10.0.0.1/24")})
	l.close()
	var none *ledger
	none.enter(entry{})
	none.close()
}
