//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// GUEPort is a UDP port on which the kernel unwraps generic UDP encapsulation
// that comes by one address family.
type GUEPort struct {
	Port uint16
	IPv6 bool
}

// GUE are all such ports; none when the kernel cannot.
func (l *Local) GUE() (ports []GUEPort) {
	all, err := l.nl.FouList(unix.AF_UNSPEC)
	if err != nil {
		return nil
	}
	for _, f := range all {
		if f.EncapType == netlink.FOU_ENCAP_GUE {
			ports = append(ports, GUEPort{uint16(f.Port), f.Family == unix.AF_INET6})
		}
	}
	return ports
}

// ListenGUE begins or ends to unwrap on a port. The library's request also
// names IP protocol 0, which kernels have refused (ERANGE) since they look.
func (l *Local) ListenGUE(p GUEPort, on bool) error {
	command, family := netlink.FOU_CMD_DEL, byte(unix.AF_INET)
	if p.IPv6 {
		family = unix.AF_INET6
	}
	attrs := []*nl.RtAttr{
		nl.NewRtAttr(netlink.FOU_ATTR_PORT, binary.BigEndian.AppendUint16(nil, p.Port)),
		nl.NewRtAttr(netlink.FOU_ATTR_AF, []byte{family}),
	}
	if on {
		command = netlink.FOU_CMD_ADD
		attrs = append(attrs, nl.NewRtAttr(netlink.FOU_ATTR_TYPE, []byte{netlink.FOU_ENCAP_GUE}))
	}
	id, err := l.nl.GenlFamilyGet(netlink.FOU_GENL_NAME)
	if err == nil {
		request := nl.NewNetlinkRequest(int(id.ID), unix.NLM_F_ACK)
		request.AddRawData([]byte{command, 1, 0, 0}) // struct genlmsghdr
		for _, a := range attrs {
			request.AddRawData(a.Serialize())
		}
		_, err = request.Execute(unix.NETLINK_GENERIC, 0)
	}
	if err != nil {
		return fmt.Errorf("generic UDP encapsulation on port %d: %w", p.Port, err)
	}
	return nil
}

// AddGRE makes a device that unwraps generic routing encapsulation with
// checksums, RFC 2784, from anybody to an address of this host.
func (l *Local) AddGRE(name string, local netip.Addr) error {
	return l.addTunnel(local, &netlink.Gretun{
		LinkAttrs: netlink.LinkAttrs{Name: name}, Local: local.AsSlice(), IFlags: greChecksum, OFlags: greChecksum,
	})
}

// greChecksum is GRE_CSUM of linux/if_tunnel.h.
const greChecksum = 0x8000

// AddIP6Tunnel makes a device that unwraps packets of either family from anybody
// to an IPv6 address of this host.
func (l *Local) AddIP6Tunnel(name string, local netip.Addr) error {
	return l.addTunnel(local, &netlink.Ip6tnl{
		LinkAttrs: netlink.LinkAttrs{Name: name}, Local: local.AsSlice(), Remote: net.IPv6zero, // Proto 0: any
	})
}

func (l *Local) addTunnel(local netip.Addr, link netlink.Link) error {
	if err := l.nl.LinkAdd(link); err != nil {
		return fmt.Errorf("add %s, a %s of %s: %w", link.Attrs().Name, link.Type(), local, err)
	}
	return nil
}

// DeleteLink removes a link.
func (l *Local) DeleteLink(name string) error {
	link, err := l.nl.LinkByName(name)
	if err == nil {
		err = l.nl.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
