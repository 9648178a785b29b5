package sim

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// shadow is what an instance should be: RFC 9568 section 6 and keepalived's
// additions once more, told from what was sent to the machine and not from
// what the machine says.
type shadow struct {
	r     *router
	cfg   *config.Instance
	place int // in the configuration
	link  int
	v6    bool
	m     *vrrp.Machine
	d     *domain

	started   bool
	state     config.State
	was       config.State // before the step
	deadline  time.Time
	expired   bool
	learned   time.Duration
	master    bool // one was heard
	preemptAt time.Time
	priority  uint8
	entered   uint8        // the priority at the transition
	sent      [2]time.Time // adverts of a MASTER, or what comes in their place: the last two
	quiet     time.Time    // the end of vrrp_startup_delay
	rival     rival
	trackers  []tracker
	up        bool // the own link
	addressed bool
	deaf      bool // without a socket

	adverts, farewells, lower int // expected of the step
	did                       deeds
	told                      config.State
	spoken                    bool // has told a state
	cadence                   cadence
	heard                     wire.Advert
	proof
}

// rival is another owner of the addresses.
type rival struct {
	patience, last time.Time
	reduced        bool
}

// tracker is a tracked object with what was told of it.
type tracker struct {
	config.Track
	link, shared, known, up bool
}

func (t *tracker) good() bool { return t.up != t.Reverse.Value }

// domain is a sync group or a lone instance.
type domain struct {
	cfg     *config.SyncGroup // nil: a lone instance
	members []*shadow
	told    config.State
	mixed   bool // a reload brought members of different states together
}

func (d *domain) name() string {
	if d.cfg == nil {
		return d.members[0].cfg.Name
	}
	return d.cfg.Name
}

func (s *shadow) key() wireKey { return wireKey{s.link, s.cfg.VirtualRouterID, s.v6} }

func (s *shadow) interval() time.Duration { return s.cfg.AdvertInt }

// timers are those of RFC 3768 and RFC 9568, sections 6.1.
func (s *shadow) masterInterval() time.Duration {
	if s.cfg.Version.Value == 2 {
		return s.interval()
	}
	return s.learned
}

func (s *shadow) skew(priority uint8) time.Duration {
	if s.cfg.Version.Value == 2 {
		return time.Duration(256-int(priority)) * time.Second / 256
	}
	return time.Duration(256-int(priority)) * s.learned / 256
}

func (s *shadow) down() time.Duration {
	return time.Duration(s.cfg.DownTimerAdverts.Value)*s.masterInterval() + s.skew(s.priority)
}

func (s *shadow) waiting() bool { return s.state == config.Init || s.state == config.Fault }
func (s *shadow) running() bool { return s.started && s.state != config.Stop }

func (s *shadow) undecided() bool {
	return s.waiting() && slices.ContainsFunc(s.trackers, func(t tracker) bool {
		return !t.link && t.Weight.Value == 0 && !t.known
	})
}

func (s *shadow) faulty() bool {
	if s.deaf || !s.cfg.DontTrackPrimary && !s.up || !s.addressed && !s.cfg.UnicastSrcIP.IsValid() {
		return true
	}
	return slices.ContainsFunc(s.trackers, func(t tracker) bool {
		return t.known && t.Weight.Value == 0 && !t.good()
	})
}

// effective is the priority after tracking.
func (s *shadow) effective() uint8 {
	p := int(s.cfg.Priority.Value)
	if p == config.Owner {
		if s.rival.reduced {
			p--
		}
		return uint8(p)
	}
	for i := range s.trackers {
		t := &s.trackers[i]
		switch w := t.Weight.Value; {
		case !t.known || (w > 0) != t.up:
		case t.Reverse.Value:
			p -= w
		default:
			p += w
		}
	}
	return uint8(min(max(p, 1), config.Owner-1))
}

// track takes the trackers of the group, and then the own ones: those without a
// weight count more than the group's.
func (s *shadow) track(g *config.SyncGroup) {
	old := s.trackers
	s.trackers = nil
	add := func(list []config.Track, link, shared bool) {
		for _, track := range list {
			same := func(t tracker) bool { return t.link == link && t.Name == track.Name }
			at := slices.IndexFunc(s.trackers, same)
			if at >= 0 && track.Weight.Value != 0 || shared && link && track.Name == s.cfg.Interface && !s.cfg.DontTrackPrimary {
				continue
			}
			t := tracker{Track: track, link: link, shared: shared}
			if i := slices.IndexFunc(old, same); i >= 0 {
				t.known, t.up = old[i].known, old[i].up
			}
			if at >= 0 {
				s.trackers[at] = t
			} else {
				s.trackers = append(s.trackers, t)
			}
		}
	}
	if g != nil {
		add(g.TrackInterface, true, true)
		add(g.TrackScript, false, true)
	}
	add(s.cfg.TrackInterface, true, false)
	add(s.cfg.TrackScript, false, false)
}

// tracks says that a link or a script is tracked by the instance itself.
func (s *shadow) tracks(name string, link bool) bool {
	return link && name == s.cfg.Interface && !s.cfg.DontTrackPrimary ||
		slices.ContainsFunc(s.trackers, func(t tracker) bool { return t.link == link && t.Name == name && !t.shared })
}

func (s *shadow) learn(name string, link, up bool) {
	for i := range s.trackers {
		if t := &s.trackers[i]; t.link == link && t.Name == name {
			t.known, t.up = true, up
		}
	}
}

// weigh puts the priority into effect and moves a running timer by what that
// changes.
func (s *shadow) weigh(now time.Time) {
	if !s.started {
		return // what is known before the start is one change
	}
	down := s.down()
	s.priority = s.effective()
	s.shift(now, s.down()-down)
}

func (s *shadow) shift(now time.Time, by time.Duration) {
	if s.state != config.Backup || by == 0 {
		return
	}
	if s.deadline = s.deadline.Add(by); s.deadline.Before(now) {
		s.deadline = now
	}
}

func (s *shadow) enter(state config.State) {
	s.state, s.entered = state, s.priority
	s.deadline, s.expired, s.preemptAt, s.sent = time.Time{}, false, time.Time{}, [2]time.Time{}
}

func (s *shadow) toMaster(now time.Time) {
	s.enter(config.Master)
	s.reinstate(now)
	s.entered = s.priority
	s.adverts++
	s.sends(now)
	s.learned, s.master = s.interval(), false
	s.deadline = now.Add(s.interval())
}

func (s *shadow) toBackup(now time.Time, down time.Duration) {
	s.enter(config.Backup)
	if now.Before(s.quiet) {
		now = s.quiet
	}
	s.deadline = now.Add(down)
}

func (s *shadow) toFault(own bool) {
	if s.state == config.Master {
		s.farewells++
		if own {
			s.farewells++
		}
	}
	s.enter(config.Fault)
	s.learned, s.master = s.interval(), false
}

func (s *shadow) toStop() {
	if s.state == config.Master {
		s.farewells++
	}
	s.enter(config.Stop)
}

// reconfigure is a reload that the instance survives.
func (s *shadow) reconfigure(now time.Time, cfg *config.Instance) {
	version, down := s.cfg.Version.Value, s.down()
	s.cfg = cfg
	s.configure(cfg)
	if s.state != config.Backup || !s.master || version != cfg.Version.Value {
		s.learned = s.interval()
	}
	s.shift(now, s.down()-down)
	if cfg.PreemptDelay == 0 {
		s.preemptAt = time.Time{}
	}
	if next := now.Add(s.interval()); s.state == config.Master && next.Before(s.deadline) {
		s.deadline = next
	}
	s.cadence.configured(s.interval())
}

// accepts is the ladder of RFC 9568 section 7.1, as keepalived climbs it.
func (s *shadow) accepts(d *wire.Datagram) bool {
	a, unicast := &s.heard, s.cfg.Unicast()
	err := a.Decode(d.Payload, d.Pseudo())
	switch {
	case err != nil, d.Src.Is6() != s.v6, d.Dst.IsMulticast() == unicast, !unicast && d.TTL != 255:
		return false
	case a.Version != s.cfg.Version.Value, a.VRID != s.cfg.VirtualRouterID:
		return false
	case s.hmac == nil && len(a.Trailer) > 0, s.hmac != nil && !s.believesTrailer(d):
		return false
	case a.Version == 3 && len(a.Addrs) == 0 && len(s.cfg.VirtualIPAddress) > 0:
		return false
	case a.Version == 2 && a.Interval != s.interval():
		return false
	case a.Version == 2 && !s.authentic(d):
		return false
	}
	return !unicast || !s.cfg.CheckUnicastSrc.Value && s.hmac == nil ||
		slices.ContainsFunc(s.cfg.UnicastPeers, func(p config.Peer) bool { return p.Addr == d.Src })
}

func (s *shadow) authentic(d *wire.Datagram) bool {
	auth := s.cfg.Authentication
	if s.heard.AuthType != uint8(auth.Type) || (d.Headers != nil) != (s.ah != nil) {
		return false
	}
	switch auth.Type {
	case config.AuthAH:
		return s.believesHeader(d)
	case config.AuthNone:
		return true
	}
	var pass [8]byte
	copy(pass[:], auth.Pass)
	return s.heard.Auth == pass
}
