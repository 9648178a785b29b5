package realtime

import (
	"cmp"

	"github.com/lvsd/lvsd/config"
)

// VRRP is how the thread runs that sends adverts: vrrp_priority and its like.
func VRRP(g *config.GlobalProcess) Settings {
	s := settings(g, g.VRRP)
	if g.VRRPNoRealtime {
		s.RTPriority = 0
	}
	return s
}

// BFD is how the thread of BFD runs: bfd_priority and its like. Without sessions
// it needs no real-time priority.
func BFD(g *config.GlobalProcess, sessions bool) Settings {
	s := settings(g, g.BFD)
	if g.VRRPNoRealtime && !s.Asked || !sessions {
		s.RTPriority = 0
	}
	return s
}

// settings are those of a thread. The kernel has one limit of real time for all
// of a process: the longer one.
func settings(g *config.GlobalProcess, p config.Process) Settings {
	s := Settings{Process: p, Asked: p.RTPriority != 0, Most: g.MaxAutoPriority, Delay: g.MinAutoPriorityDelay}
	s.RTPriority = cmp.Or(p.RTPriority, DefaultPriority)
	s.RlimitRttime = max(g.VRRP.RlimitRttime, g.BFD.RlimitRttime)
	return s
}
