package vrrp_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// lan is a network in memory. Everything on it is written down.
type lan struct {
	mu     sync.Mutex
	start  time.Time
	conns  []*port
	frames []string
}

// port is a connection of a router to the lan.
type port struct {
	lan      *lan
	router   *router
	socket   vrrp.Socket
	arrived  func()
	received []wire.Datagram
}

// router is a host on the lan, with a runner on it.
type router struct {
	lan    *lan
	addr   netip.Addr
	host   kerneltest.Host
	runner *vrrp.Runner
	log    *observer.ObservedLogs
	cancel context.CancelFunc
	ended  chan error
	uptime time.Duration

	mu       sync.Mutex
	states   []string
	cut      bool          // nothing gets in or out
	openErr  error         // of the next sockets
	slow     time.Duration // what they take
	prepared []string      // with that, of what and until when
	opened   int
	filtered [][]uint8
	buffers  []vrrp.Buffer
}

func newLAN() *lan { return &lan{start: time.Now()} }

// newRouter is a router with link eth0 up, whose runner runs.
func (l *lan) newRouter(addr string, observe *vrrp.Observers) *router {
	core, logged := observer.New(zap.DebugLevel - 1)
	r := &router{lan: l, addr: netip.MustParseAddr(addr), log: logged, ended: make(chan error, 1)}
	if observe == nil {
		observe = &vrrp.Observers{}
	}
	r.runner = vrrp.New(vrrp.Options{Log: zap.New(core), Host: &r.host, Notifier: r, Opener: r, Observe: *observe, Uptime: func() time.Duration { return r.uptime }})
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.runner.Run(ctx) }()
	r.link(true)
	return r
}

// link tells the runner about eth0.
func (r *router) link(up bool) {
	_ = r.runner.Link(vrrp.LinkChanged{Link: "eth0", Exists: true, Up: up, IPv4: []netip.Addr{r.addr}})
}

// stop ends the runner and waits for it.
func (r *router) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// kill cuts the router off without a farewell.
func (r *router) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

func (r *router) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

// fail makes the opening of sockets fail, or work again with nil.
func (r *router) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.openErr = err
}

// Prepare takes its time.
func (r *router) Prepare(s vrrp.Socket) (slow func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slow == 0 {
		return nil
	}
	return func() {
		time.Sleep(r.slow)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.prepared = append(r.prepared, fmt.Sprint(time.Since(r.lan.start), s))
	}
}

// Open implements [vrrp.Opener].
func (r *router) Open(s vrrp.Socket, vrids []uint8, arrived func()) (vrrp.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.openErr != nil {
		return nil, r.openErr
	}
	r.opened++
	r.filtered = append(r.filtered, slices.Clone(vrids))
	p := &port{lan: r.lan, router: r, socket: s, arrived: arrived}
	r.lan.mu.Lock()
	defer r.lan.mu.Unlock()
	r.lan.conns = append(r.lan.conns, p)
	return p, nil
}

// Send implements [vrrp.Conn].
func (p *port) Send(o vrrp.Outgoing) error {
	if p.router.isCut() {
		return nil
	}
	l := p.lan
	l.mu.Lock()
	defer l.mu.Unlock()
	advert, err := wire.Parse(o.Payload, wire.Pseudo{Src: o.Src, Dst: o.Dst})
	if err != nil {
		return err
	}
	l.frames = append(l.frames, fmt.Sprintf("%v %s > %s ttl %d id %d vrid %d prio %d",
		time.Since(l.start), o.Src, o.Dst, o.TTL, o.ID, advert.VRID, advert.Priority))
	d := wire.Datagram{Src: o.Src, Dst: o.Dst, TTL: int(o.TTL), Payload: slices.Clone(o.Payload)}
	if o.AH != nil {
		d, _ = wire.ParseIPv4(o.AH.AppendIPv4(nil, o.Src, o.Dst, o.TTL, o.ID, o.Sequence, o.Payload))
		l.frames[len(l.frames)-1] += fmt.Sprintf(" AH %d", d.Sequence())
	}
	for _, other := range l.conns {
		if other.router != p.router && !other.router.isCut() && other.socket.AH == (o.AH != nil) &&
			(other.socket.Group == o.Dst || other.socket.Source == o.Dst) {
			other.received = append(other.received, d)
			other.arrived()
		}
	}
	return nil
}

// Filter implements [vrrp.Conn].
func (p *port) Filter(vrids []uint8) error {
	p.router.mu.Lock()
	defer p.router.mu.Unlock()
	p.router.filtered = append(p.router.filtered, slices.Clone(vrids))
	return nil
}

// Receive implements [vrrp.Conn].
func (p *port) Receive(each func(*wire.Datagram)) {
	p.lan.mu.Lock()
	received := p.received
	p.received = nil
	p.lan.mu.Unlock()
	for i := range received {
		each(&received[i])
	}
}

// Buffer implements [vrrp.Conn].
func (p *port) Buffer(b vrrp.Buffer) error {
	p.router.mu.Lock()
	defer p.router.mu.Unlock()
	p.router.buffers = append(p.router.buffers, b)
	return nil
}

// Close implements [vrrp.Conn].
func (p *port) Close() error {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.lan.conns = slices.DeleteFunc(p.lan.conns, func(o *port) bool { return o == p })
	return nil
}

// Notify implements [vrrp.Notifier].
func (r *router) Notify(b vrrp.Became) {
	r.note(fmt.Sprintf("%s %s %d", b.Name, b.State, b.Priority))
}

// ReceivedLowerPriority implements [vrrp.Notifier].
func (r *router) ReceivedLowerPriority(l vrrp.ReceivedLowerPriority) {
	r.note(l.Instance + " MASTER_RX_LOWER_PRI")
}

func (r *router) Reprioritised(p vrrp.Reprioritised) {
	r.note(fmt.Sprintf("%s PRIORITY %d", p.Instance, p.Priority))
}

func (r *router) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, fmt.Sprint(time.Since(r.lan.start), " ", s))
}

// noted returns and forgets what the notifier was told.
func (r *router) noted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := r.states
	r.states = nil
	return states
}

// sent returns and forgets what was on the wire.
func (l *lan) sent() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	frames := l.frames
	l.frames = nil
	return frames
}

// until lets the bubble run to a moment after the start of the lan.
func (l *lan) until(d time.Duration) {
	time.Sleep(time.Until(l.start.Add(d)))
	synctest.Wait()
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// virtual is an instance on eth0 with the given virtual addresses.
func virtual(name string, vrid, priority uint8, vips ...string) config.Instance {
	i := config.DefaultInstance
	i.Name, i.Interface, i.VirtualRouterID, i.Priority = name, "eth0", vrid, config.Some(priority)
	for _, vip := range vips {
		i.VirtualIPAddress = append(i.VirtualIPAddress, config.Address{Prefix: netip.MustParsePrefix(vip)})
	}
	return i
}

func resolved(instances ...config.Instance) *config.Config {
	cfg := &config.Config{Global: config.DefaultGlobal, Instances: instances}
	cfg.Resolve(nil)
	return cfg
}

func apply(t *testing.T, r *router, cfg *config.Config) {
	t.Helper()
	if err := r.runner.Apply(cfg); err != nil {
		t.Fatal(err)
	}
}

// bubble runs a test in which time is virtual.
func bubble(t *testing.T, f func(t *testing.T, l *lan)) {
	synctest.Test(t, func(t *testing.T) { f(t, newLAN()) })
}

var errNoSocket = errors.New("no socket today")
