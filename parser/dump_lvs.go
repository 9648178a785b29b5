package parser

import (
	"fmt"
	"net/netip"

	"github.com/lvsd/lvsd/config"
)

// service writes a service as it runs: blocks of the same key are one.
func (d dumper) service(s *config.Service) {
	d.line(" ------< Virtual server >------")
	if s.Key.FWMark != 0 {
		d.line("   VS FWMARK = %d", s.Key.FWMark)
	} else {
		d.line("   VS VIP = %s, VPORT = %d", s.Key.Addr.Addr(), s.Key.Addr.Port())
		family := "inet"
		if s.Key.Addr.Addr().Is6() {
			family = "inet6"
		}
		d.field("Address family", family)
	}
	d.field("lvs_sched", s.Scheduler)
	d.schedFlags(s)
	if s.OPS {
		d.field("One packet scheduling", "enabled")
	}
	if s.PersistenceTimeout > 0 {
		d.field("persistence timeout", wholes(s.PersistenceTimeout))
	}
	if s.PersistenceMask > 0 {
		d.field("persistence granularity", granularity(s.Key.Addr.Addr(), s.PersistenceMask))
	}
	d.field("protocol", s.Key.Protocol)
	for i := range s.Servers {
		d.server(&s.Servers[i])
	}
}

// granularity is a netmask for IPv4 and a prefix length for IPv6.
func granularity(a netip.Addr, ones int) string {
	if a.Is6() {
		return fmt.Sprint(ones)
	}
	mask := ^uint32(0) << (32 - ones)
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}

func (d dumper) schedFlags(s *config.Service) {
	names := [3]string{"flag-1", "flag-2", "flag-3"}
	if s.Scheduler == "sh" || s.Scheduler == "mh" {
		names = [3]string{s.Scheduler + "-fallback", s.Scheduler + "-port", "flag-3"}
	}
	for i, name := range names {
		if s.SchedFlags&(config.SchedFlag1<<i) != 0 {
			d.field(name, "enabled")
		}
	}
}

func (d dumper) server(r *config.Server) {
	d.line("   ------< Real server >------")
	d.line("   RIP = %s, RPORT = %d, WEIGHT = %d", r.Addr.Addr(), r.Addr.Port(), r.Weight)
	if r.UThreshold != 0 || r.LThreshold != 0 {
		d.line("   connection limit range = %d -> %d", r.LThreshold, r.UThreshold)
	}
	d.line("     forwarding method = %s", r.Method)
	if r.InhibitOnFailure {
		d.line("     Inhibit on failure is ON")
	}
	if !r.NotifyUp.IsZero() {
		d.line("     RS up notify script = %s", commandText(r.NotifyUp))
	}
	if !r.NotifyDown.IsZero() {
		d.line("     RS down notify script = %s", commandText(r.NotifyDown))
	}
	for i := range r.Checks {
		d.check(&r.Checks[i])
	}
}

func (d dumper) check(k *config.Check) {
	t := &k.Timing
	d.line("     Keepalive method = %s", k.Kind)
	d.line("       Dest = [%s]:%d", k.ConnectIP, k.ConnectPort)
	if k.BindTo.IsValid() || k.BindPort != 0 {
		d.line("       Bind to = [%v]:%d", orNone(k.BindTo), k.BindPort)
	}
	if k.BindIf != "" {
		d.line("       Bind i/f = %s", k.BindIf)
	}
	if k.FWMark != 0 {
		d.line("       Mark = %d", k.FWMark)
	}
	d.line("       Timeout = %f", t.ConnectTimeout.Value.Seconds())
	d.line("       Alpha = %v", t.Alpha.Value)
	d.line("       Log all failures = %v", t.LogAllFailures.Value)
	d.line("       Delay loop = %d us", t.DelayLoop.Value.Microseconds())
	d.line("       Warmup = %d us", t.Warmup.Value.Microseconds())
	d.line("       Retry count = %d", t.Retry.Value)
	d.line("       Delay before retry = %d us", t.DelayBeforeRetry.Value.Microseconds())
}
