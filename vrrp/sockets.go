package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// reopenAfter is the pause before a socket that could not be opened is tried
// again.
const reopenAfter = time.Second

// socket is a connection that instances share. Without a conn it could not be
// opened.
type socket struct {
	conn    Conn
	vrids   []uint8
	buffer  Buffer
	members map[uint8][]*member // by virtual router id; several when unicast peers differ
	input   post                // receives what has arrived
	waits   atomic.Bool         // input is posted
	unknown [256]bool           // virtual router ids that the log has been told nobody is here for
	failure string              // why it cannot be opened, which the log has been told
	link    string              // for the log
	failing bool                // the last send failed, which the log has been told
}

// newSocket is a socket that is not open yet.
func (r *Runner) newSocket(link string) *socket {
	s := &socket{link: link}
	var now time.Time
	hear := func(d *wire.Datagram) { r.receive(now, s, d) }
	s.input.run = func() {
		s.waits.Store(false)
		if s.conn != nil {
			now = time.Now() // once: of a flood it would be a twentieth of the cost
			s.conn.Receive(hear)
		}
	}
	return s
}

// socketOf is the socket of an instance as things are now, with the source of
// its adverts.
func (r *Runner) socketOf(cfg *config.Instance, source netip.Addr) Socket {
	s := Socket{Link: cfg.AdvertDevice(), AH: authenticates(cfg)}
	if !cfg.Unicast() {
		s.Group = cfg.McastDstIP
		return s
	}
	s.Source = cfg.UnicastSrcIP
	if s.Source.IsValid() {
		return s
	}
	own := r.link(cfg.Interface).IPv4
	if cfg.IPv6() {
		own = r.link(cfg.Interface).IPv6
	}
	switch {
	case slices.Contains(own, source):
		s.Source = source
	case len(own) > 0:
		s.Source = own[0]
	}
	return s
}

// syncSockets opens and closes sockets so that there is one for every instance
// whose link and address exist.
func (r *Runner) syncSockets() {
	want := make(map[Socket]map[uint8][]*member)
	for _, m := range r.members {
		s := r.socketOf(&m.cfg, m.Source())
		m.socket = nil
		if !r.possible(s) {
			continue
		}
		if want[s] == nil {
			want[s] = make(map[uint8][]*member)
		}
		vrid := m.Config().VirtualRouterID
		want[s][vrid] = append(want[s][vrid], m)
	}
	for key, s := range r.sockets {
		if want[key] == nil {
			s.close()
			delete(r.sockets, key)
		}
	}
	r.retry = time.Time{}
	for key, members := range want {
		s := r.sockets[key]
		if s == nil {
			s = r.newSocket(key.Link)
			r.sockets[key] = s
		}
		s.members, s.unknown = members, [256]bool{}
		for _, sharing := range members {
			for _, m := range sharing {
				m.socket = s
			}
		}
		err := r.refresh(key, s)
		r.complainOf(s, err)
		if err != nil {
			r.retry = time.Now().Add(reopenAfter)
		}
	}
	for _, m := range r.members {
		r.entrust(m)
	}
}

// possible says that the socket has a link and an address to be bound to.
func (r *Runner) possible(s Socket) bool {
	if s.Link != "" && !r.links[s.Link].Exists {
		return false
	}
	return s.Group.IsValid() || s.Source.IsValid()
}

// refresh opens the socket, or makes it receive the virtual routers that it
// has now.
func (r *Runner) refresh(key Socket, s *socket) error {
	vrids := make([]uint8, 0, len(s.members))
	for vrid := range s.members {
		vrids = append(vrids, vrid)
	}
	slices.Sort(vrids)
	if r.logUnknown {
		vrids = nil
	}
	if s.conn == nil {
		conn, err := r.waiter.Open(key, vrids, func() {
			if !s.waits.Swap(true) {
				r.post(&s.input)
			}
		})
		if err != nil {
			return err
		}
		s.conn, s.vrids, s.buffer = conn, vrids, Buffer{}
	}
	if !slices.Equal(s.vrids, vrids) || (s.vrids == nil) != (vrids == nil) {
		s.vrids = vrids
		if err := s.conn.Filter(vrids); err != nil {
			return err
		}
	}
	if buffer := r.buffer(s); s.buffer != buffer {
		s.buffer = buffer
		return s.conn.Buffer(buffer)
	}
	return nil
}

// listen is syncSockets for groups that run: they are told what comes of it.
func (r *Runner) listen() {
	r.syncSockets()
	for _, g := range slices.Clone(r.groups.all) {
		r.tellSockets(g)
	}
}

// tellSockets tells the members of a group that have a socket that could not be
// opened, or that have one again.
func (r *Runner) tellSockets(g *group) {
	for _, machine := range g.Members() {
		m := r.members[machine.Name()]
		if deaf := m.socket != nil && m.socket.conn == nil; deaf != m.deaf {
			m.deaf = deaf
			r.step(g, SocketChanged{Instance: m.Name(), Open: !deaf})
		}
	}
}

// receive takes a datagram to the instance that it is for.
func (r *Runner) receive(now time.Time, s *socket, d *wire.Datagram) {
	const vridAt = 1
	if len(d.Payload) <= vridAt {
		return
	}
	vrid := d.Payload[vridAt]
	candidates := s.members[vrid]
	if len(candidates) == 0 {
		r.stranger(s, vrid)
		return
	}
	m := candidates[0]
	for _, other := range candidates[1:] {
		if other.hasPeer(d.Src) {
			m = other
		}
	}
	r.heard = Received{Instance: m.Name(), Datagram: *d}
	rcvd := m.stats.AdvertRcvd
	if quiet := r.stepAt(now, m.group, &r.heard); quiet && m.stats.AdvertRcvd > rcvd {
		m.becomeFamiliar(now)
	}
}

// stranger is log_unknown_vrids, once for each of them until a reload.
func (r *Runner) stranger(s *socket, vrid uint8) {
	if r.logUnknown && !s.unknown[vrid] {
		s.unknown[vrid] = true
		r.write(zap.InfoLevel, fmt.Sprintf("Unknown VRID(%d) received on interface(%s). ignoring...", vrid, s.link))
	}
}

func (m *member) hasPeer(addr netip.Addr) bool {
	for _, peer := range m.Config().UnicastPeers {
		if peer.Addr == addr {
			return true
		}
	}
	return false
}

// complainOf tells the log why a socket does not work, once.
func (r *Runner) complainOf(s *socket, err error) {
	if err == nil {
		s.failure = ""
		return
	}
	if s.failure != err.Error() {
		s.failure = err.Error()
		r.write(zap.ErrorLevel, s.failure)
	}
}

// report tells the log when sending begins to fail and when it works again.
func (r *Runner) report(s *socket, err error) {
	switch {
	case err != nil && !s.failing:
		r.write(zap.WarnLevel, "sending adverts fails", zap.Error(err))
	case err == nil && s.failing:
		r.write(zap.InfoLevel, "sending adverts works again")
	}
	s.failing = err != nil
}

// close ends the socket. What has arrived through it and still waits for the
// loop is for nobody any more.
func (s *socket) close() {
	if s.conn != nil {
		_ = s.conn.Close() // the descriptors are gone in any case
	}
	s.conn, s.members = nil, nil
}
