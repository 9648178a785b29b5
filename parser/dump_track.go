package parser

import (
	"net"
	"strings"

	"github.com/lvsd/lvsd/config"
)

func reverseText(reverse bool) string {
	if reverse {
		return " reverse"
	}
	return ""
}

// trackers writes the objects that instances and groups track.
func (d dumper) trackers(t *config.Trackers) {
	if len(t.Files) > 0 {
		d.line("------< VRRP Track files >------")
	}
	for i := range t.Files {
		f := &t.Files[i]
		d.line(" Track file = %s", f.Name)
		d.field("File", f.File)
		weight := f.Weight.Value
		if !f.Weight.Set {
			weight = 1
		}
		d.line("   Weight = %d%s", weight, reverseText(f.Reverse))
		if f.InitFile.Set {
			d.field("Init value", f.InitFile.Value)
			d.field("Overwrite", f.Overwrite)
		}
	}
	if len(t.Processes) > 0 {
		d.line("------< VRRP Track processes >------")
	}
	for i := range t.Processes {
		d.process(&t.Processes[i])
	}
	if len(t.BFD) > 0 {
		d.line("------< BFD Topology >------")
	}
	for i := range t.BFD {
		d.bfd(&t.BFD[i])
	}
}

func (d dumper) process(p *config.TrackProcess) {
	d.line(" VRRP Track process = %s", p.Name)
	d.field("Process", p.Process[0])
	if len(p.Process) > 1 {
		d.field("Parameters", strings.Join(p.Process[1:], " "))
	}
	if p.ParamMatch != config.ParamNone {
		d.field("Param match", p.ParamMatch)
	}
	d.field("Min processes", p.Quorum)
	if p.QuorumMax.Set {
		d.field("Max processes", p.QuorumMax.Value)
	}
	d.line("   Weight = %d%s", p.Weight.Value, reverseText(p.Reverse))
	d.line("   Terminate delay = %fs", p.TerminateDelay.Seconds())
	d.line("   Fork delay = %fs", p.ForkDelay.Seconds())
	d.field("Full command", p.FullCommand)
}

func (d dumper) bfd(b *config.BFDInstance) {
	d.line(" BFD Instance = %s", b.Name)
	d.field("Neighbor IP", b.NeighborIP)
	if b.SourceIP.IsValid() {
		d.field("Source IP", b.SourceIP)
	}
	d.line("   Required min RX interval = %d us", b.MinRx.Microseconds())
	d.line("   Desired min TX interval = %d us", b.MinTx.Microseconds())
	d.line("   Desired idle TX interval = %d us", b.IdleTx.Microseconds())
	d.field("Detection multiplier", b.Multiplier)
	name := "TTL"
	if b.NeighborIP.Is6() {
		name = "hoplimit"
	}
	d.field(name, b.HopLimit())
	d.field("max_hops", b.MaxHops)
	d.field("passive", b.Passive)
	if b.Multihop {
		d.field("multihop", b.Multihop)
	}
	if b.Weight != 0 {
		d.line("   Weight = %d%s", b.Weight, reverseText(b.Reverse))
	}
	answer := map[bool]string{true: "Yes", false: "No"}
	d.field("send event to VRRP process", answer[b.VRRP || !b.Checker])
	d.field("send event to checker process", answer[b.Checker || !b.VRRP])
}

// links writes what is said about interfaces as such.
func (d dumper) links(l *config.Links) {
	if len(l.GarpGroups) > 0 {
		d.line("------< Gratuitous ARP delays >------")
	}
	for i := range l.GarpGroups {
		g := &l.GarpGroups[i]
		d.line(" Gratuitous ARP aggregation group %d", i+1)
		if g.GarpInterval.Set {
			d.line("   Gratuitous ARP interval %dms", g.GarpInterval.Value.Milliseconds())
		}
		if g.GnaInterval.Set {
			d.line("   Gratuitous NA interval %dms", g.GnaInterval.Value.Milliseconds())
		}
		for _, link := range g.Interfaces {
			d.line("     %s", link.Name)
		}
	}
	if len(l.Linkbeat)+len(l.Delays) > 0 {
		d.line("------< Interfaces >------")
	}
	for _, b := range l.Linkbeat {
		d.line(" Name = %s", b.Name)
		d.field("Linkbeat", orNone(string(b.Probe)))
	}
	for _, delay := range l.Delays {
		d.line(" Name = %s", delay.Name)
		d.line("   Up debounce timer = %dus", delay.Up.Microseconds())
		d.line("   Down debounce timer = %dus", delay.Down.Microseconds())
	}
}

// instanceLink writes on what link an instance sends.
func (d dumper) instanceLink(i *config.Instance) {
	if v := i.VMAC; v != nil {
		d.line("   Use VMAC, i/f name %v, xmit_base = %v", orNone(v.Name), i.VMACXmitBase)
		if v.MAC.Len > 0 {
			d.field("VMAC address", net.HardwareAddr(v.MAC.Octets[:v.MAC.Len]))
		}
		if v.Group != "" {
			d.field("VMAC group", v.Group)
		}
	}
	if i.UseVMACAddr {
		d.line("   Use VMAC for VIPs on other interfaces")
	}
	if v := i.IPVLAN; v != nil {
		mode := v.Mode
		if mode == "" {
			mode = "bridge"
		}
		d.line("   Use IPVLAN, i/f %v, i/f address = %v, type %s", orNone(v.Name), orNone(strings.TrimPrefix(v.Prefix.String(), "invalid Prefix")), mode)
	}
	if i.VRF != "" {
		d.field("VRF", i.VRF)
	}
}

// instanceMore writes what few instances say.
func (d dumper) instanceMore(i *config.Instance) {
	if i.Accept.Set {
		d.field("Accept", enabled(i.Accept.Value))
	}
	if i.PromoteSecondaries {
		d.field("Promote_secondaries", "enabled")
	}
	if i.GarpExtraIf.Set {
		d.field("Gratuitous ARP for each secondary i/f", wholes(i.GarpExtraIf.Value.Interval))
	}
	if i.KernelRxBufSize > 0 {
		d.field("Kernel rx buffer size", i.KernelRxBufSize)
	}
	if i.Debug > 0 {
		d.field("Debug level", i.Debug)
	}
	if a := i.AuthHMAC; a != nil {
		d.line("   HMAC authentication, mode %s, anti-replay %s, active key %d", a.Mode, a.AntiReplay, a.ActiveKey)
		for _, k := range a.Keys {
			d.line("     key %d = %v", k.ID, orNone(k.File+k.Secret.String()))
		}
	}
}

// instanceRoutes writes the routes and rules of an instance.
func (d dumper) instanceRoutes(i *config.Instance) {
	if len(i.VirtualRoutes) > 0 {
		d.line("   Virtual Routes :")
	}
	for k := range i.VirtualRoutes {
		d.line("     %s", &i.VirtualRoutes[k])
	}
	if len(i.VirtualRules) > 0 {
		d.line("   Virtual Rules :")
	}
	for k := range i.VirtualRules {
		d.line("     %s", &i.VirtualRules[k])
	}
}

// alerts writes what is said about mail and FIFOs.
func (d dumper) alerts(smtp, priority config.Opt[bool]) {
	answer := map[bool]string{true: "yes", false: "no"}
	if smtp.Set {
		d.field("Using smtp notification", answer[smtp.Value])
	}
	if priority.Set {
		d.field("Notify priority changes", priority.Value)
	}
}
