//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Link is the state of a link.
type Link struct {
	Name   string
	Exists bool
	Up     bool         // IFF_UP and IFF_RUNNING: administratively up and with carrier
	IPv4   []netip.Addr // its addresses without those claimed for a state, the primary one first
	IPv6   []netip.Addr // likewise the link-local ones, without those that still are tentative
	Global []netip.Addr // likewise the other IPv6 addresses

	index int
}

func (l Link) equal(o Link) bool {
	return l.Exists == o.Exists && l.Up == o.Up && slices.Equal(l.IPv4, o.IPv4) && slices.Equal(l.IPv6, o.IPv6) && slices.Equal(l.Global, o.Global)
}

// Links watches the links of a [Host] and repairs its claims when others
// change them.
type Links struct {
	log     *zap.Logger
	host    *Host
	changed func(Link)
	told    func(map[netip.Addr]bool) // nil: nobody wants to know
	sighted func(Sighting)            // likewise
	pending []Sighting                // heard since the last look
	known   []Link
	here    map[netip.Addr]bool
	ready   chan struct{}
	buffer  int // bytes of the subscriptions' receive buffers

	mu      sync.Mutex
	sub     *subscription   // nil: none is open
	waiting []chan struct{} // for the next look
}

// lookInterval is the least time between two looks: a change after a quiet
// time is seen at once, a burst is not followed step by step, and whoever
// flushes addresses can come to an end before they are put back.
const lookInterval = 10 * time.Millisecond

// resubscribePause keeps a subscription that fails at once from spinning.
const resubscribePause = 10 * time.Millisecond

// NewLinks watches on behalf of host. The callback changed is called by
// [Links.Run], once for every link in the beginning and then for each that
// changes. A link that was deleted and made again is reported as gone in
// between.
func NewLinks(log *zap.Logger, host *Host, changed func(Link)) *Links {
	return &Links{log: log, host: host, changed: changed, ready: make(chan struct{}), buffer: receiveBuffer}
}

// OnAddresses names whom to tell the addresses of this host, claimed ones too:
// before the links are ready, and whenever one is new or has gone. It must be
// called before [Links.Run], which calls told. Whoever is told may keep the map,
// and must not change it.
func (l *Links) OnAddresses(told func(here map[netip.Addr]bool)) { l.told = told }

// Ready is closed when every link has been reported once.
func (l *Links) Ready() <-chan struct{} { return l.ready }

// Enlarge makes the buffers for messages hold at least so many bytes. It is
// called before Run.
func (l *Links) Enlarge(bytes int) { l.buffer = max(l.buffer, bytes) }

// Run watches until ctx ends. When messages were lost (ENOBUFS) or receiving
// failed, it subscribes anew and reads everything again. It fails when it
// cannot subscribe.
func (l *Links) Run(ctx context.Context) error {
	for {
		sub, err := subscribe(l.buffer)
		if err != nil {
			return err
		}
		if l.sighted != nil {
			sub.heard = l.monitor
		}
		l.use(sub)
		err = l.follow(ctx, sub)
		l.use(nil)
		sub.close()
		if ctx.Err() != nil {
			return nil
		}
		l.log.Warn("netlink: messages lost, reading all links again", zap.Error(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(resubscribePause):
		}
	}
}

// follow reads the state of all links, and again after each burst of changes:
// what a message says may be outdated, what the kernel says now is not.
func (l *Links) follow(ctx context.Context, sub *subscription) error {
	for {
		l.mu.Lock()
		asked := l.waiting
		l.waiting = nil
		l.mu.Unlock()
		looked := time.After(lookInterval)
		links, here, err := l.host.survey(ctx)
		if err != nil {
			return err
		}
		if l.told != nil && (l.known == nil || !maps.Equal(l.here, here)) {
			l.told(here)
		}
		l.here = here
		if err := l.report(ctx, links); err != nil {
			return err
		}
		l.deliver(links)
		for _, done := range asked {
			close(done)
		}
		if err := l.wait(ctx, sub); err != nil {
			return err
		}
		select {
		case <-looked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Links) use(sub *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sub = sub
}

// wait waits for a change, unless somebody has asked for a look.
func (l *Links) wait(ctx context.Context, sub *subscription) error {
	l.mu.Lock()
	asked := len(l.waiting) > 0
	err := sub.expect(time.Now().Add(rereadInterval))
	l.mu.Unlock()
	if asked || err != nil {
		return err
	}
	return sub.wait(ctx)
}

// Refresh returns when the state of all links, as it is now, has been
// reported.
func (l *Links) Refresh(ctx context.Context) error {
	done := make(chan struct{})
	l.mu.Lock()
	l.waiting = append(l.waiting, done)
	if l.sub != nil {
		_ = l.sub.expect(time.Unix(1, 0)) // else it looks as soon as it is open
	}
	l.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Links) deliver(links []Link) {
	now := make(map[string]Link, len(links))
	for _, link := range links {
		now[link.Name] = link
	}
	before := make(map[string]Link, len(l.known))
	for _, was := range l.known {
		if now[was.Name].index == was.index {
			before[was.Name] = was
			continue
		}
		l.changed(Link{Name: was.Name})
	}
	for _, link := range links {
		if was, ok := before[link.Name]; !ok || !was.equal(link) {
			l.changed(link)
		}
	}
	if l.known == nil {
		close(l.ready)
	}
	l.known = links
}

// survey reads links and addresses, makes the claims true again and returns
// the links in the order of their indexes, and all addresses that were there.
// Claims that fail are logged.
func (h *Host) survey(ctx context.Context) ([]Link, map[netip.Addr]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.batch(ctx)
	found, err := dump(b.nl.LinkList)
	if err != nil {
		return nil, nil, fmt.Errorf("list links: %w", err)
	}
	addrs, err := b.list(netlink.FAMILY_ALL)
	if err != nil {
		return nil, nil, fmt.Errorf("list addresses: %w", err)
	}
	links := make([]Link, 0, len(found))
	at := make(map[int]int, len(found))
	for _, f := range found {
		attrs := f.Attrs()
		b.links[attrs.Name] = f
		at[attrs.Index] = len(links)
		const up = unix.IFF_UP | unix.IFF_RUNNING
		links = append(links, Link{Name: attrs.Name, Exists: true, Up: attrs.RawFlags&up == up, index: attrs.Index})
	}
	present := presence{addresses: make(map[place]netlink.Addr)}
	here := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		i, ok := at[a.LinkIndex]
		if !ok {
			continue
		}
		link := &links[i]
		p := placeOn(link.Name, a)
		here[p.prefix.Addr()] = true
		if h.claims[p] != nil {
			present.addresses[p] = a
		}
		if !h.virtual(p) {
			link.own(p.prefix.Addr(), a.Flags)
		}
	}
	h.complain(h.repair(b, present))
	return h.formerNames(links), here, nil
}

// formerNames adds those of links that were renamed on hold: who holds goes
// over to the new ones before they end.
func (h *Host) formerNames(links []Link) []Link {
	if h.holds == 0 {
		clear(h.renamed)
	}
	for former, name := range h.renamed {
		if i := slices.IndexFunc(links, func(l Link) bool { return l.Name == name }); i >= 0 {
			l := links[i]
			l.Name = former
			links = slices.Insert(links, i, l)
		}
	}
	return links
}

// virtual reports an address that somebody claims, or has claimed, in a state:
// it is no source of adverts.
func (h *Host) virtual(p place) bool {
	c := h.claims[p]
	if c == nil {
		return false
	}
	a, ok := c.object.(address)
	return !ok || !a.static
}

// own records an address of the link that is the host's own.
func (l *Link) own(addr netip.Addr, flags int) {
	switch {
	case addr.Is4():
		l.IPv4 = append(l.IPv4, addr)
	case flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0:
	case addr.IsLinkLocalUnicast():
		l.IPv6 = append(l.IPv6, addr)
	default:
		l.Global = append(l.Global, addr)
	}
}

// complain tells the log what could not be repaired, once; not that the end came
// first.
func (h *Host) complain(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != h.complaint {
		h.log.Warn("repairing what is claimed failed", zap.Error(err))
	}
	h.complaint = text
}
