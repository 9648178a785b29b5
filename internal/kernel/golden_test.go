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
	"github.com/lvsd/lvsd/internal/golden"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/parser"
)

// twoLinks is a machine with eth0 and eth1.
type twoLinks struct{}

func (twoLinks) HasInterface(name string) bool    { return name == "eth0" || name == "eth1" }
func (twoLinks) HasUser(config.User) bool         { return true }
func (twoLinks) Executable(string) error          { return nil }
func (twoLinks) MTU(string) int                   { return 1500 }
func (twoLinks) HasDirectory(string) bool         { return true }
func (twoLinks) HasNamespace(string) bool         { return true }
func (twoLinks) Unsafe(string, config.User) error { return nil }
func (twoLinks) PrivateMacvlan(string) bool       { return false }
func (twoLinks) Links() []config.PresentLink      { return nil }
func (twoLinks) Beneath(name string) string       { return name }
func (twoLinks) Subnets() []config.Subnet         { return nil }
func (twoLinks) OnLink(config.Addr) bool          { return true }

func (twoLinks) KeyFile(string) ([]byte, bool, error) { return nil, false, os.ErrNotExist }

// Every attribute reaches the kernel, as `ip -d` shows; nothing of it stays.
// That it is what keepalived does is shown by e2e/vrrp.
func TestEveryAttribute(t *testing.T) {
	folder := filepath.Join("..", "..", "testdata", "kernel")
	c, _, err := parser.Load(parser.Options{File: filepath.Join(folder, "everything.conf"), Environment: twoLinks{}})
	if err != nil || len(c.Instances) != 1 {
		t.Fatalf("%v, %d instances", err, len(c.Instances))
	}
	host, ns, peer := newHost(t)
	netns.Veth(t, ns, "eth1", peer, "eth1")
	for _, line := range []string{"10.9.0.1/24 dev eth0", "10.8.0.1/24 dev eth1", "fe80::1/64 dev eth0 nodad", "fe80::2/64 dev eth1 nodad"} {
		ns.Run(t, "ip addr add "+line)
	}
	before := everythingShown(t, ns)
	claimAll(t, host, "standing", c.Standing())
	claimAll(t, host, "VI_1", c.Instances[0].Claims())
	got := everythingShown(t, ns)
	golden.Equal(t, filepath.Join(folder, "everything.txt"), got)
	// All of it is found again, so that nothing is put back that is there.
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "eth1 exists=true up=true [10.8.0.1] [fe80::2]")
	if again := everythingShown(t, ns); again != got {
		t.Errorf("a look changed (-before +after):\n%s", cmp.Diff(got, again))
	}
	for _, c := range host.claims {
		if !c.there {
			t.Errorf("not seen in the kernel: %s", c)
		}
	}
	claimAll(t, host, "VI_1", config.Claims{})
	claimAll(t, host, "standing", config.Claims{})
	if after := everythingShown(t, ns); after != before {
		t.Errorf("left (-before +after):\n%s", cmp.Diff(before, after))
	}
}

// everythingShown is what `ip -d` shows, sorted, without what depends on the
// moment and on the machine.
func everythingShown(t *testing.T, ns *netns.NS) string {
	t.Helper()
	var all strings.Builder
	for _, command := range []string{"-o addr show dev eth0", "-o addr show dev eth1", "-4 -d -o route show table all", "-6 -d -o route show table all", "-4 -d rule", "-6 -d rule"} {
		all.WriteString("# ip " + command + "\n")
		lines := strings.Split(strings.TrimSpace(ns.Run(t, "ip "+command)), "\n")
		for i, line := range lines {
			line = regexp.MustCompile(`^\d+: (eth\d) `).ReplaceAllString(line, "$1 ")
			line = strings.ReplaceAll(line, " tentative", "")
			line = regexp.MustCompile(`(preferred_lft|expires) \d+sec`).ReplaceAllString(line, "$1 Nsec")
			lines[i] = strings.Join(strings.Fields(strings.ReplaceAll(line, `\`, " ")), " ")
		}
		slices.Sort(lines)
		for _, line := range lines {
			if !strings.Contains(line, "table local") && !strings.HasPrefix(line, "Error: Peer netns") {
				all.WriteString(line + "\n")
			}
		}
	}
	return all.String()
}
