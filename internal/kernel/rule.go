//go:build linux

package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// rule is a claimed rule.
type rule struct{ config.Rule }

// A rule that differs in anything is another one.
func (r rule) id() any          { return ruleID(r.shape()) }
func (r rule) kind() kind       { return rules }
func (r rule) same(object) bool { return true }
func (r rule) String() string   { return "rule " + r.Rule.String() }

// watched: of table 0 the kernel makes one that is free.
func (r rule) watched() bool {
	anyTable := r.Action == config.RuleLookup && r.Table == 0 && !r.L3MDev
	return !r.NoTrack && !anyTable
}

// change has nothing to do: a rule that differs has another id.
func (r rule) change(*batch, object) error { return nil }

type ruleID string

// add: whether it is there the list says; the kernel takes others for the same,
// one that matches the opposite, for instance.
func (r rule) add(b *batch) (adopted bool, err error) {
	if b.rules == nil {
		if b.rules, err = b.rulesThere(); err != nil {
			return false, fmt.Errorf("list rules: %w", err)
		}
	}
	if b.rules[ruleID(r.shape())] {
		return true, nil
	}
	if _, err = b.request(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_ACK, r.message(), 0); err != nil {
		return false, fmt.Errorf("add rule %d: %w", r.Preference.Value, err)
	}
	b.rules[ruleID(r.shape())] = true
	return false, nil
}

// deleteRules deletes the doomed, and no others: what a rule does not say may be
// anything in the one that the kernel deletes, so that others may go first. They
// are put back.
func (b *batch) deleteRules(doomed []*claim) []error {
	errs := make([]error, len(doomed))
	for i, c := range doomed {
		errs[i] = c.delete(b)
	}
	for before := -1; ; before = len(b.rules) {
		there, err := b.rulesThere()
		if b.rules = there; err != nil || len(there) == before {
			errs[0] = errors.Join(errs[0], err)
			break
		}
		left := false
		for i, c := range doomed {
			if errs[i] == nil && c.watched() && there[ruleID(c.object.(rule).shape())] {
				left = true
				errs[i] = c.delete(b)
			}
		}
		if !left {
			break
		}
	}
	for _, c := range b.claims {
		if c.owners > 0 && c.there && c.kind() == rules && c.watched() {
			_, err := c.add(b)
			errs[0] = errors.Join(errs[0], err)
		}
	}
	return errs
}

func (r rule) delete(b *batch) error {
	_, err := b.request(unix.RTM_DELRULE, unix.NLM_F_ACK, r.message(), 0)
	if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return fmt.Errorf("delete rule %d: %w", r.Preference.Value, err)
}

// message is the rule in words of linux/fib_rules.h.
func (r rule) message() *message {
	m := &message{RtMsg: nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Tos: r.TOS, Type: ruleActions[r.Action]}}}
	if r.IPv6 {
		m.Family = unix.AF_INET6
	}
	if r.Not {
		const invert = 2 // FIB_RULE_INVERT
		m.Flags = invert
	}
	if r.From.IsValid() && r.From.Bits() > 0 {
		m.Src_len = uint8(r.From.Bits())
		m.bytes(unix.FRA_SRC, r.From.Addr().AsSlice())
	}
	if r.To.IsValid() && r.To.Bits() > 0 {
		m.Dst_len = uint8(r.To.Bits())
		m.bytes(unix.FRA_DST, r.To.Addr().AsSlice())
	}
	if r.Preference.Set { // without one the kernel takes the next free one
		m.u32(unix.FRA_PRIORITY, r.Preference.Value)
	}
	r.action(m)
	r.match(m)
	protocol := uint8(config.ProtocolKeepalived)
	if r.Protocol.Set {
		protocol = r.Protocol.Value
	}
	m.u8(unix.FRA_PROTOCOL, protocol)
	return m
}

// ruleActions are FR_ACT_* of linux/fib_rules.h.
var ruleActions = map[config.RuleAction]uint8{
	config.RuleLookup: 1, config.RuleGoto: 2, config.RuleNop: 3,
	config.RuleBlackhole: 6, config.RuleUnreachable: 7, config.RuleProhibit: 8,
}

// action adds where a lookup goes on.
func (r rule) action(m *message) {
	switch {
	case r.Action == config.RuleGoto:
		m.u32(unix.FRA_GOTO, r.Goto)
	case r.L3MDev:
		m.u8(unix.FRA_L3MDEV, 1)
	case r.Action == config.RuleLookup:
		m.u32(unix.FRA_TABLE, r.Table)
	}
	if r.SuppressPrefixLength.Set {
		m.u32(unix.FRA_SUPPRESS_PREFIXLEN, uint32(r.SuppressPrefixLength.Value))
	}
	if r.SuppressInterfaceGroup.Set {
		m.u32(unix.FRA_SUPPRESS_IFGROUP, r.SuppressInterfaceGroup.Value)
	}
	if r.Realms != (config.Realms{}) && !r.IPv6 {
		m.u32(unix.FRA_FLOW, flow(r.Realms))
	}
}

// match adds what a packet is matched by, beside addresses.
func (r rule) match(m *message) {
	if r.FWMark.Set {
		mask := uint32(1<<32 - 1)
		if r.FWMask.Set {
			mask = r.FWMask.Value
		}
		m.u32(unix.FRA_FWMARK, r.FWMark.Value)
		m.u32(unix.FRA_FWMASK, mask)
	}
	if r.IIF != "" {
		m.text(unix.FRA_IIFNAME, r.IIF)
	}
	if r.OIF != "" {
		m.text(unix.FRA_OIFNAME, r.OIF)
	}
	if r.TunnelID.Set {
		m.bytes(unix.FRA_TUN_ID, binary.BigEndian.AppendUint64(nil, uint64(r.TunnelID.Value)))
	}
	if r.UIDRange.Set {
		m.bytes(unix.FRA_UID_RANGE, append(nl.Uint32Attr(r.UIDRange.Value.From), nl.Uint32Attr(r.UIDRange.Value.To)...))
	}
	if r.IPProto.Set {
		m.u8(unix.FRA_IP_PROTO, r.IPProto.Value)
	}
	if r.SPort.Set {
		m.bytes(unix.FRA_SPORT_RANGE, ports(r.SPort.Value))
	}
	if r.DPort.Set {
		m.bytes(unix.FRA_DPORT_RANGE, ports(r.DPort.Value))
	}
}

func ports(r config.Range) []byte {
	return append(nl.Uint16Attr(uint16(r.From)), nl.Uint16Attr(uint16(r.To))...)
}

// shape is a message in a form to compare: attributes in order, without those
// that say nothing.
func (r rule) shape() string {
	m := r.message()
	attrs := make(map[int][]byte, len(m.attrs))
	for _, a := range m.attrs {
		attrs[int(a.Type)] = a.Data
	}
	return shape(&m.RtMsg, attrs)
}

func shape(m *nl.RtMsg, attrs map[int][]byte) string {
	var parts []string
	for kind, value := range attrs {
		switch kind {
		case unix.FRA_PRIORITY, unix.FRA_FWMARK, unix.FRA_FWMASK, unix.FRA_TUN_ID, unix.FRA_IP_PROTO:
			if bytes.Count(value, []byte{0}) == len(value) {
				continue // the kernel leaves it out
			}
		case unix.FRA_TABLE:
			if m.Type != ruleActions[config.RuleLookup] || attrs[unix.FRA_L3MDEV] != nil {
				continue
			}
		case unix.FRA_SUPPRESS_PREFIXLEN, unix.FRA_SUPPRESS_IFGROUP:
			if binary.NativeEndian.Uint32(value) == 1<<32-1 {
				continue
			}
		case unix.FRA_PAD:
			continue
		}
		if kind <= unix.FRA_DPORT_RANGE {
			parts = append(parts, fmt.Sprintf("%02d=%x", kind, value))
		}
	}
	slices.Sort(parts)
	const invert = 2
	return fmt.Sprintf("%d %d/%d tos=%d action=%d not=%t %s", m.Family, m.Src_len, m.Dst_len, m.Tos, m.Type, m.Flags&invert != 0, strings.Join(parts, " "))
}
