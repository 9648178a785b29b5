package snmp

import (
	"net/netip"
	"strconv"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// policy is a rule of an instance.
type policy struct {
	*config.Rule
	instance string
}

// rules is vrrpRuleTable.
func (s *State) rules() view {
	var t table[policy]
	for i := range s.Config.Instances {
		v := &s.Config.Instances[i]
		for k := range v.VirtualRules {
			t.add(policy{&v.VirtualRules[k], v.Name}, uint32(i+1), uint32(k+1))
		}
	}
	return t.view(router.Sub(8, 1),
		// The first four are of an older MIB, which knew one address.
		col(2, func(r *policy) agentx.Value { return agentx.Text(r.direction()) }),        // vrrpRuleDirection
		col(3, func(r *policy) agentx.Value { return family(r.either().Addr()) }),         // vrrpRuleAddressType
		col(4, func(r *policy) agentx.Value { return agentx.Address(r.either().Addr()) }), // vrrpRuleAddress
		col(5, func(r *policy) agentx.Value { return bits(r.either()) }),                  // vrrpRuleAddressMask
		col(6, func(r *policy) agentx.Value { return r.table() }),                         // vrrpRuleRoutingTable
		col(7, func(r *policy) agentx.Value { return truth(s.master(r.instance)) }),       // vrrpRuleStatus
		col(8, func(r *policy) agentx.Value { return truth(r.Not) }),                      // vrrpRuleInvert
		col(9, func(r *policy) agentx.Value { return family(r.To.Addr()) }),               // vrrpRuleDestinationAddressType
		col(10, func(r *policy) agentx.Value { return agentx.Address(r.To.Addr()) }),      // vrrpRuleDestinationAddress
		col(11, func(r *policy) agentx.Value { return bits(r.To) }),                       // vrrpRuleDestinationAddressMask
		col(12, func(r *policy) agentx.Value { return family(r.From.Addr()) }),            // vrrpRuleSourceAddressType
		col(13, func(r *policy) agentx.Value { return agentx.Address(r.From.Addr()) }),    // vrrpRuleSourceAddress
		col(14, func(r *policy) agentx.Value { return bits(r.From) }),                     // vrrpRuleSourceAddressMask
		col(15, func(r *policy) agentx.Value { return agentx.Gauge(r.TOS) }),              // vrrpRuleTos
		col(16, func(r *policy) agentx.Value { return unsigned(r.FWMark) }),               // vrrpRuleFwmark
		col(17, func(r *policy) agentx.Value { return unsigned(r.FWMask) }),               // vrrpRuleFwmask
		col(18, func(r *policy) agentx.Value { return some(r.Realms.Dst) }),               // vrrpRuleRealmDst
		col(19, func(r *policy) agentx.Value { return some(r.Realms.Src) }),               // vrrpRuleRealmSrc
		col(20, func(r *policy) agentx.Value { return text(r.IIF) }),                      // vrrpRuleInInterface
		col(21, func(r *policy) agentx.Value { return text(r.OIF) }),                      // vrrpRuleOutInterface
		col(22, func(r *policy) agentx.Value { return some(r.Goto) }),                     // vrrpRuleTarget
		col(23, func(r *policy) agentx.Value { return action(r.Action) }),                 // vrrpRuleAction
		col(24, func(r *policy) agentx.Value { return r.table() }),                        // vrrpRuleTableNo
		col(25, func(r *policy) agentx.Value { return unsigned(r.Preference) }),           // vrrpRulePreference
		col(26, func(r *policy) agentx.Value { return unsigned(r.SuppressPrefixLength) }), // vrrpRuleSuppressPrefixLen
		col(27, func(r *policy) agentx.Value { return digits(r.SuppressInterfaceGroup) }), // vrrpRuleSuppressGroup
		col(28, func(r *policy) agentx.Value { return high(r.TunnelID) }),                 // vrrpRuleTunnelIdHigh
		col(29, func(r *policy) agentx.Value { return unsigned(r.TunnelID) }),             // vrrpRuleTunnelIdLow
		col(30, func(r *policy) agentx.Value { return from(r.UIDRange) }),                 // vrrpRuleUidRangeStart
		col(31, func(r *policy) agentx.Value { return to(r.UIDRange) }),                   // vrrpRuleUidRangeEnd
		col(32, func(r *policy) agentx.Value { return onlyTrue(r.L3MDev) }),               // vrrpRuleL3mdev
		col(33, func(r *policy) agentx.Value { return protocol(r.Protocol) }),             // vrrpRuleProtocol
		col(34, func(r *policy) agentx.Value { return unsigned(r.IPProto) }),              // vrrpRuleIPProto
		col(35, func(r *policy) agentx.Value { return from(r.SPort) }),                    // vrrpRuleSrcPortStart
		col(36, func(r *policy) agentx.Value { return to(r.SPort) }),                      // vrrpRuleSrcPortEnd
		col(37, func(r *policy) agentx.Value { return from(r.DPort) }),                    // vrrpRuleDstPortStart
		col(38, func(r *policy) agentx.Value { return to(r.DPort) }),                      // vrrpRuleDstPortEnd
	)
}

func (r *policy) direction() string {
	switch {
	case r.From.IsValid() && r.To.IsValid():
		return "both"
	case r.To.IsValid():
		return "to"
	case r.From.IsValid():
		return "from"
	}
	return ""
}

func (r *policy) either() netip.Prefix {
	if r.To.IsValid() {
		return r.To
	}
	return r.From
}

// table is the one that is looked up in; none for other actions, and 0 when
// the device tells.
func (r *policy) table() agentx.Value {
	switch {
	case r.L3MDev:
		return agentx.Gauge(0)
	case r.Action != config.RuleLookup && r.Action != "":
		return agentx.Value{}
	}
	return agentx.Gauge(tableOf(r.Table))
}

// action is a RuleAction of KEEPALIVED-MIB.
func action(a config.RuleAction) agentx.Value {
	n, ok := map[config.RuleAction]int{
		config.RuleGoto: 2, config.RuleNop: 3, config.RuleBlackhole: 6, config.RuleUnreachable: 7, config.RuleProhibit: 8,
	}[a]
	if !ok {
		n = 1 // table
	}
	return agentx.Integer(n)
}

func digits(o config.Opt[uint32]) agentx.Value {
	if !o.Set {
		return agentx.Value{}
	}
	return agentx.Text(strconv.FormatUint(uint64(o.Value), 10))
}

// high are the upper 32 bits of a number that has 32.
func high(o config.Opt[uint32]) agentx.Value {
	o.Value = 0
	return unsigned(o)
}

func from(o config.Opt[config.Range]) agentx.Value {
	return unsigned(config.Opt[uint32]{Value: o.Value.From, Set: o.Set})
}

func to(o config.Opt[config.Range]) agentx.Value {
	return unsigned(config.Opt[uint32]{Value: o.Value.To, Set: o.Set})
}

func onlyTrue(b bool) agentx.Value {
	if !b {
		return agentx.Value{}
	}
	return truth(true)
}
