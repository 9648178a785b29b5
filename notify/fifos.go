package notify

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// FIFOs are the named pipes of global_defs with the scripts that read them:
//
//	VRRP --> vrrp_notify_fifo --> its script
//	   \--> notify_fifo
//	    /
//	LVS --> lvs_notify_fifo
//
// A script is started with the path of its pipe, again with each
// configuration, and ended with SIGTERM. The pipe itself stays over a reload.
type FIFOs struct {
	log *zap.Logger

	mu      sync.Mutex
	pipes   [3]*pipe // of everything, of VRRP, of LVS; nil: none
	taking  []FIFOHandover
	closed  bool
	readers sync.WaitGroup
	waits   chan struct{} // holds one token: lines wait for room
}

const (
	everything = iota
	vrrpOnly
	lvsOnly
)

// pipe is a fifo with its reader.
type pipe struct {
	*fifo
	cfg    config.FIFO
	stop   context.CancelFunc
	reader chan struct{} // closed when the script has ended
}

// NewFIFOs makes what writes to no pipe before Apply.
func NewFIFOs(log *zap.Logger) *FIFOs { return &FIFOs{log: log, waits: make(chan struct{}, 1)} }

// Apply opens the pipes of a configuration and starts their scripts anew. A
// pipe that cannot be opened is an error in the log, and is tried again with
// the next configuration.
func (f *FIFOs) Apply(next config.FIFOs) {
	f.stopReaders()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	for i, cfg := range []config.FIFO{everything: next.Notify, vrrpOnly: next.VRRPNotify, lvsOnly: next.LVSNotify} {
		f.pipes[i] = f.apply(f.pipes[i], cfg)
	}
	f.dropExpected()
}

// stopReaders ends the scripts and waits a little for that: one that is just
// being ended takes along what it has read.
func (f *FIFOs) stopReaders() {
	var ending []<-chan struct{}
	f.each(func(p *pipe) {
		p.stop()
		ending = append(ending, p.reader)
	})
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	for _, reader := range ending {
		select {
		case <-reader:
		case <-limit.C:
			return
		}
	}
}

func (f *FIFOs) apply(was *pipe, cfg config.FIFO) *pipe {
	var before <-chan struct{}
	var file *fifo
	if was != nil {
		before = was.reader
		if cfg.Path == was.cfg.Path && reflect.DeepEqual(cfg.User, was.cfg.User) {
			file = was.fifo
		} else {
			was.close()
		}
	}
	if cfg.Path == "" {
		return nil
	}
	if file == nil {
		file = f.expected(cfg)
	}
	if file == nil {
		var err error
		if file, err = openFIFO(f.log, cfg); err != nil {
			f.log.Error("notify FIFO", zap.Error(err))
			return nil
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &pipe{fifo: file, cfg: cfg, stop: stop, reader: make(chan struct{})}
	f.readers.Go(func() {
		defer close(p.reader)
		f.read(ctx, p, before)
	})
	return p
}

// read runs the script, after that of the configuration before: two readers
// would take each other's lines.
func (f *FIFOs) read(ctx context.Context, p *pipe, before <-chan struct{}) {
	if before != nil {
		<-before
	}
	if p.cfg.Script.IsZero() || ctx.Err() != nil {
		return
	}
	switch status, err := Exec(ctx, p.cfg.Script, p.cfg.Path); {
	case ctx.Err() != nil:
	case err != nil:
		f.log.Error("notify FIFO script", zap.Error(err))
	default:
		f.log.Warn(fmt.Sprintf("the script that reads %s has ended, nobody does until the next reload", p.cfg.Path), zap.Int("status", status))
	}
}

// VRRP tells a state, or with repeats something that may get lost, of an
// instance or a sync group, with a priority.
func (f *FIFOs) VRRP(o Object, what string, priority int, repeats bool) {
	text := fmt.Sprintf("%s \"%s\" %s %d\n", o.Kind, o.Name, what, priority)
	f.write(vrrpOnly, line{o, text}, !repeats)
}

// LVS tells the state of a real server or virtual server.
func (f *FIFOs) LVS(e Event) {
	f.write(lvsOnly, line{e.Object, e.Object.String() + " " + e.What + "\n"}, true)
}

func (f *FIFOs) write(own int, l line, state bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range []int{everything, own} {
		if f.pipes[i] == nil || !f.pipes[i].write(l, state) {
			continue
		}
		select {
		case f.waits <- struct{}{}:
		default:
		}
	}
}

// Times of [FIFOs.Run], and of Apply.
const (
	endLimit      = 500 * time.Millisecond // for a script to end, before the next one is due
	retryInterval = time.Second            // to write what had no room
	drainLimit    = 500 * time.Millisecond // for the readers to see the last lines
	drainInterval = 5 * time.Millisecond
	lastLine      = 50 * time.Millisecond // to act on a line that has been read
)

// Run writes what had no room again until ctx ends; then it waits a little for
// the last lines to be read, ends the scripts and removes the pipes.
func (f *FIFOs) Run(ctx context.Context) error {
	var retry <-chan time.Time
	for ctx.Err() == nil {
		select {
		case <-f.waits:
			if retry == nil {
				retry = time.After(retryInterval)
			}
		case <-retry:
			retry = nil
			if f.again() {
				retry = time.After(retryInterval)
			}
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	unread := func() (any bool) {
		f.each(func(p *pipe) { any = any || !p.cfg.Script.IsZero() && p.unread() })
		return any
	}
	for end := time.Now().Add(drainLimit); unread() && time.Now().Before(end); {
		time.Sleep(drainInterval)
	}
	if f.hasReaders() {
		time.Sleep(lastLine)
	}
	f.each(func(p *pipe) {
		p.stop()
		p.close()
	})
	f.readers.Wait()
	return nil
}

// again tries what waits once more, and reports whether something still does.
func (f *FIFOs) again() (waits bool) {
	f.each(func(p *pipe) { waits = p.again() || waits })
	return waits
}

func (f *FIFOs) hasReaders() (any bool) {
	f.each(func(p *pipe) { any = any || !p.cfg.Script.IsZero() })
	return any
}

func (f *FIFOs) each(do func(*pipe)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pipes {
		if p != nil {
			do(p)
		}
	}
}
