//go:build linux

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"

	"github.com/lvsd/lvsd/config"
)

// firewall is the table that keeps packets from closed addresses, and IGMP and
// its like of VMACs on the interface below. It is there while somebody needs
// it, once for each family.
type firewall struct {
	conn     *nftables.Conn
	unusable error // why there is no conn

	journal Journal
	options config.Firewall
	closed  map[closureID][]config.ClosedAddress
	vmacs   map[string]virtualLink
	changed bool      // closed or vmacs, since the last sync
	tables  [2]*table // IPv4 and IPv6, as they are in the kernel; nil: none
}

// openFirewall opens the socket, which stays in the network namespace of the
// calling thread. A kernel without nftables is noticed when it is needed.
func openFirewall() *firewall {
	conn, err := nftables.New(nftables.AsLasting())
	return &firewall{
		conn: conn, unusable: err, journal: noJournal{},
		closed: make(map[closureID][]config.ClosedAddress), vmacs: make(map[string]virtualLink),
	}
}

func (f *firewall) close() error {
	if f.conn == nil {
		return nil
	}
	return f.conn.CloseLasting()
}

func (f *firewall) name() string { return cmp.Or(f.options.NFTables, config.DefaultTable) }

// table is what is in a table of the kernel.
type table struct {
	name     string
	priority int
	counters bool
	vmacs    map[elem]elem // index of a VMAC: of its parent
	sets     map[string]map[elem]bool
}

// elem is a key or value of a set, as bytes.
type elem string

// The sets, with keepalived's names.
const (
	setVIPs       = "vips"
	setLinkLocal  = "vips_link_local"
	setNamed      = "vips_link_local_name"
	setVMACs      = "vmac_set"
	setDiscovery  = "neighbor-discovery"
	mapVMACs      = "vmac_map"
	chainOut      = "out"
	chainIn       = "in"
	chainOutLocal = "out_link_local"
	chainInLocal  = "in_link_local"
)

// want is the table of a family that everything together needs; nil: none.
func (f *firewall) want(b *batch, ipv6 bool) *table {
	t := &table{
		name: f.name(), priority: f.options.NFTablesPriority, counters: f.options.NFTablesCounters,
		vmacs: make(map[elem]elem), sets: make(map[string]map[elem]bool),
	}
	for _, list := range f.closed {
		for _, a := range list {
			if a.Addr.Is6() == ipv6 {
				t.add(b, a, f.options.NFTablesIfindex)
			}
		}
	}
	for _, l := range f.vmacs {
		is, err := b.index(l.Name)
		parent, errParent := b.index(l.Parent)
		if l.IPv6 != ipv6 && !l.BothFamilies || err != nil || errParent != nil {
			continue
		}
		t.vmacs[index(is)] = index(parent)
		if ipv6 {
			t.put(setVMACs, index(is))
		}
	}
	if len(t.vmacs)+len(t.sets) == 0 {
		return nil
	}
	return t
}

// add puts a closed address into its set: link-local ones mean something on
// their link only, which is known by name where it may come later.
func (t *table) add(b *batch, a config.ClosedAddress, byIndex bool) {
	bytes := elem(a.Addr.AsSlice())
	switch {
	case !a.Addr.Is6() || !a.Addr.IsLinkLocalUnicast():
		t.put(setVIPs, bytes)
		return
	case a.ByName && !byIndex:
		var name [ifNameSize]byte
		copy(name[:], a.Dev)
		t.put(setNamed, bytes+elem(name[:]))
	default:
		if number, err := b.index(a.Dev); err == nil {
			t.put(setLinkLocal, bytes+index(number))
		}
	}
	if t.sets[setVIPs] == nil {
		t.sets[setVIPs] = make(map[elem]bool)
	}
}

const ifNameSize = 16 // IFNAMSIZ

func (t *table) put(set string, e elem) {
	if t.sets[set] == nil {
		t.sets[set] = make(map[elem]bool)
	}
	t.sets[set][e] = true
}

func index(n uint32) elem { return elem(binaryutil.NativeEndian.PutUint32(n)) }

// commit is sync when something has changed.
func (f *firewall) commit(b *batch) error {
	if !f.changed {
		return nil
	}
	return f.sync(b)
}

// sync makes the tables what they should be: elements are added and deleted,
// and a table with other rules replaces the old one in one transaction.
func (f *firewall) sync(b *batch) error {
	f.changed = false
	want := [2]*table{f.want(b, false), f.want(b, true)}
	if want == [2]*table{} && f.tables == [2]*table{} {
		return nil
	}
	if f.conn == nil {
		return fmt.Errorf("nftables cannot be used: %w", f.unusable)
	}
	var errs []error
	before := f.names()
	if want != [2]*table{} {
		f.journal.Table(f.name())
	}
	for i, family := range families {
		if err := f.syncTable(family, f.tables[i], want[i]); err != nil {
			errs = append(errs, fmt.Errorf("nftables: change table %s: %w", f.name(), err))
			continue
		}
		f.tables[i] = want[i]
	}
	for _, name := range before {
		if !slices.Contains(f.names(), name) {
			f.journal.Dropped(name)
		}
	}
	return errors.Join(errs...)
}

// names are those of the tables that are there.
func (f *firewall) names() (all []string) {
	for _, t := range f.tables {
		if t != nil {
			all = append(all, t.name)
		}
	}
	return all
}

var families = [2]nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6}

func (f *firewall) syncTable(family nftables.TableFamily, have, want *table) error {
	switch {
	case have == nil && want == nil:
		return nil
	case have != nil && want != nil && have.sameRules(want):
		return f.difference(family, have, want)
	}
	if have != nil {
		f.conn.DelTable(&nftables.Table{Family: family, Name: have.name})
	}
	if want != nil {
		if err := want.build(f.conn, family, have == nil); err != nil {
			return err
		}
	}
	return f.conn.Flush()
}

// sameRules says that the tables differ in the elements of their sets alone.
func (t *table) sameRules(o *table) bool {
	return t.name == o.name && t.priority == o.priority && t.counters == o.counters &&
		(len(t.vmacs) == 0) == (len(o.vmacs) == 0) &&
		slices.Equal(slices.Sorted(maps.Keys(t.sets)), slices.Sorted(maps.Keys(o.sets)))
}

// difference adds elements, and deletes others.
func (f *firewall) difference(family nftables.TableFamily, have, want *table) error {
	in := &nftables.Table{Family: family, Name: want.name}
	change := func(set *nftables.Set, have, want map[elem]elem) error {
		added, gone := elements(have, want), elements(want, have)
		var errs []error
		if len(gone) > 0 {
			errs = append(errs, f.conn.SetDeleteElements(set, gone))
		}
		if len(added) > 0 {
			errs = append(errs, f.conn.SetAddElements(set, added))
		}
		return errors.Join(errs...)
	}
	errs := []error{change(vmacMap(in), have.vmacs, want.vmacs)}
	for name := range want.sets {
		errs = append(errs, change(setOf(in, name), keys(have.sets[name]), keys(want.sets[name])))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return f.conn.Flush()
}

func keys(set map[elem]bool) map[elem]elem {
	all := make(map[elem]elem, len(set))
	for e := range set {
		all[e] = ""
	}
	return all
}

// elements are those of want that are not in have, or have another value there.
func elements(have, want map[elem]elem) (list []nftables.SetElement) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value := want[key]
		if was, ok := have[key]; ok && was == value {
			continue
		}
		e := nftables.SetElement{Key: []byte(key)}
		if value != "" {
			e.Val = []byte(value)
		}
		list = append(list, e)
	}
	return list
}

// clean deletes the tables of a predecessor.
func (f *firewall) clean() error { return f.drop(f.name()) }

// drop deletes the tables of a name, but for those that are in use.
func (f *firewall) drop(name string) error {
	if f.conn == nil {
		return nil // and so had the predecessor
	}
	for i, family := range families {
		if f.tables[i] == nil || f.tables[i].name != name {
			t := &nftables.Table{Family: family, Name: name}
			f.conn.AddTable(t) // so that there is one to delete
			f.conn.DelTable(t)
		}
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: delete table %s: %w", name, err)
	}
	if !slices.Contains(f.names(), name) {
		f.journal.Dropped(name)
	}
	return nil
}

// DropTable deletes an nftables table for closed addresses and VMACs that a
// predecessor has left. That there is none is no error.
func (h *Host) DropTable(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.firewall.drop(name)
}

// lost forgets tables that somebody has removed.
func (f *firewall) lost() {
	for i, family := range families {
		if t := f.tables[i]; t != nil {
			if _, err := f.conn.ListTableOfFamily(t.name, family); err != nil {
				f.tables[i] = nil
			}
		}
	}
}

// closure are the closed addresses of an instance.
type closure struct {
	list     []config.ClosedAddress
	firewall *firewall
}

type closureID string

func (c closure) id() any          { return closureID(fmt.Sprint(c.list)) }
func (c closure) kind() kind       { return closures }
func (c closure) watched() bool    { return true }
func (c closure) same(object) bool { return true }

func (c closure) String() string {
	addrs := make([]netip.Addr, len(c.list))
	for i := range c.list {
		addrs[i] = c.list[i].Addr
	}
	return fmt.Sprintf("firewall for %v", addrs)
}

func (c closure) add(*batch) (adopted bool, err error) {
	c.firewall.closed[c.id().(closureID)], c.firewall.changed = c.list, true
	return false, nil
}

func (c closure) change(*batch, object) error { return nil }

func (c closure) delete(*batch) error {
	delete(c.firewall.closed, c.id().(closureID))
	c.firewall.changed = true
	return nil
}
