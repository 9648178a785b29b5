//go:build linux

package kernel

import (
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// vmacMap maps a VMAC to the interface below.
func vmacMap(in *nftables.Table) *nftables.Set {
	return &nftables.Set{Table: in, Name: mapVMACs, IsMap: true, KeyType: nftables.TypeIFIndex, DataType: nftables.TypeIFIndex, KeyByteOrder: binaryutil.NativeEndian}
}

// setOf is a set by its name.
func setOf(in *nftables.Table, name string) *nftables.Set {
	s := &nftables.Set{Table: in, Name: name}
	switch name {
	case setVMACs:
		s.KeyType, s.KeyByteOrder = nftables.TypeIFIndex, binaryutil.NativeEndian
	case setLinkLocal:
		s.KeyType = nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeIFIndex)
	case setNamed:
		s.KeyType = nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeIFName)
	case setDiscovery:
		s.KeyType, s.Constant = nftables.TypeICMP6Type, true
	default:
		s.KeyType = nftables.TypeIPAddr
		if in.Family == nftables.TableFamilyIPv6 {
			s.KeyType = nftables.TypeIP6Addr
		}
	}
	return s
}

// Types of ICMPv6, RFC 4861 section 4 and RFC 3810 section 5.2.
const (
	routerSolicit   = 133
	neighborSolicit = 135
	neighborAdvert  = 136
	mld2Report      = 143
)

// builder collects the parts of a table.
type builder struct {
	conn  *nftables.Conn
	table *nftables.Table
	of    *table
	errs  []error
}

// build adds the table to the transaction. What a crash left under its name
// goes first.
func (t *table) build(conn *nftables.Conn, family nftables.TableFamily, fresh bool) error {
	in := &nftables.Table{Family: family, Name: t.name}
	if fresh {
		conn.AddTable(in) // so that there is one to delete
		conn.DelTable(in)
	}
	b := &builder{conn: conn, table: conn.AddTable(in), of: t}
	ipv6 := family == nftables.TableFamilyIPv6
	if len(t.vmacs) > 0 {
		b.add(vmacMap(in), elements(nil, t.vmacs))
	}
	for _, name := range []string{setVMACs, setVIPs} {
		if t.sets[name] != nil {
			b.add(setOf(in, name), elements(nil, keys(t.sets[name])))
		}
	}
	closed := t.sets[setVIPs] != nil
	if closed && ipv6 {
		b.add(setOf(in, setDiscovery), []nftables.SetElement{{Key: []byte{neighborSolicit}}, {Key: []byte{neighborAdvert}}})
	}
	for _, name := range []string{setNamed, setLinkLocal} {
		if t.sets[name] != nil {
			b.add(setOf(in, name), elements(nil, keys(t.sets[name])))
		}
	}
	b.chains(ipv6, closed)
	return errors.Join(b.errs...)
}

func (b *builder) add(s *nftables.Set, elements []nftables.SetElement) {
	if err := b.conn.AddSet(s, elements); err != nil {
		b.errs = append(b.errs, err)
	}
}

// chains adds chains and rules in keepalived's order.
func (b *builder) chains(ipv6, closed bool) {
	out := b.base(chainOut, nftables.ChainHookOutput)
	if len(b.of.vmacs) > 0 {
		b.vmacRules(out, ipv6)
	}
	if !closed {
		return
	}
	in := b.base(chainIn, nftables.ChainHookInput)
	var inLocal, outLocal *nftables.Chain
	if ipv6 {
		inLocal = b.conn.AddChain(&nftables.Chain{Name: chainInLocal, Table: b.table})
		outLocal = b.conn.AddChain(&nftables.Chain{Name: chainOutLocal, Table: b.table})
	}
	b.closedRules(out, outLocal, true, ipv6)
	b.closedRules(in, inLocal, false, ipv6)
}

func (b *builder) base(name string, hook *nftables.ChainHook) *nftables.Chain {
	return b.conn.AddChain(&nftables.Chain{
		Name: name, Table: b.table, Type: nftables.ChainTypeFilter, Hooknum: hook,
		Priority: nftables.ChainPriorityRef(nftables.ChainPriority(b.of.priority)),
	})
}

// rule adds a rule that ends in a verdict, with a counter if wished.
func (b *builder) rule(chain *nftables.Chain, verdict *expr.Verdict, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	if b.of.counters {
		all = append(all, &expr.Counter{})
	}
	b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: chain, Exprs: append(all, verdict)})
}

// vmacRules: group membership is told on the interface below, where switches
// look for it; a VMAC solicits no routers.
func (b *builder) vmacRules(out *nftables.Chain, ipv6 bool) {
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	const igmp, daddr4, daddr6 = 2, 16, 24
	membership, offset, length := []expr.Any{network(1, 9, 1), equal(1, []byte{igmp})}, uint32(daddr4), uint32(4)
	if ipv6 {
		membership, offset, length = icmp6(mld2Report), daddr6, 16
	}
	b.rule(out, drop, membership, macvlans(), []expr.Any{
		network(1, offset, length),
		&expr.Meta{Key: expr.MetaKeyOIF, Register: 2},
		&expr.Lookup{SourceRegister: 2, DestRegister: 2, IsDestRegSet: true, SetName: mapVMACs},
		&expr.Dup{RegAddr: 1, RegDev: 2, IsRegDevSet: true},
	})
	if ipv6 {
		b.rule(out, drop, icmp6(routerSolicit), macvlans(), []expr.Any{&expr.Meta{Key: expr.MetaKeyOIF, Register: 1}, in(setVMACs)})
	}
}

// closedRules drop what comes from or goes to closed addresses; neighbour
// discovery is let through, RFC 9568 section 6.4.3.
func (b *builder) closedRules(chain, local *nftables.Chain, out, ipv6 bool) {
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	offset, length := uint32(16), uint32(4)
	link, name := expr.MetaKeyIIF, expr.MetaKeyIIFNAME
	switch {
	case ipv6 && out:
		offset = 8
	case ipv6:
		offset = 24
	case out:
		offset = 12
	}
	if out {
		link, name = expr.MetaKeyOIF, expr.MetaKeyOIFNAME
	}
	if ipv6 {
		length = 16
		b.rule(chain, &expr.Verdict{Kind: expr.VerdictAccept}, []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(1, []byte{unix.IPPROTO_ICMPV6}), transport(1, 0, 1), in(setDiscovery),
		})
	}
	if local != nil {
		mask := make([]byte, 16)
		mask[0], mask[1] = 0xff, 0xc0
		prefix := make([]byte, 16)
		prefix[0], prefix[1] = 0xfe, 0x80
		b.rule(chain, &expr.Verdict{Kind: expr.VerdictGoto, Chain: local.Name}, []expr.Any{
			network(1, offset, length),
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 16, Mask: mask, Xor: make([]byte, 16)},
			equal(1, prefix),
		})
		for _, s := range []struct {
			set string
			key expr.MetaKey
		}{{setNamed, name}, {setLinkLocal, link}} {
			if b.of.sets[s.set] != nil {
				b.rule(local, drop, []expr.Any{network(1, offset, length), &expr.Meta{Key: s.key, Register: 2}, in(s.set)})
			}
		}
	}
	b.rule(chain, drop, []expr.Any{network(1, offset, length), in(setVIPs)})
}

// The words that rules are made of.

func network(register, offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length}
}

func transport(register, offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length}
}

func equal(register uint32, value []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: value}
}

func in(set string) expr.Any { return &expr.Lookup{SourceRegister: 1, SetName: set} }

func icmp6(kind byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(1, []byte{unix.IPPROTO_ICMPV6}),
		transport(1, 0, 1), equal(1, []byte{kind}),
	}
}

// macvlans match what leaves by one.
func macvlans() []expr.Any {
	const oifKind = 27 // NFT_META_OIFKIND of linux/netfilter/nf_tables.h
	kind := make([]byte, ifNameSize)
	copy(kind, "macvlan")
	return []expr.Any{&expr.Meta{Key: oifKind, Register: 1}, equal(1, kind)}
}
