package dump

import (
	"io"

	"github.com/lvsd/lvsd/config"
)

// Statistics writes keepalived.stats: the counters of every instance, as
// SIGUSR2 asks for them.
func Statistics(w io.Writer, c *config.Config, f *Facts) error {
	return write(w, f, func(p *printer) {
		for i := range c.Instances {
			name := c.Instances[i].Name
			p.line("VRRP Instance: %s", name)
			s := p.facts.Instances[name].Stats
			p.counters("Advertisements", counter{"Received", s.Received}, counter{"Sent", s.Sent})
			p.line("  Became master: %d", s.BecameMaster)
			p.line("  Released master: %d", s.ReleasedMaster)
			p.counters("Packet Errors", counter{"Length", s.Length}, counter{"TTL", s.TTL}, counter{"Invalid Type", s.Type},
				counter{"Advertisement Interval", s.Interval}, counter{"Address List", s.AddressList})
			p.counters("Authentication Errors", counter{"Invalid Type", s.AuthInvalid}, counter{"Type Mismatch", s.AuthMismatch}, counter{"Failure", s.AuthFailure})
			if c.Instances[i].AuthHMAC != nil {
				p.counters("Authentication Extension Errors", counter{"Missing", s.ExtMissing}, counter{"Malformed", s.ExtMalformed}, counter{"Unknown Key", s.ExtUnknownKey},
					counter{"Invalid HMAC", s.ExtInvalidHMAC}, counter{"Stale", s.ExtStale}, counter{"Replay", s.ExtReplay})
			}
			p.counters("Priority Zero", counter{"Received", s.PriorityZeroReceived}, counter{"Sent", s.PriorityZeroSent})
		}
	})
}

type counter struct {
	name  string
	value uint64
}

func (p *printer) counters(title string, list ...counter) {
	p.line("  %s:", title)
	for _, c := range list {
		p.line("    %s: %d", c.name, c.value)
	}
}
