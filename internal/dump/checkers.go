package dump

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// checks writes all checks with what they inherit. Those of files come last.
func (p *printer) checks(c *config.Config) {
	for _, files := range []bool{false, true} {
		for i := range c.Services {
			v := &c.Services[i]
			for _, server := range c.Servers(v) {
				state := p.serverState(v, &server)
				for k := range server.Checks {
					check := &server.Checks[k]
					if (check.Kind == config.FileCheck) == files {
						p.line(" %s -> %s", serviceLabel(v), endpointText(server.Addr, v.Protocol.Value))
						p.check(check, &state)
					}
				}
			}
		}
	}
}

func (p *printer) check(k *config.Check, s *Server) {
	t := k.Timing
	state, known := s.Checks[k.ID()]
	if !known { // not one that runs
		state.Up = !t.Alpha.Value
	}
	p.field("Enabled", yesNo(!state.Idle))
	p.field("Up", yesNo(state.Up))
	p.field("Has run", yesNo(state.Ran))
	if state.Unsure != "" {
		p.field("Counts as up", state.Unsure)
	}
	if k.Kind != config.FileCheck {
		p.timing(t, k)
	}
	p.field("Log all failures", yesNo(t.LogAllFailures.Set && t.LogAllFailures.Value))
	if k.Kind.Connects() {
		p.connection(k)
	}
	p.field("Keepalive method", methodName(k))
	switch x := k.Params.(type) {
	case *config.UDPParams:
		p.udp(x)
	case *config.DNSParams:
		p.field("Type", x.Type)
		p.field("Name", x.Name+".")
	case *config.SMTPParams:
		p.field("helo", x.HeloName)
	case *config.MiscParams:
		p.misc(x)
	case *config.HTTPParams:
		p.http(k.Kind, x)
	case *config.FileParams:
		p.line("     Tracked file = %s", x.TrackFile)
	case *config.BFDParams:
		p.field("Name", x.Name)
		p.line("   Alpha is %s", onOff(t.Alpha.Value))
	}
}

func (p *printer) timing(t *config.Timing, k *config.Check) {
	p.field("Alpha", yesNo(t.Alpha.Value))
	if k.Kind == config.BFDCheck { // it has no timer
		p.line("   Default delay before retry = %d us", time.Second.Microseconds())
		return
	}
	p.line("   Delay loop = %d us", t.DelayLoop.Value.Microseconds())
	p.line("   Warmup = %d us", t.Warmup.Value.Microseconds())
	p.field("Retries", t.Retry.Value)
	if t.Retry.Value > 0 {
		p.line("   Delay before retry = %d us", t.DelayBeforeRetry.Value.Microseconds())
	}
	p.line("   Default delay before retry = %d us", config.DefaultTiming(k.Kind).DelayBeforeRetry.Value.Microseconds())
}

func methodName(k *config.Check) string {
	if p, ok := k.Params.(*config.HTTPParams); ok {
		return fmt.Sprintf("%s, http protocol %s", k.Kind, p.HTTPProtocol)
	}
	return string(k.Kind)
}

func (p *printer) connection(k *config.Check) {
	from := k.Source()
	p.line("   Connection")
	p.line("     Dest = [%s]:%d", k.ConnectIP, k.ConnectPort)
	if from.BindTo.IsValid() || from.BindPort != 0 {
		p.line("     Bind to = [%v]:%d", orNone(from.BindTo), from.BindPort)
	}
	if from.BindIf != "" {
		p.line("     Bind i/f = %s", from.BindIf)
	}
	if from.FWMark != 0 {
		p.line("     Mark = %d", from.FWMark)
	}
	p.line("     Timeout = %f", k.Timing.ConnectTimeout.Value.Seconds())
}

func (p *printer) udp(x *config.UDPParams) {
	if x.Payload == nil {
		p.line("   Payload specified = no")
	} else {
		p.field("Payload len", len(x.Payload))
	}
	p.field("Require reply", yesNo(x.RequireReply))
	if !x.RequireReply {
		return
	}
	p.line("     Min reply length = %d", x.MinReplyLength)
	p.line("     Max reply length = %d", x.MaxReplyLength)
	p.line("     Reply data len = %d", len(x.Reply))
	if x.Reply != nil {
		p.line("     Reply data mask = %s", yesNo(masked(x.ReplyMask)))
	}
}

// masked says that not every bit of the reply counts.
func masked(mask []byte) bool {
	for _, b := range mask {
		if b != 0xff {
			return true
		}
	}
	return false
}

func (p *printer) misc(x *config.MiscParams) {
	p.field("script", x.MiscPath.Quoted())
	p.fitness(&x.MiscPath)
	p.field("timeout", wholes(x.MiscTimeout.Value))
	p.field("dynamic", choose(x.MiscDynamic, "YES", "NO"))
	p.field("uid:gid", p.account(x.MiscPath.User))
}

func (p *printer) http(kind config.CheckKind, x *config.HTTPParams) {
	if x.VirtualHost != "" {
		p.field("Virtualhost", x.VirtualHost)
	}
	p.line("   Enable SNI %s", setText(x.EnableSNI))
	if x.SNIName != "" {
		p.field("SNI name", x.SNIName)
	}
	p.line("   Fast recovery %s", setText(x.FastRecovery))
	if kind == config.SSLGet {
		p.line("   TLS compliant %s", setText(x.TLSCompliant))
		if x.TLSVerify {
			p.line("   TLS verify %s", setText(true))
		}
		if x.TLSMinVersion != 0 {
			p.field("TLS min version", x.TLSMinVersion.String())
		}
	}
	for i := range x.URLs {
		p.url(&x.URLs[i])
	}
}

func setText(v bool) string { return choose(v, "set", "unset") }

// joined are ranges in their order, without what two of them share.
func joined(codes []config.StatusRange) (all []config.StatusRange) {
	sorted := slices.SortedFunc(slices.Values(codes), func(a, b config.StatusRange) int { return cmp.Compare(a.Low, b.Low) })
	for _, r := range sorted {
		if n := len(all); n > 0 && r.Low <= all[n-1].High+1 {
			all[n-1].High = max(all[n-1].High, r.High)
			continue
		}
		all = append(all, r)
	}
	return all
}

func (p *printer) url(u *config.URL) {
	p.field("Checked url", u.Path)
	if u.Digest != nil {
		p.line("     digest = %x", u.Digest)
	}
	p.line("     HTTP Status Code(s)")
	codes := u.StatusCodes
	if codes == nil {
		codes = config.DefaultStatusCodes()
	}
	for _, r := range joined(codes) {
		if r.Low == r.High {
			p.line("       %d", r.Low)
		} else {
			p.line("       %d-%d", r.Low, r.High)
		}
	}
	if u.VirtualHost != "" {
		p.line("     Virtual host = %s", u.VirtualHost)
	}
	if u.TLSCompliant.Set {
		p.line("     TLS compliant = %v", u.TLSCompliant.Value)
	}
	if u.Regex != nil {
		p.regex(u.Regex)
	}
}

func (p *printer) regex(r *config.Regex) {
	p.line("     Regex = \"%s\"", r.Pattern)
	if r.NoMatch {
		p.line("     Regex no match")
	}
	switch {
	case r.MaxOffset != 0:
		p.line("     Regex min offset = %d, max_offset = %d", r.MinOffset, r.MaxOffset)
	case r.MinOffset != 0:
		p.line("     Regex min offset = %d", r.MinOffset)
	}
	if r.Options != nil {
		p.line("     Regex options: %s", strings.Join(r.Options, " "))
	}
	if r.StackMax != 0 {
		p.line("     Regex stack start %d, max %d", r.StackStart, r.StackMax)
	}
}

// fileWeight is what a FILE_CHECK makes of the number in the file: what it does
// not say is as the track_file says.
func fileWeight(c *config.Config, k *config.FileParams) string {
	weight, reverse := k.Weight.Value, k.Reverse
	for i := range c.Trackers.Files {
		f := &c.Trackers.Files[i]
		if f.Name != k.TrackFile || k.Weight.Set {
			continue
		}
		weight, reverse = 1, f.Reverse
		if f.Weight.Set {
			weight = f.Weight.Value
		}
	}
	return fmt.Sprintf(", weight %d%s", weight, reverseText(reverse))
}

// checkTrackers writes the files and BFD sessions that real servers may track.
func (p *printer) checkTrackers(c *config.Config) {
	title := "Checker track files"
	for i := range c.Trackers.Files {
		f := &c.Trackers.Files[i]
		var servers []string
		eachCheck(c, func(v *config.VirtualServer, s *config.Server, k *config.Check) {
			if x, ok := k.Params.(*config.FileParams); ok && x.TrackFile == f.Name {
				servers = append(servers, fmt.Sprintf("     %s -> %s%s", serviceLabel(v), endpointText(s.Addr, v.Protocol.Value), fileWeight(c, x)))
			}
		})
		if len(servers) == 0 {
			continue
		}
		if title != "" {
			p.title(title)
		}
		title = ""
		p.trackFile(f)
		p.line("   Tracking instances :")
		for _, text := range servers {
			p.line("%s", text)
		}
	}
	p.checkSessions(c)
}

func (p *printer) checkSessions(c *config.Config) {
	title := "Checker track BFDs"
	for i := range c.Trackers.BFD {
		b := &c.Trackers.BFD[i]
		if b.VRRP && !b.Checker {
			continue
		}
		if title != "" {
			p.title(title)
		}
		title = ""
		p.line(" Checker Track BFD = %s", b.Name)
		p.line("   Tracking RS :")
		eachCheck(c, func(v *config.VirtualServer, s *config.Server, k *config.Check) {
			if x, ok := k.Params.(*config.BFDParams); ok && x.Name == b.Name {
				p.line("   %s", endpointText(s.Addr, v.Protocol.Value))
			}
		})
	}
}

func eachCheck(c *config.Config, f func(*config.VirtualServer, *config.Server, *config.Check)) {
	for i := range c.Services {
		v := &c.Services[i]
		for _, server := range c.Servers(v) {
			for k := range server.Checks {
				f(v, &server, &server.Checks[k])
			}
		}
	}
}
