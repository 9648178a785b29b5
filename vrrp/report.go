package vrrp

import (
	"fmt"
	"time"

	"github.com/lvsd/lvsd/vrrp/wire"
)

// report says why, unless it has been said already.
func (m *Machine) report(now time.Time, why reason, d *wire.Datagram, out *effects) {
	if m.reported.may(now, why) {
		out.add(m.line(false, fmt.Sprintf("(%s) ", m.cfg.Name)+m.explain(why, d)))
	}
}

// explain is keepalived's sentence for a reason, where it has one.
func (m *Machine) explain(why reason, d *wire.Datagram) string {
	switch why {
	case wrongLength:
		return fmt.Sprintf("vrrp packet of wrong length %d from %s", len(d.Payload), d.Src)
	case wrongTTL:
		return fmt.Sprintf("invalid TTL/HL. Received %d and expect %d", d.TTL, 255)
	case wrongVersion:
		return fmt.Sprintf("wrong version. Received %d and expect %d", d.Payload[0]>>4, m.cfg.Version.Value)
	case wrongVRID:
		return fmt.Sprintf("received VRID %d, expecting %d!", d.Payload[1], m.cfg.VirtualRouterID)
	case unknownAuth:
		return fmt.Sprintf("Invalid auth type: %d", m.heard.AuthType)
	case wrongAuth:
		if m.heard.AuthType == m.own.AuthType {
			return "received a message without its authentication header"
		}
		return fmt.Sprintf("received a %d auth, expecting %d!", m.heard.AuthType, m.own.AuthType)
	case wrongPass:
		return "received an invalid passwd!"
	case wrongICV:
		return "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !"
	case replayed:
		return fmt.Sprintf("IPSEC-AH : sequence number %d already processed. Packet dropped. Local(%d)", d.Sequence(), m.sequence)
	case noTrailer:
		return fmt.Sprintf("HMAC: advert from %s is not authenticated", d.Src)
	case badTrailer:
		return fmt.Sprintf("HMAC: malformed trailer from %s", d.Src)
	case staleTrailer:
		return fmt.Sprintf("HMAC: advert from %s is of another time, its clock or ours is wrong", d.Src)
	case unknownKey:
		return fmt.Sprintf("HMAC: advert from %s with unknown key %d", d.Src, m.heard.Trailer.KeyID())
	case wrongHMAC:
		return fmt.Sprintf("HMAC: advert from %s fails authentication with key %d", d.Src, m.heard.Trailer.KeyID())
	case replayedTrailer:
		return fmt.Sprintf("HMAC: advert from %s has been received already", d.Src)
	case syncingSequence:
		return "IPSEC-AH : Syncing seq_num - Increment seq"
	case wrongInterval:
		return fmt.Sprintf("advertisement interval mismatch mine=%d sec rcv'd=%d sec", m.own.Interval/time.Second, m.heard.Interval/time.Second)
	case wrongType:
		return fmt.Sprintf("Invalid packet type. %d and expect %d", d.Payload[0]&0x0f, 1)
	case wrongChecksum:
		return fmt.Sprintf("Invalid VRRPv%d checksum", m.cfg.Version.Value)
	case wrongDestination:
		return fmt.Sprintf("unexpected packet from %s to %s", d.Src, d.Dst)
	case peerTTL:
		peer := m.peer(d.Src)
		return fmt.Sprintf("TTL/HL %d not in range %d - %d", d.TTL, peer.MinTTL.Value, peer.Most())
	case longInterval:
		return fmt.Sprintf("master %s has an advertisement interval of %dms, ours is %dms", d.Src, m.heard.Interval.Milliseconds(), m.interval().Milliseconds())
	case secondOwner:
		return "CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix"
	case unknownPeer:
		return fmt.Sprintf("unicast source address %s not a unicast peer", d.Src)
	case noAddresses, otherAddresses:
		if len(m.heard.Addrs) != len(m.own.Addrs) {
			return fmt.Sprintf("received an unexpected ip number count %d, expected %d!", len(m.heard.Addrs), len(m.own.Addrs))
		}
		return fmt.Sprintf("ip address associated with VRID %d not present in MASTER advert: %s", m.cfg.VirtualRouterID, m.missing())
	case lowerPriority:
		return fmt.Sprintf("received lower priority (%d) advert from %s - discarding", m.heard.Priority, d.Src)
	case forcingElection:
		forcing := ", forcing new election"
		if m.cfg.LowerPrioNoAdvert.Value {
			forcing = ""
		}
		return fmt.Sprintf("Received advert from %s with lower priority %d, ours %d%s", d.Src, m.heard.Priority, m.priority, forcing)
	case ownAddress:
		return "WARNING - equal priority advert received from remote host with our IP address."
	}
	return ""
}
