package snmp

import (
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// Server tells that a real server came up or went down, and how many of its
// service are up.
func (a *Agent) Server(of *config.Service, s *config.Server, up bool, alive int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.traps || !a.parts.Checker {
		return
	}
	a.o.Log.Info("Sending SNMP notification for real server " + s.String(of.Key.Protocol))
	server := check.Sub(4, 1)
	a.agent.Notify(check.Sub(5, 0, 1), append([]agentx.VarBind{ // realServerStateChange
		{Name: server.Sub(3), Value: family(s.Addr.Addr())},         // realServerAddrType
		{Name: server.Sub(4), Value: agentx.Address(s.Addr.Addr())}, // realServerAddress
		{Name: server.Sub(5), Value: agentx.Gauge(s.Addr.Port())},   // realServerPort
		{Name: server.Sub(6), Value: truth(up)},                     // realServerStatus
	}, a.about(of, nil, alive)...)...)
}

// Quorum is virtualServerQuorumStatus.
type Quorum int

// What there is of a quorum.
const (
	QuorumMet      Quorum = 1
	QuorumNotMet   Quorum = 2
	QuorumShutdown Quorum = 3 // lvsd ends
)

// QuorumOf says whether it is held.
func QuorumOf(held bool) Quorum {
	if held {
		return QuorumMet
	}
	return QuorumNotMet
}

// Quorum tells that a service has gained or lost its quorum.
func (a *Agent) Quorum(of *config.Service, now Quorum, alive int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.traps || !a.parts.Checker {
		return
	}
	a.o.Log.Info("Sending SNMP notification for VS " + of.Key.String())
	service := check.Sub(3, 1)
	a.agent.Notify(check.Sub(5, 0, 2), a.about(of, []agentx.VarBind{ // virtualServerQuorumStateChange
		{Name: service.Sub(23), Value: agentx.Integer(now)},     // virtualServerQuorumStatus
		{Name: service.Sub(22), Value: agentx.Gauge(of.Quorum)}, // virtualServerQuorum
	}, alive)...)
}

// about is which service it is, with more between, and how it stands.
func (a *Agent) about(of *config.Service, more []agentx.VarBind, alive int) (all []agentx.VarBind) {
	service := check.Sub(3, 1)
	v := config.VirtualServer{Addr: of.Key.Addr, FWMark: of.Key.FWMark, Group: of.Key.Group, Protocol: config.Opt[config.Protocol]{Value: of.Key.Protocol, Set: of.Key.Protocol != 0}}
	add := func(id uint32, value agentx.Value) {
		if value.Type != agentx.TypeNone {
			all = append(all, agentx.VarBind{Name: service.Sub(id), Value: value})
		}
	}
	add(2, agentx.Integer(serviceType(&served{VirtualServer: &v}))) // virtualServerType
	add(3, text(v.Group))
	add(4, some(v.FWMark))
	add(5, family(v.Addr.Addr()))
	add(6, agentx.Address(v.Addr.Addr()))
	add(7, servicePort(&served{VirtualServer: &v}))
	add(8, protocolOf(&v))
	all = append(all, more...)
	add(21, agentx.Gauge(alive))           // virtualServerRealServersUp
	add(20, agentx.Gauge(len(of.Servers))) // virtualServerRealServersTotal
	return append(all, a.routerID())
}
