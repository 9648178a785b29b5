package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// settle brings the kernel to what the dirty rows want, then tells what has
// changed.
func (m *Manager) settle() error {
	err := m.program()
	tell := m.tell
	m.tell = nil
	for _, f := range tell {
		f()
	}
	return err
}

// program makes services before packets get their marks, and removes them when
// none gets them any more.
func (m *Manager) program() error {
	dirty := m.dirty
	m.dirty = nil
	if len(dirty) == 0 && (m.listed || len(m.opts.Abandoned) == 0) {
		return m.mark()
	}
	for _, r := range dirty {
		r.dirty = false
	}
	defer func() {
		for _, r := range dirty {
			r.whole, r.some = false, nil
		}
	}()
	stale, err := m.list()
	if err != nil {
		for _, r := range dirty {
			m.failed[r.key] = r
		}
		return err
	}
	var comes, goes []*row
	for _, r := range dirty {
		if r.leaves() {
			goes = append(goes, r)
		} else {
			comes = append(comes, r)
		}
	}
	err = errors.Join(m.settleRows(comes), m.mark(), m.settleRows(goes))
	for _, failure := range m.do(stale) {
		if failure != nil {
			m.opts.Log.Error("remove a virtual service that is not configured", zap.Error(failure))
		}
	}
	return err
}

func (m *Manager) settleRows(dirty []*row) error {
	errs := m.reconcile(dirty)
	for i, r := range dirty {
		switch {
		case errs[i] != nil:
			m.failed[r.key] = r
		case r.owner == nil:
			delete(m.rows, r.key)
			fallthrough
		default:
			delete(m.failed, r.key)
		}
	}
	return errors.Join(errs...)
}

// mark gives packets the marks of the services, when that is due.
func (m *Manager) mark() error {
	if !m.remark {
		return nil
	}
	m.remark = false
	if m.opts.Marker == nil {
		return nil
	}
	_, err := m.opts.Marker.Mark(m.marked)
	m.unmarked = err != nil
	return err
}

// compareMarks makes the marks as they were, when somebody has changed them.
func (m *Manager) compareMarks() error {
	if m.opts.Marker == nil || m.unmarked || !m.listed {
		return nil // it is looked at anyway
	}
	m.remark = false
	changed, err := m.opts.Marker.Mark(m.marked)
	if m.unmarked = err != nil; changed {
		m.opts.Log.Warn("somebody has changed the firewall marks of virtual server groups, they are made as configured")
	}
	return err
}

// list reads the kernel's table, once: what is there already of the
// configuration is adopted. The others are those that are to go.
func (m *Manager) list() (stale []*row, err error) {
	if m.listed {
		return nil, nil
	}
	table, err := m.opts.Kernel.List()
	if err != nil {
		return nil, fmt.Errorf("read the table of virtual services: %w", err)
	}
	m.listed = true
	for key, have := range table {
		r := m.rows[key]
		switch {
		case r != nil:
			r.is(have)
			m.adopt(r)
		case m.opts.Flush || m.opts.Abandoned[key]:
			m.opts.Log.Info(fmt.Sprintf("Removing virtual service %s, which is not configured", key))
			stale = append(stale, &row{key: key, have: have})
		}
	}
	for _, r := range m.rows {
		r.known = true
	}
	m.release()
	return stale, nil
}

// reconcile makes rows as they are wanted. Those of which the kernel turns out
// to be in another state than we remember are read and tried again, once.
func (m *Manager) reconcile(rows []*row) []error {
	errs := make([]error, len(rows))
	m.attempt(rows, errs)
	var again []*row
	var places []int
	for i, err := range errs {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			again, places = append(again, rows[i]), append(places, i)
		}
	}
	if again != nil {
		second := make([]error, len(again))
		m.attempt(again, second)
		for i, place := range places {
			errs[place] = second[i]
		}
	}
	return errs
}

// attempt makes rows as they are wanted, after a look at those whose state is
// not known.
func (m *Manager) attempt(rows []*row, errs []error) {
	known := make([]*row, 0, len(rows))
	places := make([]int, 0, len(rows))
	failed := m.look(rows)
	for i, r := range rows {
		if errs[i] = nil; !r.known {
			errs[i] = fmt.Errorf("read virtual service %s: %w", r.key, failed)
			continue
		}
		known, places = append(known, r), append(places, i)
	}
	for i, err := range m.do(known) {
		known[i].known = err == nil
		errs[places[i]] = err
	}
}

// look reads those whose state is not known.
func (m *Manager) look(rows []*row) error {
	var unknown []*row
	for _, r := range rows {
		if !r.known {
			unknown = append(unknown, r)
		}
	}
	found, err := m.read(unknown)
	for i, have := range found {
		unknown[i].is(have)
		unknown[i].known, unknown[i].whole = true, true
	}
	return err
}

// read is what the kernel has of some rows; nothing when that fails.
func (m *Manager) read(rows []*row) ([]*Service, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	keys := make([]config.ServiceKey, len(rows))
	for i, r := range rows {
		keys[i] = r.key
	}
	found, err := m.opts.Kernel.Read(keys)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// atOnce is about how many operations are handed to the kernel together: for
// more than that nothing is won, and a start would need all its memory for them.
const atOnce = 1024

// do carries out the differences, and answers with an error for each row. A
// destination that cannot be added does not keep a dead one in the table.
func (m *Manager) do(rows []*row) []error {
	failures := make([]error, 0, len(rows))
	var ops []Op
	var changes []change
	var ends []int // of the operations of each row
	for i, r := range rows {
		c := r.change()
		ops = appendDiff(ops, c.have, c.want)
		changes, ends = append(changes, c), append(ends, len(ops))
		if len(ops) < atOnce && i < len(rows)-1 {
			continue
		}
		failures = append(failures, m.carryOut(rows[i+1-len(ends):i+1], changes, ends, ops)...)
		ops, changes, ends = ops[:0], changes[:0], ends[:0]
	}
	return failures
}

func (m *Manager) carryOut(rows []*row, changes []change, ends []int, ops []Op) []error {
	failures := make([]error, len(rows))
	if len(ops) == 0 {
		return failures
	}
	errs, begin := m.opts.Kernel.Do(ops), 0
	for i, end := range ends {
		if begin < end {
			failures[i] = rows[i].done(changes[i], ops[begin:end], errs[begin:end])
		}
		begin = end
	}
	return failures
}

// How often and how many rows are compared with the kernel's: all of them once
// a minute, unless there are too many.
const (
	compareInterval = time.Second
	compareRound    = time.Minute
	compareAtOnce   = 100
)

// compare goes on with a round, or begins the next one.
func (m *Manager) compare() error {
	if len(m.round) > 0 {
		return m.compareSome()
	}
	m.refill()
	return errors.Join(m.compareMarks(), m.compareSome())
}

// pause is how long to wait for the next compare. Whoever has nothing to do
// does not wake the processor.
func (m *Manager) pause() time.Duration {
	if len(m.round) > 0 {
		return compareInterval
	}
	return compareRound
}

// refill makes all rows due.
func (m *Manager) refill() {
	m.round = m.round[:0]
	for _, key := range m.order {
		m.round = append(m.round, m.services[key].rows...)
	}
	for _, e := range m.leaving {
		m.round = append(m.round, e.rows...)
	}
}

// next is ready while there is more to compare and no time to lose.
func (m *Manager) next() <-chan struct{} {
	if !m.hurry {
		return nil
	}
	return m.ready
}

// compareSome reads rows that are due, and makes what somebody changed or
// deleted as it was. Destinations that somebody else has added stay.
func (m *Manager) compareSome() error {
	due := m.round[:min(len(m.round), compareAtOnce)]
	m.round = m.round[len(due):]
	m.hurry = m.hurry && len(m.round) > 0
	rows := make([]*row, 0, len(due))
	for _, r := range due {
		if r.known && r.owner != nil && m.failed[r.key] == nil && m.listed {
			rows = append(rows, r) // others are looked at anyway
		}
	}
	found, err := m.read(rows)
	if err != nil {
		return fmt.Errorf("read virtual services: %w", err)
	}
	for i, have := range found {
		r := rows[i]
		if r.have.within(have) {
			continue
		}
		if have != nil && r.have != nil {
			ours := make(map[netip.AddrPort]bool, len(r.have.Dests))
			for _, d := range r.have.Dests {
				ours[d.Addr] = true
			}
			have.Dests = slices.DeleteFunc(have.Dests, func(d Dest) bool { return !ours[d.Addr] })
		}
		m.opts.Log.Warn(fmt.Sprintf("somebody has changed virtual service %s, it is made as configured", r.key))
		r.is(have)
		m.touch(r)
	}
	return m.settle()
}
