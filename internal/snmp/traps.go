package snmp

import (
	"net"
	"net/netip"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// Instance tells the state that an instance has entered, by the address that
// its adverts come from and, of a master, why it is that.
func (a *Agent) Instance(i *config.Instance, now config.State, source netip.Addr, why Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch _, known := a.started[i.Name]; {
	case now == config.Deleted || now == config.Stop:
		delete(a.started, i.Name)
	case !known:
		a.started[i.Name] = time.Now()
	}
	if !a.traps {
		return
	}
	if a.parts.VRRP {
		a.o.Log.Info("(" + i.Name + ") Sending SNMP notification")
		a.agent.Notify(router.Sub(10, 0, 2), // vrrpInstanceStateChange
			agentx.VarBind{Name: router.Sub(3, 1, 2), Value: agentx.Text(i.Name)},
			agentx.VarBind{Name: router.Sub(3, 1, 4), Value: state(now)},
			agentx.VarBind{Name: router.Sub(3, 1, 5), Value: initialState(i)},
			a.routerID())
	}
	if now == config.Master {
		a.newMaster(i, source, why)
	}
}

func (a *Agent) routerID() agentx.VarBind {
	return agentx.VarBind{Name: global.Sub(2, 0), Value: agentx.Text(a.router)}
}

// newMaster are the notifications of both RFCs.
func (a *Agent) newMaster(i *config.Instance, source netip.Addr, why Reason) {
	link, err := net.InterfaceByName(i.Interface)
	if err != nil { // it has gone, and nobody needs to know who is master there
		return
	}
	if a.parts.RFC2787 && i.Version.Value == 2 {
		a.o.Log.Info("(" + i.Name + ") Sending SNMP notification vrrpTrapNewMaster")
		a.agent.Notify(vrrp2.Sub(0, 1),
			agentx.VarBind{Name: vrrp2.Sub(1, 3, 1, 7, uint32(link.Index), uint32(i.VirtualRouterID)), Value: agentx.IPAddress(source)})
	}
	if a.parts.RFC6527 {
		a.o.Log.Info("("+i.Name+") Sending SNMP notification vrrpv3NotifyNewMaster", zap.Int("reason", int(why)))
		row := rowOf(i, link.Index)
		a.agent.Notify(vrrp3.Sub(0, 1),
			agentx.VarBind{Name: vrrp3.Sub(1, 1, 1, 1, 3).Sub(row...), Value: agentx.Address(source)},
			agentx.VarBind{Name: vrrp3.Sub(1, 2, 5, 1, 2).Sub(row...), Value: agentx.Integer(why)})
	}
}

// Group tells the state that a sync group has entered.
func (a *Agent) Group(name string, now config.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.traps || !a.parts.VRRP {
		return
	}
	a.o.Log.Info("VRRP_Group(" + name + "): Sending SNMP notification")
	a.agent.Notify(router.Sub(10, 0, 1), // vrrpSyncGroupStateChange
		agentx.VarBind{Name: router.Sub(1, 1, 2), Value: agentx.Text(name)},
		agentx.VarBind{Name: router.Sub(1, 1, 3), Value: state(now)},
		a.routerID())
}
