package ipvs

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
)

// weigh decides whether the quorum is held: it is gained with quorum plus
// hysteresis and lost below quorum minus hysteresis, or without any weight. The
// first time a service that lacks it says so only when it has a sorry server.
func (p *Pool) weigh(first bool) []Effect {
	s, sum := &p.service, p.sum
	quorum, hysteresis := int64(s.Quorum), int64(s.Hysteresis)
	var begin, sums string
	switch gain, loss := quorum+hysteresis, quorum-hysteresis; {
	case !p.up && sum > 0 && sum >= gain:
		p.up, begin, sums = true, "Gained quorum", fmt.Sprintf("%d+%d=%d <= %d", quorum, hysteresis, gain, sum)
	case p.up && (sum == 0 || sum < loss) || first && !p.up && s.Sorry != nil:
		p.up, begin, sums = false, "Lost quorum", fmt.Sprintf("%d-%d=%d > %d", quorum, hysteresis, loss, sum)
	default:
		return nil
	}
	reason := begin
	switch {
	case first && p.up: // only the mail says so
		reason = "Starting with quorum up"
	case first:
		begin, reason = "Starting with quorum down", "Starting with quorum down"
	}
	reason += " " + sums
	out := []Effect{logf("%s %s for VS %s", begin, sums, s.Key)}
	if s.Sorry != nil && (!first || !p.up) {
		out = append(out, p.sorryLog()...)
	}
	return append(out, Became{Up: p.up, Reason: reason, Starting: first, Weight: sum})
}

// sorry reports that the sorry server serves instead of the real ones.
func (p *Pool) sorry() bool { return !p.up && p.service.Sorry != nil }

func (p *Pool) sorryLog() []Effect {
	sorry := p.service.Sorry
	verb, way, alive := "Removing", "from", "Adding alive servers to the pool for VS %s"
	if p.sorry() {
		verb, way, alive = "Adding", "to", "Removing alive servers from the pool for VS %s"
	}
	if sorry.InhibitOnFailure {
		verb = map[bool]string{true: "Enabling", false: "Disabling"}[p.sorry()]
	}
	return []Effect{logf("%s sorry server %s %s VS %s", verb, p.name(sorry), way, p.service.Key).about(p.name(sorry)), logf(alive, p.service.Key)}
}

// introduce tells of the servers that are up at start.
func (p *Pool) introduce() (out []Effect) {
	for i := range p.servers.all {
		if h := &p.servers.all[i]; h.alive {
			out = append(out, Became{Server: h.server, Up: true})
		}
	}
	return out
}

// remove takes the service away by a reload, which tells that the servers that
// serve go down, and that the quorum is lost if it was held.
func (p *Pool) remove(at time.Time) []Effect {
	out := []Effect{logf("Removing Virtual Server %s", p.service.Key)}
	for i := range p.servers.list() {
		h := &p.servers.all[i]
		if _, there := p.wishOf(h); there {
			out = append(out, p.depart(h, at))
		}
		if h.alive && !p.sorry() {
			out = append(out, Became{Server: h.server, Reason: removing})
			out = append(out, farewell(removing, h)...)
		}
	}
	if p.up {
		out = append(out, Became{Reason: removing}) // of no weight: all servers have left
	}
	p.servers, p.up = nil, false
	return append(out, Want{p.wish()})
}

// shutdown takes it away at the end of lvsd, which with omega tells the same, and
// of the quorum whether it was held or not. The log has servers that are not in
// the kernel, too.
func (p *Pool) shutdown() (out []Effect) {
	p.leavers = nil
	if p.servers == nil {
		return []Effect{Want{nil}}
	}
	omega := p.service.Omega
	for i := range p.servers.all {
		h := &p.servers.all[i]
		out = append(out, p.leaving(ShuttingDown, h))
		if omega && h.alive && !p.sorry() {
			out = append(out, Became{Server: h.server, Reason: ShuttingDown})
			out = append(out, farewell(ShuttingDown, h)...)
		}
		if h.alive {
			p.alive--
			out = append(out, Leaves{h.server, p.alive})
		}
	}
	out = append(out, Leaves{})
	if omega {
		out = append(out, Became{Reason: ShuttingDown})
	}
	p.servers, p.up = nil, false
	return append(out, Want{nil})
}

func (p *Pool) became(h *health, reason string) []Effect {
	h.quiet = false
	sentence := map[bool]map[bool]string{
		true:  {true: "Enabling service %s of VS %s", false: "Disabling service %s of VS %s"},
		false: {true: "Adding service %s to VS %s", false: "Removing service %s from VS %s"},
	}[h.server.InhibitOnFailure][h.alive]
	return []Effect{logf(sentence, p.name(h.server), p.service.Key).about(p.name(h.server)), Became{Server: h.server, Up: h.alive, Reason: reason}}
}

func (p *Pool) leaving(doing string, h *health) Effect {
	inhibited := ""
	if h.server.InhibitOnFailure && !h.alive {
		inhibited = "(inhibited) "
	}
	return logf("%s %sservice %s from VS %s", doing, inhibited, p.name(h.server), p.service.Key).about(p.name(h.server))
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
	return logf("Changing weight from %d to %d for %s service %s of VS %s", clamped(prev), clamped(next), active, p.name(h.server), p.service.Key).about(p.name(h.server))
}

func (p *Pool) name(s *config.Server) string { return s.String(p.service.Key.Protocol) }

func logf(format string, args ...any) Log { return Log{Text: fmt.Sprintf(format, args...)} }

func (l Log) about(server string) Log {
	l.Server = server
	return l
}

// Standing is how a service stands.
type Standing struct {
	Quorum  bool           // it is held
	Servers []ServerHealth // in the order of the configuration
	Drains  []Draining     // servers that have left it
}

// ServerHealth is a real server, whether all its checks hold, and its weight
// with what they say about it.
type ServerHealth struct {
	Addr   netip.AddrPort
	Alive  bool
	Weight int
}

// Draining is a real server that keeps its connections until they end, or its
// time does.
type Draining struct {
	Addr  netip.AddrPort
	Until time.Time
}

// Standing is how the service stands now.
func (p *Pool) Standing() Standing {
	now := Standing{Quorum: p.up, Servers: make([]ServerHealth, len(p.servers.list()))}
	for i := range p.servers.list() {
		h := &p.servers.all[i]
		now.Servers[i] = ServerHealth{h.server.Addr, h.alive, h.weight()}
	}
	for _, l := range p.leavers {
		now.Drains = append(now.Drains, Draining{l.Addr, l.until})
	}
	return now
}
