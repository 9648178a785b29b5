package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"

	"github.com/lvsd/lvsd/config"
)

// fakeKernel is a strict table: it refuses to add what is there and to change
// what is not.
type fakeKernel struct {
	mu    sync.Mutex
	table map[config.ServiceKey]*Service
	ops   []string // successful changes
	reads int      // of single services
	lists int
	fail  func(what string) error // an error of its own for a call, or nil

	timeouts    Timeouts
	connections map[string]int           // service and destination: how many; 0: none
	connected   func(netip.AddrPort) int // instead; may be nil
}

func (k *fakeKernel) Connections(key config.ServiceKey) (map[netip.AddrPort]int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail("-L " + key.String() + " --rate"); err != nil {
		return nil, err
	}
	s := k.table[key]
	if s == nil {
		return nil, nil
	}
	all := make(map[netip.AddrPort]int)
	for _, d := range s.Dests {
		all[d.Addr] = k.connections[fmt.Sprint(key, " ", d.Addr)]
		if k.connected != nil {
			all[d.Addr] = k.connected(d.Addr)
		}
	}
	return all, nil
}

// connect gives a destination connections.
func (k *fakeKernel) connect(key config.ServiceKey, to string, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.connections[fmt.Sprint(key, " ", to)] = n
}

func (k *fakeKernel) Timeouts() (Timeouts, error) { return k.timeouts, k.fail("--list --timeout") }

func (k *fakeKernel) SetTimeouts(t Timeouts) error {
	if err := k.fail("--set"); err != nil {
		return err
	}
	k.timeouts = t
	return nil
}

// Faults: with errAnswerLost the kernel has done what it was asked for.
var (
	errRefused    = errors.New("refused")
	errAnswerLost = errors.New("answer lost")
)

func newFakeKernel() *fakeKernel {
	return &fakeKernel{table: make(map[config.ServiceKey]*Service), connections: make(map[string]int), fail: func(string) error { return nil }}
}

func (k *fakeKernel) List() (map[config.ServiceKey]*Service, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lists++
	if err := k.fail("list"); err != nil {
		return nil, err
	}
	all := make(map[config.ServiceKey]*Service)
	for key, s := range k.table {
		all[key] = s.clone()
	}
	return all, nil
}

func (k *fakeKernel) Read(keys []config.ServiceKey) ([]*Service, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []*Service
	for _, key := range keys {
		k.reads++
		if err := k.fail("read " + key.String()); err != nil {
			return nil, err
		}
		all = append(all, k.table[key].clone())
	}
	return all, nil
}

func (k *fakeKernel) Do(ops []Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		errs[i] = k.one(op)
	}
	return errs
}

func (k *fakeKernel) Flush() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail("flush"); err != nil {
		return err
	}
	k.ops = append(k.ops, "-C")
	clear(k.table)
	return nil
}

func (k *fakeKernel) one(op Op) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	lost := k.fail(op.String())
	if lost != nil && !errors.Is(lost, errAnswerLost) {
		return lost
	}
	if err := k.do(op); err != nil {
		return err
	}
	k.ops = append(k.ops, op.String())
	return lost
}

func (k *fakeKernel) do(op Op) error {
	s := k.table[op.Key]
	switch {
	case op.Verb == AddService && s != nil:
		return fmt.Errorf("service: %w", fs.ErrExist)
	case op.Verb != AddService && s == nil:
		return fmt.Errorf("service: %w", fs.ErrNotExist)
	case s != nil:
		there := slices.ContainsFunc(s.Dests, func(d Dest) bool { return d.Addr == op.Dest.Addr })
		if op.Verb == AddDest && there {
			return fmt.Errorf("destination: %w", fs.ErrExist)
		}
		if (op.Verb == EditDest || op.Verb == DeleteDest) && !there {
			return fmt.Errorf("destination: %w", fs.ErrNotExist)
		}
	}
	if s = after(s, op); s == nil {
		delete(k.table, op.Key)
	} else {
		k.table[op.Key] = s
	}
	return nil
}

// took is what was done since it was last asked.
func (k *fakeKernel) took() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ops := k.ops
	k.ops = nil
	return ops
}

// readings is how many services were read since it was last asked.
func (k *fakeKernel) readings() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.reads
	k.reads = 0
	return n
}

func (k *fakeKernel) breakIt(fail func(what string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

// after is the service once the kernel has done op.
func after(have *Service, op Op) *Service {
	at := func(d Dest) bool { return d.Addr == op.Dest.Addr }
	switch op.Verb {
	case AddService:
		return &Service{Key: op.Key, Attrs: op.Attrs}
	case EditService:
		have.Attrs = op.Attrs
	case DeleteService:
		return nil
	case AddDest:
		have.Dests = append(have.Dests, op.Dest)
	case EditDest:
		have.Dests[slices.IndexFunc(have.Dests, at)] = op.Dest
	case DeleteDest:
		have.Dests = slices.DeleteFunc(have.Dests, at)
	}
	return have
}
