package vrrp

import (
	"crypto/subtle"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// reason is why a datagram is rejected, or what is remarkable about it.
type reason uint8

const (
	fine reason = iota
	wrongLength
	wrongTTL
	wrongVersion
	wrongVRID
	unknownAuth
	wrongAuth
	wrongPass
	wrongICV
	replayed
	noTrailer
	badTrailer
	staleTrailer
	unknownKey
	wrongHMAC
	replayedTrailer
	wrongInterval
	wrongType
	wrongChecksum
	wrongDestination
	noAddresses
	unknownPeer
	peerTTL
	// from here on the advert counts
	otherAddresses
	lowerPriority
	forcingElection
	syncingSequence
	ownAddress
	secondOwner
	longInterval
	reasons
)

// reports keeps the log quiet: one line for each reason until the state or the
// master changes, and even then at most one a second, so that a sender of
// garbage does not fill the disk.
type reports struct {
	last  [reasons]time.Time
	since time.Time // when the state or the master changed
}

func (r *reports) forgive(now time.Time) { r.since = now }

func (r *reports) may(now time.Time, why reason) bool {
	last := r.last[why]
	if !last.IsZero() && (last.After(r.since) || last.Equal(r.since) || now.Sub(last) < time.Second) {
		return false
	}
	r.last[why] = now
	return true
}

// hear looks at a datagram in m.heard. A rejected one touches nothing but a
// counter, and the log once. An accepted one is worth a decision.
func (m *Machine) hear(now time.Time, d *wire.Datagram, out *effects) bool {
	if m.state != config.Backup && m.state != config.Master || now.Before(m.quiet) || m.ignores() {
		m.stats.NotListening++
		m.overhear(now, d)
		return false
	}
	why := m.inspect(now, d)
	if why != fine {
		*m.stats.rejected(why)++
		m.report(now, why, d, out)
		return false
	}
	m.stats.AdvertRcvd++
	m.authentic(d)
	if m.heard.MessageChecksum {
		m.stats.MessageChecksum++
	}
	if m.heard.OldChecksum {
		m.stats.OldChecksum++
	}
	if m.heard.Priority == 0 {
		m.stats.PriZeroRcvd++
	}
	if m.state == config.Backup && m.cfg.SkipCheckAdvAddr.Value && d.Src == m.master {
		return true
	}
	if !m.sameAddresses() {
		m.stats.AddrListErr++
		m.report(now, otherAddresses, d, out)
	}
	return true
}

// overhear is for an owner that listens to nobody: with authentication headers
// it must know all the same which numbers have been used, or others take its
// adverts for old ones.
func (m *Machine) overhear(now time.Time, d *wire.Datagram) {
	if m.ah != nil && m.state == config.Master && m.ignores() && m.inspect(now, d) == fine {
		m.authentic(d)
	}
}

// inspect is the ladder of RFC 9568 section 7.1 with keepalived's additions,
// in keepalived's order. It decodes into m.heard.
func (m *Machine) inspect(now time.Time, d *wire.Datagram) reason {
	err := m.heard.Decode(d.Payload, d.Pseudo())
	unicast := m.cfg.Unicast()
	switch {
	case d.Src.Is4() == m.cfg.IPv6() || d.Dst.IsMulticast() == unicast:
		return wrongDestination
	case errors.Is(err, wire.ErrLength):
		return wrongLength
	case !unicast && d.TTL != 255: // of unicast they may have crossed routers
		return wrongTTL
	case d.Payload[0]>>4 != m.cfg.Version.Value:
		return wrongVersion
	case d.Payload[1] != m.cfg.VirtualRouterID:
		return wrongVRID
	case errors.Is(err, wire.ErrType):
		return wrongType
	case errors.Is(err, wire.ErrInterval):
		return wrongInterval // RFC 9568 erratum 8301
	case err != nil:
		return wrongChecksum
	case m.hmac == nil && len(m.heard.Trailer) > 0:
		return wrongLength
	}
	return m.inspectOrigin(now, d)
}

// inspectOrigin asks who has sent a message that is complete and undamaged.
func (m *Machine) inspectOrigin(now time.Time, d *wire.Datagram) reason {
	if m.hmac != nil {
		if why := m.hmac.inspect(now, d, m.heard.Trailer); why != fine {
			return why
		}
	}
	switch {
	case m.heard.Version == 2:
		if why := m.inspectV2(d); why != fine {
			return why
		}
	case len(m.heard.Addrs) == 0 && len(m.own.Addrs) > 0:
		return noAddresses // RFC 9568 erratum 8299
	}
	if m.heard.OldChecksum && m.cfg.OldUnicastChecksum == config.ChecksumNever {
		return wrongChecksum
	}
	if m.cfg.Unicast() && (m.cfg.CheckUnicastSrc.Value || m.hmac != nil) {
		return m.inspectPeer(d)
	}
	return fine
}

// inspectPeer looks whether a peer of ours has sent it, and how far away that
// one is.
func (m *Machine) inspectPeer(d *wire.Datagram) reason {
	peer := m.peer(d.Src)
	switch {
	case peer == nil:
		return unknownPeer
	case d.TTL < int(peer.MinTTL.Value) || d.TTL > peer.Most():
		return peerTTL
	}
	return fine
}

// inspectV2 checks what version 3 has given up: authentication, and the
// interval, which has to be the same on all routers, RFC 3768 section 7.1.
func (m *Machine) inspectV2(d *wire.Datagram) reason {
	own := &m.own
	switch {
	case m.heard.AuthType > uint8(config.AuthAH):
		return unknownAuth
	case m.heard.AuthType != own.AuthType || (d.Headers != nil) != (m.ah != nil):
		return wrongAuth
	case own.AuthType == wire.AuthPass && subtle.ConstantTimeCompare(m.heard.Auth[:], own.Auth[:]) == 0:
		return wrongPass
	case m.ah != nil:
		if why := m.inspectAH(d); why != fine {
			return why
		}
	}
	if m.heard.Interval != own.Interval {
		return wrongInterval
	}
	return fine
}

// peer is the peer of an address, nil when there is none.
func (m *Machine) peer(addr netip.Addr) *config.Peer {
	i := slices.IndexFunc(m.cfg.UnicastPeers, func(p config.Peer) bool { return p.Addr == addr })
	if i < 0 {
		return nil
	}
	return &m.cfg.UnicastPeers[i]
}

// sameAddresses compares the lists whatever their order.
func (m *Machine) sameAddresses() bool {
	return len(m.heard.Addrs) == len(m.own.Addrs) &&
		(slices.Equal(m.heard.Addrs, m.own.Addrs) || !m.missing().IsValid())
}

// missing is the first own address that the advert heard does not list.
func (m *Machine) missing() netip.Addr {
	for _, addr := range m.own.Addrs {
		if !slices.Contains(m.heard.Addrs, addr) {
			return addr
		}
	}
	return netip.Addr{}
}
