package vrrp

import (
	"cmp"
	"sync/atomic"
)

// To join a group, and to leave one, waits for whoever changes the links of the
// machine, in any network namespace: up to tenths of a second. Adverts must not.
// Therefore connections are set up, and closed, beside the loop. It makes the
// sockets themselves, because they are to belong to its network namespace.

// prepared is a connection on the way, or why there is none.
type prepared struct {
	*rawConn
	err   error
	state atomic.Int32
}

// States of a prepared connection.
const (
	underWay int32 = iota
	ready          // the loop may have it
	unwanted       // who sets it up closes it
)

func (p *poller) prepare(s Socket) (slow func()) {
	if p.prepared[s] != nil {
		return func() {} // somebody else does it at this moment
	}
	c, err := newRaw(s, &p.in)
	if err != nil {
		return func() {} // Open says so
	}
	next := &prepared{rawConn: c}
	p.prepared[s] = next
	return func() {
		if next.err = next.setUp([]uint8{}); !next.state.CompareAndSwap(underWay, ready) {
			_ = next.Close()
		}
	}
}

// abandon gives up what was prepared.
func (p *poller) abandon() {
	for s := range p.prepared {
		p.drop(s)
	}
}

func (p *poller) drop(s Socket) {
	left := p.prepared[s]
	delete(p.prepared, s)
	if !left.state.CompareAndSwap(underWay, unwanted) {
		p.shut(left.rawConn)
	}
}

// conn is the connection that was prepared, or a new one.
func (p *poller) conn(s Socket, vrids []uint8) (*rawConn, error) {
	c := p.prepared[s]
	if c == nil {
		return openRaw(s, vrids, &p.in)
	}
	if c.state.Load() != ready {
		p.drop(s)
		return openRaw(s, vrids, &p.in)
	}
	if err := cmp.Or(c.err, c.Filter(vrids)); err != nil {
		p.drop(s)
		return nil, err
	}
	delete(p.prepared, s)
	return c.rawConn, nil
}

// shut closes a connection.
func (p *poller) shut(c *rawConn) {
	p.closing.Go(func() { _ = c.Close() }) // the descriptors are gone in any case
}
