package snmp

import (
	"slices"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// served is a virtual_server block and how it stands.
type served struct {
	*config.VirtualServer
	now     dump.Service
	servers []config.Server
}

// balanced is a real server of a block, or its sorry server.
type balanced struct {
	*config.Server
	of      *served
	written *config.RealServer // nil: the sorry server
	now     dump.Server
	up      bool
}

// checkers is the part of KEEPALIVED-MIB about services.
func (s *State) checkers() view {
	var services table[*served]
	var servers table[*balanced]
	for i := range s.Config.Services {
		v := &served{VirtualServer: &s.Config.Services[i], servers: s.Config.Servers(&s.Config.Services[i])}
		v.now = s.Facts.Services[v.Key()]
		services.add(v, uint32(i+1))
		for k, b := range v.all() {
			servers.add(b, uint32(i+1), uint32(k+1))
		}
	}
	return slices.Concat(s.serviceGroups(), s.services(&services), s.servers(&servers), s.syncDaemon(), s.timeouts())
}

// all are the sorry server, if there is one, and the real servers.
func (v *served) all() (all []*balanced) {
	if sorry := v.Sorry(); sorry != nil {
		all = append(all, &balanced{Server: sorry, of: v, up: true})
	}
	for k := range v.servers {
		now, known := v.now.Servers[v.servers[k].Addr]
		if !known {
			now.Weight = v.servers[k].Weight
		}
		all = append(all, &balanced{&v.servers[k], v, &v.RealServers[k], now, now.Alive})
	}
	return all
}

// serviceGroups is virtualServerGroupTable, and virtualServerGroupMemberTable.
func (s *State) serviceGroups() view {
	var groups table[string]
	var members table[*config.GroupEntry]
	for i := range s.Config.ServiceGroups {
		g := &s.Config.ServiceGroups[i]
		groups.add(g.Name, uint32(i+1))
		for k, e := range marksFirst(g.Entries) {
			members.add(e, uint32(i+1), uint32(k+1))
		}
	}
	type row = *config.GroupEntry
	single := func(e row) bool { return !e.IsMark() && e.First == e.Last }
	only := func(yes bool, v agentx.Value) agentx.Value {
		if !yes {
			return agentx.Value{}
		}
		return v
	}
	isRange := func(e row) bool { return !e.IsMark() && e.First != e.Last }
	return append(groups.view(check.Sub(1, 1), col(2, func(name *string) agentx.Value { return agentx.Text(*name) })),
		members.view(check.Sub(2, 1),
			col(2, func(e *row) agentx.Value { return agentx.Integer(memberType(*e)) }), // virtualServerGroupMemberType
			col(3, func(e *row) agentx.Value { return some((*e).FWMark) }),              // virtualServerGroupMemberFwMark
			col(4, func(e *row) agentx.Value { return family((*e).First) }),             // virtualServerGroupMemberAddrType
			col(5, func(e *row) agentx.Value { return only(single(*e), agentx.Address((*e).First)) }),
			col(6, func(e *row) agentx.Value { return only(isRange(*e), agentx.Address((*e).First)) }), // virtualServerGroupMemberAddr1
			col(7, func(e *row) agentx.Value { return only(isRange(*e), agentx.Address((*e).Last)) }),  // virtualServerGroupMemberAddr2
			col(8, func(e *row) agentx.Value { return only(!(*e).IsMark(), agentx.Gauge((*e).Port)) }), // virtualServerGroupMemberPort
		)...)
}

// marksFirst is the order in which keepalived has them.
func marksFirst(entries []config.GroupEntry) (all []*config.GroupEntry) {
	for _, marks := range []bool{true, false} {
		for i := range entries {
			if entries[i].IsMark() == marks {
				all = append(all, &entries[i])
			}
		}
	}
	return all
}

// memberType: fwmark, ip, iprange.
func memberType(e *config.GroupEntry) int {
	switch {
	case e.IsMark():
		return 1
	case e.First == e.Last:
		return 2
	}
	return 3
}

// services is virtualServerTable.
func (s *State) services(t *table[*served]) view {
	c := func(id uint32, value func(*served) agentx.Value) object[*served] {
		return col(id, func(v **served) agentx.Value { return value(*v) })
	}
	all := []object[*served]{
		c(2, func(v *served) agentx.Value { return agentx.Integer(serviceType(v)) }), // virtualServerType
		c(3, func(v *served) agentx.Value { return text(v.Group) }),                  // virtualServerNameOfGroup
		c(4, func(v *served) agentx.Value { return some(v.FWMark) }),                 // virtualServerFwMark
		c(5, addressType), // virtualServerAddrType
		c(6, func(v *served) agentx.Value { return agentx.Address(v.Addr.Addr()) }), // virtualServerAddress
		c(7, servicePort),
		c(8, serviceProtocol), // virtualServerProtocol
		c(9, func(v *served) agentx.Value { return scheduler(v.Scheduler()) }),    // virtualServerLoadBalancingAlgo
		c(10, func(v *served) agentx.Value { return agentx.Integer(v.Method()) }), // virtualServerLoadBalancingKind
		c(11, func(v *served) agentx.Value { return truth(v.alive() > 0) }),       // virtualServerStatus: alive, dead
		c(12, func(v *served) agentx.Value { return text(v.VirtualHost) }),        // virtualServerVirtualHost
		c(13, func(v *served) agentx.Value { return truth(v.PersistenceTimeout > 0) }),
		c(14, persistTimeout), c(15, granularity), c(51, granularity6),
		c(16, func(v *served) agentx.Value { return seconds(v.timing().DelayLoop.Value) }), // virtualServerDelayLoop
		c(17, func(v *served) agentx.Value { return truth(v.HASuspend) }),                  // virtualServerHaSuspend
		c(18, func(v *served) agentx.Value { return truth(v.Alpha) }),
		c(19, func(v *served) agentx.Value { return truth(v.Omega) }),
		c(20, func(v *served) agentx.Value { return agentx.Gauge(len(v.servers)) }), // virtualServerRealServersTotal
		c(21, func(v *served) agentx.Value { return agentx.Gauge(v.alive()) }),      // virtualServerRealServersUp
		c(22, func(v *served) agentx.Value { return agentx.Gauge(v.Quorum) }),
		c(23, func(v *served) agentx.Value { return truth(v.now.Quorum) }), // virtualServerQuorumStatus: met, notMet
		c(24, func(v *served) agentx.Value { return script(v.QuorumUp) }),
		c(25, func(v *served) agentx.Value { return script(v.QuorumDown) }),
		c(26, func(v *served) agentx.Value { return agentx.Gauge(v.Hysteresis) }),
		c(37, func(v *served) agentx.Value { return truth(v.OPS) }),
		c(52, func(*served) agentx.Value { return truth(false) }),                 // virtualServerHashed: the kernel sets that flag itself
		c(53, func(v *served) agentx.Value { return v.flag(config.SchedFlag1) }),  // virtualServerSHFallback
		c(54, func(v *served) agentx.Value { return v.flag(config.SchedFlag2) }),  // virtualServerSHPort
		c(55, func(v *served) agentx.Value { return v.flag(config.SchedFlag3) }),  // virtualServerSched3
		c(56, func(v *served) agentx.Value { return truth(!v.InhibitOnFailure) }), // virtualServerActionWhenDown: remove, inhibit
		c(57, func(v *served) agentx.Value { return agentx.Gauge(v.Timing.Retry.Value) }),
		c(58, func(v *served) agentx.Value { return seconds(v.Timing.DelayBeforeRetry.Value) }),
		c(59, func(v *served) agentx.Value { return seconds(v.Timing.Warmup.Value) }),
		c(60, func(v *served) agentx.Value { return agentx.Integer(v.Weight) }),
		c(61, func(v *served) agentx.Value { return truth(v.SMTPAlert.Value) }),
		c(62, func(v *served) agentx.Value { return v.flag(config.SchedFlag1) }), // virtualServerMHFallback
		c(63, func(v *served) agentx.Value { return v.flag(config.SchedFlag2) }), // virtualServerMHPort
		c(64, func(v *served) agentx.Value { return micros(v.timing().DelayLoop.Value) }),
		c(65, func(v *served) agentx.Value { return micros(v.Timing.DelayBeforeRetry.Value) }),
		c(66, func(v *served) agentx.Value { return micros(v.Timing.Warmup.Value) }),
		c(67, func(v *served) agentx.Value { return micros(v.timing().ConnectTimeout.Value) }),
		c(68, func(v *served) agentx.Value { return tunnelType(v.Method(), v.Tunnel) }),
		c(69, func(v *served) agentx.Value { return tunnelPort(v.Method(), v.Tunnel) }),
		c(70, func(v *served) agentx.Value { return tunnelChecksum(v.Method(), v.Tunnel) }),
		c(71, func(v *served) agentx.Value { return text(v.SNMPName) }), // virtualServerName
	}
	counters := func(v **served) *Counters { return &s.traffic((*v).Key()).Counters }
	all = append(all, counts(27, 28, 38, 41, counters)...)
	return t.view(check.Sub(3, 1), all...)
}

// servers is realServerTable.
func (s *State) servers(t *table[*balanced]) view {
	c := func(id uint32, value func(*balanced) agentx.Value) object[*balanced] {
		return col(id, func(b **balanced) agentx.Value { return value(*b) })
	}
	regular := func(id uint32, value func(*balanced) agentx.Value) object[*balanced] {
		return c(id, func(b *balanced) agentx.Value {
			if b.written == nil {
				return agentx.Value{}
			}
			return value(b)
		})
	}
	all := []object[*balanced]{
		c(2, func(b *balanced) agentx.Value { return truth(b.written != nil) }),            // realServerType: regular, sorry
		c(3, func(b *balanced) agentx.Value { return family(b.Addr.Addr()) }),              // realServerAddrType
		c(4, func(b *balanced) agentx.Value { return agentx.Address(b.Addr.Addr()) }),      // realServerAddress
		c(5, func(b *balanced) agentx.Value { return agentx.Gauge(b.Addr.Port()) }),        // realServerPort
		regular(6, func(b *balanced) agentx.Value { return truth(b.up) }),                  // realServerStatus: alive, dead
		regular(7, func(b *balanced) agentx.Value { return agentx.Integer(b.now.Weight) }), // realServerWeight
		regular(8, func(b *balanced) agentx.Value { return some(b.UThreshold) }),
		regular(9, func(b *balanced) agentx.Value { return some(b.LThreshold) }),
		regular(10, func(b *balanced) agentx.Value { return truth(!b.InhibitOnFailure) }), // realServerActionWhenDown
		regular(11, func(b *balanced) agentx.Value { return script(b.NotifyUp) }),
		regular(12, func(b *balanced) agentx.Value { return script(b.NotifyDown) }),
		regular(13, func(b *balanced) agentx.Value { return agentx.Gauge(b.failed()) }), // realServerFailedChecks
		c(40, func(b *balanced) agentx.Value { return agentx.Integer(b.Method) }),       // realServerForwardingMethod
		c(41, func(b *balanced) agentx.Value { return b.virtualHost() }),
		c(42, func(b *balanced) agentx.Value { return truth(b.alpha()) }),
		c(43, func(b *balanced) agentx.Value { return agentx.Gauge(b.timing().Retry.Value) }),
		c(44, func(b *balanced) agentx.Value { return seconds(b.timing().DelayBeforeRetry.Value) }),
		c(45, func(b *balanced) agentx.Value { return seconds(b.timing().Warmup.Value) }),
		c(46, func(b *balanced) agentx.Value { return seconds(b.timing().DelayLoop.Value) }),
		c(47, func(b *balanced) agentx.Value { return truth(b.SMTPAlert) }),
		c(48, func(b *balanced) agentx.Value { return micros(b.timing().DelayBeforeRetry.Value) }),
		c(49, func(b *balanced) agentx.Value { return micros(b.timing().Warmup.Value) }),
		c(50, func(b *balanced) agentx.Value { return micros(b.timing().DelayLoop.Value) }),
		c(51, func(b *balanced) agentx.Value { return micros(b.timing().ConnectTimeout.Value) }),
		c(52, func(b *balanced) agentx.Value { return tunnelType(b.Method, b.Tunnel) }),
		c(53, func(b *balanced) agentx.Value { return tunnelPort(b.Method, b.Tunnel) }),
		c(54, func(b *balanced) agentx.Value { return tunnelChecksum(b.Method, b.Tunnel) }),
		c(55, func(b *balanced) agentx.Value { return b.name() }), // realServerName
		c(15, func(b *balanced) agentx.Value { return agentx.Gauge(s.ofServer(b).Active) }),
		c(16, func(b *balanced) agentx.Value { return agentx.Gauge(s.ofServer(b).Inactive) }),
		c(17, func(b *balanced) agentx.Value { return agentx.Gauge(s.ofServer(b).Persistent) }),
	}
	counters := func(b **balanced) *Counters { c := s.ofServer(*b).Counters; return &c }
	return t.view(check.Sub(4, 1), append(all, counts(14, 18, 27, 30, counters)...)...)
}
