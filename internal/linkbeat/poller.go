//go:build linux

package linkbeat

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Interval is how often a link is asked.
const Interval = time.Second

// Poller asks the links of a configuration.
type Poller struct {
	log     *zap.Logger
	changed func(link string)
	probe   func(name string, how config.LinkbeatProbe) (bool, error)

	applied chan struct{} // holds one token: the links may be others

	mu    sync.Mutex
	links map[string]*beat
}

// beat is a link that is asked.
type beat struct {
	how    config.LinkbeatProbe
	dead   bool
	failed bool // nobody knows: then it is what the kernel says
}

// New makes a poller that asks nobody before Apply and Run. The callback is
// told of every link whose beat came or went.
func New(log *zap.Logger, changed func(link string)) *Poller {
	return &Poller{log: log, changed: changed, probe: probe, applied: make(chan struct{}, 1)}
}

// Apply replaces the links that are asked. What is known of those that stay
// stays known.
func (p *Poller) Apply(links []config.Linkbeat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.links
	p.links = make(map[string]*beat)
	for _, l := range links {
		if b := was[l.Name]; b != nil && b.how == l.Probe {
			p.links[l.Name] = b
		} else if p.links[l.Name] == nil {
			p.links[l.Name] = &beat{how: l.Probe}
		}
	}
	select {
	case p.applied <- struct{}{}:
	default:
	}
}

// Dead says that a link is known to have no beat.
func (p *Poller) Dead(link string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.links[link]
	return b != nil && b.dead
}

// Asks says that a link is one of those that are asked.
func (p *Poller) Asks(link string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links[link] != nil
}

// Run asks every link once a second until ctx ends. It sleeps while there is
// none.
func (p *Poller) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for any := p.once(); ; {
		due := tick.C
		if !any {
			due = nil // a ticker that nobody waits for wakes nobody
		}
		select {
		case <-due:
			any = p.once()
		case <-p.applied:
			any = p.any()
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *Poller) any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links) > 0
}

// once asks without the lock: a driver may take its time. It reports whether
// there is anybody to ask.
func (p *Poller) once() (any bool) {
	p.mu.Lock()
	links := maps.Clone(p.links)
	p.mu.Unlock()
	for name, b := range links {
		up, err := p.probe(name, b.how)
		p.mu.Lock()
		if err != nil && !b.failed {
			p.log.Warn("the driver does not tell whether the link has a beat", zap.String("link", name), zap.Error(err))
		}
		was := b.dead
		b.failed, b.dead = err != nil, err == nil && !up
		p.mu.Unlock()
		if b.dead != was {
			p.changed(name)
		}
	}
	return len(links) > 0
}
