package supervisor

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// What was noted and not crossed out is there after a crash, half a line is
// not, and an empty ledger leaves no file.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keepalived.ledger")
	address := func(s string) entry { return entry{dev: "eth0.7", prefix: netip.MustParsePrefix(s)} }
	service := func(s string) entry {
		return entry{service: config.ServiceKey{Protocol: config.TCP, Addr: netip.MustParseAddrPort(s)}}
	}
	mark := entry{service: config.ServiceKey{FWMark: 7, IPv6: true}}

	l, left := openLedger(zap.NewNop(), path)
	if len(left) > 0 {
		t.Errorf("a new ledger has %v", left)
	}
	l.enter(address("10.0.0.1/24"), address("2001:db8::1/64"), service("10.0.0.1:80"), service("[2001:db8::1]:80"), mark)
	l.cross(address("10.0.0.1/24"))
	if _, err := l.file.WriteString("+ address eth0 10.0"); err != nil {
		t.Fatal(err)
	}

	l, left = openLedger(zap.NewNop(), path)
	want := []entry{address("2001:db8::1/64"), service("10.0.0.1:80"), service("[2001:db8::1]:80"), mark}
	if !slices.Equal(left, want) {
		t.Errorf("left behind: %v, want %v", left, want)
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

// A ledger that cannot be written is a warning, not an end.
func TestLedgerCannotBeWritten(t *testing.T) {
	l, _ := openLedger(zap.NewNop(), filepath.Join(t.TempDir(), "no", "such", "folder"))
	l.enter(entry{dev: "eth0", prefix: netip.MustParsePrefix("10.0.0.1/24")})
	l.close()
	var none *ledger
	none.enter(entry{})
	none.close()
}
