package vrrp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// A bridge is a small process that sends the adverts while a program takes the
// place of another one in the same process: however long that takes to start,
// no advert is missing. It also stays in the multicast groups, so that no
// switch forgets this host. It decides nothing and hears nothing.
//
//	lvsd                         bridge
//	 Prepare: sockets  --------->  opens them
//	                   <---------  ready
//	 Begin: adverts    --------->  will send them, from a moment on
//	                   <---------  ready
//	 execve(2)
//	 End: who is taken over ---->  priority 0 for the others
//	                   <---------  what will have been sent until a moment
//	                               ends then
//
// When nobody is left at the other end it ends without a word, as lvsd itself
// when it is killed; unless it was told to stay, [Bridge.Stay]: then somebody in
// its own process watches over who takes over, and lets it go on when that fails.

// Errand is what a bridge does for an instance.
type Errand struct {
	Name   string // of the instance
	Socket Socket
	Master bool // adverts are sent
	Due    Offset
	Every  time.Duration
	Advert SendAdvert
	To     []netip.Addr
	TTL    uint8
	ID     uint16 // of the last datagram

	AH       []byte // password of auth_type AH; nil: none
	Sequence uint32
	HMAC     *SigningErrand // auth_hmac; nil: adverts go without
}

// SigningErrand is what signs adverts with auth_hmac.
type SigningErrand struct {
	KeyID  uint8
	Key    []byte
	Replay config.AntiReplay
	Window time.Duration
	Sent   uint64
}

// Errands are those for all instances, at a moment that the offsets count from.
type Errands struct {
	At      int64 // ns of CLOCK_MONOTONIC
	Process config.GlobalProcess
	All     []Errand
}

// Names are the instances.
func (e *Errands) Names() (names []string) {
	for i := range e.All {
		names = append(names, e.All[i].Name)
	}
	return names
}

// Relief is what a bridge has done for an instance when it ends.
type Relief struct {
	Name     string
	Due      int64 // of the next advert, ns of CLOCK_MONOTONIC
	Adverts  uint64
	ID       uint16
	Sequence uint32
	Signed   uint64
}

// ask is one line to a bridge, reply one from it.
type ask struct {
	Prepare, Begin *Errands `json:",omitempty"`
	End            bool
	Taken          []string      // with End: the instances that somebody sends for from then on
	Lead           time.Duration // with End: until then
}

type reply struct {
	Failed  string // a socket that could not be opened
	Reliefs []Relief
}

// BridgeClient speaks to a bridge.
type BridgeClient struct {
	conn io.ReadWriter
	in   *json.Decoder
}

// NewBridgeClient speaks to the bridge at the other end of a connection.
func NewBridgeClient(conn io.ReadWriter) *BridgeClient {
	return &BridgeClient{conn, json.NewDecoder(conn)}
}

func (c *BridgeClient) ask(a ask) error {
	if err := json.NewEncoder(c.conn).Encode(a); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	return nil
}

func (c *BridgeClient) answer() (r reply, err error) {
	if err = c.in.Decode(&r); err != nil {
		return r, fmt.Errorf("bridge: %w", err)
	}
	if r.Failed != "" {
		return r, fmt.Errorf("bridge: %w", errors.New(r.Failed))
	}
	return r, nil
}

// Prepare lets the bridge open its sockets, and waits for that.
func (c *BridgeClient) Prepare(e Errands) error {
	if err := c.ask(ask{Prepare: &e}); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}

// Begin lets the bridge send, from the moment of the errands on, and waits until
// it knows.
func (c *BridgeClient) Begin(e Errands) error {
	if err := c.ask(ask{Begin: &e}); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}

// End ends the bridge after a while, for which it still sends: however late its
// answer is read, no advert is missing. Of the instances that are not taken over
// it resigns.
func (c *BridgeClient) End(taken []string, lead time.Duration) ([]Relief, error) {
	if err := c.ask(ask{End: true, Taken: taken, Lead: lead}); err != nil {
		return nil, err
	}
	r, err := c.answer()
	return r.Reliefs, err
}

// Bridge is the process at the other end.
type Bridge struct {
	conn    io.ReadWriter
	waiter  waiter
	posts   posts
	clock   clock
	sockets map[Socket]Conn
	all     []*courier
	payload []byte
	leaves  time.Time // when its work is done; zero: that is not known
	stays   bool      // after that, too
	rests   bool      // its work is done
	ended   bool
	failed  error
}

// courier is an errand that is being run.
type courier struct {
	Errand
	machine Machine // numbers and signs
	conn    Conn
	due     time.Time
	adverts uint64

	resigned bool // has said farewell
}

// NewBridge is a bridge that is told what to do through a connection. The
// opener is nil for raw sockets.
func NewBridge(conn io.ReadWriter, opener Opener) *Bridge {
	b := &Bridge{conn: conn, clock: newClock(opener), sockets: make(map[Socket]Conn)}
	b.waiter = newPoller(&b.posts)
	if opener != nil {
		b.waiter = newSleeper(opener)
	}
	return b
}

// Stay lets the bridge run until [Bridge.Stop]. Call it before [Bridge.Run].
func (b *Bridge) Stay() { b.stays = true }

// Stop ends a bridge.
func (b *Bridge) Stop() { b.post(func() { b.ended = true }) }

// reserve is how many numbers that peers may have heard are left out when
// nobody knows what was sent.
const reserve = 64

// Resume lets a bridge that stays send again what it sent until it was relieved:
// who relieved it has failed. It is told what to do through another connection
// from then on.
func (b *Bridge) Resume(conn io.ReadWriter) {
	b.post(func() {
		b.conn = conn
		if b.rests || !b.leaves.IsZero() {
			b.resume(time.Now())
		}
		go b.listen(conn)
	})
}

func (b *Bridge) resume(now time.Time) {
	for _, c := range b.all {
		if c.due.IsZero() {
			continue
		}
		if missed := now.Sub(b.leaves); missed > 0 {
			n := uint32(missed/c.Every) + reserve
			c.machine.sequence += n
			if c.machine.hmac != nil {
				c.machine.hmac.sent += uint64(n)
			}
		}
		if c.due.Before(now) {
			c.due = now
		}
	}
	b.leaves, b.rests = time.Time{}, false
}

// Resign says farewell for all: nobody goes on.
func (b *Bridge) Resign() {
	done := make(chan struct{})
	b.post(func() {
		for _, c := range b.all {
			if c.Master && !c.resigned {
				b.resign(c)
			}
		}
		close(done)
	})
	<-done
}

// Run does what it is told until it is ended, or nobody is there any more.
func (b *Bridge) Run() (err error) {
	if err := b.waiter.open(); err != nil {
		return err
	}
	defer func() {
		for _, c := range b.sockets {
			_ = c.Close() // the descriptors are gone in any case
		}
		err = errors.Join(err, b.waiter.close())
	}()
	go b.listen(b.conn)
	var none volley // it collects no garbage to speak of
	for !b.ended {
		if err := b.waiter.wait(b.until(), &none); err != nil {
			return err
		}
		b.posts.do()
		b.send(time.Now())
		b.rests = passed(b.leaves, time.Now())
		b.ended = b.ended || b.rests && !b.stays
	}
	return b.failed
}

func (b *Bridge) post(f func()) {
	b.posts.add(&post{run: f})
	b.waiter.wake()
}

func (b *Bridge) listen(conn io.Reader) {
	for in := json.NewDecoder(conn); ; {
		var a ask
		if err := in.Decode(&a); err != nil {
			b.post(func() { b.ended = b.ended || !b.stays })
			return
		}
		b.post(func() { b.told(&a) })
		if a.End {
			return
		}
	}
}

func (b *Bridge) told(a *ask) {
	switch {
	case a.Prepare != nil:
		b.reply(reply{Failed: text(b.take(a.Prepare))})
	case a.Begin != nil:
		_ = b.take(a.Begin) // a link that has gone meanwhile carries no adverts
		for _, c := range b.all {
			if c.Master {
				c.due = at(c.Due, b.clock.from(a.Begin.At))
			}
		}
		b.reply(reply{})
	case a.End:
		b.leave(a.Taken, time.Now().Add(a.Lead))
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (b *Bridge) reply(r reply) {
	if err := json.NewEncoder(b.conn).Encode(r); err != nil && !b.stays {
		b.ended, b.failed = true, err
	}
}

// nobody is a virtual router id that no advert has: what the sockets receive is
// for others.
const nobody = 0

// take takes errands in place of those before.
func (b *Bridge) take(e *Errands) error {
	var failures []error
	shortest := time.Hour
	for i := range e.All {
		if e.All[i].Master {
			shortest = min(shortest, e.All[i].Every)
		}
	}
	_ = b.waiter.schedule(&e.Process, shortest) // who asks has said what could not be had
	b.all = nil
	for _, errand := range e.All {
		c := &courier{Errand: errand}
		c.machine.sequence = errand.Sequence
		if errand.AH != nil {
			c.machine.ah = wire.NewAH(string(errand.AH))
		}
		if s := errand.HMAC; s != nil {
			c.machine.hmac = &trailers{cfg: config.AuthHMAC{AntiReplay: s.Replay}, signer: wire.NewHMAC(s.KeyID, s.Key), window: s.Window, sent: s.Sent}
		}
		var err error
		if c.conn, err = b.open(errand.Socket); err != nil {
			failures = append(failures, err)
		}
		b.all = append(b.all, c)
	}
	return errors.Join(failures...)
}

func (b *Bridge) open(s Socket) (Conn, error) {
	if c := b.sockets[s]; c != nil {
		return c, nil
	}
	var c Conn
	c, err := b.waiter.Open(s, []uint8{nobody}, func() { c.Receive(func(*wire.Datagram) {}) })
	if err != nil {
		return nil, err
	}
	b.sockets[s] = c
	return c, nil
}

func (b *Bridge) until() time.Time {
	until := time.Now().Add(time.Hour)
	if b.rests {
		return until
	}
	until = earliest(until, b.leaves)
	for _, c := range b.all {
		until = earliest(until, c.due)
	}
	return until
}

// send sends the adverts that are due.
func (b *Bridge) send(now time.Time) {
	for _, c := range b.all {
		if passed(c.due, now) && (b.leaves.IsZero() || c.due.Before(b.leaves)) {
			b.advertise(c, now, c.Advert)
			c.due = next(c.due, now, c.Every)
		}
	}
}

func (b *Bridge) advertise(c *courier, now time.Time, e SendAdvert) {
	c.adverts++
	c.ID = following(c.ID)
	e = c.machine.numbered(now, e)
	for _, to := range c.To {
		payload, err := c.machine.encode(b.payload[:0], &e, to)
		if err != nil || c.conn == nil {
			continue // so it was before
		}
		b.payload = payload
		_ = c.conn.Send(Outgoing{Src: e.Src, Dst: to, TTL: c.TTL, ID: c.ID, Payload: payload, AH: c.machine.ah, Sequence: uint32(e.Sequence)}) // who takes over sees it, too
	}
}

// leave resigns for those who are nobody's any more, and tells what will have
// been sent for the others when it ends.
func (b *Bridge) leave(taken []string, then time.Time) {
	b.leaves = then
	var r reply
	for _, c := range b.all {
		switch {
		case c.due.IsZero():
		case !slices.Contains(taken, c.Name):
			b.resign(c)
		default:
			r.Reliefs = append(r.Reliefs, b.relief(c, then))
		}
	}
	b.reply(r)
}

// resign says farewell, and nothing after it.
func (b *Bridge) resign(c *courier) {
	c.due, c.resigned = time.Time{}, true
	farewell := c.Advert
	farewell.Advert.Priority = 0
	b.advertise(c, time.Now(), farewell)
}

// relief is what will have been done when it ends.
func (b *Bridge) relief(c *courier, then time.Time) Relief {
	r := Relief{Name: c.Name, Adverts: c.adverts, ID: c.ID, Sequence: c.machine.sequence}
	due := c.due
	for ; due.Before(then); due = due.Add(c.Every) {
		r.Adverts++
		r.ID = following(r.ID)
		r.Sequence++
	}
	if c.machine.ah == nil {
		r.Sequence = c.machine.sequence
	}
	if c.machine.hmac != nil {
		r.Signed = c.machine.hmac.sent // the next one has the time in it, or is higher by one
	}
	r.Due = b.clock.to(due)
	return r
}

// following is the identification of the next datagram, which is never 0.
func following(id uint16) uint16 {
	if id++; id == 0 {
		id = 1
	}
	return id
}
