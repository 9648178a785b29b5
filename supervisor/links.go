package supervisor

import (
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/internal/linkbeat"
	"github.com/lvsd/lvsd/vrrp"
)

// links are what the kernel says of links, without those whose drivers say that
// they have no beat.
type links struct {
	beats *linkbeat.Poller
	tell  func(vrrp.LinkChanged)

	mu    sync.Mutex // also keeps the order of what is told
	known map[string]kernel.Link
}

func newLinks(log *zap.Logger, tell func(vrrp.LinkChanged)) *links {
	l := &links{tell: tell, known: make(map[string]kernel.Link)}
	l.beats = linkbeat.New(log, l.beat)
	return l
}

// changed is for news from the kernel.
func (l *links) changed(link kernel.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[link.Name] = link
	if !link.Exists {
		delete(l.known, link.Name)
	}
	l.say(link)
}

// beat is for news from a driver.
func (l *links) beat(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if link, ok := l.known[name]; ok {
		l.say(link)
	}
}

func (l *links) say(link kernel.Link) {
	l.tell(vrrp.LinkChanged{
		Link: link.Name, Exists: link.Exists, Up: link.Up && !l.beats.Dead(link.Name),
		Polled: l.beats.Asks(link.Name), IPv4: link.IPv4, IPv6: link.IPv6, Global: link.Global,
	})
}

// sighted is -a, in keepalived's words.
func (s *Supervisor) sighted(a kernel.Sighting) {
	what := "added to"
	if a.Gone {
		what = "removed from"
	}
	s.log.Named("vrrp").Info(fmt.Sprintf("Netlink reflector reports IP %s %s %s", a.Addr, what, a.Link))
}
