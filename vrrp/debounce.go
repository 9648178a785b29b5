package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// debounce holds back the news that a link went down or came up until that has
// lasted: interface_up_down_delays.
type debounce struct {
	cfg    config.UpDownDelay
	told   bool // whether the link is up, as was told
	seenUp bool // before, nothing is held back
	held   LinkChanged
	due    time.Time // when what is held is told; zero: nothing is
}

// step reports whether a state of the link is to be told now.
func (d *debounce) step(now time.Time, l LinkChanged) bool {
	delay := d.cfg.Down
	if l.Up {
		delay = d.cfg.Up
	}
	switch {
	case !l.Exists || !d.seenUp || l.Up == d.told || delay == 0:
		d.told, d.seenUp, d.due = l.Up, l.Exists && (d.seenUp || l.Up), time.Time{}
		return true
	case d.due.IsZero():
		d.due = now.Add(delay)
	}
	d.held = l
	return false
}

// fire returns what has lasted long enough.
func (d *debounce) fire(now time.Time) (l LinkChanged, ok bool) {
	if !passed(d.due, now) {
		return l, false
	}
	d.told, d.due = d.held.Up, time.Time{}
	return d.held, true
}

// syncDelays takes the delays of a configuration. What is held back for a link
// that has none any more is told by the next word about it, or at once.
func (r *Runner) syncDelays(cfg *config.Config) {
	was := r.delays
	r.delays = make(map[string]*debounce)
	for _, delay := range cfg.LinkDelays() {
		d := was[delay.Name]
		if d == nil {
			l := r.links[delay.Name]
			d = &debounce{told: l.Up, seenUp: l.Up}
		}
		d.cfg = delay
		r.delays[delay.Name] = d
		delete(was, delay.Name)
	}
	for _, d := range was {
		if !d.due.IsZero() {
			r.linkChanged(d.held)
		}
	}
}

// fireDelays tells the states of links that have lasted.
func (r *Runner) fireDelays(now time.Time) {
	for _, d := range r.delays {
		if l, ok := d.fire(now); ok {
			r.linkChanged(l)
		}
	}
}
