package ipvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// Event is something that happens to a [Pool].
type Event interface{ event() }

// Reconfigured brings the configuration of the service, at first and after
// every reload. Real servers are matched by address, their checks by
// [config.Check.ID]; survivors keep their health. Known are verdicts that hold
// from the beginning.
type Reconfigured struct {
	Service config.Service
	Known   []Health
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

// Removed says that the service is not in the configuration any more.
type Removed struct{}

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

// Became says that a real server came up or went down: notify_up, notify_down.
// A server is not announced at start, whatever its health.
type Became struct {
	Server config.Server
	Up     bool
}

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
type Log struct{ Text string }

func (Want) effect()   {}
func (Became) effect() {}
func (Alert) effect()  {}
func (Log) effect()    {}

// Pool is the machine of one service: the health of its real servers in, the
// service as it should be in the kernel out. The zero value waits for its
// first [Reconfigured].
type Pool struct {
	service config.Service
	servers map[netip.AddrPort]*health
	want    *Service
}

// health is what the pool knows about a real server.
type health struct {
	server *config.Server // in Pool.service
	checks []verdict
	alive  bool
}

type verdict struct {
	check  config.CheckID
	up     bool
	weight config.WeightChange
}

// Step takes an event and answers with effects. Nothing about a pool depends
// on time.
func (p *Pool) Step(ev Event) []Effect {
	switch e := ev.(type) {
	case Reconfigured:
		return p.settle(p.reconfigure(e.Service, e.Known))
	case Health:
		return p.settle(p.judge(e))
	case Removed:
		out := []Effect{logf("Removing Virtual Server %s", p.service.Key)}
		for i := range p.service.Servers {
			out = append(out, farewell("Removing", p.servers[p.service.Servers[i].Addr])...)
		}
		return p.end(out, "Removing")
	case Shutdown:
		return p.end(nil, "Shutting down")
	}
	return nil
}

// ServerHealth is a real server, whether all its checks hold, and its weight
// with what they say about it.
type ServerHealth struct {
	Addr   netip.AddrPort
	Alive  bool
	Weight int
}

// Servers are the real servers in the order of the configuration.
func (p *Pool) Servers() []ServerHealth {
	all := make([]ServerHealth, len(p.service.Servers))
	for i := range p.service.Servers {
		addr := p.service.Servers[i].Addr
		h := p.servers[addr]
		all[i] = ServerHealth{addr, h.alive, h.weight()}
	}
	return all
}

func (p *Pool) reconfigure(next config.Service, verdicts []Health) (out []Effect) {
	prev, known := p.service, p.servers
	p.service, p.servers = next, make(map[netip.AddrPort]*health, len(next.Servers))
	for i := range next.Servers {
		s := &next.Servers[i]
		p.servers[s.Addr] = newHealth(s, known[s.Addr])
	}
	for _, v := range verdicts {
		if h, ok := p.servers[v.Server]; ok {
			h.learn(v)
		}
	}
	for i := range prev.Servers {
		s := &prev.Servers[i]
		was := known[s.Addr]
		is, stays := p.servers[s.Addr]
		if !stays {
			out = append(out, logf("service %s no longer exist", p.name(s)), p.leaving("Removing", was))
			if was.alive {
				out = append(out, Became{*s, false})
				out = append(out, farewell("Removing", was)...)
			}
			continue
		}
		if clamped(was.weight()) != clamped(is.weight()) {
			out = append(out, p.weightLog(was.weight(), is.weight(), was))
		}
		if was.alive != is.alive {
			out = append(out, p.became(is)...)
		}
	}
	return out
}

// newHealth is the health of a server before its next result. Without alpha a
// check is taken to hold until it fails. An alpha check has to succeed first,
// unless the server is in the pool already: a reload does not throw it out.
func newHealth(s *config.Server, was *health) *health {
	h := &health{server: s, checks: make([]verdict, len(s.Checks))}
	for i := range s.Checks {
		c := &s.Checks[i]
		v := verdict{check: c.ID(), up: !c.Timing.Alpha.Value}
		if was != nil {
			v.up = v.up || was.alive
			if at := was.index(v.check); at >= 0 {
				v.up, v.weight = was.checks[at].up, was.checks[at].weight
			}
		}
		h.checks[i] = v
	}
	h.alive = h.holds()
	return h
}

func (h *health) index(id config.CheckID) int {
	return slices.IndexFunc(h.checks, func(v verdict) bool { return v.check == id })
}

// weight is the configured one with what the checks say about it.
func (h *health) weight() int {
	w := h.server.Weight
	for i := range h.checks {
		w += h.checks[i].weight.Difference(h.server.Weight)
	}
	return w
}

// holds reports that every check holds; a server without checks is always up.
func (h *health) holds() bool {
	return !slices.ContainsFunc(h.checks, func(v verdict) bool { return !v.up })
}

func (p *Pool) judge(e Health) (out []Effect) {
	h, ok := p.servers[e.Server]
	if !ok {
		return nil
	}
	alive, weight := h.alive, h.weight()
	other := h.learn(e)
	switch {
	case alive != h.alive:
		out = p.became(h)
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
		if c := &h.checks[i]; c.check == e.Check {
			other = other || c.up != e.Up
			c.up, c.weight = e.Up, e.Weight
		}
	}
	h.alive = h.holds()
	return other
}

// settle adds the wish when it has changed.
func (p *Pool) settle(out []Effect) []Effect {
	want := p.wish()
	if p.want != nil && p.want.Attrs == want.Attrs && slices.Equal(p.want.Dests, want.Dests) {
		return out
	}
	p.want = want
	return append(out, Want{want})
}

// wish is the service as its configuration and the health of its servers want
// it: a dead server is absent, or has weight 0 with inhibit_on_failure.
func (p *Pool) wish() *Service {
	w := &Service{Key: p.service.Key, Attrs: attrs(&p.service)}
	for i := range p.service.Servers {
		s := &p.service.Servers[i]
		switch {
		case p.servers[s.Addr].alive:
			w.Dests = append(w.Dests, dest(s, p.servers[s.Addr].weight()))
		case s.InhibitOnFailure:
			w.Dests = append(w.Dests, dest(s, 0))
		}
	}
	return w
}

func (p *Pool) end(out []Effect, doing string) []Effect {
	for i := range p.service.Servers {
		out = append(out, p.leaving(doing, p.servers[p.service.Servers[i].Addr]))
	}
	p.want = nil
	return append(out, Want{nil})
}

func (p *Pool) became(h *health) []Effect {
	sentence := map[bool]map[bool]string{
		true:  {true: "Enabling service %s of VS %s", false: "Disabling service %s of VS %s"},
		false: {true: "Adding service %s to VS %s", false: "Removing service %s from VS %s"},
	}[h.server.InhibitOnFailure][h.alive]
	return []Effect{logf(sentence, p.name(h.server), p.service.Key), Became{*h.server, h.alive}}
}

func (p *Pool) leaving(doing string, h *health) Effect {
	inhibited := ""
	if h.server.InhibitOnFailure && !h.alive {
		inhibited = "(inhibited) "
	}
	return logf("%s %sservice %s from VS %s", doing, inhibited, p.name(h.server), p.service.Key)
}

// farewell is the mail about a server that leaves.
func farewell(doing string, h *health) []Effect {
	if !h.alive || !h.server.SMTPAlert {
		return nil
	}
	return []Effect{Alert{Server: *h.server, Leaving: doing}}
}

func (p *Pool) weightLog(prev, next int, h *health) Effect {
	active := "active"
	if !h.alive {
		active = "inactive"
	}
	return logf("Changing weight from %d to %d for %s service %s of VS %s",
		clamped(prev), clamped(next), active, p.name(h.server), p.service.Key)
}

func (p *Pool) name(s *config.Server) string { return s.String(p.service.Key.Protocol) }

func logf(format string, args ...any) Log { return Log{fmt.Sprintf(format, args...)} }
