package vrrp

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lvsd/lvsd/config"
)

// pacer keeps a distance between announcements: vrrp_garp_interval,
// vrrp_gna_interval and garp_group. What must wait does so in a lane, and is
// forgotten when its address is given up.
type pacer struct {
	host Host
	log  *zap.Logger

	mu      sync.Mutex
	pace    pace
	lanes   map[lane]*waiting
	running sync.WaitGroup
	stopped bool
}

// pace is what the configuration says.
type pace struct {
	arp, na time.Duration
	groups  map[string]int // of interfaces, from 1 on
	of      []config.GarpGroup
}

// lane is what shares a distance: an interface, or a garp_group, and a protocol.
type lane struct {
	link  string
	group int
	v6    bool
}

// waiting is a lane in use.
type waiting struct {
	next  time.Time // of the next announcement
	queue []notice
	timer *time.Timer
}

// notice is an announcement of one address.
type notice struct {
	instance string
	addr     config.Address
}

func (n notice) equal(o notice) bool { return n.instance == o.instance && sameAddress(n.addr, o.addr) }

func newPacer(host Host, log *zap.Logger) *pacer {
	return &pacer{host: host, log: log, lanes: make(map[lane]*waiting)}
}

// configure takes new distances. What waits keeps those it began with.
func (p *pacer) configure(cfg *config.Config) {
	next := pace{arp: cfg.Global.VRRPGarpInterval, na: cfg.Global.VRRPGnaInterval, groups: make(map[string]int), of: cfg.Links.GarpGroups}
	for i := range cfg.Links.GarpGroups {
		for _, link := range cfg.Links.GarpGroups[i].Interfaces {
			if next.groups[link.Name] == 0 {
				next.groups[link.Name] = i + 1
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace = next
}

// lane is that of an address, and the distance in it. An interface in a group
// has nothing to do with the global distances.
func (p *pace) lane(a config.Address) (lane, time.Duration) {
	v6 := a.Prefix.Addr().Is6()
	global := p.arp
	if v6 {
		global = p.na
	}
	n := p.groups[a.Dev]
	if n == 0 {
		return lane{link: a.Dev, v6: v6}, global
	}
	g := &p.of[n-1]
	if v6 {
		return lane{group: n, v6: true}, g.GnaInterval.Value
	}
	return lane{group: n}, g.GarpInterval.Value
}

// announce carries out an [Announce], what it may of it at once.
func (p *pacer) announce(e Announce) error {
	for _, a := range e.Addresses {
		p.detail(zap.DebugLevel, "("+e.Instance+") Sending/queueing", a, "s")
	}
	now := p.admit(e)
	for _, a := range now {
		p.detail(extraDetail, "Sending", a, "")
	}
	if len(now) == 0 {
		return nil
	}
	return p.host.Announce(context.Background(), now)
}

// extraDetail is the level of what is said with -D given twice.
const extraDetail = zap.DebugLevel - 1

// detail says what is sent, in keepalived's words.
func (p *pacer) detail(level zapcore.Level, verb string, a config.Address, plural string) {
	if !p.log.Core().Enabled(level) {
		return
	}
	what := " gratuitous ARP"
	switch {
	case a.Prefix.Addr().Is6() && plural != "":
		what = " Unsolicited Neighbour Advert"
	case a.Prefix.Addr().Is6():
		what = " unsolicited Neighbour Advert"
	}
	p.log.Log(level, verb+what+plural+" on "+a.Dev+" for "+a.Prefix.Addr().String())
}

// admit lets what has to wait for its turn do so, and returns the rest.
func (p *pacer) admit(e Announce) (now []config.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range e.Rounds {
		for _, a := range e.Addresses {
			l, distance := p.pace.lane(a)
			if distance == 0 {
				now = append(now, a)
				continue
			}
			p.enqueue(l, distance, notice{e.Instance, a}, e.Rounds)
		}
	}
	return now
}

// enqueue lets a notice wait for its turn, unless as many for the address wait
// already as are asked for: a flood must not fill the lane.
func (p *pacer) enqueue(l lane, distance time.Duration, n notice, most int) {
	w := p.lanes[l]
	if w == nil {
		w = &waiting{}
		p.lanes[l] = w
	}
	same := 0
	for _, other := range w.queue {
		if n.equal(other) {
			same++
		}
	}
	if same >= most || p.stopped {
		return
	}
	w.queue = append(w.queue, n)
	if w.timer == nil {
		p.arm(l, w, distance)
	}
}

// arm lets the first of a lane go when its time has come.
func (p *pacer) arm(l lane, w *waiting, distance time.Duration) {
	p.running.Add(1)
	w.timer = time.AfterFunc(max(0, time.Until(w.next)), func() {
		defer p.running.Done()
		p.turn(l, w, distance)
	})
}

func (p *pacer) turn(l lane, w *waiting, distance time.Duration) {
	defer func() {
		if cause := recover(); cause != nil {
			p.log.Error("announcement failed", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
		}
	}()
	n, ok := p.pop(l, w, distance)
	if !ok {
		return
	}
	p.detail(extraDetail, "Sending", n.addr, "")
	if err := p.host.Announce(context.Background(), []config.Address{n.addr}); err != nil {
		p.log.Warn("(" + n.instance + ") " + err.Error())
	}
}

// pop is whose turn it is, and begins to wait for the next one's.
func (p *pacer) pop(l lane, w *waiting, distance time.Duration) (n notice, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.timer = nil
	if len(w.queue) == 0 || p.stopped {
		return n, false
	}
	n = w.queue[0]
	w.queue = w.queue[1:]
	w.next = time.Now().Add(distance)
	if len(w.queue) > 0 {
		p.arm(l, w, distance)
	}
	return n, true
}

// keep forgets what waits for addresses that an instance has no more.
func (p *pacer) keep(instance string, addrs []config.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.lanes {
		w.queue = slices.DeleteFunc(w.queue, func(n notice) bool {
			held := func(a config.Address) bool { return sameAddress(a, n.addr) }
			return n.instance == instance && !slices.ContainsFunc(addrs, held)
		})
	}
}

// stop forgets everything and waits for what is on its way.
func (p *pacer) stop() {
	p.mu.Lock()
	p.stopped = true
	for _, w := range p.lanes {
		if w.timer != nil && w.timer.Stop() {
			p.running.Done()
		}
	}
	p.mu.Unlock()
	p.running.Wait()
}
