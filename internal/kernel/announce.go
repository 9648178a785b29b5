//go:build linux

package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// Announce tells the links where the addresses are now: one gratuitous ARP
// request for each IPv4 address, one unsolicited neighbour advertisement for
// each IPv6 address, with the MAC that the address's link has at this moment.
// It waits for nothing: not for a Claim, not for netlink.
func (h *Host) Announce(ctx context.Context, addrs []config.Address) error {
	var errs []error
	for _, a := range addrs {
		if err := h.announce(ctx, a); err != nil {
			errs = append(errs, fmt.Errorf("announce %s on %s: %w", a.Prefix.Addr(), a.Dev, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) announce(ctx context.Context, a config.Address) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	link, err := h.port(a.Dev)
	if err != nil || link.quiet {
		return err
	}
	mac := link.mac
	var frame []byte
	if a.Prefix.Addr().Is4() {
		frame = wire.GratuitousARP(nil, mac, a.Prefix.Addr())
	} else {
		frame = wire.UnsolicitedNA(nil, mac, a.Prefix.Addr(), h.forwards(a.Dev))
	}
	to := unix.SockaddrLinklayer{Ifindex: link.index, Halen: uint8(len(mac))}
	copy(to.Addr[:], frame[:len(mac)])
	return unix.Sendto(h.packet, frame, 0, &to)
}

// forwards says that the link routes IPv6: the R flag of an advertisement,
// RFC 4861 section 4.4. For a VMAC the interface below decides.
func (h *Host) forwards(dev string) bool {
	if parent, ok := h.parents.Load(dev); ok {
		dev = parent.(string)
	}
	value, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + dev + "/forwarding")
	return err == nil && bytes.Equal(bytes.TrimSpace(value), []byte("1"))
}
