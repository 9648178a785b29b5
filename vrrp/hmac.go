package vrrp

import (
	"reflect"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// trailers is auth_hmac of one instance: the keys, what was signed last, and
// what was heard last from each sender. The latter two survive a reload.
type trailers struct {
	cfg    config.AuthHMAC
	keys   map[uint8]*wire.HMAC
	signer *wire.HMAC // nil: adverts go without a trailer
	window time.Duration
	sent   uint64
	heard  senders
}

// trailerKeys takes the keys of the configuration.
func (m *Machine) trailerKeys() {
	cfg := m.cfg.AuthHMAC
	if cfg == nil {
		m.hmac = nil
		return
	}
	if m.hmac == nil {
		m.hmac = &trailers{}
	}
	t := m.hmac
	t.window = window(cfg, m.interval())
	if t.keys != nil && reflect.DeepEqual(t.cfg, *cfg) {
		return
	}
	t.cfg, t.keys, t.signer = *cfg, make(map[uint8]*wire.HMAC, len(cfg.Keys)), nil
	for i := range cfg.Keys {
		k := &cfg.Keys[i]
		t.keys[k.ID] = wire.NewHMAC(k.ID, k.Bytes())
	}
	if cfg.Mode != config.HMACReceiveOnly {
		t.signer = t.keys[cfg.ActiveKey]
	}
}

// window is how far the clocks of routers may be apart.
func window(cfg *config.AuthHMAC, interval time.Duration) time.Duration {
	if cfg.TimeWindow.Set {
		return cfg.TimeWindow.Value
	}
	return min(max(3*interval, 5*time.Second), 300*time.Second)
}

// stamp is a moment as trailers have it: seconds, a fraction of 16 bits, and a
// counter for what comes within the same one.
func stamp(now time.Time) uint64 {
	return uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())<<16/1e9<<16
}

// next is the number of the next advert.
func (t *trailers) next(now time.Time) uint64 {
	t.sent = t.number(now)
	return t.sent
}

// number is the time, and always a higher one than the last. A clock that was
// set back is followed when the last one is so far ahead of it that no peer
// would accept more of its kind.
func (t *trailers) number(now time.Time) uint64 {
	n := stamp(now)
	stranded := t.cfg.AntiReplay == config.ReplayTime && t.ahead(t.sent, now)
	if t.sent != 0 && !later(n, t.sent) && !stranded {
		n = t.sent + 1
	}
	return n
}

// later compares numbers that may wrap, as RFC 1982 does.
func later(a, b uint64) bool { return int64(a-b) > 0 }

// ahead says that a number is of a time too far in the future.
func (t *trailers) ahead(sequence uint64, now time.Time) bool {
	return distance(sequence, now) > t.window
}

// distance is how long after now a number was, or will be, the time.
func distance(sequence uint64, now time.Time) time.Duration {
	return time.Duration(int32(uint32(sequence>>32)-uint32(now.Unix()))) * time.Second
}

// inspect checks the trailer of the advert in d. What costs little comes
// first.
func (t *trailers) inspect(now time.Time, d *wire.Datagram, trailer wire.Trailer) reason {
	if len(trailer) == 0 {
		if t.cfg.Mode == config.HMACEnforce {
			return noTrailer
		}
		return fine
	}
	if !trailer.WellFormed() {
		return badTrailer
	}
	if t.cfg.AntiReplay == config.ReplayTime && distance(trailer.Sequence(), now).Abs() > t.window {
		return staleTrailer
	}
	key := t.keys[trailer.KeyID()]
	if key == nil {
		return unknownKey
	}
	message := d.Payload[:len(d.Payload)-len(trailer)]
	if !key.Verify(message, trailer, d.Src) {
		return wrongHMAC
	}
	if last, known := t.heard.last(d.Src); known && !later(trailer.Sequence(), last) && !t.void(last, now) {
		return replayedTrailer
	}
	return fine
}

// void says that a number proves nothing: the clock that it came from has been
// set back since, ours too.
func (t *trailers) void(sequence uint64, now time.Time) bool {
	return t.cfg.AntiReplay == config.ReplayTime && t.ahead(sequence, now)
}
