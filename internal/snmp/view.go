package snmp

import (
	"net"
	"net/netip"
	"slices"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// column is an object with its instances: a column of a table, or a scalar,
// whose only instance is 0.
type column struct {
	oid   agentx.OID
	rows  [][]uint32 // what instances end with, ascending
	value func(row int) agentx.Value
}

// view is a part of the tree: columns in the order of a walk, none below
// another. Values are found when they are asked for.
type view []column

// Get implements [agentx.View].
func (v view) Get(name agentx.OID) agentx.Value {
	i := v.find(name)
	if i < 0 {
		return agentx.Value{Type: agentx.TypeNoSuchObject}
	}
	c := &v[i]
	if row, ok := slices.BinarySearchFunc(c.rows, []uint32(name[len(c.oid):]), slices.Compare[[]uint32]); ok {
		if value := c.value(row); value.Type != agentx.TypeNone {
			return value
		}
	}
	return agentx.Value{Type: agentx.TypeNoSuchInstance}
}

// find is the column that name is under; -1: there is none.
func (v view) find(name agentx.OID) int {
	i, ok := slices.BinarySearchFunc(v, name, func(c column, name agentx.OID) int { return c.oid.Compare(name) })
	if !ok {
		i-- // the last one before name
	}
	if i >= 0 && name.Under(v[i].oid) {
		return i
	}
	return -1
}

// Next implements [agentx.View].
func (v view) Next(r agentx.Range) (agentx.VarBind, bool) {
	i, ok := slices.BinarySearchFunc(v, r.Start, func(c column, name agentx.OID) int { return c.oid.Compare(name) })
	if !ok && i > 0 && r.Start.Under(v[i-1].oid) {
		i--
	}
	for ; i < len(v); i++ {
		c := &v[i]
		for row := c.first(r); row < len(c.rows); row++ {
			name := c.oid.Sub(c.rows[row]...)
			if len(r.End) > 0 && name.Compare(r.End) >= 0 {
				return agentx.VarBind{}, false
			}
			if value := c.value(row); value.Type != agentx.TypeNone {
				return agentx.VarBind{Name: name, Value: value}, true
			}
		}
	}
	return agentx.VarBind{}, false
}

// first is the first row that is not before the start of a range.
func (c *column) first(r agentx.Range) int {
	if !r.Start.Under(c.oid) {
		return 0
	}
	row, ok := slices.BinarySearchFunc(c.rows, []uint32(r.Start[len(c.oid):]), slices.Compare[[]uint32])
	if ok && !r.Include {
		row++
	}
	return row
}

// object is a column of rows that are made of a T.
type object[T any] struct {
	id    []uint32 // behind the entry
	value func(*T) agentx.Value
}

// col is a column of a table.
func col[T any](id uint32, value func(*T) agentx.Value) object[T] {
	return object[T]{[]uint32{id}, value}
}

// table is rows of T, with the number of each as its index unless numbers says
// otherwise. An index that comes twice counts once.
type table[T any] struct {
	rows    []T
	numbers [][]uint32
}

// add puts a row at its end.
func (t *table[T]) add(row T, number ...uint32) {
	t.rows, t.numbers = append(t.rows, row), append(t.numbers, number)
}

// sort brings rows into the order of their indices.
func (t *table[T]) sort() {
	order := make([]int, len(t.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(t.numbers[a], t.numbers[b]) })
	order = slices.CompactFunc(order, func(a, b int) bool { return slices.Equal(t.numbers[a], t.numbers[b]) })
	sorted := table[T]{make([]T, len(order)), make([][]uint32, len(order))}
	for to, from := range order {
		sorted.rows[to], sorted.numbers[to] = t.rows[from], t.numbers[from]
	}
	*t = sorted
}

// view is the columns below an entry.
func (t *table[T]) view(entry agentx.OID, objects ...object[T]) view {
	v := make(view, len(objects))
	rows := t.rows
	for i, o := range objects {
		v[i] = column{entry.Sub(o.id...), t.numbers, func(row int) agentx.Value { return o.value(&rows[row]) }}
	}
	return v
}

// scalar is an object with one instance.
func scalar(of agentx.OID, value agentx.Value, id ...uint32) column {
	return column{of.Sub(id...), [][]uint32{{0}}, func(int) agentx.Value { return value }}
}

// joined is one view of several.
func joined(views ...view) view {
	all := slices.Concat(views...)
	slices.SortFunc(all, func(a, b column) int { return a.oid.Compare(b.oid) })
	return all
}

// truth is a TruthValue, and any other pair of which the first is 1: enabled
// and disabled, set and unset.
func truth(b bool) agentx.Value {
	if b {
		return agentx.Integer(1)
	}
	return agentx.Integer(2)
}

// text is a DisplayString; none for an empty one.
func text(s string) agentx.Value {
	if s == "" {
		return agentx.Value{}
	}
	return agentx.Text(s)
}

// unsigned is an Unsigned32; none when it is not set.
func unsigned[T ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](o config.Opt[T]) agentx.Value {
	if !o.Set {
		return agentx.Value{}
	}
	return agentx.Gauge(o.Value)
}

// some is an Unsigned32; none for 0.
func some[T ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](n T) agentx.Value {
	return unsigned(config.Opt[T]{Value: n, Set: n != 0})
}

// family is the InetAddressType of an address, RFC 4001; none without one.
func family(a netip.Addr) agentx.Value {
	switch {
	case !a.IsValid():
		return agentx.Value{}
	case a.Is4():
		return agentx.Integer(1)
	}
	return agentx.Integer(2)
}

// script is a command as keepalived prints it; none for none.
func script(c *config.Command) agentx.Value {
	if c.IsZero() {
		return agentx.Value{}
	}
	return agentx.Text(c.Quoted())
}

// mac is a hardware address; none for none.
func mac(s string) agentx.Value {
	a, err := net.ParseMAC(s)
	if err != nil {
		return agentx.Value{}
	}
	return agentx.Text(string(a))
}
