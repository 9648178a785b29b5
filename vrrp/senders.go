package vrrp

import (
	"net/netip"
	"slices"
)

// senders are the highest numbers of the routers that were believed, the one
// that was heard last at the end.
type senders []sender

type sender struct {
	src      netip.Addr
	sequence uint64
}

// multicastSenders is how many senders of multicast adverts are remembered.
const multicastSenders = 4

// last is the highest number of a sender, if it is remembered.
func (s senders) last(src netip.Addr) (sequence uint64, known bool) {
	for i := range s {
		if s[i].src == src {
			return s[i].sequence, true
		}
	}
	return 0, false
}

// remember notes a number; of more senders than most the one from whom nothing
// was heard for longest is forgotten.
func (s *senders) remember(src netip.Addr, sequence uint64, most int) {
	at := slices.IndexFunc(*s, func(other sender) bool { return other.src == src })
	switch {
	case at >= 0:
		*s = slices.Delete(*s, at, at+1)
	case len(*s) >= most:
		*s = slices.Delete(*s, 0, 1)
	}
	*s = append(*s, sender{src, sequence})
}
