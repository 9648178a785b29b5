//go:build linux

package kernel

import (
	"context"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// batch is a run of operations on the kernel that looks each link up once.
type batch struct {
	ctx   context.Context
	nl    *netlink.Handle
	raw   *nl.SocketHandle
	links map[string]netlink.Link

	inherited map[indexed]bool  // of the host
	claims    map[any]*claim    // of the host
	going     map[routeKey]bool // once asked for: the routes that are to be deleted
	rules     map[ruleID]bool   // once asked for: keepalived's rules that are there
}

func (h *Host) batch(ctx context.Context) *batch {
	return &batch{ctx: ctx, nl: h.nl, raw: h.raw, links: make(map[string]netlink.Link), inherited: h.inherited, claims: h.claims}
}

// routeGoes says that a route of the key is there which nobody wants any more.
func (b *batch) routeGoes(key routeKey) bool {
	if b.going == nil {
		b.going = make(map[routeKey]bool)
		for _, c := range b.claims {
			if r, ok := c.object.(route); ok && c.there && c.owners == 0 {
				b.going[r.key()] = true
			}
		}
	}
	return b.going[key]
}

func (b *batch) link(name string) (netlink.Link, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	if link, ok := b.links[name]; ok {
		return link, nil
	}
	link, err := b.nl.LinkByName(name)
	if err != nil {
		return nil, err
	}
	b.links[name] = link
	return link, nil
}

// index is the number of a link, 0 for no name.
func (b *batch) index(name string) (uint32, error) {
	if name == "" {
		return 0, b.ctx.Err()
	}
	link, err := b.link(name)
	if err != nil {
		return 0, fmt.Errorf("link %s: %w", name, err)
	}
	return uint32(link.Attrs().Index), nil
}

// openRaw opens the socket for what the library has no words for. Dumps over
// it are filtered by the kernel: a router may hold a million foreign routes.
func openRaw() (*nl.SocketHandle, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	if err != nil {
		s.Close()
		return nil, os.NewSyscallError("setsockopt", err)
	}
	_ = s.SetExtAck(true) // older kernels give errors without a reason
	return &nl.SocketHandle{Socket: s}, nil
}

// request sends a message about a route or a rule.
func (b *batch) request(kind, flags int, m *message, answers uint16) ([][]byte, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	req := nl.NewNetlinkRequest(kind, flags)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: b.raw}
	req.AddData(&m.RtMsg)
	for _, a := range m.attrs {
		req.AddData(a)
	}
	return req.Execute(unix.NETLINK_ROUTE, answers)
}

// message is one of rtnetlink(7): struct rtmsg, which struct fib_rule_hdr has
// the layout of, and attributes.
type message struct {
	nl.RtMsg
	attrs []*nl.RtAttr
}

func (m *message) bytes(kind int, value []byte) { m.attrs = append(m.attrs, nl.NewRtAttr(kind, value)) }
func (m *message) u8(kind int, v uint8)         { m.bytes(kind, []byte{v}) }
func (m *message) u32(kind int, v uint32)       { m.bytes(kind, nl.Uint32Attr(v)) }
func (m *message) text(kind int, v string)      { m.bytes(kind, nl.ZeroTerminated(v)) }
