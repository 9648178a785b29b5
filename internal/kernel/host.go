//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Host holds the links, addresses, routes and rules that its owners claim. It is safe
// for concurrent use.
type Host struct {
	log      *zap.Logger
	nl       *netlink.Handle
	raw      *nl.SocketHandle
	conf     *conf
	firewall *firewall
	packet   int // AF_PACKET socket for announcements

	parents sync.Map // by the name of a link that is made: that of its parent

	asked    sync.Mutex
	requests []*request // claims that wait for mu

	mu        sync.Mutex
	claims    map[any]*claim // by object.id
	owners    map[string][]any
	unwanted  []any // claims that nobody wants any more, in the order of their release
	holds     int
	inherited map[indexed]bool  // addresses that a predecessor has left to this program
	complaint string            // what a repair could not do, which the log has been told
	renamed   map[string]string // to the present name from the one before, on hold
}

// claim is an object that somebody wants or that is still to be removed.
type claim struct {
	object
	owners int    // how many want it; 0: to be removed
	there  bool   // it is in the kernel, as far as is known
	was    object // what is there instead, with old attributes; nil: nothing
}

// Open opens the sockets of a host, in the network namespace of the calling
// thread.
func Open(log *zap.Logger) (*Host, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	raw, err := openRaw()
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	sysctls, err := openConf()
	if err != nil {
		handle.Close()
		raw.Close()
		return nil, err
	}
	// Protocol 0: the socket sends and never receives.
	packet, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		handle.Close()
		raw.Close()
		_ = sysctls.close()
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	return &Host{
		log: log, nl: handle, raw: raw, conf: sysctls, firewall: openFirewall(), packet: packet,
		claims: make(map[any]*claim), owners: make(map[string][]any),
		inherited: make(map[indexed]bool), renamed: make(map[string]string),
	}, nil
}

// Enlarge sets the receive buffers of what commands are answered through, in
// bytes; force goes beyond net.core.rmem_max, for which it takes CAP_NET_ADMIN.
func (h *Host) Enlarge(bytes int, force bool) error {
	option := unix.SO_RCVBUF
	if force {
		option = unix.SO_RCVBUFFORCE
	}
	err := errors.Join(
		h.nl.SetSocketReceiveBufferSize(bytes, force),
		unix.SetsockoptInt(h.raw.Socket.GetFd(), unix.SOL_SOCKET, option, bytes),
	)
	if err != nil {
		return fmt.Errorf("netlink receive buffers of %d bytes: %w", bytes, err)
	}
	return nil
}

// Close closes the sockets. What is claimed stays: whoever wants it gone
// claims nothing first.
func (h *Host) Close() error {
	h.nl.Close()
	h.raw.Close()
	return errors.Join(h.firewall.close(), h.conf.close(), unix.Close(h.packet))
}

// Claim replaces what owner wants: what is new is added first, addresses
// before routes before rules; what nobody wants any more is then deleted, the
// other way round. What is there already is adopted: from then on it is
// treated as if Claim had added it. The error joins what failed; the rest is
// done, and what failed is tried again at the next Claim and whenever
// something changes in the kernel.
//
// Claims that come while another is carried out wait, and are then carried out
// together: when hundreds of instances change their state at once, each
// transaction of nftables would make the next ones wait.
func (h *Host) Claim(ctx context.Context, owner string, want config.Claims) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	mine := &request{owner: owner, want: h.objects(want)}
	h.asked.Lock()
	h.requests = append(h.requests, mine)
	h.asked.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !mine.done {
		h.carryOut(h.batch(context.WithoutCancel(ctx))) // others' claims, too
	}
	return mine.err
}

// request is a claim that waits. What follows the first two belongs to
// [Host.mu].
type request struct {
	owner string
	want  []object
	done  bool
	err   error
}

// carryOut does all requests. The removals' error is told to the last one.
func (h *Host) carryOut(b *batch) {
	h.asked.Lock()
	requests := h.requests
	h.requests = nil
	h.asked.Unlock()
	if len(requests) == 0 {
		return
	}
	var wanted []*claim
	for _, r := range requests {
		h.replace(r.owner, r.want)
	}
	for _, r := range requests {
		for _, id := range h.owners[r.owner] {
			wanted = append(wanted, h.claims[id])
		}
	}
	failed, err := h.add(b, wanted)
	for _, r := range requests {
		r.done = true
		for _, id := range h.owners[r.owner] {
			r.err = errors.Join(r.err, failed[h.claims[id]])
		}
	}
	last := requests[len(requests)-1]
	last.err = errors.Join(last.err, err, h.remove(b))
}

// Firewall says how the table of closed addresses and VMACs is to be; it is
// called before the claims that need it.
func (h *Host) Firewall(options config.Firewall) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.firewall.options = options
	return h.firewall.sync(h.batch(context.Background()))
}

// replace counts owner's new wishes and then uncounts its old ones.
func (h *Host) replace(owner string, want []object) {
	var ids []any
	seen := make(map[any]bool, len(want))
	for _, o := range want {
		id := o.id()
		if seen[id] {
			continue
		}
		seen[id] = true
		ids = append(ids, id)
		c := h.claims[id]
		if c == nil {
			c = &claim{object: o}
			h.claims[id] = c
		}
		if c.there && c.was == nil && !c.same(o) {
			c.was = c.object
		}
		c.object = o
		c.owners++
	}
	for _, id := range h.owners[owner] {
		c := h.claims[id]
		if c.owners--; c.owners == 0 {
			h.unwanted = append(h.unwanted, id)
		}
	}
	if len(ids) == 0 {
		delete(h.owners, owner)
		return
	}
	h.owners[owner] = ids
}

// add puts those of the claims that are missing into the kernel, one kind
// after the other.
func (h *Host) add(b *batch, claims []*claim) (failed map[*claim]error, err error) {
	failed = make(map[*claim]error)
	slices.SortStableFunc(claims, func(x, y *claim) int { return int(x.kind() - y.kind()) })
	for i, c := range claims {
		if i > 0 && c.kind() != claims[i-1].kind() {
			err = errors.Join(err, h.firewall.commit(b))
		}
		if failure := h.put(b, c); failure != nil {
			failed[c] = failure
		}
	}
	return failed, errors.Join(err, h.firewall.commit(b))
}

func (h *Host) put(b *batch, c *claim) error {
	switch {
	case c.there && c.was != nil:
		if err := c.change(b, c.was); err != nil {
			return err
		}
	case !c.there:
		adopted, err := c.add(b)
		if err != nil {
			return err
		}
		if adopted {
			h.log.Info("was already there", zap.Stringer("object", c))
		}
	}
	c.there, c.was = true, nil
	return nil
}

// remove deletes what nobody wants any more, unless it is on hold. What cannot
// be deleted stays on the list.
func (h *Host) remove(b *batch) error {
	if h.holds > 0 || len(h.unwanted) == 0 {
		return nil
	}
	var doomed [kinds][]*claim
	for _, id := range h.unwanted {
		switch c := h.claims[id]; {
		case c == nil || c.owners > 0: // removed already, or claimed again
		case c.there:
			doomed[c.kind()] = append(doomed[c.kind()], c)
		default:
			delete(h.claims, id)
		}
	}
	h.unwanted = nil
	var errs []error
	for _, list := range slices.Backward(doomed[:]) {
		for i, err := range b.deleteAll(list) {
			if err != nil {
				errs = append(errs, err)
				h.unwanted = append(h.unwanted, list[i].id())
				continue
			}
			delete(h.claims, list[i].id())
		}
		errs = append(errs, h.firewall.commit(b))
	}
	return errors.Join(errs...)
}

// Sweep deletes what a predecessor left in the kernel of the given, except
// what is claimed. On hold it waits for the release, and what is claimed until
// then is kept without a gap. What is not there is no error.
func (h *Host) Sweep(ctx context.Context, left config.Claims) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.batch(ctx)
	there, err := h.look(b, left)
	if err != nil {
		return err
	}
	if len(left.Links)+len(left.Closed) > 0 {
		if err := h.firewall.clean(); err != nil {
			return err
		}
	}
	for _, o := range h.objects(left) {
		if id := o.id(); h.claims[id] == nil && there.has(h, b, o) {
			h.claims[id] = &claim{object: o, there: true, was: there.otherwise(o)}
			h.unwanted = append(h.unwanted, id)
		}
	}
	return h.remove(b)
}

// Hold postpones every deletion until release is called, so that what moves
// from one owner to another is never absent. Holds nest.
func (h *Host) Hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.holds--
		if err := h.remove(h.batch(context.Background())); err != nil {
			h.log.Warn("removing addresses failed", zap.Error(err))
		}
	})
}
