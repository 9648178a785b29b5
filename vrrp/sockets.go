package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

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
	members map[uint8][]*member // by virtual router id; several when unicast peers differ
	closing chan struct{}
	unknown [256]bool // virtual router ids that the log has been told nobody is here for
	failure string    // why it cannot be opened, which the log has been told
	link    string    // for the log
	failing bool      // the last send failed, which the log has been told
}

// arrival is a datagram on its way to the loop.
type arrival struct {
	socket   *socket
	datagram wire.Datagram
}

// socketOf is the socket of an instance as things are now.
func (r *Runner) socketOf(m *Machine) Socket {
	cfg := m.Config()
	if !cfg.Unicast() {
		return Socket{Link: cfg.AdvertDevice(), Group: cfg.McastDstIP, AH: m.ah != nil}
	}
	s := Socket{Link: cfg.AdvertDevice(), Source: cfg.UnicastSrcIP, AH: m.ah != nil}
	if s.Source.IsValid() {
		return s
	}
	own := r.link(cfg.Interface).IPv4
	if cfg.IPv6() {
		own = r.link(cfg.Interface).IPv6
	}
	switch {
	case slices.Contains(own, m.Source()):
		s.Source = m.Source()
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
		s := r.socketOf(m.Machine)
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
			s = &socket{closing: make(chan struct{}), link: key.Link}
			r.sockets[key] = s
		}
		s.members, s.unknown = members, [256]bool{}
		err := r.refresh(key, s)
		s.complain(r.log, err)
		if err != nil {
			r.retry = time.Now().Add(reopenAfter)
		}
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
	if s.conn != nil {
		if slices.Equal(s.vrids, vrids) && (s.vrids == nil) == (vrids == nil) {
			return nil
		}
		s.vrids = vrids
		return s.conn.Filter(vrids)
	}
	conn, err := r.opener.Open(key, vrids, func(d wire.Datagram) {
		select {
		case r.received <- arrival{s, d}:
		case <-s.closing:
		}
	})
	if err != nil {
		return err
	}
	s.conn, s.vrids = conn, vrids
	return nil
}

// reopen tries the sockets again that could not be opened, and tells the
// groups that waited for one.
func (r *Runner) reopen() {
	var waiting []*group
	for _, g := range r.groups.all {
		if slices.ContainsFunc(g.Members(), func(m *Machine) bool { return r.deaf(g, m.Config().AdvertDevice()) }) {
			waiting = append(waiting, g)
		}
	}
	r.syncSockets()
	for _, g := range waiting {
		r.inform(g)
	}
}

// deaf says that a socket of the group on the link could not be opened.
func (r *Runner) deaf(g *group, link string) bool {
	for _, machine := range g.Members() {
		if machine.Config().AdvertDevice() != link {
			continue
		}
		if s := r.sockets[r.socketOf(machine)]; s != nil && s.conn == nil {
			return true
		}
	}
	return false
}

// receive takes a datagram to the instance that it is for.
func (r *Runner) receive(a arrival) {
	const vridAt = 1
	if len(a.datagram.Payload) <= vridAt {
		return
	}
	vrid := a.datagram.Payload[vridAt]
	candidates := a.socket.members[vrid]
	if len(candidates) == 0 {
		r.stranger(a.socket, vrid)
		return
	}
	m := candidates[0]
	for _, other := range candidates[1:] {
		if other.hasPeer(a.datagram.Src) {
			m = other
		}
	}
	r.step(m.group, Received{Instance: m.Name(), Datagram: a.datagram})
}

// stranger is log_unknown_vrids, once for each of them until a reload.
func (r *Runner) stranger(s *socket, vrid uint8) {
	if r.logUnknown && !s.unknown[vrid] {
		s.unknown[vrid] = true
		r.log.Info(fmt.Sprintf("Unknown VRID(%d) received on interface(%s). ignoring...", vrid, s.link))
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

// complain tells the log why the socket does not work, once.
func (s *socket) complain(log *zap.Logger, err error) {
	if err == nil {
		s.failure = ""
		return
	}
	if s.failure != err.Error() {
		s.failure = err.Error()
		log.Error(s.failure)
	}
}

// report tells the log when sending begins to fail and when it works again.
func (s *socket) report(log *zap.Logger, err error) {
	switch {
	case err != nil && !s.failing:
		log.Warn("sending adverts fails", zap.Error(err))
	case err == nil && s.failing:
		log.Info("sending adverts works again")
	}
	s.failing = err != nil
}

// close ends the socket. What has arrived through it and still waits for the
// loop is for nobody any more.
func (s *socket) close() {
	s.members = nil
	close(s.closing)
	if s.conn != nil {
		_ = s.conn.Close() // the descriptors are gone in any case
	}
}
