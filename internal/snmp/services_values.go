package snmp

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// serviceType: fwmark, ip, group.
func serviceType(v *served) int {
	switch {
	case v.Group != "":
		return 3
	case v.FWMark != 0:
		return 1
	}
	return 2
}

// servicePort is virtualServerPort, of a service with an address.
func servicePort(v *served) agentx.Value {
	if !v.Addr.Addr().IsValid() {
		return agentx.Value{}
	}
	return agentx.Gauge(v.Addr.Port())
}

// protocolOf: tcp, udp, sctp, none.
func protocolOf(v *config.VirtualServer) agentx.Value {
	switch v.Key().Protocol {
	case config.TCP:
		return agentx.Integer(1)
	case config.UDP:
		return agentx.Integer(2)
	case config.SCTP:
		return agentx.Integer(3)
	}
	return agentx.Integer(4)
}

// serviceProtocol is virtualServerProtocol; none of a mark without one.
func serviceProtocol(v *served) agentx.Value {
	if v.Key().FWMark != 0 && !v.Protocol.Set {
		return agentx.Value{}
	}
	return protocolOf(v.VirtualServer)
}

// addressType is virtualServerAddrType, of marks and groups too.
func addressType(v *served) agentx.Value {
	switch v.Family() {
	case config.Inet:
		return agentx.Integer(1)
	case config.Inet6:
		return agentx.Integer(2)
	}
	return agentx.Value{}
}

// scheduler is virtualServerLoadBalancingAlgo.
func scheduler(name string) agentx.Value {
	i := slices.Index([]string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"}, name)
	if i < 0 {
		return agentx.Integer(99) // unknown
	}
	return agentx.Integer(i + 1)
}

// alive is how many real servers are.
func (v *served) alive() (n int) {
	for i := range v.servers {
		n += count(v.now.Servers[v.servers[i].Addr].Alive)
	}
	return n
}

func persistTimeout(v *served) agentx.Value {
	if v.PersistenceTimeout == 0 {
		return agentx.Value{}
	}
	return seconds(v.PersistenceTimeout)
}

// granularity is virtualServerPersistGranularity, the netmask of IPv4.
func granularity(v *served) agentx.Value {
	switch {
	case v.Family() == config.Inet6:
	case v.PersistenceNetmask.IsValid():
		return agentx.Address(v.PersistenceNetmask)
	case v.PersistenceGranularity == 0:
		return agentx.Address(netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	default:
		mask, _ := netip.AddrFromSlice(net.CIDRMask(v.PersistenceGranularity, 32))
		return agentx.Address(mask)
	}
	return agentx.Value{}
}

// granularity6 is virtualServerPersistGranularity6, the prefix length of IPv6.
func granularity6(v *served) agentx.Value {
	switch {
	case v.PersistenceTimeout == 0 || v.Family() != config.Inet6:
		return agentx.Value{}
	case v.PersistenceGranularity == 0:
		return agentx.Gauge(128)
	}
	return agentx.Gauge(v.PersistenceGranularity)
}

// flag is a flag of the scheduler. Those of sh and mh are the same ones.
func (v *served) flag(f config.SchedFlags) agentx.Value { return truth(v.SchedFlags&f != 0) }

func micros(d time.Duration) agentx.Value { return agentx.Gauge(d.Microseconds()) }

// tunnelType: ipip, gue, gre; of TUN alone.
func tunnelType(m config.Method, t config.Tunnel) agentx.Value {
	if m != config.TUN {
		return agentx.Value{}
	}
	return agentx.Integer(int(t.Type) + 1)
}

func tunnelPort(m config.Method, t config.Tunnel) agentx.Value {
	if m != config.TUN || t.Type != config.GUE {
		return agentx.Value{}
	}
	return agentx.Gauge(t.Port)
}

// tunnelChecksum: nocsum, csum, remcsum; not of IPIP.
func tunnelChecksum(m config.Method, t config.Tunnel) agentx.Value {
	if m != config.TUN || t.Type == config.IPIP {
		return agentx.Value{}
	}
	return agentx.Integer(int(t.Checksum) + 1)
}

// failed is how many checks are.
func (b *balanced) failed() (n int) {
	for _, c := range b.now.Checks {
		n += count(!c.Up)
	}
	return n
}

func (b *balanced) virtualHost() agentx.Value {
	if b.written == nil || b.written.Names == nil {
		return agentx.Value{}
	}
	return text(b.written.Names.VirtualHost)
}

func (b *balanced) name() agentx.Value {
	if b.written == nil || b.written.Names == nil {
		return agentx.Value{}
	}
	return text(b.written.Names.SNMPName)
}

func (b *balanced) alpha() bool {
	switch {
	case b.written == nil:
		return false
	case b.written.Alpha.Set:
		return b.written.Alpha.Value
	}
	return b.of.Alpha
}

// timing is what checks of the server inherit; nothing checks a sorry server.
func (b *balanced) timing() config.Timing {
	if b.written == nil {
		return config.Timing{}
	}
	return config.Timing{}.Over(b.written.Timing).Over(shown(b.of.Timing))
}

// timing is what checks of the service inherit.
func (v *served) timing() config.Timing { return *shown(v.Timing) }

// shown are timings with those defaults that keepalived shows.
func shown(t config.Timing) *config.Timing {
	defaults := config.DefaultTiming(config.TCPCheck)
	t = t.Over(&config.Timing{DelayLoop: config.Some(defaults.DelayLoop.Value), ConnectTimeout: config.Some(defaults.ConnectTimeout.Value)})
	return &t
}
