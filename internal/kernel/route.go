//go:build linux

package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// route is a claimed route.
type route struct{ config.Route }

// routeKey is what the kernel finds a route by, beside its ways.
type routeKey struct {
	table     uint32
	dst, from netip.Prefix
	tos       uint8
	metric    uint32
	typ       config.RouteType
}

// routeID is a route before the names of links are looked up.
type routeID struct {
	routeKey
	vrf, ways string
}

func (r route) key() routeKey {
	k := routeKey{
		table: cmp.Or(r.Table, unix.RT_TABLE_MAIN), dst: r.Destination.Masked(), from: r.From.Masked(),
		tos: r.TOS, metric: r.Metric.Value, typ: cmp.Or(r.Type, config.RouteUnicast),
	}
	if r.Is6() {
		k.metric = cmp.Or(k.metric, defaultMetric6)
		k.tos = 0 // the kernel does not look at it
	}
	return k
}

// defaultMetric6 is IP6_RT_PRIO_USER of the kernel.
const defaultMetric6 = 1024

func (r route) id() any {
	ways := []string{r.Via.String() + " " + r.Dev}
	for i := range r.NextHops {
		ways = append(ways, r.NextHops[i].Via.String()+" "+r.NextHops[i].Dev)
	}
	return routeID{r.key(), r.VRF, strings.Join(ways, ",")}
}

// String is the route as errors and the log name it.
func (r route) String() string { return "route " + r.Route.String() }
func (r route) kind() kind     { return routes }
func (r route) watched() bool  { return !r.NoTrack }

func (r route) same(other object) bool {
	o, ok := other.(route)
	return ok && r.Route.String() == o.Route.String()
}

// add: prepended is what keepalived does unless told otherwise. Of two IPv4
// routes to one destination the kernel may delete the first whichever is meant,
// so that one that is to go stays the first.
func (r route) add(b *batch) (adopted bool, err error) {
	flags := map[config.RouteAdd]int{
		config.RoutePrepend: 0, config.RouteAppend: unix.NLM_F_APPEND, config.RouteExclusive: unix.NLM_F_EXCL,
	}[r.Add]
	if flags == 0 && !r.Is6() && b.routeGoes(r.key()) {
		flags = unix.NLM_F_APPEND
	}
	err = r.send(b, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_ACK|flags)
	if errors.Is(err, unix.EEXIST) {
		return true, nil
	}
	return false, r.failed("add", err)
}

// change: of two IPv4 routes that differ in their attributes alone the kernel
// deletes the first, so that the new one can be there before the old one goes.
// IPv6 does not have both, and what replaces might hit a foreign one.
func (r route) change(b *batch, was object) error {
	if r.Is6() {
		if err := was.delete(b); err != nil {
			return err
		}
		_, err := r.add(b)
		return err
	}
	err := r.send(b, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_APPEND|unix.NLM_F_ACK)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return r.failed("change", err)
	}
	return was.delete(b)
}

func (r route) delete(b *batch) error {
	err := r.send(b, unix.RTM_DELROUTE, unix.NLM_F_ACK)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) || gone(err) {
		return nil
	}
	return r.failed("delete", err)
}

func (r route) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s route %s: %w", what, r.Destination, err)
}

func (r route) send(b *batch, kind, flags int) error {
	m, err := r.message(b)
	if err == nil {
		_, err = b.request(kind, flags, m, 0)
	}
	return err
}

// message is the route in words of rtnetlink(7).
func (r route) message(b *batch) (*message, error) {
	table, err := r.tableNumber(b)
	if err != nil {
		return nil, err
	}
	key := r.key()
	m := &message{RtMsg: nl.RtMsg{RtMsg: unix.RtMsg{
		Family: familyOf(r.Destination.Addr()), Dst_len: uint8(key.dst.Bits()), Tos: r.TOS,
		Type: uint8(key.typ), Protocol: config.ProtocolKeepalived, Scope: r.scope(),
	}}}
	if r.Protocol.Set {
		m.Protocol = r.Protocol.Value
	}
	if r.OnLink {
		m.Flags |= unix.RTNH_F_ONLINK
	}
	m.u32(unix.RTA_TABLE, table)
	m.bytes(unix.RTA_DST, key.dst.Addr().AsSlice())
	if r.From.IsValid() {
		m.Src_len = uint8(key.from.Bits())
		m.bytes(unix.RTA_SRC, key.from.Addr().AsSlice())
	}
	if r.Metric.Set || r.Is6() { // of IPv6 routes one of any metric would be deleted
		m.u32(unix.RTA_PRIORITY, key.metric)
	}
	r.options(m)
	return m, r.ways(b, m)
}

func familyOf(a netip.Addr) uint8 {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// tableNumber is that of the VRF, when the route names one.
func (r route) tableNumber(b *batch) (uint32, error) {
	if r.VRF == "" {
		return cmp.Or(r.Table, unix.RT_TABLE_MAIN), nil
	}
	link, err := b.link(r.VRF)
	if err != nil {
		return 0, fmt.Errorf("VRF %s: %w", r.VRF, err)
	}
	vrf, ok := link.(*netlink.Vrf)
	if !ok {
		return 0, fmt.Errorf("%s is no VRF", r.VRF)
	}
	return vrf.Table, nil
}

// scope is what keepalived takes when none is given: unlike `ip route` it looks
// at the type alone, so that a route without a gateway has the scope of others.
func (r route) scope() uint8 {
	if r.Scope.Set {
		return uint8(r.Scope.Value)
	}
	if r.Is6() {
		return unix.RT_SCOPE_UNIVERSE
	}
	switch r.Type {
	case config.RouteLocal, config.RouteNAT:
		return unix.RT_SCOPE_HOST
	case config.RouteBroadcast, config.RouteMulticast, config.RouteAnycast:
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

// options adds what does not depend on links.
func (r route) options(m *message) {
	if r.Src.IsValid() {
		m.bytes(unix.RTA_PREFSRC, r.Src.AsSlice())
	}
	if r.Realms != (config.Realms{}) {
		m.u32(unix.RTA_FLOW, flow(r.Realms))
	}
	if r.Expires.Set {
		m.u32(unix.RTA_EXPIRES, uint32(r.Expires.Value.Seconds()))
	}
	if r.Pref != "" {
		// RFC 4191 section 2.1
		m.u8(unix.RTA_PREF, map[config.RoutePref]uint8{config.PrefLow: 3, config.PrefMedium: 0, config.PrefHigh: 1}[r.Pref])
	}
	if r.TTLPropag.Set {
		m.u8(unix.RTA_TTL_PROPAGATE, map[bool]uint8{true: 1}[r.TTLPropag.Value])
	}
	if r.Metrics != nil {
		m.attrs = append(m.attrs, routeMetrics(r.Metrics))
	}
}

func flow(r config.Realms) uint32 { return uint32(r.Src)<<16 | uint32(r.Dst) }

// routeMetrics are RTAX_* of linux/rtnetlink.h.
func routeMetrics(c *config.RouteMetrics) *nl.RtAttr {
	all := nl.NewRtAttr(unix.RTA_METRICS, nil)
	var locks uint32
	for _, x := range []struct {
		kind  int
		scale uint32
		m     config.Metric
	}{
		{unix.RTAX_MTU, 1, c.MTU}, {unix.RTAX_HOPLIMIT, 1, c.HopLimit}, {unix.RTAX_ADVMSS, 1, c.AdvMSS},
		{unix.RTAX_RTT, 1, c.RTT}, {unix.RTAX_RTTVAR, 1, c.RTTVar}, {unix.RTAX_REORDERING, 1, c.Reordering},
		{unix.RTAX_WINDOW, 1, c.Window}, {unix.RTAX_CWND, 1, c.Cwnd}, {unix.RTAX_SSTHRESH, 1, c.SSThresh},
		{unix.RTAX_RTO_MIN, 1, c.RTOMin}, {unix.RTAX_INITCWND, 1, c.InitCwnd}, {unix.RTAX_INITRWND, 1, c.InitRwnd},
		{unix.RTAX_QUICKACK, 1, c.QuickAck}, {unix.RTAX_FASTOPEN_NO_COOKIE, 1, c.FastopenNoCookie},
		{unix.RTAX_FEATURES, unix.RTAX_FEATURE_ECN, c.FeatureECN},
	} {
		if x.m.Set {
			all.AddRtAttr(x.kind, nl.Uint32Attr(x.m.Value*x.scale))
		}
		if x.m.Lock {
			locks |= 1 << x.kind
		}
	}
	if c.CongCtl != "" {
		all.AddRtAttr(unix.RTAX_CC_ALGO, nl.ZeroTerminated(c.CongCtl))
		if c.CongCtlLock {
			locks |= 1 << unix.RTAX_CC_ALGO
		}
	}
	if locks != 0 {
		all.AddRtAttr(unix.RTAX_LOCK, nl.Uint32Attr(locks))
	}
	return all
}

// ways adds where packets go: one way, or RTA_MULTIPATH.
func (r route) ways(b *batch, m *message) error {
	if len(r.NextHops) == 0 {
		way := config.NextHop{Via: r.Via, Dev: r.Dev, Encap: r.Encap}
		index, attrs, err := wayOf(b, &way)
		if err == nil && index != 0 {
			m.u32(unix.RTA_OIF, index)
		}
		m.attrs = append(m.attrs, attrs...)
		return err
	}
	var all []byte
	for i := range r.NextHops {
		n := &r.NextHops[i]
		index, attrs, err := wayOf(b, n)
		if err != nil {
			return err
		}
		hop := make([]byte, unix.SizeofRtNexthop)
		for _, a := range attrs {
			hop = append(hop, a.Serialize()...)
		}
		binary.NativeEndian.PutUint16(hop, uint16(len(hop)))
		if n.OnLink {
			hop[2] = unix.RTNH_F_ONLINK
		}
		if n.Weight > 0 {
			hop[3] = uint8(n.Weight - 1)
		}
		binary.NativeEndian.PutUint32(hop[4:], index)
		all = append(all, hop...)
	}
	m.bytes(unix.RTA_MULTIPATH, all)
	return nil
}

func wayOf(b *batch, n *config.NextHop) (index uint32, attrs []*nl.RtAttr, err error) {
	if index, err = b.index(n.Dev); err != nil {
		return 0, nil, err
	}
	if n.Via.IsValid() {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_GATEWAY, n.Via.AsSlice()))
	}
	if n.Realms != (config.Realms{}) {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_FLOW, nl.Uint32Attr(flow(n.Realms))))
	}
	if n.Encap != nil {
		attrs = append(attrs, encap(n.Encap)...)
	}
	return index, attrs, nil
}
