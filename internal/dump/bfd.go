package dump

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// bfdTopology writes what the BFD process has beside the global definitions.
func (p *printer) bfdTopology(t *config.Trackers) {
	if len(t.BFD) > 0 {
		p.title("BFD Topology")
	}
	for i := range t.BFD {
		p.bfdInstance(&t.BFD[i])
	}
}

func (p *printer) bfdInstance(b *config.BFDInstance) {
	p.line(" BFD Instance = %s", b.Name)
	p.field("Neighbor IP", b.NeighborIP)
	if b.SourceIP.IsValid() {
		p.field("Source IP", b.SourceIP)
	}
	p.line("   Required min RX interval = %d us", b.MinRx.Microseconds())
	p.line("   Desired min TX interval = %d us", b.MinTx.Microseconds())
	p.line("   Desired idle TX interval = %d us", b.IdleTx.Microseconds())
	p.field("Detection multiplier", b.Multiplier)
	p.field(choose(b.NeighborIP.Is6(), "hoplimit", "TTL"), b.HopLimit())
	p.field("max_hops", b.MaxHops)
	p.field("passive", b.Passive)
	if b.Multihop {
		p.field("multihop", b.Multihop)
	}
	p.field("send event to VRRP process", choose(b.VRRP || !b.Checker, "Yes", "No"))
	p.field("send event to checker process", choose(b.Checker || !b.VRRP, "Yes", "No"))
	if s, known := p.facts.Sessions[b.Name]; known {
		p.session(&s)
	}
}

// session writes how a session stands.
func (p *printer) session(s *Session) {
	usecs := func(label string, d time.Duration) { p.line("   %s = %d us", label, d.Microseconds()) }
	p.field("local state", s.State)
	p.field("remote state", s.RemoteState)
	p.line("   local discriminator = %#x", s.My)
	p.line("   remote discriminator = %#x", s.Remote)
	p.field("local diag", s.Diag)
	p.field("remote diag", s.RemoteDiag)
	usecs("remote min tx intv", s.RemoteMinTx)
	usecs("remote min rx intv", s.RemoteMinRx)
	p.field("local demand", 0)
	p.field("remote demand", choose(s.RemoteDemand, "1", "0"))
	p.field("remote detect multiplier", s.RemoteMultiplier)
	p.line("   %spoll, %sfinal", choose(s.Polling, "", "!"), choose(s.Final, "", "!"))
	usecs("local tx intv", s.Interval)
	usecs("remote tx intv", s.RemoteInterval)
	usecs("local detection time", s.Detection)
	usecs("remote detection time", s.RemoteDetection)
	if s.Seen.IsZero() {
		p.line("   last_seen = [never]")
		return
	}
	micro := s.Seen.Nanosecond() / 1000
	p.line("   last seen = %d.%06d (%s.%06d)", s.Seen.Unix(), micro, s.Seen.Format("Mon Jan _2 15:04:05 2006"), micro)
}
