package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
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
}

// Faults: with errAnswerLost the kernel has done what it was asked for.
var (
	errRefused    = errors.New("refused")
	errAnswerLost = errors.New("answer lost")
)

func newFakeKernel() *fakeKernel {
	return &fakeKernel{table: make(map[config.ServiceKey]*Service), fail: func(string) error { return nil }}
}

func clone(s *Service) *Service {
	if s == nil {
		return nil
	}
	c := *s
	c.Dests = slices.Clone(s.Dests)
	return &c
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
		all[key] = clone(s)
	}
	return all, nil
}

func (k *fakeKernel) Read(key config.ServiceKey) (*Service, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if err := k.fail("read " + key.String()); err != nil {
		return nil, err
	}
	return clone(k.table[key]), nil
}

func (k *fakeKernel) Do(op Op) error {
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

func (k *fakeKernel) breakIt(fail func(what string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}
