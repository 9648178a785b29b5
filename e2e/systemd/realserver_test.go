package systemd

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// directors is a configuration of directors of which one server is this one.
func directors(vip, vip6 string) []byte {
	service := "virtual_server %s 80 {\nprotocol TCP\nlb_algo rr\nlb_kind DR\nreal_server %s 80 {\n}\n}\n"
	return fmt.Appendf(nil, service+service, vip, "10.9.0.11", vip6, "2001:db8:9::11")
}

// The unit of the real server's side: it is active while the addresses are
// there, a reload follows the file, and a stop puts everything back.
func TestRealServerUnit(t *testing.T) {
	t.Parallel()
	lab := rig.New(t)
	h := lab.Host("real")
	h.Plug(lab.Switch("lan"), "eth0", "10.9.0.11/24", "2001:db8:9::11/64 nodad")
	m := boot(t, h)
	binary, err := os.ReadFile(rig.Binary())
	if err != nil {
		t.Fatal(err)
	}
	m.unit = "lvsd-real-server.service"
	m.write("/usr/sbin/lvsd", 0o755, binary)
	m.useFile(m.unit)
	m.do("systemctl", "daemon-reload")
	has := func(want bool, vips ...string) {
		t.Helper()
		for _, vip := range vips {
			if m.Has(netip.MustParseAddr(vip)) != want {
				t.Errorf("%s is there: %t", vip, !want)
			}
		}
	}
	arp := func() string {
		return m.do("sysctl", "-n", "net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce", "net.ipv4.conf.lo.arp_ignore", "net.ipv4.conf.lo.arp_announce")
	}
	before := arp()

	m.write("/etc/keepalived/keepalived.conf", 0o600, directors("10.9.0.100", "2001:db8:9::100"))
	m.do("systemctl", "start", m.unit)
	m.is("ActiveState", "active")
	has(true, "10.9.0.100", "2001:db8:9::100")
	if now := arp(); now != "1\n2\n1\n2" || now == before {
		t.Errorf("arp_ignore and arp_announce: before\n%s\nafter\n%s", before, now)
	}
	m.write("/etc/keepalived/keepalived.conf", 0o600, directors("10.9.0.101", "2001:db8:9::100"))
	m.do("systemctl", "reload", m.unit)
	has(true, "10.9.0.101", "2001:db8:9::100")
	has(false, "10.9.0.100")
	m.do("systemctl", "stop", m.unit)
	has(false, "10.9.0.101", "2001:db8:9::100")
	if now := arp(); now != before {
		t.Errorf("arp_ignore and arp_announce: before\n%s\nafter\n%s", before, now)
	}

	m.write("/etc/default/lvsd-real-server", 0o644, []byte("REAL_SERVER=10.9.0.300\n"))
	if said, status := m.systemctl("start"); status == 0 {
		t.Errorf("it starts with an address that is none: %s", said)
	}
	m.is("ActiveState", "failed")
	rig.Until(t, "the reason in the journal", patience, func() bool {
		return strings.Contains(m.do("journalctl", "-u", m.unit, "--no-pager", "-o", "cat"), "a virtual address: ParseAddr(\"10.9.0.300\")")
	})
	m.write("/etc/default/lvsd-real-server", 0o644, []byte("REAL_SERVER=\"10.9.0.102 2001:db8:9::102\"\n"))
	m.do("systemctl", "start", m.unit)
	has(true, "10.9.0.102", "2001:db8:9::102")
	m.do("systemctl", "stop", m.unit)
	has(false, "10.9.0.102", "2001:db8:9::102")
}
