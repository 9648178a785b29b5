package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Kernel is the table of virtual services. Errors answer to [errors.Is] with
// [fs.ErrExist] and [fs.ErrNotExist] where the table is not as an operation
// takes it to be.
type Kernel interface {
	// List is the whole table.
	List() (map[config.ServiceKey]*Service, error)
	// Read is one service, nil when it is absent.
	Read(config.ServiceKey) (*Service, error)
	// Do changes the table.
	Do(Op) error
}

// Options are what a [Manager] needs.
type Options struct {
	Log    *zap.Logger
	Kernel Kernel
	// OnServer is told of real servers that come up or go down, after the
	// kernel knows. It must not block and must not call the Manager. May be nil.
	OnServer func(service config.ServiceKey, server config.Server, up bool)
	// OnAlert is told what smtp_alert of a real server tells, as OnServer and
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
	listed   bool // the kernel's table has been read
	order    []config.ServiceKey
	services map[config.ServiceKey]*entry
	dirty    []*entry                     // to be looked at now
	failed   map[config.ServiceKey]*entry // not as wanted, tried again later
	tell     []func()                     // notifications, due after the kernel's work
}

// entry is one service: what should be and what is.
type entry struct {
	key   config.ServiceKey
	pool  *Pool // nil once it has left the configuration
	want  *Service
	have  *Service
	known bool // have is the truth
	dirty bool // in Manager.dirty
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
	return &Manager{
		opts: opts, calls: make(chan func()), health: make(chan Verdict, 64), done: make(chan struct{}),
		services: make(map[config.ServiceKey]*entry), failed: make(map[config.ServiceKey]*entry),
	}
}

// Run does the work of the Manager until ctx ends, then removes its services.
// It must be called once. The error is what could not be removed.
func (m *Manager) Run(ctx context.Context) error {
	defer close(m.done)
	var retry <-chan time.Time
	backoff := minBackoff
	for {
		switch {
		case len(m.failed) == 0:
			retry, backoff = nil, minBackoff
		case retry == nil:
			retry = time.After(backoff)
		}
		select {
		case <-ctx.Done():
			return m.stop()
		case call := <-m.calls:
			call()
		case r := <-m.health:
			m.absorb(r)
		case <-retry:
			retry, backoff = nil, min(2*backoff, maxBackoff)
			m.complain(m.repair())
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

// Status is a service and how it stands.
type Status struct {
	Key        config.ServiceKey
	Servers    []ServerHealth
	Programmed bool // the kernel has it as wanted
}

// Snapshot is the status of every service in the order of the configuration.
func (m *Manager) Snapshot() []Status {
	var all []Status
	m.call(func() {
		for _, key := range m.order {
			_, failed := m.failed[key]
			all = append(all, Status{key, m.services[key].pool.Servers(), !failed})
		}
	})
	return all
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
	prev := m.order
	m.order = make([]config.ServiceKey, 0, len(services))
	stays := make(map[config.ServiceKey]bool, len(services))
	for _, s := range services {
		m.order, stays[s.Key] = append(m.order, s.Key), true
		e := m.services[s.Key]
		if e == nil {
			// Absent as far as we know. If that is wrong the kernel says so.
			e = &entry{key: s.Key, known: m.listed}
			m.services[s.Key] = e
		}
		if e.pool == nil {
			e.pool = new(Pool)
		}
		m.step(e, Reconfigured{s, verdicts[s.Key]})
	}
	for _, key := range prev {
		if !stays[key] {
			e := m.services[key]
			m.step(e, Removed{})
			e.pool = nil
		}
	}
	return m.repair()
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
	if e := m.services[v.Service]; e != nil && e.pool != nil {
		m.step(e, v.Health)
	}
}

// repair looks again at what is not as wanted.
func (m *Manager) repair() error {
	for _, e := range m.failed {
		m.touch(e)
	}
	return m.settle()
}

func (m *Manager) touch(e *entry) {
	if !e.dirty {
		e.dirty = true
		m.dirty = append(m.dirty, e)
	}
}

// stop removes all services. Without a table nothing was made.
func (m *Manager) stop() error {
	if m.opts.KeepOnStop || !m.listed {
		return nil
	}
	for _, key := range m.order {
		m.step(m.services[key], Shutdown{})
	}
	err := m.repair()
	m.complain(err)
	return err
}

// step carries out the effects of a pool up to the kernel's part.
func (m *Manager) step(e *entry, ev Event) {
	for _, effect := range e.pool.Step(ev) {
		switch effect := effect.(type) {
		case Log:
			m.opts.Log.Info(effect.Text)
		case Want:
			e.want = effect.Service
			m.touch(e)
		case Became:
			if m.opts.OnServer != nil {
				m.tell = append(m.tell, func() { m.opts.OnServer(e.key, effect.Server, effect.Up) })
			}
		case Alert:
			if m.opts.OnAlert != nil {
				m.tell = append(m.tell, func() { m.opts.OnAlert(e.key, effect) })
			}
		}
	}
}

// complain logs what is tried again. Whoever calls Apply is told instead.
func (m *Manager) complain(err error) {
	if err != nil {
		m.opts.Log.Error("IPVS is not as configured", zap.Error(err))
	}
}

// settle brings the kernel to what the dirty services want, then tells who
// came up and went down.
func (m *Manager) settle() error {
	err := m.program()
	tell := m.tell
	m.tell = nil
	for _, f := range tell {
		f()
	}
	return err
}

func (m *Manager) program() error {
	dirty := m.dirty
	m.dirty = nil
	if len(dirty) == 0 && (m.listed || len(m.opts.Abandoned) == 0) {
		return nil
	}
	for _, e := range dirty {
		e.dirty = false
	}
	if err := m.list(); err != nil {
		for _, e := range dirty {
			m.failed[e.key] = e
		}
		return err
	}
	var failures []error
	for _, e := range dirty {
		if err := m.reconcile(e); err != nil {
			m.failed[e.key] = e
			failures = append(failures, err)
			continue
		}
		delete(m.failed, e.key)
		if e.pool == nil {
			delete(m.services, e.key)
		}
	}
	return errors.Join(failures...)
}

// list reads the kernel's table, once: what is there already of the
// configuration is adopted.
func (m *Manager) list() error {
	if m.listed {
		return nil
	}
	m.opts.Log.Info("Initializing ipvs")
	table, err := m.opts.Kernel.List()
	if err != nil {
		return fmt.Errorf("read the table of virtual services: %w", err)
	}
	m.listed = true
	for key, have := range table {
		e := m.services[key]
		switch {
		case e != nil:
			e.have = have
		case m.opts.Flush || m.opts.Abandoned[key]:
			m.opts.Log.Info(fmt.Sprintf("Removing virtual service %s, which is not configured", key))
			if err := m.do(&entry{key: key, have: have}); err != nil {
				m.opts.Log.Error("remove a virtual service that is not configured", zap.Error(err))
			}
		}
	}
	for _, e := range m.services {
		e.known = true
	}
	return nil
}

// reconcile makes one service as it is wanted. When the kernel turns out to be
// in another state than we remember, it is read and tried again, once.
func (m *Manager) reconcile(e *entry) error {
	for again := false; ; again = true {
		if !e.known {
			have, err := m.opts.Kernel.Read(e.key)
			if err != nil {
				return fmt.Errorf("read virtual service %s: %w", e.key, err)
			}
			e.have, e.known = have, true
		}
		err := m.do(e)
		if err == nil {
			return nil
		}
		e.known = false
		if again || !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// do carries out the difference. A destination that cannot be added does not
// keep a dead one in the table.
func (m *Manager) do(e *entry) error {
	var failures []error
	for _, op := range Diff(e.have, e.want) {
		err := m.opts.Kernel.Do(op)
		if errors.Is(err, fs.ErrNotExist) && (op.Verb == DeleteDest || op.Verb == DeleteService) {
			err = nil
		}
		if err == nil {
			e.have = after(e.have, op)
			continue
		}
		failures = append(failures, fmt.Errorf("IPVS, as ipvsadm %s: %w", op, err))
		if op.Verb == AddService {
			break
		}
	}
	return errors.Join(failures...)
}
