package supervisor

import (
	"strings"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
)

// documents are those that a configuration has, as far as its part runs.
func (s *Supervisor) documents(c *config.Config) []dump.Document {
	var all []dump.Document
	for _, d := range dump.Documents(c) {
		if d.Process == "vrrp" && s.opts.NoVRRP || d.Process == "healthcheckers" && s.opts.NoCheck {
			continue
		}
		all = append(all, d)
	}
	return all
}

// dump logs the configuration, as keepalived's processes do with -d.
func (s *Supervisor) dump(c *config.Config) {
	for _, d := range s.documents(c) {
		var text strings.Builder
		if err := d.Write(&text, c, s.machine()); err != nil {
			s.log.Error("dump the configuration", zap.Error(err))
			return
		}
		log := s.log
		if d.Process != "" {
			log = log.Named(d.Process)
		}
		for line := range strings.Lines(text.String()) {
			log.Info(strings.TrimSuffix(line, "\n"))
		}
	}
}

// machine is what documents show of this machine.
func (s *Supervisor) machine() *dump.Facts { return new(dump.Facts) }
