package ipvs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Kernel is the table of virtual services; its keys are those of the kernel,
// not of groups. Errors answer to [errors.Is] with [fs.ErrExist] and
// [fs.ErrNotExist] where the table is not as an operation takes it to be.
type Kernel interface {
	// List is the whole table.
	List() (map[config.ServiceKey]*Service, error)
	// Read are services, nil where there is none.
	Read([]config.ServiceKey) ([]*Service, error)
	// Do changes the table, in order, and answers with an error, or nil, for
	// each operation. One that fails does not keep back those behind it.
	Do([]Op) []error
	// Connections are how many each destination of a service has, those that
	// are being closed included; none where there is no service.
	Connections(config.ServiceKey) (map[netip.AddrPort]int, error)
	// Flush empties the table.
	Flush() error
	// Timeouts are those of all connections.
	Timeouts() (Timeouts, error)
	// SetTimeouts changes them.
	SetTimeouts(Timeouts) error
}

// Options are what a [Manager] needs.
type Options struct {
	Log    *zap.Logger
	Kernel Kernel
	// OnChange is told of what happened to a service or one of its real
	// servers, after the kernel knows. It must not block and must not call the
	// Manager. May be nil.
	OnChange func(Change)
	// OnLeave is told what leaves with lvsd, as OnChange. May be nil.
	OnLeave func(*config.Service, Leaves)
	// OnAlert is told what smtp_alert of a real server tells, as OnChange and
	// after it. May be nil.
	OnAlert func(service config.ServiceKey, alert Alert)
	// KeepOnStop leaves the services in the kernel at the end:
	// --dont-release-ipvs.
	KeepOnStop bool
	// Abandoned are services that a predecessor left behind: those that are
	// not in the configuration are removed at the first Apply.
	Abandoned map[config.ServiceKey]bool
	// Flush removes every service that is not in the configuration at the
	// first Apply: lvs_flush.
	Flush bool
	// Marker gives packets the marks of [config.Service.Mark]; nil: nobody does.
	Marker Marker
	// Taking are the services of a predecessor in whose place the Manager
	// goes on at its first Apply; nil: a start like any other.
	Taking *Handover
}

// Change is a [Became] with the service that it is about, as configured at that
// time. A mail about a quorum belongs to who gets it.
type Change struct {
	Service *config.Service
	Became
	Alive int // real servers that are up
}

// Manager makes the kernel's services as the configuration and the health of
// the real servers want them. At its first Apply it adopts services of the
// configuration that are in the kernel already; all others it leaves alone.
type Manager struct {
	opts   Options
	calls  chan func()
	health chan Verdict
	done   chan struct{}

	// What follows belongs to the goroutine of Run.
	flushOnStop bool
	found       *Timeouts // before they were changed; nil: they were not
	listed      bool      // the kernel's table has been read
	order       []config.ServiceKey
	services    map[config.ServiceKey]*entry
	leaving     map[config.ServiceKey]*entry // not in the configuration any more, but servers drain
	draining    []*entry                     // those of both of whose servers some drain
	drainTook   time.Duration                // to find out how many connections they have
	rows        map[config.ServiceKey]*row
	dirty       []*row                     // to be looked at now
	failed      map[config.ServiceKey]*row // not as wanted, tried again later
	round       []*row                     // to be compared with the kernel's
	hurry       bool                       // round is gone through without a rest
	marked      []config.Marked            // what the marks of the services stand for
	remark      bool                       // it is to be looked at now
	unmarked    bool                       // it is not as wanted, tried again later
	ready       chan struct{}              // closed
	tell        []func()                   // due after the kernel's work
	complaint   string                     // the last one about what is tried again
}

// entry is one service of the configuration.
type entry struct {
	pool *Pool
	rows []*row // what it is in the kernel
}

// Verdict is what a check of a service has found out.
type Verdict struct {
	Service config.ServiceKey
	Health
}

// Delays between attempts to repair what the kernel refused.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// ErrStopped is the answer of a Manager whose Run has returned.
var ErrStopped = errors.New("the IPVS manager has stopped")

// New prepares a Manager; nothing happens before Run.
func New(opts Options) *Manager {
	m := &Manager{
		opts: opts, calls: make(chan func()), health: make(chan Verdict, 64), done: make(chan struct{}), ready: make(chan struct{}),
		services: make(map[config.ServiceKey]*entry), leaving: make(map[config.ServiceKey]*entry), rows: make(map[config.ServiceKey]*row), failed: make(map[config.ServiceKey]*row),
	}
	close(m.ready)
	return m
}

// Run does the work of the Manager until ctx ends, then removes its services.
// It must be called once. The error is what could not be removed.
func (m *Manager) Run(ctx context.Context) error {
	defer close(m.done)
	var retry, drains <-chan time.Time
	backoff := minBackoff
	compare := time.NewTimer(compareRound)
	defer compare.Stop()
	for {
		switch {
		case len(m.failed) == 0 && !m.unmarked:
			retry, backoff, m.complaint = nil, minBackoff, ""
		case retry == nil:
			retry = time.After(backoff)
		}
		switch {
		case len(m.draining) == 0:
			drains = nil
		case drains == nil:
			drains = time.After(m.drainPause())
		}
		select {
		case <-ctx.Done():
			return m.stop()
		case call := <-m.calls:
			call()
		case v := <-m.health:
			m.absorb(v)
		case <-retry:
			retry, backoff = nil, min(2*backoff, maxBackoff)
			m.complain(m.repair())
		case <-drains:
			drains = nil
			m.complain(m.drain())
		case <-compare.C:
			m.complain(m.compare())
			compare.Reset(m.pause())
		case <-m.next():
			m.complain(m.compareSome())
		}
	}
}

// Apply makes these the services of the configuration, at start and at every
// reload, and returns when the kernel has them. The error says what could not
// be done; Run goes on trying it. Verdicts hold from the beginning: a server that
// is down is not up before.
func (m *Manager) Apply(services []config.Service, known ...Verdict) error {
	var err error
	if !m.call(func() { err = m.apply(services, known) }) {
		return ErrStopped
	}
	return err
}

// Health takes the verdict of a check.
func (m *Manager) Health(service config.ServiceKey, verdict Health) {
	select {
	case m.health <- Verdict{service, verdict}:
	case <-m.done:
	}
}

// Resync compares the kernel's services with what they should be, now and not
// when their turn comes. It does not wait for the end of that.
func (m *Manager) Resync() {
	m.call(func() {
		m.refill()
		m.hurry = true
		m.complain(m.compareMarks())
	})
}

// Remark looks at what the Marker has, which is to have it in another way.
func (m *Manager) Remark() {
	m.call(func() {
		m.remark = true
		m.complain(m.settle())
	})
}

// FlushOnStop says whether Run ends with an empty table, foreign services
// included: lvs_flush_on_stop.
func (m *Manager) FlushOnStop(flush bool) { m.call(func() { m.flushOnStop = flush }) }

// Status is a service and how it stands.
type Status struct {
	Key config.ServiceKey
	Standing
	Programmed bool // the kernel has it as wanted
	Leaving    bool // it is not in the configuration any more, but its servers drain
}

// Snapshot is the status of every service in the order of the configuration, and
// of those that leave.
func (m *Manager) Snapshot() []Status {
	var all []Status
	m.call(func() {
		for _, key := range m.order {
			all = append(all, m.status(m.services[key]))
		}
		for _, e := range m.leaving {
			s := m.status(e)
			s.Leaving = true
			all = append(all, s)
		}
	})
	return all
}

func (m *Manager) status(e *entry) Status {
	s := Status{Key: e.pool.service.Key, Standing: e.pool.Standing(), Programmed: true}
	for _, r := range e.rows {
		if _, failed := m.failed[r.key]; failed {
			s.Programmed = false
		}
	}
	if m.unmarked && e.pool.service.Mark != 0 {
		s.Programmed = false
	}
	return s
}

// call runs f on the goroutine of Run.
func (m *Manager) call(f func()) bool {
	ran := make(chan struct{})
	select {
	case m.calls <- func() { f(); close(ran) }:
		<-ran
		return true
	case <-m.done:
		return false
	}
}

func (m *Manager) apply(services []config.Service, known []Verdict) error {
	m.hear()
	verdicts := make(map[config.ServiceKey][]Health)
	for _, v := range known {
		verdicts[v.Service] = append(verdicts[v.Service], v.Health)
	}
	if !m.listed && len(services) > 0 {
		m.opts.Log.Info("Initializing ipvs")
	}
	now := time.Now()
	prev, before := m.order, m.services
	var rows []*row
	for _, key := range prev {
		rows = append(rows, before[key].rows...)
	}
	for _, e := range m.leaving {
		rows = append(rows, e.rows...)
	}
	expected, same := m.expected(), config.ServiceComparison()
	m.order = make([]config.ServiceKey, 0, len(services))
	m.services = make(map[config.ServiceKey]*entry, len(services))
	for i := range services {
		key := services[i].Key
		runs := before[key] != nil
		e := cmp.Or(before[key], m.leaving[key])
		delete(m.leaving, key)
		if e == nil {
			e = &entry{pool: new(Pool)}
			switch was := expected[key]; {
			case was == nil:
			case was.Left != nil: // it is back
				e.pool = was.leaving(now)
			default:
				e.pool.takeOver(was, services[i], now)
			}
		}
		m.order, m.services[key] = append(m.order, key), e
		if runs && verdicts[key] == nil && same(&e.pool.service, &services[i]) {
			e.pool.renew(services[i]) // of thousands of services a reload changes a few
			continue
		}
		m.step(e, Reconfigured{services[i], verdicts[key], now})
	}
	for _, key := range prev {
		if e := before[key]; m.services[key] == nil {
			m.step(e, Removed{now})
			if !e.pool.absent() {
				m.leaving[key] = e
			}
		}
	}
	for key, was := range expected {
		if was.Left != nil && m.services[key] == nil {
			e := &entry{pool: was.leaving(now)}
			for key := range e.pool.service.KernelKeys() {
				m.own(e, key)
			}
			m.leaving[key] = e
		}
	}
	m.claim(services, rows, now)
	m.release()
	m.marked, m.remark = marked(services), true
	err := m.repair()
	m.complaint = complaint(err)
	return err
}

// claim gives every service its rows, and takes those that nobody claims from
// their owners. Of several services with the same address or mark in the kernel
// the first has it, and those that leave have what nobody else wants. Now is when
// what leaves begins to drain.
func (m *Manager) claim(services []config.Service, before []*row, now time.Time) {
	claimed := make(map[config.ServiceKey]*entry, len(services))
	for i := range services {
		e := m.services[services[i].Key]
		e.rows = nil
		for key := range services[i].KernelKeys() {
			if owner := claimed[key]; owner != nil {
				m.shared(key, owner, e)
				continue
			}
			claimed[key] = e
			m.own(e, key)
		}
		e.cut()
	}
	for _, e := range m.leaving {
		e.rows = slices.DeleteFunc(e.rows, func(r *row) bool { return claimed[r.key] != nil })
		for _, r := range e.rows {
			claimed[r.key] = e
		}
		e.cut()
	}
	for _, r := range before {
		if claimed[r.key] == nil {
			m.retire(r, now)
		}
	}
}

// own makes a service of the kernel one of an entry's rows.
func (m *Manager) own(e *entry, key config.ServiceKey) {
	r := m.rows[key]
	if r == nil {
		// Absent as far as we know. If that is wrong the kernel says so.
		r = &row{key: key, known: m.listed}
		m.rows[key] = r
	}
	e.rows = append(e.rows, r)
	if r.owner != e {
		r.owner = e
		m.touch(r)
	}
}

// shared says that two services name the same one of the kernel. Within a group
// that means nothing.
func (m *Manager) shared(key config.ServiceKey, owner, other *entry) {
	if owner != other {
		m.opts.Log.Warn(fmt.Sprintf("%s belongs to the virtual server %s: %s does not get it", key, owner.pool.service.Key, other.pool.service.Key))
	}
}

// absorb takes a verdict and those that have queued up behind it, so that
// many at once change a service once.
func (m *Manager) absorb(v Verdict) {
	m.judge(v)
	m.hear()
	m.complain(m.settle())
}

// hear takes the verdicts that have queued up.
func (m *Manager) hear() {
	for {
		select {
		case v := <-m.health:
			m.judge(v)
		default:
			return
		}
	}
}

func (m *Manager) judge(v Verdict) {
	if e := m.services[v.Service]; e != nil {
		m.step(e, v.Health)
	}
}

// repair looks again at what is not as wanted.
func (m *Manager) repair() error {
	for _, r := range m.failed {
		m.touch(r)
	}
	m.remark = m.remark || m.unmarked
	return m.settle()
}

// touch makes everything about a row due to be looked at.
func (m *Manager) touch(r *row) {
	r.whole = true
	m.smear(r)
}

// touchSome makes one destination of a row due.
func (m *Manager) touchSome(r *row, addr netip.AddrPort) {
	r.some = append(r.some, addr)
	m.smear(r)
}

func (m *Manager) smear(r *row) {
	if !r.dirty {
		r.dirty = true
		m.dirty = append(m.dirty, r)
	}
}

// stop removes all services. Without a table nothing was made.
func (m *Manager) stop() error {
	if m.found != nil {
		m.complain(m.setTimeouts(config.LVSTimeouts{}))
	}
	if m.opts.KeepOnStop || !m.listed {
		return nil
	}
	for _, key := range m.order {
		m.step(m.services[key], Shutdown{})
	}
	for _, e := range m.leaving {
		m.step(e, Shutdown{})
	}
	m.marked, m.remark = nil, true
	if m.flushOnStop {
		m.complain(m.mark())
		if err := m.opts.Kernel.Flush(); err != nil {
			m.complain(fmt.Errorf("flush the table of virtual services: %w", err))
		} else {
			for _, r := range m.rows {
				r.is(nil)
				r.known = true
			}
		}
	}
	err := m.repair()
	m.complain(err)
	return err
}

// step tells a pool of an event.
func (m *Manager) step(e *entry, ev Event) { m.carry(e, e.pool.Step(ev)) }

// carry carries out the effects of a pool up to the kernel's part.
func (m *Manager) carry(e *entry, effects []Effect) {
	for _, effect := range effects {
		switch effect := effect.(type) {
		case Log:
			m.opts.Log.Info(effect.Text, effect.fields(e.pool.service.Key)...)
		case Want:
			for _, r := range e.rows {
				m.touch(r)
			}
		case WantDest:
			for _, r := range e.rows {
				m.touchSome(r, effect.Addr)
			}
		case Became:
			service, alive := e.pool.service, e.pool.alive
			if m.opts.OnChange != nil {
				m.tell = append(m.tell, func() { m.opts.OnChange(Change{&service, effect, alive}) })
			}
		case Leaves:
			service := e.pool.service
			if m.opts.OnLeave != nil {
				m.tell = append(m.tell, func() { m.opts.OnLeave(&service, effect) })
			}
		case Alert:
			key := e.pool.service.Key
			if m.opts.OnAlert != nil {
				m.tell = append(m.tell, func() { m.opts.OnAlert(key, effect) })
			}
		}
	}
}

// fields say for programs what a line is about, in capitals, as journald has
// them.
func (l Log) fields(service config.ServiceKey) []zap.Field {
	fields := []zap.Field{zap.String("VIRTUAL_SERVER", service.String())}
	if l.Server != "" {
		fields = append(fields, zap.String("REAL_SERVER", l.Server))
	}
	return fields
}

// complain logs what is tried again, once until something else is wrong. Whoever
// calls Apply is told instead.
func (m *Manager) complain(err error) {
	text := complaint(err)
	if err != nil && text != m.complaint {
		m.opts.Log.Error("IPVS is not as configured", zap.Error(err))
		m.complaint = text
	}
}

// complaint is what an error says, in an order that does not depend on which
// service was tried first.
func complaint(err error) string {
	if err == nil {
		return ""
	}
	return strings.Join(slices.Sorted(strings.SplitSeq(err.Error(), "\n")), "\n")
}
