package snmp

import (
	"net/netip"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// held is an address of an instance.
type held struct {
	*config.Address
	instance   *config.Instance
	advertised bool
}

// addresses is vrrpAddressTable.
func (s *State) addresses() view {
	var t table[held]
	for i := range s.Config.Instances {
		v := &s.Config.Instances[i]
		n := len(v.VirtualIPAddress)
		for k := range n {
			t.add(held{&v.VirtualIPAddress[k], v, true}, uint32(i+1), uint32(k+1))
		}
		for k := range v.VirtualIPAddressExcluded {
			t.add(held{&v.VirtualIPAddressExcluded[k], v, false}, uint32(i+1), uint32(n+k+1))
		}
	}
	return t.view(router.Sub(6, 1),
		col(2, func(a *held) agentx.Value { return family(a.Prefix.Addr()) }),         // vrrpAddressType
		col(3, func(a *held) agentx.Value { return agentx.Address(a.Prefix.Addr()) }), // vrrpAddressValue
		col(4, broadcast), // vrrpAddressBroadcast
		col(5, func(a *held) agentx.Value { return agentx.Gauge(a.Prefix.Bits()) }), // vrrpAddressMask
		col(6, func(a *held) agentx.Value { return scope(a.Scope) }),                // vrrpAddressScope
		col(7, func(a *held) agentx.Value { return s.ifIndex(a.device()) }),         // vrrpAddressIfIndex
		col(8, func(a *held) agentx.Value { return text(a.device()) }),              // vrrpAddressIfName
		col(9, func(a *held) agentx.Value { return text(a.Label) }),                 // vrrpAddressIfAlias
		col(10, func(a *held) agentx.Value { return truth(s.master(a.instance.Name)) }),
		col(11, func(a *held) agentx.Value { return truth(a.advertised) }),           // vrrpAddressAdvertising
		col(12, func(a *held) agentx.Value { return agentx.Address(a.Peer.Addr()) }), // vrrpAddressPeer
	)
}

func (a *held) device() string {
	if a.Dev != "" {
		return a.Dev
	}
	return a.instance.Interface
}

// broadcast is 0.0.0.0 where there is none, and nothing for IPv6.
func broadcast(a *held) agentx.Value {
	switch {
	case a.Broadcast.IsValid():
		return agentx.Address(a.Broadcast)
	case a.Prefix.Addr().Is4():
		return agentx.Address(netip.IPv4Unspecified())
	}
	return agentx.Value{}
}

// scope is an InetScopeType of RFC 4001, and 0 for nowhere.
func scope(s config.Scope) agentx.Value {
	switch s {
	case config.ScopeGlobal:
		return agentx.Integer(14)
	case config.ScopeSite:
		return agentx.Integer(5)
	case config.ScopeLink:
		return agentx.Integer(2)
	case config.ScopeHost:
		return agentx.Integer(1)
	}
	return agentx.Integer(0)
}
