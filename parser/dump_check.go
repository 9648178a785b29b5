package parser

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// checks writes the checks of a real server, with what they inherit.
func (d dumper) checks(v *config.VirtualServer, s *config.Server) {
	for i := range s.Checks {
		d.line(" %s -> %s", serviceLabel(v), endpointText(s.Addr, v.Protocol.Value))
		d.check(&s.Checks[i])
	}
}

func (d dumper) check(k *config.Check) {
	d.line("   Keepalive method = %s", methodName(k))
	switch p := k.Params.(type) {
	case *config.UDPParams:
		d.udp(p)
	case *config.DNSParams:
		d.field("Type", p.Type)
		d.field("Name", p.Name+".")
	case *config.SMTPParams:
		d.field("helo", p.HeloName)
	case *config.MiscParams:
		d.misc(p)
	case *config.HTTPParams:
		d.http(k.Kind, p)
	case *config.FileParams:
		d.line("     Tracked file = %s", p.TrackFile)
		if p.Weight.Set {
			d.line("     weight %d%s", p.Weight.Value, map[bool]string{true: " reverse"}[p.Reverse])
		}
	case *config.BFDParams:
		d.field("Name", p.Name)
	}
	t := k.Timing
	d.field("Alpha", t.Alpha.Value)
	if k.Kind == config.FileCheck || k.Kind == config.BFDCheck {
		return // no timer of their own
	}
	d.line("   Delay loop = %d us", t.DelayLoop.Value.Microseconds())
	d.line("   Warmup = %d us", t.Warmup.Value.Microseconds())
	d.field("Retries", t.Retry.Value)
	d.line("   Delay before retry = %d us", t.DelayBeforeRetry.Value.Microseconds())
	d.field("Log all failures", t.LogAllFailures.Value)
	if k.Kind.Connects() {
		d.connection(k)
	}
}

func methodName(k *config.Check) string {
	if p, ok := k.Params.(*config.HTTPParams); ok {
		return fmt.Sprintf("%s, http protocol %s", k.Kind, p.HTTPProtocol)
	}
	return string(k.Kind)
}

func (d dumper) connection(k *config.Check) {
	from := k.Source()
	d.line("   Connection")
	d.line("     Dest = [%s]:%d", k.ConnectIP, k.ConnectPort)
	if from.BindTo.IsValid() || from.BindPort != 0 {
		d.line("     Bind to = [%v]:%d", orNone(from.BindTo), from.BindPort)
	}
	if from.BindIf != "" {
		d.line("     Bind i/f = %s", from.BindIf)
	}
	if from.FWMark != 0 {
		d.line("     Mark = %d", from.FWMark)
	}
	d.line("     Timeout = %f", k.Timing.ConnectTimeout.Value.Seconds())
}

func (d dumper) udp(p *config.UDPParams) {
	if p.Payload == nil {
		d.line("   Payload specified = no")
	} else {
		d.field("Payload len", len(p.Payload))
		d.field("Payload", fmt.Sprintf("%x", p.Payload))
	}
	d.field("Require reply", map[bool]string{true: "Yes", false: "No"}[p.RequireReply])
	if !p.RequireReply {
		return
	}
	d.line("     Min reply length = %d", p.MinReplyLength)
	d.line("     Max reply length = %d", p.MaxReplyLength)
	if p.Reply != nil {
		d.line("     Reply data len = %d", len(p.Reply))
		d.line("     Reply data = %x", p.Reply)
		d.line("     Reply data mask = %x", p.ReplyMask)
	}
}

func (d dumper) misc(p *config.MiscParams) {
	d.field("script", commandText(&p.MiscPath))
	if p.MiscTimeout.Set {
		d.field("timeout", wholes(p.MiscTimeout.Value))
	}
	d.field("dynamic", map[bool]string{true: "YES", false: "NO"}[p.MiscDynamic])
}

func (d dumper) http(kind config.CheckKind, p *config.HTTPParams) {
	if p.VirtualHost != "" {
		d.field("Virtualhost", p.VirtualHost)
	}
	set := map[bool]string{true: "set", false: "unset"}
	d.line("   Enable SNI %s", set[p.EnableSNI])
	if p.SNIName != "" {
		d.field("SNI name", p.SNIName)
	}
	d.line("   Fast recovery %s", set[p.FastRecovery])
	if kind == config.SSLGet {
		d.line("   TLS compliant %s", set[p.TLSCompliant])
	}
	for i := range p.URLs {
		d.url(&p.URLs[i])
	}
}

func (d dumper) url(u *config.URL) {
	d.field("Checked url", u.Path)
	if u.Digest != nil {
		d.line("     digest = %x", u.Digest)
	}
	d.line("     HTTP Status Code(s)")
	codes := u.StatusCodes
	if codes == nil {
		codes = config.DefaultStatusCodes()
	}
	for _, r := range codes {
		if r.Low == r.High {
			d.line("       %d", r.Low)
		} else {
			d.line("       %d-%d", r.Low, r.High)
		}
	}
	if u.VirtualHost != "" {
		d.line("     Virtual host = %s", u.VirtualHost)
	}
	if u.TLSCompliant.Set {
		d.line("     TLS compliant = %v", u.TLSCompliant.Value)
	}
	if u.Regex != nil {
		d.regex(u.Regex)
	}
}

func (d dumper) regex(r *config.Regex) {
	d.line("     Regex = %q", r.Pattern)
	if r.NoMatch {
		d.line("     Regex no match")
	}
	switch {
	case r.MaxOffset != 0:
		d.line("     Regex min offset = %d, max_offset = %d", r.MinOffset, r.MaxOffset)
	case r.MinOffset != 0:
		d.line("     Regex min offset = %d", r.MinOffset)
	}
	if r.Options != nil {
		d.line("     Regex options: %s", strings.Join(r.Options, " "))
	}
	if r.StackMax != 0 {
		d.line("     Regex stack start %d, max %d", r.StackStart, r.StackMax)
	}
}

// endpointText is a server as keepalived's sentences name it.
func endpointText(a netip.AddrPort, p config.Protocol) string {
	return fmt.Sprintf("[%s]:%s:%d", a.Addr(), strings.ToLower(p.String()), a.Port())
}
