package vrrp

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Taking is how a [Runner] takes the place of another one.
type Taking struct {
	Handover
	At time.Time // the moment of the handover
	// Relieve is told which instances, by the names that they had, are in good
	// hands from now on, and answers with what was done for them until then.
	// Nil: nothing was.
	Relieve func(taken []string) ([]Relief, error)
}

// Freeze ends everything that the runner does, but for what it has begun: no
// advert is sent any more and none is heard, until [Runner.Thaw]. The handover
// is of the moment that it returns, and the errands are for who sends the
// adverts from then on. Then flush waits until everything else that was to be
// done is.
func (r *Runner) Freeze() (h Handover, then time.Time, errands Errands, flush func(), err error) {
	if err = r.do(r.blindfold); err != nil {
		return h, then, errands, nil, err
	}
	r.tracking.Wait()
	var queues []<-chan struct{}
	err = r.do(func() {
		then, r.frozen = time.Now(), true
		h, errands = r.handover(then), r.errands(then)
		for _, g := range r.groups.all {
			queues = append(queues, g.queue.mark())
		}
	})
	return h, then, errands, func() {
		for _, done := range queues {
			<-done
		}
	}, err
}

// blindfold ends to watch what is tracked: scripts are children.
func (r *Runner) blindfold() {
	for _, o := range r.observers {
		o.cancel()
		o.cfg = nil
	}
}

// Thaw undoes [Runner.Freeze], with what was done for the instances meanwhile.
func (r *Runner) Thaw(cfg *config.Config, reliefs []Relief) error {
	return r.do(func() {
		for i := range reliefs {
			if m := r.members[reliefs[i].Name]; m != nil {
				r.relieved(m, &reliefs[i])
			}
		}
		for _, g := range slices.Clone(r.groups.all) {
			g.deadline = g.Deadline()
			r.groups.moved(g)
		}
		r.frozen = false
		r.syncSockets()
		for _, g := range r.groups.all {
			r.inform(g)
		}
		r.syncObservers(cfg, false)
		r.syncObservers(cfg, true)
	})
}

// Errands are what a bridge would do for the instances now.
func (r *Runner) Errands() (e Errands, err error) {
	err = r.do(func() { e = r.errands(time.Now()) })
	return e, err
}

func (r *Runner) handover(now time.Time) Handover {
	h := Handover{Quiet: after(r.quiet, now)}
	for _, g := range r.groups.all {
		if g.failed {
			continue // it begins anew, as after a reload
		}
		for _, machine := range g.Members() {
			one := machine.handover(now)
			one.ID = r.members[machine.Name()].id
			if r.pacer.announces(machine.Name()) {
				one.Announce.Again = after(now, now)
			}
			h.Instances = append(h.Instances, one)
		}
		if g.Name() != "" {
			h.Groups = append(h.Groups, GroupHandover{g.Name(), g.State()})
		}
	}
	for _, o := range r.observers {
		if o.last != nil {
			h.Verdicts = append(h.Verdicts, *o.last)
		}
	}
	return h
}

func (r *Runner) errands(now time.Time) Errands {
	e := Errands{At: r.clock.to(now), Process: r.process}
	for _, m := range r.members {
		s := r.socketOf(m.Machine)
		if m.group.failed || !r.possible(s) {
			continue
		}
		e.All = append(e.All, m.errand(s, now))
	}
	return e
}

func (m *member) errand(s Socket, now time.Time) Errand {
	cfg := m.Config()
	e := Errand{Name: cfg.Name, Socket: s, Master: m.state == config.Master, ID: m.id, Sequence: m.sequence}
	if !e.Master {
		return e
	}
	e.Due, e.Every, e.Advert = after(m.deadline, now), m.interval(), m.advert[0].(SendAdvert)
	e.To, e.TTL = m.destinations()
	if m.ah != nil {
		e.AH = []byte(cfg.Authentication.Pass)
	}
	if m.signs() {
		for i := range cfg.AuthHMAC.Keys {
			if k := &cfg.AuthHMAC.Keys[i]; k.ID == cfg.AuthHMAC.ActiveKey {
				e.HMAC = &SigningErrand{KeyID: k.ID, Key: k.Bytes(), Replay: cfg.AuthHMAC.AntiReplay, Window: m.hmac.window, Sent: m.hmac.sent}
			}
		}
	}
	return e
}

// destinations are who gets the adverts, and how far they may go.
func (m *member) destinations() (to []config.Addr, ttl uint8) {
	cfg := m.Config()
	if !cfg.Unicast() {
		const multicastTTL = 255 // RFC 9568 section 5.1.1.3
		return []config.Addr{cfg.McastDstIP}, multicastTTL
	}
	for _, peer := range cfg.UnicastPeers {
		to = append(to, peer.Addr)
	}
	return to, cfg.UnicastTTL.Value
}

// expect notes the verdicts that a predecessor had, before anything is watched.
func (r *Runner) expect() {
	if r.taking == nil {
		return
	}
	for i := range r.taking.Verdicts {
		last := &r.taking.Verdicts[i]
		first := make(chan struct{})
		close(first)
		r.observers[last.Object()] = &watched{cancel: func() {}, last: last, first: first}
	}
}

// takeOver makes the groups of a predecessor, with what is known of the links.
func (r *Runner) takeOver(now time.Time, cfg *config.Config) (groups []*Group, was map[*Machine]*InstanceHandover) {
	t := r.taking
	if t == nil {
		return nil, nil
	}
	r.begun, r.quiet = true, at(t.Quiet, t.At)
	r.learnAddresses(cfg)
	groups, was = restore(t.At, now, &t.Handover, cfg)
	for m := range was {
		for name := range r.links {
			m.observe(r.link(name))
		}
	}
	return groups, was
}

// claimed are the claims of the masters that were taken over: what they have in
// the kernel is adopted.
func claimed(groups []*Group) (effects []Effect) {
	for _, g := range groups {
		for _, m := range g.members {
			if want := claim(&m.cfg); m.state == config.Master && !want.claims().Empty() {
				effects = append(effects, want)
			}
		}
	}
	return effects
}

// relieve takes the adverts over, when the own sockets are open.
func (r *Runner) relieve(was map[*Machine]*InstanceHandover) {
	t := r.taking
	r.taking = nil
	if t == nil {
		return
	}
	var names []string
	for m, old := range was {
		r.members[m.Name()].id = old.ID
		names = append(names, old.Name)
	}
	if t.Relieve == nil {
		return
	}
	reliefs, err := t.Relieve(names)
	if err != nil {
		r.write(zap.WarnLevel, err.Error())
	}
	for m, old := range was {
		if m.state != config.Master {
			continue
		}
		i := slices.IndexFunc(reliefs, func(one Relief) bool { return one.Name == old.Name })
		if i < 0 {
			// Peers may have heard numbers that we do not know of.
			m.sequence += uint32(time.Since(t.At)/m.interval()) + 2
			continue
		}
		r.relieved(r.members[m.Name()], &reliefs[i])
	}
}

// relieved goes on where somebody else has sent the adverts.
func (r *Runner) relieved(m *member, relief *Relief) {
	m.id, m.deadline = relief.ID, r.clock.from(relief.Due)
	m.stats.AdvertSent += relief.Adverts
	m.sequence = max(m.sequence, relief.Sequence)
	if m.hmac != nil {
		m.hmac.sent = relief.Signed
	}
}

// announces says that announcements of an instance wait for their turn.
func (p *pacer) announces(instance string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.lanes {
		if slices.ContainsFunc(w.queue, func(n notice) bool { return n.instance == instance }) {
			return true
		}
	}
	return false
}
