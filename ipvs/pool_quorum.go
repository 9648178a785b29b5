package ipvs

import (
	"fmt"
	"net/netip"

	"github.com/lvsd/lvsd/config"
)

// weigh decides whether the quorum is held: it is gained with quorum plus
// hysteresis and lost below quorum minus hysteresis, or without any weight. The
// first time a service that lacks it says so only when it has a sorry server.
func (p *Pool) weigh(first bool) []Effect {
	s, sum := &p.service, p.sum
	quorum, hysteresis := int64(s.Quorum), int64(s.Hysteresis)
	var begin, reason string
	switch gain, loss := quorum+hysteresis, quorum-hysteresis; {
	case !p.up && sum > 0 && sum >= gain:
		p.up, begin, reason = true, "Gained quorum", fmt.Sprintf("%d+%d=%d <= %d", quorum, hysteresis, gain, sum)
	case p.up && (sum == 0 || sum < loss) || first && !p.up && s.Sorry != nil:
		p.up, begin, reason = false, "Lost quorum", fmt.Sprintf("%d-%d=%d > %d", quorum, hysteresis, loss, sum)
	default:
		return nil
	}
	if first {
		begin = map[bool]string{true: "Starting with quorum up", false: "Starting with quorum down"}[p.up]
	}
	reason = begin + " " + reason
	out := []Effect{logf("%s for VS %s", reason, s.Key)}
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
	for i := range p.service.Servers {
		if s := &p.service.Servers[i]; p.servers.of(s.Addr).alive {
			out = append(out, Became{Server: s, Up: true})
		}
	}
	return out
}

// end takes the service away. A reload tells that the servers that serve go down,
// and that the quorum is lost if it was held; the end of lvsd does with omega,
// and then the quorum is told whether it was held or not. Of a server that is not
// in the kernel the log has that it is shut down, but not that it is removed.
func (p *Pool) end(out []Effect, doing string, servers, quorum bool) []Effect {
	for i := range p.service.Servers {
		s := &p.service.Servers[i]
		h := p.servers.of(s.Addr)
		if _, there := p.wishFor(s.Addr); there || doing != "Removing" {
			out = append(out, p.leaving(doing, h))
		}
		if servers && h.alive && !p.sorry() {
			out = append(out, Became{Server: s, Reason: doing})
			out = append(out, farewell(doing, h)...)
		}
		if doing == ShuttingDown && h.alive {
			p.alive--
			out = append(out, Leaves{s, p.alive})
		}
	}
	if doing == ShuttingDown {
		out = append(out, Leaves{})
	}
	if quorum {
		out = append(out, Became{Reason: doing}) // of no weight: all servers have left
	}
	p.gone = true
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
}

// ServerHealth is a real server, whether all its checks hold, and its weight
// with what they say about it.
type ServerHealth struct {
	Addr   netip.AddrPort
	Alive  bool
	Weight int
}

// Standing is how the service stands now.
func (p *Pool) Standing() Standing {
	now := Standing{p.up, make([]ServerHealth, len(p.service.Servers))}
	for i := range p.service.Servers {
		h := p.servers.of(p.service.Servers[i].Addr)
		now.Servers[i] = ServerHealth{h.server.Addr, h.alive, h.weight()}
	}
	return now
}
