package snmp

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// syncDaemon is lvsSyncDaemon.
func (s *State) syncDaemon() view {
	at := func(v agentx.Value, id ...uint32) column { return scalar(check, v, append([]uint32{6}, id...)...) }
	d := s.Config.SyncDaemon()
	v := view{at(truth(d != nil), 1)} // lvsSyncDaemonEnabled
	if d == nil {
		return v
	}
	return append(v,
		at(text(d.Interface), 2), // lvsSyncDaemonInterface
		at(text(d.Inst), 3),      // lvsSyncDaemonVrrpInstance
		at(agentx.Integer(d.ID.Value), 4),
		at(agentx.Integer(int(d.MaxLen)), 5),
		at(agentx.Integer(int(d.Port)), 6),
		at(agentx.Integer(d.TTL), 7),
		at(family(d.Group), 8),         // lvsSyncDaemonMcastGroupAddrType
		at(agentx.Address(d.Group), 9), // lvsSyncDaemonMcastGroupAddrValue
	)
}

// timeouts is lvsTimeouts: those that are configured.
func (s *State) timeouts() view {
	at := func(o config.Opt[time.Duration], id uint32) column {
		if !o.Set {
			return scalar(check, agentx.Value{}, 7, id)
		}
		return scalar(check, agentx.Integer(int(o.Value/time.Second)), 7, id)
	}
	t := &s.Config.Global.LVSTimeouts
	return view{at(t.TCP, 1), at(t.TCPFin, 2), at(t.UDP, 3)}
}
