//go:build linux

package kernel

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

func macvlan(name, parent string, ipv6 bool) config.VirtualLink {
	l := config.VirtualLink{Name: name, Parent: parent, IPv6: ipv6, Mirror: ipv6, MAC: [6]byte{0, 0, 0x5e, 0, 1, 51}}
	if ipv6 {
		l.MAC[4] = 2
	}
	return l
}

// vmacClaims are what use_vmac claims, as long as the instance is configured.
func vmacClaims(l config.VirtualLink) config.Claims {
	c := config.Config{Instances: []config.Instance{{Interface: l.Parent, VMAC: &config.VMAC{Name: l.Name}, Links: []config.VirtualLink{l}}}}
	return c.Standing()
}

func conf4(t *testing.T, ns *netns.NS, link, name string) string {
	t.Helper()
	return strings.TrimSpace(ns.Run(t, "cat /proc/sys/net/ipv4/conf/"+link+"/"+name))
}

func isUp(ns *netns.NS, t *testing.T, link string) bool {
	out, err := ns.Command(t.Context(), "ip", "-o", "-d", "link", "show", "dev", link).CombinedOutput()
	return err == nil && strings.Contains(string(out), "macvlan mode private") && strings.Contains(string(out), ",UP") &&
		strings.Contains(string(out), "00:00:5e:00:")
}

// journal is one on a page.
type journal struct{ lines map[Setting]bool }

func (j *journal) Setting(s Setting)  { j.lines[s] = true }
func (j *journal) Restored(s Setting) { delete(j.lines, s) }

func (*journal) Table(string)   {}
func (*journal) Dropped(string) {}

// netlink_notify_msg: the kernel tells of the parent once more when a VMAC is up.
func TestVMACNotifies(t *testing.T) {
	told := func(notify bool) (times int) {
		h, ns, _ := newHost(t)
		news, done := make(chan netlink.LinkUpdate, 100), make(chan struct{})
		defer close(done)
		if err := ns.Do(func() error { return netlink.LinkSubscribe(news, done) }); err != nil {
			t.Fatal(err)
		}
		l := macvlan("vrrp.51", "eth0", false)
		l.Notify = notify
		claimAll(t, h, "standing", vmacClaims(l))
		ns.Run(t, "ip link add last type veth peer name other")
		for update := range news {
			switch update.Attrs().Name {
			case "last":
				return times
			case "eth0":
				times++
			}
		}
		return times
	}
	if without, with := told(false), told(true); with != without+1 {
		t.Errorf("told %d times, %d without netlink_notify_msg", with, without)
	}
}

// What is set is in the journal until it is set back, and the start after a
// crash sets it back from there, but not what somebody else has set since.
func TestSettingsAfterCrash(t *testing.T) {
	crashed, ns, _ := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.arp_ignore=3")
	settings := func() string {
		return ns.Run(t, "grep -r -E ^ /proc/sys/net/ipv4/conf --include=arp_* --include=rp_filter --include=accept_local")
	}
	before := settings()
	j := &journal{make(map[Setting]bool)}
	crashed.Journal(j)
	claimAll(t, crashed, "standing", vmacClaims(macvlan("vrrp.51", "eth0", false)))
	for _, want := range []Setting{{"eth0", "arp_ignore", "3", "1"}, {"all", "rp_filter", "1", "0"}, {"lo", "rp_filter", "0", "1"}, {"vrrp.51", "accept_local", "0", "1"}} {
		if !j.lines[want] {
			t.Errorf("%+v is not in the journal: %v", want, j.lines)
		}
	}
	left := slices.Collect(maps.Keys(j.lines))
	ns.Run(t, "ip link del vrrp.51")
	ns.Run(t, "sysctl -qw net.ipv4.conf.eth0.arp_filter=0 net.ipv4.conf.eth0.arp_announce=2")
	if err := crashed.Restore(left); err != nil {
		t.Error(err)
	}
	want := strings.Replace(before, "eth0/arp_announce:0", "eth0/arp_announce:2", 1)
	if after := settings(); after != want {
		t.Errorf("after a crash: %s\nwant %s", after, want)
	}
	claimAll(t, crashed, "standing", config.Claims{})
	if len(j.lines) > 0 {
		t.Errorf("in the journal after an orderly end: %v", j.lines)
	}
}

// A VMAC and its sysctls come and go, those of the parent and of all links are
// restored.
func TestVMAC(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.arp_ignore=3 net.ipv4.conf.lo.rp_filter=2")
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp.51", "eth0", false)))
	if !isUp(ns, t, "vrrp.51") {
		t.Error(ns.Run(t, "ip -d link"))
	}
	for at, want := range map[string]string{
		"eth0 arp_ignore": "1", "eth0 arp_filter": "1", "eth0 rp_filter": "1", "all rp_filter": "0", "default rp_filter": "1", "lo rp_filter": "2",
		"vrrp.51 arp_ignore": "1", "vrrp.51 rp_filter": "0", "vrrp.51 accept_local": "1", "vrrp.51 promote_secondaries": "1",
	} {
		link, name, _ := strings.Cut(at, " ")
		if got := conf4(t, ns, link, name); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
	claimAll(t, host, "standing", config.Claims{})
	for at, want := range map[string]string{
		"eth0 arp_ignore": "3", "eth0 arp_filter": "0", "eth0 rp_filter": "0", "all rp_filter": "1", "default rp_filter": "0", "lo rp_filter": "2",
	} {
		link, name, _ := strings.Cut(at, " ")
		if got := conf4(t, ns, link, name); got != want {
			t.Errorf("afterwards %s is %s, want %s", at, got, want)
		}
	}
	if out := ns.Run(t, "ip link"); strings.Contains(out, "vrrp.51") {
		t.Errorf("left: %s", out)
	}
}

// What happens to the parent and to the VMAC itself is put right, with the
// addresses that live there.
func TestVMACComesBack(t *testing.T) {
	host, ns, peer := newHost(t)
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp.51", "eth0", false)))
	claimAll(t, host, "VI_1", config.Claims{Addresses: []config.Address{addr("10.0.0.1/24", "vrrp.51")}})
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	whole := func() bool {
		out, err := ns.Command(t.Context(), "ip", "-o", "addr", "show", "dev", "vrrp.51").CombinedOutput()
		return err == nil && isUp(ns, t, "vrrp.51") && strings.Contains(string(out), "10.0.0.1/24") && conf4(t, ns, "vrrp.51", "accept_local") == "1" &&
			conf4(t, ns, "eth0", "arp_filter") == "1"
	}
	peer.Run(t, "ip link set eth0 down")
	expect(t, seen, "vrrp.51 exists=true up=false [] []")
	peer.Run(t, "ip link set eth0 up")
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	eventually(t, "carrier lost", whole)

	ns.Run(t, "ip link del vrrp.51")
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	eventually(t, "ip link del vrrp.51", whole)

	ns.Run(t, "ip link set eth0 down")
	ns.Run(t, "ip link set eth0 name eth9")
	expect(t, seen, "eth0 exists=false up=false [] []")
	if out := ns.Run(t, "ip link"); !strings.Contains(out, "vrrp.51@eth9") {
		t.Errorf("renamed parent: %s", out)
	}
	ns.Run(t, "ip link set eth9 name eth0")
	ns.Run(t, "ip link set eth0 up")
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	eventually(t, "the parent's name is back", whole)

	ns.Run(t, "ip link del eth0")
	expect(t, seen, "vrrp.51 exists=false up=false [] []")
	netns.Veth(t, ns, "eth0", peer, "eth0")
	expect(t, seen, "vrrp.51 exists=true up=true [] []")
	go drain(seen)
	eventually(t, "ip link del eth0", whole)

	ns.Run(t, "ip link set eth0 mtu 9000")
	eventually(t, "mtu 9000", func() bool { return strings.Contains(ns.Run(t, "ip link show dev vrrp.51"), "mtu 9000") })
	claimAll(t, host, "standing", config.Claims{})
	if got := conf4(t, ns, "eth0", "arp_filter"); got != "0" {
		t.Errorf("arp_filter of the new eth0 is %s afterwards", got)
	}
}

// The VMAC of an IPv6 instance has the link-local address of its parent, and
// follows it.
func TestVMACMirrorsLinkLocal(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add fe80::5/64 dev eth0 nodad")
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp6.51", "eth0", true)))
	wantShown(t, ns, "vrrp6.51", "inet6 fe80::5/64 scope link nodad deprecated")
	claimAll(t, host, "VI_6", config.Claims{Addresses: []config.Address{addr("fe80::100/64", "vrrp6.51")}})
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "vrrp6.51 exists=true up=true [] [fe80::5]")
	go drain(seen)
	ns.Run(t, "ip addr del fe80::5/64 dev eth0")
	ns.Run(t, "ip addr add fe80::6/64 dev eth0 nodad")
	eventually(t, "another link-local address", func() bool {
		out := shown(t, ns, "vrrp6.51")
		return strings.Contains(out, "fe80::6/64") && !strings.Contains(out, "fe80::5/64") && strings.Contains(out, "fe80::100/64")
	})
	if conf4(t, ns, "eth0", "arp_filter") != "0" {
		t.Error("IPv6 needs no sysctl of IPv4")
	}
}

// Virtual addresses are neither mirrored nor taken for what was: a deprecated
// one on the VMAC, one on the parent that comes before its own.
func TestVMACMirrorsNoVirtualAddress(t *testing.T) {
	host, ns, _ := newHost(t)
	claimAll(t, host, "VI_7", config.Claims{Addresses: []config.Address{addr("fe80::100/64", "eth0")}})
	ns.Run(t, "ip addr add fe80::5/64 dev eth0 nodad")
	ns.Run(t, "ip addr del fe80::100/64 dev eth0")
	claimAll(t, host, "VI_7", config.Claims{})
	claimAll(t, host, "VI_7", config.Claims{Addresses: []config.Address{addr("fe80::100/64", "eth0")}}) // the kernel lists it first
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp6.51", "eth0", true)))
	claimAll(t, host, "VI_6", config.Claims{Addresses: []config.Address{addr("fe80::101/128", "vrrp6.51")}})
	seen := watch(t, host, ns, receiveBuffer)
	expect(t, seen, "vrrp6.51 exists=true up=true [] [fe80::5]")
	out := shown(t, ns, "vrrp6.51")
	if !strings.Contains(out, "fe80::5/64") || strings.Contains(out, "fe80::100") || !strings.Contains(out, "fe80::101/128") {
		t.Error(out)
	}
}

// What can be changed in a link is changed without making another one: the
// addresses on it stay.
func TestVMACAdjusted(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add fe80::5/64 dev eth0 nodad")
	six, four := macvlan("vrrp6.51", "eth0", true), macvlan("vrrp.51", "eth0", false)
	claim := func() {
		t.Helper()
		claims := vmacClaims(six)
		claims.Add(vmacClaims(four))
		claimAll(t, host, "standing", claims)
	}
	indexes := func() string { return ns.Run(t, "cat /sys/class/net/vrrp.51/ifindex /sys/class/net/vrrp6.51/ifindex") }
	disabled := func() string {
		return strings.TrimSpace(ns.Run(t, "cat /proc/sys/net/ipv6/conf/vrrp.51/disable_ipv6"))
	}
	claim()
	was := indexes()
	wantShown(t, ns, "vrrp6.51", "inet6 fe80::5/64 scope link nodad deprecated")
	if disabled() != "1" {
		t.Error("a link without IPv6 addresses speaks IPv6")
	}
	six.Mirror, four.BothFamilies, four.Group, four.Notify = false, true, "7", true
	claim()
	if got := indexes(); got != was {
		t.Errorf("other links: %s, were %s", got, was)
	}
	if out := shown(t, ns, "vrrp6.51"); strings.Contains(out, "fe80::5") {
		t.Errorf("mirrored: %s", out)
	}
	if out := ns.Run(t, "ip link show dev vrrp.51"); disabled() != "0" || !strings.Contains(out, "group 7 ") {
		t.Errorf("disable_ipv6 %s, %s", disabled(), out)
	}
	six.Mirror, four.BothFamilies, four.Group = true, false, ""
	claim()
	wantShown(t, ns, "vrrp6.51", "inet6 fe80::5/64 scope link nodad deprecated")
	if out := ns.Run(t, "ip link show dev vrrp.51"); disabled() != "1" || !strings.Contains(out, "group default ") || indexes() != was {
		t.Errorf("back again: disable_ipv6 %s, %s", disabled(), out)
	}
}

// A crash's VMAC is taken over as it is; another link of the name is not
// touched, and said.
func TestVMACTakenOver(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip link add vrrp.51 link eth0 address 00:00:5e:00:01:33 type macvlan mode private")
	ns.Run(t, "ip link add vrrp.52 type bridge")
	index := strings.TrimSpace(ns.Run(t, "cat /sys/class/net/vrrp.51/ifindex"))
	mine := macvlan("vrrp.51", "eth0", false)
	claimAll(t, host, "standing", config.Claims{Links: []config.VirtualLink{mine}})
	if got := strings.TrimSpace(ns.Run(t, "cat /sys/class/net/vrrp.51/ifindex")); got != index || !isUp(ns, t, "vrrp.51") {
		t.Errorf("index %s, was %s: %s", got, index, ns.Run(t, "ip -d link show dev vrrp.51"))
	}
	other := mine
	other.Name = "vrrp.52"
	err := host.Claim(t.Context(), "standing", config.Claims{Links: []config.VirtualLink{mine, other}})
	if err == nil || !strings.Contains(err.Error(), "vrrp.52: there is another link of this name") {
		t.Errorf("error %v", err)
	}
	claimAll(t, host, "standing", config.Claims{})
	ns.Run(t, "ip link add vrrp.53 link eth0 address 00:00:5e:00:01:33 type macvlan mode private")
	left := mine
	left.Name = "vrrp.53"
	if err := host.Sweep(t.Context(), config.Claims{Links: []config.VirtualLink{left, other}}); err != nil {
		t.Error(err)
	}
	if out := ns.Run(t, "ip link"); strings.Contains(out, "vrrp.51") || strings.Contains(out, "vrrp.53") || !strings.Contains(out, "vrrp.52") {
		t.Errorf("links: %s", out)
	}
}

// promote_secondaries of an instance is a sysctl that is restored.
func TestPromoteSecondaries(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.eth0.promote_secondaries=0")
	c := config.Config{Instances: []config.Instance{{Interface: "eth0", PromoteSecondaries: true}}}
	claimAll(t, host, "standing", c.Standing())
	claimAll(t, host, "VI_1", config.Claims{Addresses: []config.Address{addr("10.0.0.1/24", "eth0"), addr("10.0.0.2/24", "eth0")}})
	deleted := monitor(t, ns)
	claimAll(t, host, "VI_1", config.Claims{Addresses: []config.Address{addr("10.0.0.2/24", "eth0")}})
	if got := deleted(); !slices.Contains(got, "10.0.0.1/24") || slices.Contains(got, "10.0.0.2/24") {
		t.Errorf("deleted %q, want 10.0.0.1 alone", got)
	}
	claimAll(t, host, "standing", config.Claims{})
	if got := conf4(t, ns, "eth0", "promote_secondaries"); got != "0" {
		t.Errorf("promote_secondaries is %s afterwards", got)
	}
}

// Many VMACs go together, and nothing else with them.
func TestVMACsGoTogether(t *testing.T) {
	host, ns, _ := newHost(t)
	var claims config.Claims
	for vrid := range 20 {
		l := macvlan(fmt.Sprintf("vrrp.%d", vrid), "eth0", false)
		l.MAC[5] = byte(vrid)
		claims.Add(vmacClaims(l))
	}
	ns.Run(t, "ip link add mine link eth0 address 00:00:5e:00:01:99 type macvlan mode private")
	ns.Run(t, fmt.Sprintf("ip link set mine group %d", os.Getpid()<<8|1)) // the first that would be tried
	before := ns.Run(t, "ip -br link")
	claimAll(t, host, "standing", claims)
	if n := strings.Count(ns.Run(t, "ip -br link"), "vrrp."); n != 20 {
		t.Errorf("%d VMACs", n)
	}
	claimAll(t, host, "standing", config.Claims{})
	if after := ns.Run(t, "ip -br link"); after != before {
		t.Errorf("links:\n%s\nbefore:\n%s", after, before)
	}
	if conf4(t, ns, "eth0", "arp_filter") != "0" {
		t.Error("arp_filter stays")
	}
}

// What is restored is what was there first, whatever was set in between.
func TestSysctlChanges(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "sysctl -qw net.ipv4.conf.eth0.arp_ignore=2")
	for _, value := range []string{"1", "8"} {
		claimAll(t, host, "standing", config.Claims{Sysctls: []config.Sysctl{{Link: "eth0", Name: "arp_ignore", Value: value}}})
		if got := conf4(t, ns, "eth0", "arp_ignore"); got != value {
			t.Errorf("arp_ignore is %s, want %s", got, value)
		}
	}
	claimAll(t, host, "standing", config.Claims{})
	if got := conf4(t, ns, "eth0", "arp_ignore"); got != "2" {
		t.Errorf("arp_ignore is %s afterwards, want 2", got)
	}
}

// Beneath links on links there is one that is none.
func TestBeneath(t *testing.T) {
	_, ns, _ := newHost(t)
	ns.Run(t, "ip link add mac0 link eth0 type macvlan mode bridge")
	ns.Run(t, "ip link add mac1 link mac0 type macvlan mode private")
	err := ns.Do(func() error {
		for name, want := range map[string]string{"eth0": "eth0", "mac0": "eth0", "mac1": "eth0", "eth9": "eth9"} {
			if got := Beneath(name); got != want {
				t.Errorf("beneath %s: %s, want %s", name, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A VMAC whose name changes, or that somebody has made by another name, is
// renamed: a second one of its MAC could not be up. What is on it stays, and
// whoever holds sees it by both names until the release.
func TestVMACRenamed(t *testing.T) {
	h, ns, _ := newHost(t)
	index := func(name string) string { return strings.TrimSpace(ns.Run(t, "cat /sys/class/net/"+name+"/ifindex")) }
	ns.Run(t, "ip link add other address 00:00:5e:00:01:33 link eth0 type macvlan mode private")
	ns.Run(t, "ip link set other up")
	was := index("other")
	seen := watch(t, h, ns, receiveBuffer)
	expect(t, seen, "other exists=true up=true [] []")
	claimAll(t, h, "standing", vmacClaims(macvlan("mac51", "eth0", false)))
	mustClaim(t, h, "VI_1", addr("10.0.0.100/24", "mac51"))
	expect(t, seen, "other exists=false up=false [] []")
	expect(t, seen, "mac51 exists=true up=true [] []")

	release := h.Hold()
	claimAll(t, h, "standing", vmacClaims(macvlan("mac52", "eth0", false)))
	expect(t, seen, "mac52 exists=true up=true [10.0.0.100] []")
	mustClaim(t, h, "VI_1", addr("10.0.0.100/24", "mac52"))
	expect(t, seen, "mac52 exists=true up=true [] []")
	release()
	ns.Run(t, "ip addr add 192.0.2.1/32 dev lo") // and with the next look, for which there is a reason
	expect(t, seen, "mac51 exists=false up=false [] []")
	wantShown(t, ns, "mac52", "inet 10.0.0.100/24 scope global mac52")
	if now := index("mac52"); now != was || !isUp(ns, t, "mac52") {
		t.Errorf("link %s, up %t, it was %s", now, isUp(ns, t, "mac52"), was)
	}

	other := macvlan("mac53", "eth0", false)
	other.Group = "7"
	claimAll(t, h, "standing", vmacClaims(other))
	mustClaim(t, h, "VI_1", addr("10.0.0.100/24", "mac53"))
	other.MAC = [6]byte{2, 0, 0, 0, 0, 0x77}
	claimAll(t, h, "standing", vmacClaims(other))
	wantShown(t, ns, "mac53", "inet 10.0.0.100/24 scope global mac53")
	shows := ns.Run(t, "ip -o link show dev mac53")
	if now := index("mac53"); now != was || !strings.Contains(shows, "group 7") || !strings.Contains(shows, "02:00:00:00:00:77") {
		t.Errorf("with another group and MAC: %s, it was link %s", shows, was)
	}

	mustClaim(t, h, "VI_1")
	claimAll(t, h, "standing", config.Claims{})
	if left := ns.Run(t, "ip -o link"); strings.Contains(left, "macvlan") || strings.Contains(left, "mac5") {
		t.Errorf("left: %s", left)
	}
}
