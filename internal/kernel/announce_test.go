//go:build linux

package kernel

import (
	"context"
	"encoding/hex"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// listen is a packet socket of the namespace that sees one protocol.
func listen(t *testing.T, ns *netns.NS, protocol uint16) int {
	t.Helper()
	var fd int
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol<<8|protocol>>8))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func receive(t *testing.T, fd int) []byte {
	t.Helper()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<12)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		t.Fatalf("no frame: %v", err)
	}
	return buf[:n]
}

// Each address is announced from the link that holds it, with the MAC that the
// link has by then.
func TestAnnounce(t *testing.T) {
	host, ns, peer := newHost(t)
	vip := addr("10.0.0.1/24", "eth0")
	arp, ip6 := listen(t, peer, unix.ETH_P_ARP), listen(t, peer, unix.ETH_P_IPV6)
	for _, mac := range []string{"02:00:00:00:00:01", "02:00:00:00:00:02"} {
		ns.Run(t, "ip link set eth0 address "+mac)
		if err := host.Announce(context.Background(), []config.Address{vip}); err != nil {
			t.Fatal(err)
		}
		raw := [6]byte{2, 5: mac[len(mac)-1] - '0'}
		want := wire.GratuitousARP(nil, raw, netip.MustParseAddr("10.0.0.1"))
		if got := receive(t, arp); hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("got frame\n%swant\n%s", hex.Dump(got), hex.Dump(want))
		}
	}
	err := host.Announce(context.Background(), []config.Address{addr("127.0.0.2/8", "lo"), addr("2001:db8::1/64", "eth0")})
	if err != nil {
		t.Fatal(err)
	}
	want := wire.UnsolicitedNA(nil, [6]byte{2, 5: 2}, netip.MustParseAddr("2001:db8::1"), false)
	if got := receive(t, ip6); hex.EncodeToString(got) != hex.EncodeToString(want) {
		t.Errorf("got frame\n%swant\n%s", hex.Dump(got), hex.Dump(want))
	}
	if err := host.Announce(context.Background(), []config.Address{addr("10.0.0.1/24", "gone0")}); err == nil {
		t.Error("announced on a link that does not exist")
	}
}

// An advertisement from a VMAC has the R flag when the interface below routes.
func TestAnnounceFromVMAC(t *testing.T) {
	host, ns, peer := newHost(t)
	claimAll(t, host, "standing", vmacClaims(macvlan("vrrp.51", "eth0", true)))
	ip6 := listen(t, peer, unix.ETH_P_IPV6)
	for value, forwards := range map[string]bool{"0": false, "1": true} {
		ns.Run(t, "sysctl -qw net.ipv6.conf.eth0.forwarding="+value)
		err := ns.Do(func() error {
			return host.Announce(context.Background(), []config.Address{addr("2001:db8::1/64", "vrrp.51")})
		})
		if err != nil {
			t.Fatal(err)
		}
		want := hex.EncodeToString(wire.UnsolicitedNA(nil, [6]byte{0, 0, 0x5e, 0, 2, 51}, netip.MustParseAddr("2001:db8::1"), forwards))
		for got := ""; got != want; { // the link itself reports its groups
			got = hex.EncodeToString(receive(t, ip6))
		}
	}
}
