package ipvs

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// drainInterval is how often the kernel is asked for the connections of real
// servers that leave; where it takes long, drainShare times as long as that.
const (
	drainInterval = time.Second
	drainShare    = 50
)

// drainPause is how long to wait before the kernel is asked again.
func (m *Manager) drainPause() time.Duration {
	pause := max(drainInterval, drainShare*m.drainTook)
	for _, e := range m.draining {
		for _, l := range e.pool.leavers {
			pause = min(pause, time.Until(l.until))
		}
	}
	return pause
}

// drain takes those out of the kernel that have drained.
func (m *Manager) drain() error {
	now := time.Now()
	for _, e := range m.draining {
		if over := m.drained(e, now); len(over) > 0 {
			m.step(e, over)
		}
	}
	m.drainTook = time.Since(now)
	m.release()
	return m.settle()
}

// drained are the servers of a service that are not to wait any longer. While
// the kernel does not tell the connections of one it waits to the end.
func (m *Manager) drained(e *entry, now time.Time) Drained {
	connections, untold := make(map[netip.AddrPort]int), make(map[netip.AddrPort]bool)
	for _, r := range e.rows {
		there, err := m.opts.Kernel.Connections(r.key)
		for _, l := range e.pool.leavers {
			n, told := there[r.address(l.Dest)]
			connections[l.Addr] += n
			untold[l.Addr] = untold[l.Addr] || !told || err != nil
		}
	}
	over := make(Drained)
	for _, l := range e.pool.leavers {
		if n := connections[l.Addr]; n == 0 && !untold[l.Addr] || !now.Before(l.until) {
			over[l.Addr] = n
		}
	}
	return over
}

// Leaving are the kernel's services of those that have left the configuration and
// whose servers drain.
func (m *Manager) Leaving() (keys []config.ServiceKey) {
	m.call(func() {
		for _, e := range m.leaving {
			for _, r := range e.rows {
				keys = append(keys, r.key)
			}
		}
	})
	return keys
}

// cut ends what drains in a service of which the kernel has nothing any more:
// somebody else has its addresses.
func (e *entry) cut() {
	if len(e.rows) == 0 {
		e.pool.leavers = nil
	}
}

// release lets go of services that have left the configuration and of whose
// servers none drains any more, and notes who is to be looked at.
func (m *Manager) release() {
	m.draining = m.draining[:0]
	for _, key := range m.order {
		if e := m.services[key]; len(e.pool.leavers) > 0 {
			m.draining = append(m.draining, e)
		}
	}
	for key, e := range m.leaving {
		if !e.pool.absent() {
			m.draining = append(m.draining, e)
			continue
		}
		delete(m.leaving, key)
		for _, r := range e.rows {
			r.owner = nil
			m.touch(r)
		}
	}
}

// retire takes a row from its owner. Of a group that goes on without this address
// the servers drain there, as a service of their own that has left. A mark that this
// host gave to packets does not: it gives them no more.
func (m *Manager) retire(r *row, now time.Time) {
	owner := r.owner
	r.owner = nil
	m.touch(r)
	if owner == nil || owner.pool.service.Mark != 0 || r.have == nil || !r.known {
		return
	}
	alone, effects := owner.pool.retired(r.have, now)
	if alone.absent() {
		return
	}
	r.owner = &entry{alone, []*row{r}}
	m.leaving[r.key] = r.owner
	m.carry(r.owner, effects)
}

// adopt gives what the kernel has at a start, and the service does not want, to its
// drain_timeout. Of groups it goes at once: which server an address was is not
// known there.
func (m *Manager) adopt(r *row) {
	if p := r.owner.pool; p.servers == nil || p.service.Key != r.key || p.service.DrainTimeout == 0 {
		return
	}
	wanted := make(map[netip.AddrPort]bool)
	for _, d := range r.want().Dests {
		wanted[d.Addr] = true
	}
	others := slices.DeleteFunc(slices.Clone(r.have.Dests), func(d Dest) bool { return wanted[d.Addr] })
	if len(others) > 0 {
		m.step(r.owner, Found{others, time.Now()})
	}
}
