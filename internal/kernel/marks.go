//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Marks is the table, once for each family, that gives packets to the addresses
// of virtual_server_groups the firewall marks of their services: nftables_ipvs.
// It remembers nothing: a table of its name is its own, whoever has made it. It is
// safe for concurrent use.
type Marks struct {
	table     string
	namespace string

	mu       sync.Mutex
	priority int
	conn     *nftables.Conn // nil: not open
	socket   *netlink.Conn  // of conn
}

// NewMarks is the table of a name in a network namespace, a name of
// ip-netns(8): net_namespace_ipvs; empty: that of the calling thread. Nothing is
// opened before the first use.
func NewMarks(table, namespace string) *Marks { return &Marks{table: table, namespace: namespace} }

// Prioritise sets the priority of the chains, nftables_ipvs_priority, for the
// next Mark, and reports whether it was another one.
func (m *Marks) Prioritise(priority int) (other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	other = m.priority != priority
	m.priority = priority
	return other
}

// Close closes the socket. The next use opens another one.
func (m *Marks) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.close()
}

func (m *Marks) close() error {
	if m.conn == nil {
		return nil
	}
	err := m.conn.CloseLasting()
	m.conn = nil
	return err
}

// sendBuffer holds a transaction with some ten thousand ranges.
const sendBuffer = 8 << 20

func (m *Marks) open() error {
	if m.conn != nil {
		return nil
	}
	options := []nftables.ConnOption{nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		m.socket = c
		return c.SetWriteBuffer(sendBuffer)
	})}
	if m.namespace != "" {
		there, err := os.Open("/run/netns/" + m.namespace)
		if err != nil {
			return fmt.Errorf("the network namespace of IPVS: %w", err)
		}
		defer func() { _ = there.Close() }()
		options = append(options, nftables.WithNetNSFd(int(there.Fd())))
	}
	conn, err := nftables.New(options...)
	if err != nil {
		return fmt.Errorf("nftables cannot be used: %w", err)
	}
	m.conn = conn
	return nil
}

// Marked is what the table has, whoever has put it there.
func (m *Marks) Marked() (all []config.Marked, err error) {
	err = m.each(func(family nftables.TableFamily) error {
		have, err := m.read(family)
		all = append(all, have.ranges...)
		return err
	})
	return all, err
}

// Mark makes these all that the table has, and reports whether it had anything
// else. Without any it is deleted.
func (m *Marks) Mark(all []config.Marked) (changed bool, err error) {
	err = m.each(func(family nftables.TableFamily) error {
		have, err := m.read(family)
		if err != nil {
			return err
		}
		want := m.want(family, all)
		if have.same(&want) {
			return nil
		}
		changed = true
		return m.change(family, &have, &want)
	})
	return changed, err
}

// each does something for both families. After an error the socket is opened
// again: answers may be left in it.
func (m *Marks) each(f func(nftables.TableFamily) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return err
	}
	var errs []error
	for _, family := range families {
		errs = append(errs, f(family))
	}
	err := errors.Join(errs...)
	if err != nil {
		err = fmt.Errorf("nftables: table %s: %w", m.table, err)
		_ = m.close()
	}
	return err
}

// markTable is a table of a family.
type markTable struct {
	there    bool
	maps     []config.Protocol // that there is a map for, in order
	unusable bool              // one of them is not such a map
	chain    bool              // there is one with its name,
	base     bool              // in which packets to this host come
	priority int               // with this priority
	rules    []config.Protocol // in order; 0: another rule
	ranges   []config.Marked   // in the maps
}

func (m *Marks) want(family nftables.TableFamily, all []config.Marked) (t markTable) {
	for _, r := range all {
		if r.First.Is6() != (family == nftables.TableFamilyIPv6) {
			continue
		}
		t.ranges, t.there, t.chain, t.base, t.priority = append(t.ranges, r), true, true, true, m.priority
		if !slices.Contains(t.maps, r.Protocol) {
			t.maps = append(t.maps, r.Protocol)
		}
	}
	t.rules = t.maps
	return t
}

func (t *markTable) same(o *markTable) bool {
	return t.there == o.there && !t.unusable && t.sameChain(o) && sameProtocols(t.maps, o.maps) && sameProtocols(t.rules, o.rules) &&
		len(without(t.ranges, o.ranges))+len(without(o.ranges, t.ranges)) == 0
}

func (t *markTable) sameChain(o *markTable) bool {
	return t.chain == o.chain && t.base == o.base && t.priority == o.priority
}

// sameProtocols: the order of maps and rules means nothing.
func sameProtocols(a, b []config.Protocol) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// without are those of all that are not among others.
func without(all, others []config.Marked) (left []config.Marked) {
	there := make(map[config.Marked]bool, len(others))
	for _, o := range others {
		there[o] = true
	}
	for _, r := range all {
		if !there[r] {
			left = append(left, r)
		}
	}
	return left
}

// read is the table as the kernel has it.
func (m *Marks) read(family nftables.TableFamily) (t markTable, err error) {
	table, err := m.conn.ListTableOfFamily(m.table, family)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return t, fmt.Errorf("read it: %w", err)
	}
	t.there = true
	if err := m.readMaps(table, &t); err != nil {
		return t, fmt.Errorf("read its maps: %w", err)
	}
	chains, err := m.conn.ListChainsOfTableFamily(family)
	if err != nil {
		return t, fmt.Errorf("read its chain: %w", err)
	}
	for _, c := range chains {
		if c.Table.Name != m.table || c.Name != chainIn {
			continue
		}
		t.chain = true
		if t.base = c.Type == nftables.ChainTypeFilter && c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookInput && c.Priority != nil; !t.base {
			continue
		}
		t.priority = int(*c.Priority)
		rules, err := m.conn.GetRules(table, c)
		if err != nil {
			return t, fmt.Errorf("read its rules: %w", err)
		}
		for _, rule := range rules {
			t.rules = append(t.rules, markedBy(rule, family))
		}
	}
	return t, nil
}

func (m *Marks) readMaps(table *nftables.Table, t *markTable) error {
	sets, err := m.conn.GetSets(table)
	if err != nil {
		return err
	}
	for protocol, name := range markMaps {
		at := slices.IndexFunc(sets, func(s *nftables.Set) bool { return s.Name == name })
		if at < 0 {
			continue
		}
		t.maps = append(t.maps, protocol)
		like, have := markMap(table, protocol), sets[at]
		if have.KeyType.Name != like.KeyType.Name || have.DataType.Name != like.DataType.Name || !have.IsMap || !have.Interval || !have.Concatenation {
			t.unusable = true
			continue
		}
		elements, err := m.conn.GetSetElements(have)
		if err != nil {
			return err
		}
		for _, e := range elements {
			t.ranges = append(t.ranges, rangeOf(e, protocol, table.Family))
		}
	}
	return nil
}

// markMaps are the maps from addresses and ports to marks, with keepalived's
// names.
var markMaps = map[config.Protocol]string{config.TCP: "tcp_map", config.UDP: "udp_map", config.SCTP: "sctp_map"}

// change leads from one table to another in one transaction, once there are all
// maps: a packet finds what was or what is. A table with something else under
// the name of a map is made anew.
func (m *Marks) change(family nftables.TableFamily, have, want *markTable) error {
	in := &nftables.Table{Family: family, Name: m.table}
	if !want.there || have.unusable {
		m.conn.DelTable(in)
		if err := m.conn.Flush(); err != nil {
			return fmt.Errorf("delete it: %w", err)
		}
		if have = new(markTable); !want.there {
			return nil
		}
	}
	if err := m.makeMaps(in, want.maps, have.maps); err != nil {
		return fmt.Errorf("make its maps: %w", err)
	}
	if err := m.changeElements(in, have, want); err != nil {
		return err
	}
	m.changeChain(in, have, want)
	for _, protocol := range have.maps {
		if !slices.Contains(want.maps, protocol) {
			m.conn.DelSet(markMap(in, protocol))
		}
	}
	if err := m.conn.Flush(); err != nil {
		return fmt.Errorf("change it: %w", err)
	}
	return nil
}

func (m *Marks) changeElements(in *nftables.Table, have, want *markTable) error {
	var errs []error
	gone, come := without(have.ranges, want.ranges), without(want.ranges, have.ranges)
	for _, protocol := range want.maps {
		errs = append(errs, elementsOf(in, protocol, gone, m.conn.SetDeleteElements), elementsOf(in, protocol, come, m.conn.SetAddElements))
	}
	return errors.Join(errs...)
}

func (m *Marks) changeChain(in *nftables.Table, have, want *markTable) {
	same := have.sameChain(want)
	if same && sameProtocols(have.rules, want.rules) {
		return
	}
	chain := &nftables.Chain{
		Name: chainIn, Table: in, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput,
		Priority: nftables.ChainPriorityRef(nftables.ChainPriority(want.priority)),
	}
	if have.chain {
		m.conn.FlushChain(chain)
	}
	if !same {
		if have.chain {
			m.conn.DelChain(chain)
		}
		m.conn.AddChain(chain)
	}
	for _, protocol := range want.rules {
		m.conn.AddRule(&nftables.Rule{Table: in, Chain: chain, Exprs: markRule(protocol, in.Family)})
	}
}

// elementsAtOnce is how many elements a message takes: the length of its list
// is a number of 16 bits.
const elementsAtOnce = 400

func elementsOf(in *nftables.Table, protocol config.Protocol, ranges []config.Marked, do func(*nftables.Set, []nftables.SetElement) error) error {
	var all []nftables.SetElement
	for _, r := range ranges {
		if r.Protocol == protocol {
			all = append(all, nftables.SetElement{Key: markKey(r.First, r.FirstPort), KeyEnd: markKey(r.Last, r.LastPort), Val: binaryutil.NativeEndian.PutUint32(r.Mark)})
		}
	}
	for some := range slices.Chunk(all, elementsAtOnce) {
		if err := do(markMap(in, protocol), some); err != nil {
			return err
		}
	}
	return nil
}

// markKey is an address and a port, each filled up to registers of 4 bytes.
func markKey(a netip.Addr, port uint16) []byte {
	return append(a.AsSlice(), byte(port>>8), byte(port), 0, 0)
}

// rangeOf is the reverse of an element.
func rangeOf(e nftables.SetElement, protocol config.Protocol, family nftables.TableFamily) config.Marked {
	if len(e.KeyEnd) == 0 {
		e.KeyEnd = e.Key // a single address and port
	}
	r := config.Marked{Protocol: protocol}
	length := addressLength(family)
	if len(e.Key) == length+4 && len(e.KeyEnd) == length+4 && len(e.Val) == 4 {
		r.First, _ = netip.AddrFromSlice(e.Key[:length])
		r.Last, _ = netip.AddrFromSlice(e.KeyEnd[:length])
		r.FirstPort, r.LastPort = binaryutil.BigEndian.Uint16(e.Key[length:]), binaryutil.BigEndian.Uint16(e.KeyEnd[length:])
		r.Mark = binaryutil.NativeEndian.Uint32(e.Val)
	}
	return r
}

func addressLength(family nftables.TableFamily) int {
	if family == nftables.TableFamilyIPv6 {
		return 16
	}
	return 4
}

// markRule is "meta mark set ip daddr . tcp dport map @tcp_map return". The
// port is in the register behind the address.
func markRule(protocol config.Protocol, family nftables.TableFamily) []expr.Any {
	const (
		daddr4, daddr6, dport = 16, 24, 2
		behind4, behind6      = 9, unix.NFT_REG_2 // NFT_REG32_01
	)
	offset, behind := uint32(daddr4), uint32(behind4)
	if family == nftables.TableFamilyIPv6 {
		offset, behind = daddr6, behind6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(1, []byte{byte(protocol)}),
		network(1, offset, uint32(addressLength(family))), transport(behind, dport, 2),
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: markMaps[protocol]},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
		&expr.Verdict{Kind: expr.VerdictReturn},
	}
}

// markedBy is the protocol of a rule that is a markRule; 0: it is another one.
func markedBy(rule *nftables.Rule, family nftables.TableFamily) config.Protocol {
	for protocol := range markMaps {
		like := markRule(protocol, family)
		if len(rule.Exprs) == len(like) && sameWords(rule.Exprs, like) {
			return protocol
		}
	}
	return 0
}

// sameWords compares what the kernel may say in another form not at all: how an
// expression is loaded, and what follows from the maps.
func sameWords(have, want []expr.Any) bool {
	return slices.EqualFunc(have, want, func(a, b expr.Any) bool {
		switch b := b.(type) {
		case *expr.Lookup:
			a, ok := a.(*expr.Lookup)
			return ok && a.SetName == b.SetName && !a.Invert
		case *expr.Meta:
			a, ok := a.(*expr.Meta)
			return ok && a.Key == b.Key && a.SourceRegister == b.SourceRegister
		case *expr.Payload:
			a, ok := a.(*expr.Payload)
			return ok && a.Base == b.Base && a.Offset == b.Offset && a.Len == b.Len
		case *expr.Cmp:
			a, ok := a.(*expr.Cmp)
			return ok && a.Op == b.Op && slices.Equal(a.Data, b.Data)
		case *expr.Verdict:
			a, ok := a.(*expr.Verdict)
			return ok && a.Kind == b.Kind
		}
		return false
	})
}
