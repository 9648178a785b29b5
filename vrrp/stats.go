package vrrp

// Stats counts what an instance has seen and done since it exists. The first
// block has the names of keepalived's JSON output; what keepalived rejects
// without counting has a name of its own below it.
type Stats struct {
	AdvertRcvd         uint64 // valid adverts, before the list of addresses is compared
	AdvertSent         uint64
	BecomeMaster       uint64
	ReleaseMaster      uint64
	PacketLenErr       uint64
	AdvertInterval     uint64 // keepalived's advert_interval_err: v2 interval differs, v3 interval 0
	IPTTLErr           uint64
	InvalidType        uint64 // invalid_type_rcvd
	AddrListErr        uint64 // accepted all the same; without addresses in v3: discarded
	InvalidAuthType    uint64
	AuthMismatch       uint64 // authtype_mismatch
	AuthFailure        uint64 // the password, the authentication header or its number
	AuthExtMissing     uint64 // auth_hmac: no trailer where one is needed
	AuthExtMalformed   uint64
	AuthExtUnknownKey  uint64
	AuthExtInvalidHMAC uint64
	AuthExtStale       uint64
	AuthExtReplay      uint64
	PriZeroRcvd        uint64
	PriZeroSent        uint64

	VersionErr      uint64 // not the configured version
	ChecksumErr     uint64
	VRIDErr         uint64 // reached the instance with another VRID
	DestinationErr  uint64 // multicast on a unicast instance or the reverse
	UnknownPeer     uint64 // check_unicast_src: the source is not in unicast_peer
	NotListening    uint64 // arrived in INIT, FAULT or STOP, during the startup delay, or at an owner that listens to nobody
	OldChecksum     uint64 // accepted: v3 checksum for the multicast group in a unicast advert
	MessageChecksum uint64 // accepted: v3 checksum without pseudo-header

	Reason MasterReason // why it became MASTER last
}

// MasterReason is vrrpv3StatisticsNewMasterReason of RFC 6527.
type MasterReason uint8

// The reasons to become MASTER.
const (
	ReasonNone      MasterReason = 0 // it never has
	ReasonPriority  MasterReason = 1 // the master has resigned, with priority 0
	ReasonPreempted MasterReason = 2 // the master had a lower priority
	ReasonSilence   MasterReason = 3 // there was no master, or it has fallen silent
)

// rejected is the counter of a reason to reject.
func (s *Stats) rejected(why reason) *uint64 {
	switch why {
	case wrongLength:
		return &s.PacketLenErr
	case wrongTTL, peerTTL:
		return &s.IPTTLErr
	case wrongVersion:
		return &s.VersionErr
	case wrongVRID:
		return &s.VRIDErr
	case unknownAuth:
		return &s.InvalidAuthType
	case wrongAuth:
		return &s.AuthMismatch
	case wrongPass, wrongICV, replayed:
		return &s.AuthFailure
	case noTrailer:
		return &s.AuthExtMissing
	case badTrailer:
		return &s.AuthExtMalformed
	case unknownKey:
		return &s.AuthExtUnknownKey
	case wrongHMAC:
		return &s.AuthExtInvalidHMAC
	case staleTrailer:
		return &s.AuthExtStale
	case replayedTrailer:
		return &s.AuthExtReplay
	case wrongInterval:
		return &s.AdvertInterval
	case wrongType:
		return &s.InvalidType
	case wrongChecksum:
		return &s.ChecksumErr
	case wrongDestination:
		return &s.DestinationErr
	case unknownPeer:
		return &s.UnknownPeer
	}
	return &s.AddrListErr
}
