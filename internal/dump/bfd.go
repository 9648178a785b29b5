package dump

import "github.com/lvsd/lvsd/config"

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
}
