package supervisor

import (
	"context"
	"fmt"
	"sync"
)

// parts are goroutines that end in the reverse order of their start, each
// waited for before the next is told.
type parts struct {
	ctx    context.Context // without the caller's end
	failed chan error      // the first part that ended by itself
	ends   []func()
}

func newParts(ctx context.Context) *parts {
	return &parts{ctx: context.WithoutCancel(ctx), failed: make(chan error, 1)}
}

// run starts a part that blocks until its context ends.
func (p *parts) run(name string, f func(context.Context) error) {
	p.ends = append(p.ends, p.launch(name, f))
}

// together starts two parts that are also ended at the same time.
func (p *parts) together(nameA string, a func(context.Context) error, nameB string, b func(context.Context) error) {
	endA, endB := p.launch(nameA, a), p.launch(nameB, b)
	p.ends = append(p.ends, func() {
		var both sync.WaitGroup
		both.Go(endA)
		both.Go(endB)
		both.Wait()
	})
}

func (p *parts) launch(name string, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := f(ctx)
		if err == nil && ctx.Err() != nil {
			return
		}
		select {
		case p.failed <- fmt.Errorf("%s: %w", name, orEnded(err)):
		default:
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func orEnded(err error) error {
	if err == nil {
		return context.Canceled
	}
	return err
}

// stop ends all parts.
func (p *parts) stop() {
	for i := len(p.ends) - 1; i >= 0; i-- {
		p.ends[i]()
	}
	p.ends = nil
}
