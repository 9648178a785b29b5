package sim

import (
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"
)

// Violation is what is wrong with a history.
type Violation struct {
	Kind string // the invariant, in one word
	At   time.Duration
	Text string
}

func (v *Violation) Error() string { return fmt.Sprintf("at %s: %s: %s", v.At, v.Kind, v.Text) }

// Options are how a scenario is run.
type Options struct {
	Mutant *Mutant      // nil: the machine as it is
	Blind  bool         // do not foretell each step: judge by what everybody can see
	Trace  func(string) // gets every event and effect, a line each; nil: nobody reads it
	Events func(string) // gets the changes of state alone
}

// Counts says what has happened in a run, so that a test can see that the
// world is rough enough.
type Counts map[string]int

// Run lets a scenario happen. The error is a [*Violation].
func Run(sc *Scenario, o Options) (counts Counts, err error) {
	w := newWorld(sc, o)
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case *Violation:
			err = cause
		default:
			err = &Violation{"panic", w.now, fmt.Sprintf("%v\n%s", cause, debug.Stack())}
		}
	}()
	w.begin()
	w.until(sc.Chaos)
	w.calm()
	return w.counts, nil
}

// world is a scenario that is going on.
type world struct {
	sc      *Scenario
	o       Options
	now     time.Duration
	agenda  agenda
	dice    dice
	site    *site
	routers []*router
	blocked []map[[2]int]bool // of each link, from and to
	quiet   bool              // no loss and no delay beyond the usual
	hosts   map[netip.Addr]*host
	watch   watch
	counts  Counts
}

func newWorld(sc *Scenario, o Options) *world {
	w := &world{
		sc: sc, o: o, site: sc.site(), dice: dice(sc.Seed), counts: Counts{},
		blocked: make([]map[[2]int]bool, sc.Links+1), hosts: map[netip.Addr]*host{},
	}
	w.mend()
	for id := range sc.Routers {
		w.routers = append(w.routers, newRouter(w, id+1, sc.Routers[id]))
	}
	return w
}

// begin puts into the agenda what comes from outside.
func (w *world) begin() {
	for i, r := range w.routers {
		w.after(w.sc.Routers[i].Boot, func() { r.boot() })
	}
	for _, f := range w.sc.Faults {
		w.after(f.At, func() { w.fault(f.Words) })
	}
}

func (w *world) after(d time.Duration, do func()) { w.agenda.add(entry{at: w.now + d, do: do}) }

func (w *world) failf(kind, format string, args ...any) {
	panic(&Violation{kind, w.now, fmt.Sprintf(format, args...)})
}

// tracing spares the formatting when nobody reads it.
func (w *world) tracing() bool { return w.o.Trace != nil }

func (w *world) note(format string, args ...any) {
	if w.o.Trace != nil {
		w.o.Trace(fmt.Sprintf("%-12s %s", w.now, fmt.Sprintf(format, args...)))
	}
}

func (w *world) happened(format string, args ...any) {
	if w.o.Events != nil {
		w.o.Events(fmt.Sprintf("%-12s %s", w.now, fmt.Sprintf(format, args...)))
	}
}

// until lets everything happen that is due, in order.
func (w *world) until(end time.Duration) {
	for len(w.agenda.all) > 0 && w.agenda.all[0].at <= end {
		e := w.agenda.take()
		w.now = e.at
		w.counts["events"]++
		switch {
		case e.g != nil:
			e.r.timer(e.g, e.at)
		case e.d != nil:
			e.r.arrived(e.d)
		default:
			e.do()
		}
		w.look()
	}
	w.now = end
}
