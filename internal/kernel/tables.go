//go:build linux

package kernel

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// hop is a way of a route that the kernel has listed.
type hop struct {
	via   netip.Addr
	index uint32
}

// routesThere are keepalived's routes, with their ways.
func (b *batch) routesThere() (map[routeKey][]hop, error) {
	there := make(map[routeKey][]hop)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		m := &message{RtMsg: nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Protocol: config.ProtocolKeepalived}}}
		found, err := dump(func() ([][]byte, error) { return b.request(unix.RTM_GETROUTE, unix.NLM_F_DUMP, m, unix.RTM_NEWROUTE) })
		if err != nil {
			return nil, err
		}
		for _, msg := range found {
			if key, hops, ok := parseRoute(msg); ok {
				there[key] = append(there[key], hops...)
			}
		}
	}
	return there, nil
}

func parseRoute(msg []byte) (key routeKey, hops []hop, ok bool) {
	m := nl.DeserializeRtMsg(msg)
	attrs, err := nl.ParseRouteAttrAsMap(msg[m.Len():])
	if err != nil || m.Protocol != config.ProtocolKeepalived {
		return key, nil, false
	}
	key = routeKey{
		table: uint32(m.Table), tos: m.Tos, typ: config.RouteType(m.Type),
		dst: prefixOf(attrs[unix.RTA_DST].Value, m.Dst_len, m.Family),
	}
	if m.Src_len > 0 {
		key.from = prefixOf(attrs[unix.RTA_SRC].Value, m.Src_len, m.Family)
	}
	if v := attrs[unix.RTA_TABLE].Value; len(v) >= 4 {
		key.table = binary.NativeEndian.Uint32(v)
	}
	if v := attrs[unix.RTA_PRIORITY].Value; len(v) >= 4 {
		key.metric = binary.NativeEndian.Uint32(v)
	}
	hops = []hop{hopOf(attrs[unix.RTA_GATEWAY].Value, attrs[unix.RTA_OIF].Value)}
	for rest := attrs[unix.RTA_MULTIPATH].Value; len(rest) >= unix.SizeofRtNexthop; {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < unix.SizeofRtNexthop || length > len(rest) {
			break
		}
		way, err := nl.ParseRouteAttrAsMap(rest[unix.SizeofRtNexthop:length])
		if err != nil {
			break
		}
		hops = append(hops, hopOf(way[unix.RTA_GATEWAY].Value, rest[4:8]))
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return key, hops, true
}

func hopOf(via, index []byte) (h hop) {
	h.via, _ = netip.AddrFromSlice(via)
	if len(index) >= 4 {
		h.index = binary.NativeEndian.Uint32(index)
	}
	return h
}

// prefixOf is a destination; the default route has no address.
func prefixOf(addr []byte, length, family uint8) netip.Prefix {
	a, ok := netip.AddrFromSlice(addr)
	switch {
	case ok:
	case family == unix.AF_INET6:
		a = netip.IPv6Unspecified()
	default:
		a = netip.IPv4Unspecified()
	}
	return netip.PrefixFrom(a, int(length))
}

// among reports whether the route is one of those that the kernel listed.
func (r route) among(b *batch, there map[routeKey][]hop) bool {
	key := r.key()
	table, err := r.tableNumber(b)
	if err != nil {
		return false
	}
	key.table = table
	hops, ok := there[key]
	if !ok {
		return false
	}
	ways := r.NextHops
	if len(ways) == 0 {
		ways = []config.NextHop{{Via: r.Via, Dev: r.Dev}}
	}
	for i := range ways {
		index, err := b.index(ways[i].Dev)
		if err != nil {
			return false
		}
		fits := func(h hop) bool {
			return (!ways[i].Via.IsValid() || h.via == ways[i].Via) && (index == 0 || h.index == index)
		}
		if !slices.ContainsFunc(hops, fits) {
			return false
		}
	}
	return true
}

// rulesThere are keepalived's rules.
func (b *batch) rulesThere() (map[ruleID]bool, error) {
	there := make(map[ruleID]bool)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		m := &message{RtMsg: nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}}
		found, err := dump(func() ([][]byte, error) { return b.request(unix.RTM_GETRULE, unix.NLM_F_DUMP, m, unix.RTM_NEWRULE) })
		if err != nil {
			return nil, err
		}
		for _, msg := range found {
			header := nl.DeserializeRtMsg(msg)
			list, err := nl.ParseRouteAttr(msg[header.Len():])
			if err != nil {
				continue
			}
			attrs := make(map[int][]byte, len(list))
			for _, a := range list {
				attrs[int(a.Attr.Type)] = a.Value
			}
			there[ruleID(shape(header, attrs))] = true
		}
	}
	return there, nil
}
