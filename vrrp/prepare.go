package vrrp

import (
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// To open a socket may take long. It is begun on the loop, goes on beside it,
// and ends with syncSockets, which opens those that nobody has prepared itself.

// prepare prepares the sockets that the loop wants.
func (r *Runner) prepare(want func() []Socket) error {
	var slow []func()
	err := r.do(func() { slow = r.begin(want()) })
	for _, f := range slow {
		f()
	}
	return err
}

// begin answers with what is not for the loop.
func (r *Runner) begin(want []Socket) (slow []func()) {
	for i, key := range want {
		if s := r.sockets[key]; s != nil && s.conn != nil || slices.Contains(want[:i], key) {
			continue
		}
		if f := r.waiter.prepare(key); f != nil {
			slow = append(slow, f)
		}
	}
	return slow
}

// wanted are the sockets that a configuration needs, those of instances that
// run with another one, too: with an authentication header, or on another link.
func (r *Runner) wanted(cfg *config.Config) (keys []Socket) {
	running := make(map[config.InstanceKey]*Machine, len(r.members))
	for _, m := range r.members {
		running[m.Config().Key()] = m.Machine
	}
	for i := range cfg.Instances {
		next := &cfg.Instances[i]
		m := running[next.Key()]
		if m == nil {
			m = NewMachine(*next)
			m.observe(r.link(next.Interface))
		}
		if key := r.socketOf(next, m.Source()); r.possible(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// known are the instances that run.
func (r *Runner) known() map[config.InstanceKey]bool {
	known := make(map[config.InstanceKey]bool, len(r.members))
	for _, m := range r.members {
		known[m.Config().Key()] = true
	}
	return known
}

// wantedOn are the sockets for which a link was missing, and is there now, which
// no delay holds back. Those for unicast, of whichever source, wait for nobody.
func (r *Runner) wantedOn(l LinkChanged) (keys []Socket) {
	if !l.Exists || r.links[l.Link].Exists {
		return nil
	}
	for _, m := range r.members {
		if key := r.socketOf(&m.cfg, m.Source()); key.Link == l.Link && key.Group.IsValid() {
			keys = append(keys, key)
		}
	}
	return keys
}

// reopen tries the sockets again that could not be opened.
func (r *Runner) reopen() {
	r.retry = time.Time{}
	var failed []Socket
	for key, s := range r.sockets {
		if s.conn == nil {
			failed = append(failed, key)
		}
	}
	slow := r.begin(failed)
	if len(slow) == 0 {
		r.listen()
		return
	}
	r.tracking.Go(func() {
		for _, f := range slow {
			f()
		}
		r.post(&post{run: r.listen})
	})
}
