package vrrp

import (
	"errors"
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

// Blindfold ends to watch what is tracked, and waits for that: scripts are
// children. [Runner.Thaw] undoes it.
func (r *Runner) Blindfold() error {
	if err := r.do(r.blindfold); err != nil {
		return err
	}
	r.tracking.Wait()
	return nil
}

// ErrChanged is the error of [Runner.Freeze] when the errands are not right any
// more.
var ErrChanged = errors.New("who is master has changed in between")

// freezing is a [Runner.Freeze] whose moment has not come.
type freezing struct {
	at   time.Time
	do   func(now time.Time)
	done chan struct{}
}

// Freeze ends everything that the runner does, but for what it has begun, at
// the moment of errands that a bridge has: the adverts before it are sent, those
// from it on are not, until [Runner.Thaw]. The handover is of then. Flush waits
// until everything else that was to be done is.
func (r *Runner) Freeze(e Errands) (h Handover, then time.Time, flush func(), err error) {
	var queues []<-chan struct{}
	changed := false
	f := &freezing{at: r.clock.from(e.At), done: make(chan struct{})}
	f.do = func(now time.Time) {
		then, r.frozen, r.freezing = now, true, nil
		for _, m := range r.members {
			r.withdraw(m)
		}
		r.waiter.cease(time.Time{})
		changed = r.changed(&e)
		h = r.handover(now)
		for _, g := range r.groups.all {
			queues = append(queues, g.queue.mark())
		}
		close(f.done)
	}
	if err := r.do(func() {
		r.freezing = f
		r.waiter.cease(f.at)
	}); err != nil {
		return h, then, nil, err
	}
	select {
	case <-f.done:
	case <-r.stopped:
		return h, then, nil, ErrStopped
	}
	if changed {
		err = ErrChanged
	}
	return h, then, func() {
		for _, done := range queues {
			<-done
		}
	}, err
}

// changed says that a bridge would not do what this runner would.
func (r *Runner) changed(e *Errands) bool {
	errands := make(map[string]*Errand, len(e.All))
	for i := range e.All {
		errands[e.All[i].Name] = &e.All[i]
	}
	for name, m := range r.members {
		errand := errands[name]
		sends := m.state == config.Master && !m.group.failed && r.possible(r.socketOf(&m.cfg, m.Source()))
		if sends != (errand != nil && errand.Master) || sends && errand.Sequence != m.sequence {
			return true
		}
		delete(errands, name)
	}
	return len(errands) > 0
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

// Errands are what a bridge has to do for the instances from a moment on that
// is so far away. What is sent until then is counted in.
func (r *Runner) Errands(lead time.Duration) (e Errands, err error) {
	err = r.do(func() {
		then := time.Now().Add(lead)
		e = Errands{At: r.clock.to(then), Process: r.process}
		for _, m := range r.members {
			if s := r.socketOf(&m.cfg, m.Source()); !m.group.failed && r.possible(s) {
				e.All = append(e.All, m.errand(s, then))
			}
		}
	})
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

func (m *member) errand(s Socket, then time.Time) Errand {
	cfg := m.Config()
	e := Errand{Name: cfg.Name, Socket: s, Master: m.state == config.Master, ID: m.id, Sequence: m.sequence}
	if !e.Master {
		return e
	}
	e.Every, e.Advert = m.interval(), m.advert[0].(SendAdvert)
	due := m.deadline
	for ; due.Before(then); due = due.Add(e.Every) {
		e.ID = following(e.ID)
	}
	e.Due = after(due, then)
	e.To, e.TTL = m.destinations()
	if m.ah != nil {
		e.AH = []byte(cfg.Authentication.Pass)
		e.Sequence += uint32(e.ID - m.id)
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
	for i := range m.targets() {
		var dst config.Addr
		dst, ttl = m.target(i)
		to = append(to, dst)
	}
	return to, ttl
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
