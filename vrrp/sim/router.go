package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// linkState is a router's end of a link.
type linkState struct{ exists, up, addressed bool }

// verdict is about a script; one that is not known has not come yet.
type verdict struct{ known, good bool }

// router is a host with lvsd on it: the shell around the machines.
type router struct {
	w         *world
	id        int
	drift     int64         // of the monotonic clock, millionths
	ahead     time.Duration // of the time of day, which somebody keeps right otherwise
	alive     bool
	boots     uint64
	quiet     time.Time // the end of vrrp_startup_delay
	stopped   bool      // SIGSTOP: what comes meanwhile waits
	stunned   bool      // the whole machine: datagrams are lost too
	resuming  bool
	reloading bool             // deletions wait, and who is new for Start
	going     []config.Address // until then
	inbox     []func()
	datagram  int // how many of the inbox are datagrams
	links     []linkState
	scripts   []verdict
	unopened  map[wireKey]bool // sockets that cannot be opened
	flows     map[flowKey]*flow

	cfg     *config.Config // as it should be loaded
	groups  []*group
	place   map[string]*group // by instance
	shadows map[string]*shadow
	syncs   map[string]*domain // by group
	domains []*domain
	index   map[wireKey]*shadow
	held    map[string][]config.Address
}

func newRouter(w *world, id int, sc Router) *router {
	r := &router{w: w, id: id, drift: int64(sc.Drift), flows: map[flowKey]*flow{}, unopened: map[wireKey]bool{}, links: make([]linkState, w.sc.Links+1), scripts: make([]verdict, scripts+1)}
	for i := range r.links {
		r.links[i] = linkState{true, true, true}
	}
	for i := range r.scripts {
		r.scripts[i] = verdict{true, true}
	}
	r.forget()
	return r
}

// forget is what a process that ends takes along.
func (r *router) forget() {
	for name := range r.held {
		r.hold(name, nil)
	}
	for _, g := range r.groups {
		g.due = 0
	}
	r.alive, r.stopped, r.stunned, r.inbox, r.datagram = false, false, false, nil, 0
	r.cfg, r.groups = nil, nil
	r.domains, r.index = nil, map[wireKey]*shadow{}
	r.place, r.shadows, r.syncs = map[string]*group{}, map[string]*shadow{}, map[string]*domain{}
	r.held = map[string][]config.Address{}
}

// local is what the router's clocks show.
func (r *router) local(t time.Duration) time.Time {
	return moment(t+r.ahead, t+time.Duration(int64(t)*r.drift/1e6))
}

// global is the first moment at which the router's clock shows at or more.
func (r *router) global(at time.Time) time.Duration {
	d := at.Sub(epoch)
	t := time.Duration(float64(d) * 1e6 / float64(1e6+r.drift))
	for r.local(t).Before(at) {
		t++
	}
	for t > 0 && !r.local(t-1).Before(at) {
		t--
	}
	return t
}

func (r *router) now() time.Time { return r.local(r.w.now) }

// later does something now, or when the process runs again.
func (r *router) later(do func()) {
	switch {
	case !r.alive:
	case r.stopped:
		r.inbox = append(r.inbox, do)
	default:
		do()
	}
}

// boot starts lvsd. Verdicts of scripts come now or within a while.
func (r *router) boot() {
	if r.alive {
		return
	}
	r.w.note("r%d boots", r.id)
	r.w.counts["boots"]++
	r.alive = true
	r.boots++
	r.quiet = time.Time{}
	if d := r.w.sc.Routers[r.id-1].Quiet; d > 0 && !r.w.quiet {
		r.quiet = r.now().Add(d)
	}
	boots := r.boots
	for n := 1; n < len(r.scripts); n++ {
		throw := r.w.dice.of(99, uint64(r.id), r.boots, uint64(n))
		r.scripts[n].known = r.w.quiet || throw.below(3) > 0
		if r.scripts[n].known {
			continue
		}
		r.w.after(time.Duration(throw.of(1).below(int(r.w.sc.longest()*2))), func() {
			if r.boots == boots {
				r.script(n, r.scripts[n].good)
			}
		})
	}
	r.load()
}

// crash is kill -9.
func (r *router) crash() {
	r.w.note("r%d crashes", r.id)
	r.forget()
}

// stop is SIGTERM.
func (r *router) stop() {
	r.later(func() {
		r.w.note("r%d stops", r.id)
		r.all(vrrp.Shutdown{})
		r.forget()
	})
}

// pause is SIGSTOP, or a virtual machine that is not running.
func (r *router) pause(d time.Duration, stun bool) {
	if !r.alive || r.stopped {
		return
	}
	r.w.note("r%d pauses", r.id)
	r.stopped, r.stunned = true, stun
	boots := r.boots
	r.w.after(d, func() {
		if r.boots == boots {
			r.resume()
		}
	})
}

// resume does what waits, in order, and then what is due.
func (r *router) resume() {
	if !r.stopped || !r.alive {
		return
	}
	r.w.note("r%d goes on", r.id)
	r.stopped, r.stunned, r.resuming = false, false, true
	inbox := r.inbox
	r.inbox, r.datagram = nil, 0
	for _, do := range inbox {
		if r.alive {
			do()
		}
	}
	for _, g := range r.groups {
		r.fire(g)
	}
	r.resuming = false
}

// link changes the router's end of a link.
func (r *router) link(n int, s linkState) {
	r.links[n] = s
	ev := r.linkEvent(n)
	r.later(func() { r.all(ev) })
}

func (r *router) linkEvent(n int) vrrp.LinkChanged {
	s := r.links[n]
	ev := vrrp.LinkChanged{Link: linkName(n), Exists: s.exists, Up: s.up && s.exists}
	if s.addressed && s.exists {
		ev.IPv4, ev.IPv6 = []netip.Addr{address(false, n, r.id)}, []netip.Addr{address(true, n, r.id)}
	}
	return ev
}

// script is a new verdict.
func (r *router) script(n int, good bool) {
	r.scripts[n] = verdict{true, good}
	r.later(func() { r.all(scriptEvent(n, good)) })
}

func scriptEvent(n int, good bool) vrrp.Tracked { return Verdict(scriptName(n), good) }

// Verdict is the event about a vrrp_script.
func Verdict(script string, good bool) vrrp.Tracked { return vrrp.Tracked{Name: script, Up: good} }

// socket says whether a virtual router can have a socket.
func (r *router) socket(key wireKey, open bool) {
	r.unopened[key] = !open
	r.later(func() {
		if s := r.index[key]; s != nil {
			r.step(r.place[s.cfg.Name], vrrp.SocketChanged{Instance: s.cfg.Name, Open: open})
		}
	})
}

func (r *router) all(ev vrrp.Event) {
	for _, g := range r.groups {
		r.step(g, ev)
	}
}

// arrived is a datagram at the end of its way.
func (r *router) arrived(d *arrival) {
	const room = 256 // in the buffer of a socket
	switch {
	case !r.alive || !r.links[d.link].up || r.unopened[d.key()] || r.stunned:
	case !r.stopped:
		r.receive(d)
	case r.datagram < room:
		r.datagram++
		r.inbox = append(r.inbox, func() { r.receive(d) })
	}
}

func (r *router) receive(d *arrival) {
	s := r.index[d.key()]
	if s == nil {
		return
	}
	if g := r.place[s.cfg.Name]; g != nil {
		r.step(g, vrrp.Received{Instance: s.cfg.Name, Datagram: d.Datagram})
	}
}

// wireKey is how a datagram finds its instance.
type wireKey struct {
	link int
	vrid uint8
	v6   bool
}

// timer is an entry of the agenda for a group. It may be an old one.
func (r *router) timer(g *group, at time.Duration) {
	if g.due != at {
		return
	}
	g.due = 0
	if r.alive && !r.stopped {
		r.fire(g)
	}
}

// fire serves what is due and arranges the next time.
func (r *router) fire(g *group) {
	for n := 0; ; n++ {
		d := g.Deadline()
		if d.IsZero() || d.After(r.now()) {
			break
		}
		r.step(g, vrrp.TimerFired{})
		if n == 3 {
			r.w.failf("deadline", "r%d: the timer of %s fires again and again", r.id, label(g))
		}
	}
	r.arrange(g)
}

// arrange puts the deadline of a group into the agenda.
func (r *router) arrange(g *group) {
	d := g.Deadline()
	if d.IsZero() || r.stopped || !r.alive {
		g.due = 0
		return
	}
	due := max(r.global(d), r.w.now)
	if g.due == due {
		return
	}
	g.due = due
	r.w.agenda.add(entry{at: due, r: r, g: g})
}

func label(g *group) string {
	if name := g.Name(); name != "" {
		return name
	}
	return g.Members()[0].Name()
}

// hold is what is claimed under a name, and who else holds it.
func (r *router) hold(name string, want []config.Address) {
	was := r.held[name]
	if len(want) > 0 {
		r.held[name] = want
	} else {
		delete(r.held, name)
	}
	for _, a := range want {
		if !slices.Contains(was, a) {
			r.w.claimed(r, a.Prefix.Addr())
		}
	}
	for _, a := range was {
		switch {
		case slices.Contains(want, a):
		case r.reloading:
			r.going = append(r.going, a)
		default:
			r.w.released(r, a.Prefix.Addr())
		}
	}
}
