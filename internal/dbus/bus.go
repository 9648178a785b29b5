package dbus

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Daemon is what the bus asks for. Its methods are called by any goroutine.
type Daemon interface {
	PrintData() error       // as SIGUSR1
	PrintStats() error      // as SIGUSR2
	PrintStatsClear() error // the same, and sets the counters to zero
	Reload() error          // as SIGHUP, without waiting for its outcome
	// SendGarp announces the addresses of an instance once.
	SendGarp(instance string) error
	// State is that of an instance; false when there is none.
	State(instance string) (config.State, bool)
}

// Options are what a [Bus] needs.
type Options struct {
	Log    *zap.Logger
	Daemon Daemon
	// Address of the bus; empty: that of the system bus, as
	// DBUS_SYSTEM_BUS_ADDRESS says.
	Address string

	minDelay time.Duration // 0: minDelay
}

// Times of [Bus.Run].
const (
	connectLimit = 10 * time.Second // until the bus has given us our name, or taken a signal
	stopLimit    = time.Second      // for the last signals
	minDelay     = time.Second      // between attempts, doubled each time
	maxDelay     = 30 * time.Second
)

// maxSignals is how many signals wait for a bus that does not read.
const maxSignals = 1024

// Bus is lvsd on the bus. Whoever tells it something never waits.
type Bus struct {
	o    Options
	wake chan struct{} // there is something to do

	mu        sync.Mutex
	settings  settings
	instances map[dbus.ObjectPath]string // their names
	queue     []signal
	connected bool
}

// settings are what a connection depends on.
type settings struct {
	enabled bool
	name    string // on the bus
}

type signal struct {
	path   dbus.ObjectPath
	name   string
	values []any
}

// New makes a Bus that does nothing before Run and is nowhere before Apply.
func New(o Options) *Bus {
	o.minDelay = cmp.Or(o.minDelay, minDelay)
	return &Bus{o: o, wake: make(chan struct{}, 1)}
}

// Apply takes name and instances from a configuration.
func (b *Bus) Apply(c *config.Config) {
	next := make(map[dbus.ObjectPath]string, len(c.Instances))
	for i := range c.Instances {
		next[instancePath(&c.Instances[i], &c.Global.Interface)] = c.Instances[i].Name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for path, name := range b.instances {
		if _, stays := next[path]; !stays && b.connected {
			b.o.Log.Info("Deleted DBus object for instance " + name)
		}
	}
	b.instances = next
	b.settings = settings{c.Global.Interface.EnableDBus, cmp.Or(c.Global.Interface.DBusServiceName, defaultName)}
	b.rouse()
}

// State tells the state that an instance has entered: VrrpStatusChange.
func (b *Bus) State(i *config.Instance, from *config.ExternalInterfaces, state config.State) {
	b.emit(signal{instancePath(i, from), instanceInterface + ".VrrpStatusChange", []any{uint32(state)}})
}

// Reloaded tells that a new configuration runs: VrrpReloaded.
func (b *Bus) Reloaded() { b.emit(signal{vrrpPath, vrrpInterface + ".VrrpReloaded", nil}) }

func (b *Bus) emit(s signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.connected && len(b.queue) < maxSignals {
		b.queue = append(b.queue, s)
		b.rouse()
	}
}

func (b *Bus) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run is on the bus until ctx ends, whenever the configuration says so.
func (b *Bus) Run(ctx context.Context) error {
	delay, said := b.o.minDelay, ""
	for ctx.Err() == nil {
		var again <-chan time.Time
		if s := b.current(); s.enabled {
			began := time.Now()
			switch err := b.session(ctx, s); {
			case err == nil || ctx.Err() != nil: // it ends, or has another name
				said = ""
				continue
			case err.Error() != said:
				said = err.Error()
				b.o.Log.Warn("Failed to initialise DBus", zap.Error(err))
			}
			if time.Since(began) > connectLimit {
				delay = b.o.minDelay
			}
			again = time.After(delay)
			delay = min(2*delay, maxDelay)
		}
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-again:
		}
	}
	return nil
}

func (b *Bus) current() settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings
}

// session is a connection from its beginning to its end. An end that was not
// asked for is an error.
func (b *Bus) session(ctx context.Context, s settings) error {
	l, err := b.connect(ctx, s.name)
	if err != nil {
		return err
	}
	b.o.Log.Info("Acquired DBus bus " + s.name)
	// A bus that does not listen holds nobody up.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, func() { _ = l.socket.Close() }) })()
	b.begin()
	defer b.end()
	for {
		if b.current() != s || ctx.Err() != nil {
			b.leave(l, s.name)
			return nil
		}
		if err := b.flush(l); err != nil {
			_ = l.socket.Close()
			_ = l.Close()
			return fmt.Errorf("lost the bus: %w", err)
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
		case <-l.Context().Done():
			return errLost
		}
	}
}

var errLost = fmt.Errorf("lost the bus: %w", dbus.ErrClosed)

// link is a connection with the socket below it: only the socket can end a
// write to a bus that stands still.
type link struct {
	*dbus.Conn
	socket *net.UnixConn
}

// connect goes as far as having the name. The connection lives on when ctx
// ends, for the last signals.
func (b *Bus) connect(ctx context.Context, name string) (_ *link, err error) {
	socket, err := dial(ctx, b.o.Address)
	if err != nil {
		return nil, err
	}
	l := &link{socket: socket}
	tooLong := time.AfterFunc(connectLimit, func() { _ = socket.Close() })
	defer func() {
		if inTime := tooLong.Stop(); err != nil && !inTime {
			err = fmt.Errorf("connect to the bus: no answer for %s", connectLimit)
		}
		if err != nil {
			_ = socket.Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = socket.Close() })()
	if l.Conn, err = dbus.ConnectUnix(socket, dbus.WithHandler(b)); err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	switch reply, err := l.RequestName(name, 0); {
	case err != nil:
		return nil, fmt.Errorf("ask for the name %s: %w", name, err)
	case reply == dbus.RequestNameReplyInQueue:
		b.o.Log.Warn("somebody else has our name on the bus, waiting for it", zap.String("name", name))
	}
	return l, nil
}

// begin tells who listens that VRRP is there, and how the instances stand.
func (b *Bus) begin() {
	b.mu.Lock()
	b.connected, b.queue = true, []signal{{path: vrrpPath, name: vrrpInterface + ".VrrpStarted"}}
	names := b.instances
	b.mu.Unlock()
	for path, name := range names {
		if state, ok := b.o.Daemon.State(name); ok && state != config.Init {
			b.emit(signal{path, instanceInterface + ".VrrpStatusChange", []any{uint32(state)}})
		}
	}
}

func (b *Bus) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connected, b.queue = false, nil
}

func (b *Bus) flush(l *link) error {
	b.mu.Lock()
	queue := b.queue
	b.queue = nil
	b.mu.Unlock()
	_ = l.socket.SetWriteDeadline(time.Now().Add(connectLimit)) // a dead one fails below
	for _, s := range queue {
		if err := l.Emit(s.path, s.name, s.values...); err != nil {
			return err
		}
	}
	return nil
}

// leave says good-bye.
func (b *Bus) leave(l *link, name string) {
	_ = b.flush(l)
	_ = l.Emit(vrrpPath, vrrpInterface+".VrrpStopped")
	_, _ = l.ReleaseName(name) // the bus would do it, too
	_ = l.Close()
	b.o.Log.Info("Released DBus")
}
