//go:build linux

package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// Announce tells the links where the addresses are now: one gratuitous ARP
// request for each IPv4 address, one unsolicited neighbour advertisement for
// each IPv6 address, with the MAC that the address's link has at this moment.
func (h *Host) Announce(ctx context.Context, addrs []config.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.batch()
	var errs []error
	for _, a := range addrs {
		if err := h.announce(ctx, b, a); err != nil {
			errs = append(errs, fmt.Errorf("announce %s on %s: %w", a.Prefix.Addr(), a.Dev, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) announce(ctx context.Context, b *batch, a config.Address) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	link, err := b.link(a.Dev)
	if err != nil {
		return err
	}
	attrs := link.Attrs()
	if !broadcasts(attrs) {
		return nil
	}
	mac := [6]byte(attrs.HardwareAddr)
	var frame []byte
	if a.Prefix.Addr().Is4() {
		frame = wire.GratuitousARP(nil, mac, a.Prefix.Addr())
	} else {
		frame = wire.UnsolicitedNA(nil, mac, a.Prefix.Addr(), forwards(a.Dev))
	}
	to := unix.SockaddrLinklayer{Ifindex: attrs.Index, Halen: uint8(len(mac))}
	copy(to.Addr[:], frame[:len(mac)])
	return unix.Sendto(h.packet, frame, 0, &to)
}

// broadcasts says that a link carries Ethernet frames and has neighbours to
// tell. Loopback and tunnels have none.
func broadcasts(attrs *netlink.LinkAttrs) bool {
	const quiet = unix.IFF_LOOPBACK | unix.IFF_NOARP
	return len(attrs.HardwareAddr) == 6 && attrs.RawFlags&quiet == 0
}

// forwards says that the link routes IPv6: the R flag of an advertisement,
// RFC 4861 section 4.4.
func forwards(dev string) bool {
	value, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + dev + "/forwarding")
	return err == nil && bytes.Equal(bytes.TrimSpace(value), []byte("1"))
}
