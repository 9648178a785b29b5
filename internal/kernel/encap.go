//go:build linux

package kernel

import (
	"encoding/binary"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// encap are RTA_ENCAP_TYPE and RTA_ENCAP, with attributes of
// linux/lwtunnel.h, linux/mpls_iptunnel.h and linux/ila.h.
func encap(e *config.Encap) []*nl.RtAttr {
	tunnel := nl.NewRtAttr(unix.RTA_ENCAP|unix.NLA_F_NESTED, nil)
	var kind uint16
	switch e.Type {
	case "mpls":
		kind = nl.LWTUNNEL_ENCAP_MPLS
		const dst, ttl = 1, 2
		tunnel.AddRtAttr(dst, labelStack(e.Labels))
		if e.TTL.Set {
			tunnel.AddRtAttr(ttl, []byte{e.TTL.Value})
		}
	case "ila":
		kind = nl.LWTUNNEL_ENCAP_ILA
		const locator = 1
		tunnel.AddRtAttr(locator, binary.BigEndian.AppendUint64(nil, e.Locator))
	case "ip6":
		kind = nl.LWTUNNEL_ENCAP_IP6
		encapIP(tunnel, e)
	default:
		kind = nl.LWTUNNEL_ENCAP_IP
		encapIP(tunnel, e)
	}
	return []*nl.RtAttr{nl.NewRtAttr(unix.RTA_ENCAP_TYPE, nl.Uint16Attr(kind)), tunnel}
}

// encapIP: IPv4 and IPv6 number their attributes alike.
func encapIP(tunnel *nl.RtAttr, e *config.Encap) {
	const id, dst, src, ttl, tos, flags = 1, 2, 3, 4, 5, 6
	if e.ID.Set {
		tunnel.AddRtAttr(id, binary.BigEndian.AppendUint64(nil, e.ID.Value))
	}
	if e.Dst.IsValid() {
		tunnel.AddRtAttr(dst, e.Dst.AsSlice())
	}
	if e.Src.IsValid() {
		tunnel.AddRtAttr(src, e.Src.AsSlice())
	}
	if e.TTL.Set {
		tunnel.AddRtAttr(ttl, []byte{e.TTL.Value})
	}
	if e.TOS.Set {
		tunnel.AddRtAttr(tos, []byte{e.TOS.Value})
	}
	if e.Flags.Set {
		tunnel.AddRtAttr(flags, binary.BigEndian.AppendUint16(nil, e.Flags.Value))
	}
}

// labelStack are label stack entries, RFC 3032 section 2.1; the last one has
// the bottom bit.
func labelStack(labels []uint32) (stack []byte) {
	for i, label := range labels {
		entry := label << 12
		if i == len(labels)-1 {
			entry |= 1 << 8
		}
		stack = binary.BigEndian.AppendUint32(stack, entry)
	}
	return stack
}
