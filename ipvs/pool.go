package ipvs

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Event is something that happens to a [Pool].
type Event interface{ event() }

// Reconfigured brings the configuration of the service, at first and after
// every reload. Real servers are matched by address, their checks by
// [config.Check.ID]; survivors keep their health, and the service its quorum.
// Known are verdicts that hold from the beginning. At is the time, from which
// what leaves is drained.
type Reconfigured struct {
	Service config.Service
	Known   []Health
	At      time.Time
}

// Health is the verdict of one check about one real server. What concerns an
// unknown server or check changes nothing: it was on its way when a reload
// removed them.
type Health struct {
	Server netip.AddrPort
	Check  config.CheckID
	Up     bool
	Weight config.WeightChange // while it is up

	Reason  string // why it is not up
	Timeout bool   // it is not up for want of an answer
}

// Removed says that the service is not in the configuration any more, from At
// on. It may come back with a [Reconfigured].
type Removed struct{ At time.Time }

// Shutdown says that lvsd stops.
type Shutdown struct{}

func (Reconfigured) event() {}
func (Health) event()       {}
func (Removed) event()      {}
func (Shutdown) event()     {}

// Effect is what a step asks of the shell, in the order given.
type Effect interface{ effect() }

// Want is the service as it should be in the kernel from now on, nil when it
// should be absent. It is told only when it differs from the last one.
type Want struct{ Service *Service }

// WantDest is what changes when it is about one real server only: the rest of
// the service, which may be thousands, is as it was. Without Present it should
// be absent.
type WantDest struct {
	Dest
	Present bool
}

// Became is for those who are told of changes: scripts, FIFOs, mail. A real
// server came up or went down (notify_up, notify_down), or with a nil Server
// the service gained or lost its quorum (quorum_up, quorum_down). A server is
// not announced at start unless rs_init_notifies says so; one that waits for
// its first result (alpha) is announced with it, whatever it is.
type Became struct {
	Server *config.Server
	Up     bool
	Reason string // as the log has it: "Gained quorum 1+0=1 <= 2", "Removing"; of a check: why it failed

	Starting bool  // of a service: it is its first state
	Weight   int64 // of a service: the sum of the weights that are up
}

// Leaves says that a real server that is up, or with a nil Server the service,
// ends with lvsd. omega decides whether scripts hear of that; SNMP always does.
type Leaves struct {
	Server *config.Server
	Alive  int // real servers that are still up
}

// ShuttingDown is the reason for what happens at the end of lvsd.
const ShuttingDown = "Shutting down"

// removing is the reason for what happens with what a reload takes out.
const removing = "Removing"

// Alert is what smtp_alert of a real server tells: a check that has changed its
// verdict, or a server that was up and leaves.
type Alert struct {
	Server  config.Server
	Check   config.CheckID
	Up      bool   // the verdict of the check
	Reason  string // why it is not up
	Timeout bool   // it is not up for want of an answer
	Alive   bool   // the server, with this verdict
	Changed bool   // the server came up or went down with it
	Leaving string // "Removing", "Shutting down"; empty: it is about the check
}

// Log is a line for the log, a sentence that users of keepalived know.
type Log struct {
	Text   string
	Server string // the real server that it is about, for programs; empty: the service
}

func (Want) effect()     {}
func (WantDest) effect() {}
func (Became) effect()   {}
func (Leaves) effect()   {}
func (Alert) effect()    {}
func (Log) effect()      {}

// Pool is the machine of one service: the health of its real servers in, the
// service as it should be in the kernel out. The zero value waits for its
// first [Reconfigured].
type Pool struct {
	service config.Service
	servers *healths // nil: not configured yet, or not any more
	sum     int64    // of the weights that are up
	alive   int      // servers that are up
	up      bool     // the quorum is held
	leavers []leaver // that keep their connections
}

// health is what the pool knows about a real server.
type health struct {
	server *config.Server // in Pool.service
	checks []verdict      // of server.Checks, in their order
	alive  bool
	quiet  bool // nobody was told of it, and the first failure is news (alpha)
}

type verdict struct {
	up     bool
	weight config.WeightChange
}

// Step takes an event and answers with effects. Time alone does nothing to a
// pool: the shell knows from its leavers when to tell it.
func (p *Pool) Step(ev Event) []Effect {
	switch e := ev.(type) {
	case Reconfigured:
		first := p.servers == nil
		was := p.wish()
		out := p.reconfigure(e)
		if first && p.service.InitNotifies {
			out = append(out, p.introduce()...)
		}
		out = append(out, p.weigh(first)...)
		if want := p.wish(); !was.equal(want) {
			out = append(out, Want{want})
		}
		return out
	case Health:
		return p.hear(e)
	case Removed:
		return p.remove(e.At)
	case Shutdown:
		return p.shutdown()
	case Found:
		return p.find(e)
	case Drained:
		return p.withdraw(e)
	}
	return nil
}

// renew takes a service that differs in nothing from the one that the pool has:
// what was read before can be forgotten.
func (p *Pool) renew(same config.Service) {
	p.service = same
	for i := range p.servers.all {
		p.servers.all[i].server = &p.service.Servers[i]
	}
}

func (p *Pool) reconfigure(e Reconfigured) (out []Effect) {
	known, sorry := p.servers, p.sorry()
	p.service, p.servers = e.Service, newHealths(e.Service.Servers, known, p.draining())
	p.stay()
	for _, v := range e.Known {
		if h := p.servers.of(v.Server); h != nil {
			h.learn(v)
		}
	}
	p.sum, p.alive = 0, 0
	for i := range p.servers.all {
		p.count(&p.servers.all[i], 1)
	}
	for i := range known.list() {
		was := &known.all[i]
		s := was.server
		is := p.servers.of(s.Addr)
		if is == nil {
			out = append(out, logf("service %s no longer exist", p.name(s)).about(p.name(s)))
			if was.alive && !sorry || s.InhibitOnFailure {
				out = append(out, p.depart(was, e.At))
			}
			if was.alive {
				out = append(out, Became{Server: s, Reason: removing})
				out = append(out, farewell(removing, was)...)
			}
			continue
		}
		if clamped(was.weight()) != clamped(is.weight()) {
			out = append(out, p.weightLog(was.weight(), is.weight(), was))
		}
		if was.alive != is.alive {
			out = append(out, p.became(is, "")...)
		}
	}
	return out
}

// healths are those of the servers of a service, in the same order.
type healths struct {
	all   []health
	index map[netip.AddrPort]*health // nil: they are few
}

// few are found without an index, which would take more room than they do.
const few = 16

func indexed(all []health) *healths {
	h := &healths{all: all}
	if len(all) > few {
		h.index = make(map[netip.AddrPort]*health, len(all))
		for i := range all {
			h.index[all[i].server.Addr] = &all[i]
		}
	}
	return h
}

// list are all of them.
func (h *healths) list() []health {
	if h == nil {
		return nil
	}
	return h.all
}

// of is that of a server; nil when there is none.
func (h *healths) of(addr netip.AddrPort) *health {
	switch {
	case h == nil:
		return nil
	case h.index != nil:
		return h.index[addr]
	}
	for i := range h.all {
		if h.all[i].server.Addr == addr {
			return &h.all[i]
		}
	}
	return nil
}

// newHealths are the healths of servers before their next results. Those that
// have been draining are taken to be up, as they were.
func newHealths(servers []config.Server, known *healths, draining map[netip.AddrPort]bool) *healths {
	checks := 0
	for i := range servers {
		checks += len(servers[i].Checks)
	}
	all, verdicts := make([]health, len(servers)), make([]verdict, checks)
	for i := range servers {
		s := &servers[i]
		n := len(s.Checks)
		all[i] = health{server: s, checks: verdicts[:n:n]}
		was := known.of(s.Addr)
		if draining[s.Addr] {
			was = &health{alive: true}
		}
		all[i].begin(was)
		verdicts = verdicts[n:]
	}
	return indexed(all)
}

// begin: without alpha a check is taken to hold until it fails. An alpha check
// has to succeed first, unless the server is in the pool already: a reload does
// not throw it out.
func (h *health) begin(was *health) {
	for i := range h.server.Checks {
		c := &h.server.Checks[i]
		v := verdict{up: !c.Timing.Alpha.Value}
		if was != nil {
			v.up = v.up || was.alive
			if at := was.index(c.ID()); at >= 0 {
				v = was.checks[at]
			}
		}
		h.checks[i] = v
	}
	h.alive = h.holds()
	h.quiet = !h.alive && (was == nil || was.quiet)
}

func (h *health) index(id config.CheckID) int {
	for i := range h.checks {
		if h.server.Checks[i].Is(id) {
			return i
		}
	}
	return -1
}

// weight is the configured one with what the checks say about it.
func (h *health) weight() int {
	w := h.server.Weight
	for i := range h.checks {
		w += h.checks[i].weight.Difference(h.server.Weight)
	}
	return w
}

// serves is what it adds to the weight that the quorum is about.
func (h *health) serves() int64 {
	if !h.alive {
		return 0
	}
	return int64(max(h.weight(), 0))
}

// holds reports that every check holds; a server without checks is always up.
func (h *health) holds() bool {
	return !slices.ContainsFunc(h.checks, func(v verdict) bool { return !v.up })
}

// hear takes a verdict. It costs the same however many servers there are, unless
// the sorry server begins or ends to serve.
func (p *Pool) hear(e Health) []Effect {
	h := p.servers.of(e.Server)
	if h == nil || h.index(e.Check) < 0 {
		return nil
	}
	was, present := p.wishFor(e.Server)
	sorry := p.sorry()
	out := append(p.judge(h, e), p.weigh(false)...)
	if p.sorry() != sorry || p.service.Sorry != nil && p.service.Sorry.Addr == e.Server {
		return append(out, Want{p.wish()})
	}
	if want, stays := p.wishFor(e.Server); want != was || stays != present {
		out = append(out, WantDest{want, stays})
	}
	return out
}

// count takes a server into the sums, or with -1 out of them.
func (p *Pool) count(h *health, times int) {
	p.sum += int64(times) * h.serves()
	if h.alive {
		p.alive += times
	}
}

func (p *Pool) judge(h *health, e Health) (out []Effect) {
	alive, weight := h.alive, h.weight()
	p.count(h, -1)
	other := h.learn(e)
	p.count(h, 1)
	switch {
	case alive != h.alive:
		out = p.became(h, e.Reason)
	case h.quiet && !e.Up:
		h.quiet = false
		out = []Effect{Became{Server: h.server, Reason: e.Reason}}
	case alive && clamped(weight) != clamped(h.weight()):
		out = []Effect{p.weightLog(weight, h.weight(), h)}
	}
	if other && h.server.SMTPAlert {
		out = append(out, Alert{
			Server: *h.server, Check: e.Check, Up: e.Up, Reason: e.Reason, Timeout: e.Timeout, Alive: h.alive, Changed: alive != h.alive,
		})
	}
	return out
}

// learn notes the verdict of a check and reports whether it is another one than
// before; that of an unknown one changes nothing.
func (h *health) learn(e Health) (other bool) {
	for i := range h.checks {
		if c := &h.checks[i]; h.server.Checks[i].Is(e.Check) {
			other = other || c.up != e.Up
			c.up, c.weight = e.Up, e.Weight
		}
	}
	h.alive = h.holds()
	return other
}

// absent reports that nothing of the service is to be in the kernel.
func (p *Pool) absent() bool { return p.servers == nil && len(p.leavers) == 0 }

// wish is the service as its configuration and the health of its servers want
// it: a server that does not serve is absent, or has weight 0 with
// inhibit_on_failure; so has the sorry server while it is not needed, and who
// leaves. An address that is several of these is what it serves as.
// Nil: it should be absent.
func (p *Pool) wish() *Service {
	if p.absent() {
		return nil
	}
	w := &Service{Key: p.service.Key, Attrs: attrs(&p.service), Dests: make([]Dest, 0, len(p.servers.list())+len(p.leavers))}
	sorry := p.service.Sorry
	if p.servers == nil {
		sorry = nil
	}
	apology := sorry != nil && p.sorry()
	for i := range p.servers.list() {
		h := &p.servers.all[i]
		if apology && h.server.Addr == sorry.Addr {
			continue // below
		}
		if d, present := p.wishOf(h); present {
			w.Dests = append(w.Dests, d)
		}
	}
	for i := range p.leavers {
		if d := p.leavers[i].Dest; !apology || d.Addr != sorry.Addr {
			w.Dests = append(w.Dests, d)
		}
	}
	switch {
	case apology:
		w.Dests = append(w.Dests, dest(sorry, sorry.Weight))
	case sorry != nil && sorry.InhibitOnFailure && !w.has(sorry.Addr):
		w.Dests = append(w.Dests, dest(sorry, 0))
	}
	return w
}

// wishFor is what wish has of one address, the sorry server left aside.
func (p *Pool) wishFor(addr netip.AddrPort) (d Dest, present bool) {
	if h := p.servers.of(addr); h != nil {
		return p.wishOf(h)
	}
	if at := slices.IndexFunc(p.leavers, func(l leaver) bool { return l.Addr == addr }); at >= 0 {
		return p.leavers[at].Dest, true
	}
	return Dest{Addr: addr}, false
}

func (p *Pool) wishOf(h *health) (d Dest, present bool) {
	if h.alive && !p.sorry() {
		return dest(h.server, h.weight()), true
	}
	return dest(h.server, 0), h.server.InhibitOnFailure
}
