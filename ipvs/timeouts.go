package ipvs

import (
	"fmt"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Timeouts are how long the kernel keeps connections without traffic, ipvsadm
// --set.
type Timeouts struct{ TCP, TCPFin, UDP time.Duration }

// with are the timeouts with those that are configured in their place. 0 leaves
// the kernel's, as there.
func (t Timeouts) with(want config.LVSTimeouts) Timeouts {
	for _, f := range []struct {
		value *time.Duration
		want  config.Opt[time.Duration]
	}{{&t.TCP, want.TCP}, {&t.TCPFin, want.TCPFin}, {&t.UDP, want.UDP}} {
		if f.want.Value > 0 {
			*f.value = f.want.Value
		}
	}
	return t
}

// Timeouts makes the kernel's timeouts as configured, at start and at every
// reload; Run restores at its end what it found.
func (m *Manager) Timeouts(want config.LVSTimeouts) error {
	err := ErrStopped
	m.call(func() { err = m.setTimeouts(want) })
	return err
}

func (m *Manager) setTimeouts(want config.LVSTimeouts) error {
	if m.found == nil {
		if want == (config.LVSTimeouts{}) {
			return nil
		}
		found, err := m.opts.Kernel.Timeouts()
		if err != nil {
			return fmt.Errorf("lvs_timeouts: %w", err)
		}
		m.found = &found
	}
	if err := m.opts.Kernel.SetTimeouts(m.found.with(want)); err != nil {
		return fmt.Errorf("lvs_timeouts: %w", err)
	}
	return nil
}
