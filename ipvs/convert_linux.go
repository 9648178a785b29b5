package ipvs

import (
	"net/netip"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"

	"github.com/lvsd/lvsd/config"
)

// schedShift is where the scheduler flags stand among the kernel's flags,
// IP_VS_SVC_F_SCHED1.
const schedShift = 3

func family(ipv6 bool) (ipvs.AddressFamily, int) {
	if ipv6 {
		return ipvs.INET6, 128
	}
	return ipvs.INET, 32
}

func toService(k config.ServiceKey, a Attrs) ipvs.Service {
	af, bits := family(IPv6(k))
	s := ipvs.Service{
		Address: k.Addr.Addr(), Port: k.Addr.Port(), Protocol: ipvs.Protocol(k.Protocol), FWMark: k.FWMark, Family: af,
		Scheduler: a.Scheduler, Timeout: uint32(a.Persistence / time.Second),
		Netmask: netmask.MaskFrom(a.Mask, bits), // the kernel refuses a service without
		Flags:   ipvs.Flags(a.SchedFlags) << schedShift,
	}
	if a.Netmask.IsValid() {
		s.Netmask = netmask.MaskFrom4(a.Netmask.As4())
	}
	if a.Persistence != 0 {
		s.Flags |= ipvs.ServicePersistent
	}
	if a.OPS {
		s.Flags |= ipvs.ServiceOnePacket
	}
	return s
}

func fromService(raw ipvs.Service) *Service {
	s := &Service{
		Key: config.ServiceKey{FWMark: raw.FWMark},
		Attrs: Attrs{
			Scheduler: raw.Scheduler, Mask: raw.Netmask.Bits(), OPS: raw.Flags&ipvs.ServiceOnePacket != 0,
			SchedFlags: config.SchedFlags(raw.Flags>>schedShift) & (config.SchedFlag1 | config.SchedFlag2 | config.SchedFlag3),
		},
	}
	if raw.Netmask.Is4() && raw.Netmask.Bits() < 0 {
		s.Mask, s.Netmask = 0, netip.AddrFrom4([4]byte(raw.Netmask.AsSlice()))
	}
	if raw.FWMark != 0 {
		s.Key.IPv6 = raw.Family == ipvs.INET6
	} else {
		s.Key.Addr, s.Key.Protocol = netip.AddrPortFrom(raw.Address, raw.Port), config.Protocol(raw.Protocol)
	}
	if raw.Flags&ipvs.ServicePersistent != 0 {
		s.Persistence = time.Duration(raw.Timeout) * time.Second
	}
	return s
}

func toDest(d Dest) ipvs.Destination {
	af, _ := family(d.Addr.Addr().Is6())
	return ipvs.Destination{
		Address: d.Addr.Addr(), Port: d.Addr.Port(), Family: af, Weight: uint32(d.Weight),
		FwdMethod:      forward(d.Method),
		UpperThreshold: d.UThreshold, LowerThreshold: d.LThreshold,
		TunnelType: ipvs.TunnelType(d.Tunnel.Type), TunnelPort: d.Tunnel.Port, TunnelFlags: ipvs.TunnelFlags(d.Tunnel.Checksum),
	}
}

// fromDest leaves the method unset when it is one that lvsd never asks for.
func fromDest(raw ipvs.Destination) Dest {
	d := Dest{
		Addr: netip.AddrPortFrom(raw.Address, raw.Port), Weight: int(raw.Weight),
		Method:     method(raw.FwdMethod),
		UThreshold: raw.UpperThreshold, LThreshold: raw.LowerThreshold,
	}
	if d.Method == config.TUN {
		d.Tunnel = config.Tunnel{
			Type: config.TunnelType(raw.TunnelType), Checksum: config.TunnelChecksum(raw.TunnelFlags), Port: raw.TunnelPort,
		}
	}
	return d
}

func forward(m config.Method) ipvs.ForwardType {
	switch m {
	case config.DR:
		return ipvs.DirectRoute
	case config.TUN:
		return ipvs.Tunnel
	}
	return ipvs.Masquerade
}

func method(f ipvs.ForwardType) (m config.Method) {
	switch f {
	case ipvs.Masquerade:
		return config.NAT
	case ipvs.DirectRoute:
		return config.DR
	case ipvs.Tunnel:
		return config.TUN
	}
	return m
}
