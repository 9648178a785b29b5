package snmp

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// Reason is why an instance is the master: vrrpv3StatisticsNewMasterReason of
// RFC 6527.
type Reason int

// The reasons.
const (
	NotMaster        Reason = 0
	Priority         Reason = 1 // the other one gave up
	Preempted        Reason = 2 // the other one has a lower priority
	MasterNoResponse Reason = 3
)

// virtual is a virtual router in the tables of both RFCs.
type virtual struct {
	*config.Instance
	now dump.Instance
}

// rowOf is the index of an instance in VRRPV3-MIB.
func rowOf(i *config.Instance, link int) []uint32 {
	kind := uint32(1)
	if i.IPv6() {
		kind = 2
	}
	return []uint32{uint32(link), uint32(i.VirtualRouterID), kind}
}

// rfc2787 is VRRP-MIB: the virtual routers of version 2.
func (s *State) rfc2787() view {
	var routers table[virtual]
	var addresses table[struct{}]
	sum := dump.Stats{}
	for i := range s.Config.Instances {
		v := &s.Config.Instances[i]
		link := s.index(v.Interface)
		if v.Version.Value != 2 || link == 0 {
			continue
		}
		row := []uint32{uint32(link), uint32(v.VirtualRouterID)}
		now := s.Facts.Instances[v.Name]
		sum.Checksum, sum.Version, sum.VRID = sum.Checksum+now.Stats.Checksum, sum.Version+now.Stats.Version, sum.VRID+now.Stats.VRID
		routers.add(virtual{v, now}, row...)
		for k := range v.VirtualIPAddress {
			if a := v.VirtualIPAddress[k].Prefix.Addr(); a.Is4() {
				addresses.add(struct{}{}, append(row[:2:2], octets(a)...)...)
			}
		}
	}
	routers.sort()
	addresses.sort()
	return joined(
		view{
			scalar(vrrp2, agentx.Integer(2), 1, 1),                            // vrrpNodeVersion
			scalar(vrrp2, truth(s.Config.Global.Interface.EnableTraps), 1, 2), // vrrpNotificationCntl
			scalar(vrrp2, agentx.Counter32(sum.Checksum), 2, 1),               // vrrpRouterChecksumErrors
			scalar(vrrp2, agentx.Counter32(sum.Version), 2, 2),                // vrrpRouterVersionErrors
			scalar(vrrp2, agentx.Counter32(sum.VRID), 2, 3),                   // vrrpRouterVrIdErrors
		},
		s.operations2(&routers), s.statistics2(&routers),
		addresses.view(vrrp2.Sub(1, 4, 1), col(2, func(*struct{}) agentx.Value { return agentx.Integer(1) })), // vrrpAssoIpAddrRowStatus: active
	)
}

// operations2 is vrrpOperTable.
func (s *State) operations2(t *table[virtual]) view {
	return t.view(vrrp2.Sub(1, 3, 1),
		col(2, s.virtualMAC), // vrrpOperVirtualMacAddr
		col(3, func(v *virtual) agentx.Value { return agentx.Integer(v.status()) }),                     // vrrpOperState
		col(4, func(v *virtual) agentx.Value { return truth(v.status() != 1) }),                         // vrrpOperAdminState: up, down
		col(5, func(v *virtual) agentx.Value { return agentx.Integer(v.Priority.Value) }),               // vrrpOperPriority
		col(6, func(v *virtual) agentx.Value { return agentx.Integer(len(v.VirtualIPAddress)) }),        // vrrpOperIpAddrCount
		col(7, func(v *virtual) agentx.Value { return agentx.IPAddress(v.master()) }),                   // vrrpOperMasterIpAddr
		col(8, func(v *virtual) agentx.Value { return agentx.IPAddress(v.now.Source) }),                 // vrrpOperPrimaryIpAddr
		col(9, func(v *virtual) agentx.Value { return agentx.Integer(int(v.Authentication.Type) + 1) }), // vrrpOperAuthType
		col(11, func(v *virtual) agentx.Value { return agentx.Integer(int(v.AdvertInt / time.Second)) }),
		col(12, func(v *virtual) agentx.Value { return truth(!v.NoPreempt) }),    // vrrpOperPreemptMode
		col(13, func(v *virtual) agentx.Value { return ticks(s.Began(v.Name)) }), // vrrpOperVirtualRouterUpTime
		col(14, func(*virtual) agentx.Value { return agentx.Integer(1) }),        // vrrpOperProtocol: ip
		col(15, func(*virtual) agentx.Value { return agentx.Integer(1) }),        // vrrpOperRowStatus: active
	)
}

// statistics2 is vrrpRouterStatsTable.
func (s *State) statistics2(t *table[virtual]) view {
	var all []object[virtual]
	for i, value := range []func(*dump.Stats) uint64{
		func(n *dump.Stats) uint64 { return n.BecameMaster },
		func(n *dump.Stats) uint64 { return n.Received },
		func(n *dump.Stats) uint64 { return n.Interval },
		func(n *dump.Stats) uint64 { return n.AuthFailure },
		func(n *dump.Stats) uint64 { return n.TTL },
		func(n *dump.Stats) uint64 { return n.PriorityZeroReceived },
		func(n *dump.Stats) uint64 { return n.PriorityZeroSent },
		func(n *dump.Stats) uint64 { return n.Type },
		func(n *dump.Stats) uint64 { return n.AddressList },
		func(n *dump.Stats) uint64 { return n.AuthInvalid },
		func(n *dump.Stats) uint64 { return n.AuthMismatch },
		func(n *dump.Stats) uint64 { return n.Length },
	} {
		all = append(all, col(uint32(i+1), func(v *virtual) agentx.Value { return agentx.Counter32(value(&v.now.Stats)) }))
	}
	return t.view(vrrp2.Sub(2, 4, 1), all...)
}

// rfc6527 is VRRPV3-MIB: all virtual routers, as keepalived has them there.
func (s *State) rfc6527() view {
	var routers table[virtual]
	var addresses table[struct{}]
	sum := dump.Stats{}
	for i := range s.Config.Instances {
		v := &s.Config.Instances[i]
		link := s.index(v.Interface)
		if link == 0 {
			continue
		}
		row := rowOf(v, link)
		now := s.Facts.Instances[v.Name]
		sum.Checksum, sum.Version, sum.VRID = sum.Checksum+now.Stats.Checksum, sum.Version+now.Stats.Version, sum.VRID+now.Stats.VRID
		routers.add(virtual{v, now}, row...)
		for k := range v.VirtualIPAddress {
			addresses.add(struct{}{}, append(row[:3:3], octets(v.VirtualIPAddress[k].Prefix.Addr())...)...)
		}
	}
	routers.sort()
	addresses.sort()
	return joined(
		view{
			scalar(vrrp3, agentx.Counter64(sum.Checksum), 1, 2, 1), // vrrpv3RouterChecksumErrors
			scalar(vrrp3, agentx.Counter64(sum.Version), 1, 2, 2),  // vrrpv3RouterVersionErrors
			scalar(vrrp3, agentx.Counter64(sum.VRID), 1, 2, 3),     // vrrpv3RouterVrIdErrors
			scalar(vrrp3, agentx.Ticks(0), 1, 2, 4),                // vrrpv3GlobalStatisticsDiscontinuityTime
		},
		s.operations3(&routers), s.statistics3(&routers),
		addresses.view(vrrp3.Sub(1, 1, 2, 1), col(2, func(*struct{}) agentx.Value { return agentx.Integer(1) })), // vrrpv3AssociatedIpAddrRowStatus
	)
}

// operations3 is vrrpv3OperationsTable.
func (s *State) operations3(t *table[virtual]) view {
	return t.view(vrrp3.Sub(1, 1, 1, 1),
		col(3, func(v *virtual) agentx.Value { return agentx.Address(v.anyMaster()) }), // vrrpv3OperationsMasterIpAddr
		col(4, func(v *virtual) agentx.Value { return agentx.Address(v.now.Source) }),  // vrrpv3OperationsPrimaryIpAddr
		col(5, s.virtualMAC), // vrrpv3OperationsVirtualMacAddr
		col(6, func(v *virtual) agentx.Value { return agentx.Integer(v.status()) }),              // vrrpv3OperationsStatus
		col(7, func(v *virtual) agentx.Value { return agentx.Gauge(v.Priority.Value) }),          // vrrpv3OperationsPriority
		col(8, func(v *virtual) agentx.Value { return agentx.Integer(len(v.VirtualIPAddress)) }), // vrrpv3OperationsAddrCount
		col(9, func(v *virtual) agentx.Value { return agentx.Integer(int(v.AdvertInt / (10 * time.Millisecond))) }),
		col(10, func(v *virtual) agentx.Value { return truth(!v.NoPreempt) }),           // vrrpv3OperationsPreemptMode
		col(11, func(v *virtual) agentx.Value { return truth(v.Accepts()) }),            // vrrpv3OperationsAcceptMode
		col(12, func(v *virtual) agentx.Value { return ticks(s.Up - s.Began(v.Name)) }), // vrrpv3OperationsUpTime
		col(13, func(*virtual) agentx.Value { return agentx.Integer(1) }),               // vrrpv3OperationsRowStatus: active
	)
}

// statistics3 is vrrpv3StatisticsTable.
func (s *State) statistics3(t *table[virtual]) view {
	count := func(id uint32, value func(*dump.Stats) uint64) object[virtual] {
		return col(id, func(v *virtual) agentx.Value { return agentx.Counter64(value(&v.now.Stats)) })
	}
	return t.view(vrrp3.Sub(1, 2, 5, 1),
		col(1, func(v *virtual) agentx.Value { return agentx.Counter32(v.now.Stats.BecameMaster) }), // vrrpv3StatisticsMasterTransitions
		col(2, func(v *virtual) agentx.Value { return agentx.Integer(v.reason()) }),                 // vrrpv3StatisticsNewMasterReason
		count(3, func(n *dump.Stats) uint64 { return n.Received }),                                  // vrrpv3StatisticsRcvdAdvertisements
		count(4, func(n *dump.Stats) uint64 { return n.Interval }),                                  // vrrpv3StatisticsAdvIntervalErrors
		count(5, func(n *dump.Stats) uint64 { return n.TTL }),                                       // vrrpv3StatisticsIpTtlErrors
		col(6, func(v *virtual) agentx.Value { return agentx.Integer(protocolError(&v.now.Stats)) }),
		count(7, func(n *dump.Stats) uint64 { return n.PriorityZeroReceived }),                     // vrrpv3StatisticsRcvdPriZeroPackets
		count(8, func(n *dump.Stats) uint64 { return n.PriorityZeroSent }),                         // vrrpv3StatisticsSentPriZeroPackets
		count(9, func(n *dump.Stats) uint64 { return n.Type }),                                     // vrrpv3StatisticsRcvdInvalidTypePackets
		count(10, func(n *dump.Stats) uint64 { return n.AddressList }),                             // vrrpv3StatisticsAddressListErrors
		count(11, func(n *dump.Stats) uint64 { return n.Length }),                                  // vrrpv3StatisticsPacketLengthErrors
		col(12, func(*virtual) agentx.Value { return agentx.Ticks(0) }),                            // vrrpv3StatisticsRowDiscontinuityTime
		col(13, func(v *virtual) agentx.Value { return agentx.Gauge(v.AdvertInt.Milliseconds()) }), // vrrpv3StatisticsRefreshRate
	)
}

// status: initialize, backup, master.
func (v *virtual) status() int {
	switch v.now.State {
	case config.Backup:
		return 2
	case config.Master:
		return 3
	}
	return 1
}

// master is whose adverts hold; not valid when nobody is known.
func (v *virtual) master() netip.Addr {
	if v.now.State == config.Master {
		return v.now.Source
	}
	return v.now.Master
}

// anyMaster is the same, and the unspecified address for nobody.
func (v *virtual) anyMaster() netip.Addr {
	switch a := v.master(); {
	case a.IsValid():
		return a
	case v.IPv6():
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// reason is why it is the master.
func (v *virtual) reason() Reason {
	if v.now.State != config.Master {
		return NotMaster
	}
	return Reason(v.now.Reason)
}

// protocolError is vrrpv3StatisticsProtoErrReason: of what there was, the
// first of ipTtlError, versionError, checksumError, vrIdError.
func protocolError(n *dump.Stats) int {
	for i, count := range []uint64{n.TTL, n.Version, n.Checksum, n.VRID} {
		if count > 0 {
			return i + 1
		}
	}
	return 0
}

// virtualMAC is the hardware address that answers for the addresses: that of its
// own link, with use_vmac.
func (s *State) virtualMAC(v *virtual) agentx.Value {
	if l := s.links[v.Device()]; l != nil {
		return mac(l.MAC)
	}
	return agentx.Value{}
}

func ticks(d time.Duration) agentx.Value { return agentx.Ticks(int64(d / (10 * time.Millisecond))) }

// octets are an address in an index.
func octets(a netip.Addr) (all []uint32) {
	for _, b := range a.AsSlice() {
		all = append(all, uint32(b))
	}
	return all
}
