package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// proof is what an instance needs for adverts that cannot be forged or sent
// again: authentication headers (RFC 2402), or the trailers of auth_hmac. A copy
// of an advert that was believed is worth nothing; whoever was not heard yet, or
// not for long, is taken at his word.
type proof struct {
	ah      *wire.AH
	highest uint32 // in authentication headers sent or believed

	hmac    *config.AuthHMAC
	keys    map[uint8]*wire.HMAC
	signer  *wire.HMAC
	stamped uint64 // the last number in an own trailer

	ahSenders, hmacSenders []sender
	copies                 []wire.Datagram // of what was believed, the latest at the end
}

// sender is who was believed, and the highest number that came from him. Those
// who spoke last are at the end.
type sender struct {
	src    netip.Addr
	number uint64
}

// configure takes new keys. A reload does not make an instance forget who has
// said what, unless it has no trailers any more.
func (p *proof) configure(c *config.Instance) {
	p.ah, p.copies = nil, nil
	if auth := c.Authentication; auth.Type == config.AuthAH {
		p.ah = wire.NewAH(string(auth.Pass))
	}
	p.hmac, p.keys, p.signer = c.AuthHMAC, nil, nil
	if p.hmac == nil {
		p.stamped, p.hmacSenders = 0, nil
		return
	}
	p.keys = map[uint8]*wire.HMAC{}
	for i := range p.hmac.Keys {
		k := &p.hmac.Keys[i]
		p.keys[k.ID] = wire.NewHMAC(k.ID, k.Bytes())
	}
	if p.hmac.Mode != config.HMACReceiveOnly {
		p.signer = p.keys[p.hmac.ActiveKey]
	}
}

// timed says that clocks must agree.
func (p *proof) timed() bool { return p.hmac != nil && p.hmac.AntiReplay == config.ReplayTime }

// window is how far apart clocks may be.
func (s *shadow) window() time.Duration {
	return min(max(3*s.interval(), 5*time.Second), 300*time.Second)
}

// ahead is how far the seconds of a number are ahead of the own clock.
func (s *shadow) ahead(number uint64) time.Duration {
	return time.Duration(int32(uint32(number>>32)-uint32(s.r.now().Unix()))) * time.Second
}

// grown says that a number is higher than another of the same sender; both may
// wrap.
func grown(number, last uint64) bool { return number != last && number-last < 1<<63 }

func last(list []sender, src netip.Addr) (uint64, bool) {
	for _, o := range list {
		if o.src == src {
			return o.number, true
		}
	}
	return 0, false
}

// believesHeader is about the authentication header of a datagram.
func (s *shadow) believesHeader(d *wire.Datagram) bool {
	if !s.ah.Verify(d) {
		return false
	}
	number := d.Sequence()
	if last, known := last(s.ahSenders, d.Src); known {
		return uint64(number) > last
	}
	return number > 0 && number >= s.highest
}

// believesTrailer is about the trailer of a datagram, in s.heard.
func (s *shadow) believesTrailer(d *wire.Datagram) bool {
	t := s.heard.Trailer
	switch {
	case len(t) == 0:
		return s.hmac.Mode != config.HMACEnforce
	case !t.WellFormed(), s.keys[t.KeyID()] == nil:
		return false
	case s.timed() && s.ahead(t.Sequence()).Abs() > s.window():
		return false
	case !s.keys[t.KeyID()].Verify(d.Payload[:len(d.Payload)-len(t)], t, d.Src):
		return false
	}
	last, known := last(s.hmacSenders, d.Src)
	if known && s.timed() && s.ahead(last) > s.window() {
		return true // our clock was set back since
	}
	return !known || grown(t.Sequence(), last)
}

// remember is for a datagram that was accepted.
func (s *shadow) remember(d *wire.Datagram) {
	most := 4 // of multicast senders
	if s.cfg.Unicast() {
		most = max(len(s.cfg.UnicastPeers), 1)
	}
	note := func(list []sender, number uint64) []sender {
		at := slices.IndexFunc(list, func(o sender) bool { return o.src == d.Src })
		if at < 0 && len(list) >= most {
			at = 0
		}
		if at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
		return append(list, sender{d.Src, number})
	}
	switch {
	case s.ah != nil:
		s.highest = max(s.highest, d.Sequence())
		s.ahSenders = note(s.ahSenders, uint64(d.Sequence()))
		s.r.w.counts["AH"]++
	case s.hmac != nil && len(s.heard.Trailer) > 0:
		s.hmacSenders = note(s.hmacSenders, s.heard.Trailer.Sequence())
		s.r.w.counts["HMAC"]++
	default:
		return
	}
	const copies = 8
	if len(s.copies) == copies {
		s.copies = slices.Delete(s.copies, 0, 1)
	}
	s.copies = append(s.copies, *d)
}

// numbered looks at the number of an advert that is sent.
func (s *shadow) numbered(e *vrrp.SendAdvert) (complaint string) {
	switch {
	case s.ah != nil:
		if s.highest++; e.Sequence != uint64(s.highest) {
			return fmt.Sprintf("numbers an advert %d, must be %d", e.Sequence, s.highest)
		}
	case s.signer != nil:
		was := s.stamped
		s.stamped = e.Sequence
		switch stranded := s.timed() && s.ahead(was) > s.window(); {
		case was != 0 && !grown(e.Sequence, was) && !stranded:
			return fmt.Sprintf("numbers an advert %x after %x", e.Sequence, was)
		case s.timed() && s.ahead(e.Sequence).Abs() > s.window():
			return fmt.Sprintf("numbers an advert %x, which is %s from its clock", e.Sequence, s.ahead(e.Sequence))
		}
	case e.Sequence != 0:
		return "numbers an advert that has no place for it"
	}
	return ""
}

// stamp is a number for the trailer of a forged advert.
func stamp(now time.Time, n int) uint64 {
	return uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())<<16/1e9<<16 | uint64(n)
}

// replay brings a router a copy of what it has believed, the n-th from the end.
// The last one must be rejected, whatever has happened since.
func (r *router) replay(i, n int) {
	if i > len(r.cfg.Instances) {
		return
	}
	s := r.shadows[r.cfg.Instances[i-1].Name]
	if len(s.copies) == 0 {
		return
	}
	n %= len(s.copies)
	d := s.copies[len(s.copies)-1-n]
	before := s.m.Stats().AdvertRcvd
	r.step(r.place[s.cfg.Name], vrrp.Received{Instance: s.cfg.Name, Datagram: d})
	r.w.counts["replays"]++
	if n == 0 && s.m.Stats().AdvertRcvd != before {
		r.w.failf("replay", "r%d: %s believes the last advert of %s twice", r.id, s.cfg.Name, d.Src)
	}
}
