//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	IPv4   []netip.Addr // its addresses without the claimed ones, the primary one first
	IPv6   []netip.Addr // likewise the link-local ones, without those that still are tentative

	index int
}

func (l Link) equal(o Link) bool {
	return l.Exists == o.Exists && l.Up == o.Up && slices.Equal(l.IPv4, o.IPv4) && slices.Equal(l.IPv6, o.IPv6)
}

// Links watches the links of a [Host] and repairs its claims when others
// change them.
type Links struct {
	log     *zap.Logger
	host    *Host
	changed func(Link)
	known   []Link
	ready   chan struct{}
	buffer  int // bytes of the subscriptions' receive buffers
}

// receiveBuffer holds the messages of a burst: some thousand addresses that
// come or go at once.
const receiveBuffer = 4 << 20

// rereadInterval bounds how long something can go unnoticed that no message
// told about.
const rereadInterval = 30 * time.Second

// resubscribePause keeps a subscription that fails at once from spinning.
const resubscribePause = 10 * time.Millisecond

// NewLinks watches on behalf of host. The callback changed is called by
// [Links.Run], once for every link in the beginning and then for each that
// changes. A link that was deleted and made again is reported as gone in
// between.
func NewLinks(log *zap.Logger, host *Host, changed func(Link)) *Links {
	return &Links{log: log, host: host, changed: changed, ready: make(chan struct{}), buffer: receiveBuffer}
}

// Ready is closed when every link has been reported once.
func (l *Links) Ready() <-chan struct{} { return l.ready }

// Run watches until ctx ends. When messages were lost (ENOBUFS) or receiving
// failed, it subscribes anew and reads everything again. It fails when it
// cannot subscribe.
func (l *Links) Run(ctx context.Context) error {
	for {
		sub, err := subscribe(l.buffer)
		if err != nil {
			return err
		}
		err = l.follow(ctx, sub)
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
		links, err := l.host.survey(ctx)
		if err != nil {
			return err
		}
		l.deliver(links)
		if err := sub.wait(ctx); err != nil {
			return err
		}
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
// the links in the order of their indexes. Claims that fail are logged.
func (h *Host) survey(ctx context.Context) ([]Link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.batch()
	found, err := dump(b.nl.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	addrs, err := b.list(netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
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
	present := make(map[place]bool)
	for _, a := range addrs {
		i, ok := at[a.LinkIndex]
		if !ok {
			continue
		}
		link := &links[i]
		p := place{link.Name, fromIPNet(a.IPNet)}
		if h.claims[p] != nil {
			present[p] = true
			continue
		}
		link.own(p.prefix.Addr(), a.Flags)
	}
	if err := h.repair(ctx, b, present); err != nil {
		h.log.Warn("repairing addresses failed", zap.Error(err))
	}
	return links, nil
}

// own records an address of the link that nobody claims.
func (l *Link) own(addr netip.Addr, flags int) {
	switch {
	case addr.Is4():
		l.IPv4 = append(l.IPv4, addr)
	case addr.IsLinkLocalUnicast() && flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0:
		l.IPv6 = append(l.IPv6, addr)
	}
}

// repair puts back the claims that are not among the addresses that are
// present, where their link exists, and deletes what could not be deleted
// before.
func (h *Host) repair(ctx context.Context, b *batch, present map[place]bool) error {
	var missing []place
	for p, c := range h.claims {
		was := c.there
		if c.there = present[p]; c.there || c.owners == 0 || b.links[p.dev] == nil {
			continue
		}
		c.stale = false
		missing = append(missing, p)
		if was {
			h.log.Info("address was removed by others, putting it back", zap.Stringer("address", p))
		}
	}
	slices.SortFunc(missing, func(x, y place) int { return x.prefix.Addr().Compare(y.prefix.Addr()) })
	return errors.Join(h.add(ctx, b, missing), h.remove(ctx, b))
}

// subscription delivers that something changed, not what.
type subscription struct {
	links chan netlink.LinkUpdate
	addrs chan netlink.AddrUpdate
	errs  chan error // the last error
	done  chan struct{}
}

func subscribe(buffer int) (*subscription, error) {
	s := &subscription{
		links: make(chan netlink.LinkUpdate, 64), addrs: make(chan netlink.AddrUpdate, 64),
		errs: make(chan error, 1), done: make(chan struct{}),
	}
	err := netlink.LinkSubscribeWithOptions(s.links, s.done, netlink.LinkSubscribeOptions{
		ErrorCallback: s.failed, ReceiveBufferSize: buffer, ReceiveBufferForceSize: true,
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to link changes: %w", err)
	}
	err = netlink.AddrSubscribeWithOptions(s.addrs, s.done, netlink.AddrSubscribeOptions{
		ErrorCallback: s.failed, ReceiveBufferSize: buffer, ReceiveBufferForceSize: true,
	})
	if err != nil {
		close(s.addrs)
		s.close()
		return nil, fmt.Errorf("subscribe to address changes: %w", err)
	}
	return s, nil
}

func (s *subscription) failed(err error) {
	select {
	case <-s.errs:
	default:
	}
	select {
	case s.errs <- err:
	default:
	}
}

// close ends the library's goroutines, which may be about to send.
func (s *subscription) close() {
	close(s.done)
	for range s.links {
	}
	for range s.addrs {
	}
}

// errEnded is returned when the library ended a subscription without a reason.
var errEnded = errors.New("subscription ended")

// wait returns after a change, with everything that arrived meanwhile taken.
func (s *subscription) wait(ctx context.Context) error {
	open := true
	timer := time.NewTimer(rereadInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case _, open = <-s.links:
	case _, open = <-s.addrs:
	}
	for open {
		select {
		case _, open = <-s.links:
		case _, open = <-s.addrs:
		default:
			return nil
		}
	}
	select {
	case err := <-s.errs:
		return err
	default:
		return errEnded
	}
}
