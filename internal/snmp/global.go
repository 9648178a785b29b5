package snmp

import (
	"net/netip"
	"strconv"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// global is the first group: what holds for all.
func (s *State) global() view {
	g := &s.Config.Global
	at := func(v agentx.Value, id ...uint32) column { return scalar(global, v, id...) }
	routerID := g.RouterID
	if routerID == "" {
		routerID = s.Facts.Hostname
	}
	v := view{
		at(agentx.Text(s.Version), 1),                             // version
		at(agentx.Text(routerID), 2),                              // routerId
		at(truth(g.Interface.EnableTraps), 4),                     // trapEnable
		at(polling(s.Config.Daemon.LinkbeatUsePolling), 5),        // linkBeat: netlink, polling
		at(truth(g.LVSFlush), 6),                                  // lvsFlush
		at(truth(true), 7),                                        // ipvs64BitStats
		at(agentx.Text(s.Config.Daemon.NetNamespace), 8),          // netNamespace
		at(truth(g.Interface.EnableDBus), 9),                      // dbus
		at(truth(g.DynamicInterfaces), 10),                        // dynamicInterfaces
		at(flushOnStop(g.LVSFlushOnStop, g.LVSFlushOnStopVS), 11), // lvsFlushOnStop
	}
	return append(append(v, s.mail(at)...), s.mailTable()...)
}

func polling(b bool) agentx.Value { return truth(!b) }

// flushOnStop: enabled, disabled, flushVS.
func flushOnStop(all, services bool) agentx.Value {
	if services {
		return agentx.Integer(3)
	}
	return truth(all)
}

func (s *State) mail(at func(agentx.Value, ...uint32) column) view {
	g := &s.Config.Global
	host, port := g.MailServer()
	server, _ := netip.ParseAddr(host)
	number, _ := strconv.ParseUint(port, 10, 16)
	if !server.IsValid() {
		number = 0
	}
	return view{
		at(family(server), 3, 1),                                    // smtpServerAddressType
		at(agentx.Address(server), 3, 2),                            // smtpServerAddress
		at(agentx.Gauge(int(g.SMTPConnectTimeout.Seconds())), 3, 3), // smtpServerTimeout
		at(text(g.NotificationEmailFrom), 3, 4),                     // emailFrom
		at(some(number), 3, 6),                                      // smtpServerPort
		at(truth(!g.NoEmailFaults), 3, 7),                           // smtpEmailFaults
		at(onOff(g.SMTPAlert), 3, 8),                                // smtpEmailSmtpAlert
		at(onOff(g.SMTPAlertVRRP), 3, 9),                            // smtpEmailSmtpAlertVrrp
		at(onOff(g.SMTPAlertChecker), 3, 10),                        // smtpEmailSmtpAlertChecker
	}
}

// onOff: on, off, unset.
func onOff(o config.Opt[bool]) agentx.Value {
	if !o.Set {
		return agentx.Integer(3)
	}
	return truth(o.Value)
}

// mailTable is emailTable.
func (s *State) mailTable() view {
	var t table[string]
	for i, address := range s.Config.Global.NotificationEmail {
		t.add(address, uint32(i+1))
	}
	return t.view(global.Sub(3, 5, 1), col(2, func(a *string) agentx.Value { return agentx.Text(*a) })) // emailAddress
}
