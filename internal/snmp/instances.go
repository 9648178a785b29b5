package snmp

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// state is a VrrpState.
func state(s config.State) agentx.Value {
	switch s {
	case config.Init, config.Backup, config.Master, config.Fault:
		return agentx.Integer(s)
	case config.Stop:
		return agentx.Integer(5)
	case config.Deleted:
		return agentx.Integer(6)
	}
	return agentx.Integer(4) // unknown
}

// instances is vrrpInstanceTable.
func (s *State) instances() view {
	type row = config.Instance
	var t table[*row]
	for i := range s.Config.Instances {
		t.add(&s.Config.Instances[i], uint32(i+1))
	}
	c := func(id uint32, value func(*row) agentx.Value) object[*row] {
		return col(id, func(i **row) agentx.Value { return value(*i) })
	}
	return t.view(router.Sub(3, 1),
		c(2, func(i *row) agentx.Value { return agentx.Text(i.Name) }),             // vrrpInstanceName
		c(3, func(i *row) agentx.Value { return agentx.Gauge(i.VirtualRouterID) }), // vrrpInstanceVirtualRouterId
		c(4, func(i *row) agentx.Value { return state(s.Facts.Instances[i.Name].State) }),
		c(5, func(i *row) agentx.Value { return initialState(i) }),
		c(6, s.wantedState),
		c(7, func(i *row) agentx.Value { return agentx.Integer(i.Priority.Value) }), // vrrpInstanceBasePriority
		c(8, s.effectivePriority),
		c(9, func(i *row) agentx.Value { return truth(s.master(i.Name)) }),     // vrrpInstanceVipsStatus
		c(10, func(i *row) agentx.Value { return text(i.Device()) }),           // vrrpInstancePrimaryInterface
		c(11, func(i *row) agentx.Value { return truth(!i.DontTrackPrimary) }), // vrrpInstanceTrackPrimaryIf
		c(12, func(i *row) agentx.Value { return agentx.Gauge(interval(i)) }),  // vrrpInstanceAdvertisementsInt
		c(13, func(i *row) agentx.Value { return truth(!i.NoPreempt) }),        // vrrpInstancePreempt
		c(14, func(i *row) agentx.Value { return seconds(i.PreemptDelay) }),    // vrrpInstancePreemptDelay
		c(15, func(i *row) agentx.Value { return agentx.Integer(i.Authentication.Type) }),
		c(16, func(i *row) agentx.Value { return truth(s.syncs(i)) }), // vrrpInstanceLvsSyncDaemon
		c(17, s.syncInterface),
		c(18, s.groupName),
		c(19, func(i *row) agentx.Value { return seconds(i.GarpMasterDelay.Value) }), // vrrpInstanceGarpDelay
		c(20, func(i *row) agentx.Value { return truth(i.SMTPAlert.Value) }),         // vrrpInstanceSmtpAlert
		c(21, func(i *row) agentx.Value { return truth(notifies(i)) }),               // vrrpInstanceNotifyExec
		c(22, func(i *row) agentx.Value { return script(i.NotifyMaster) }),           // vrrpInstanceScriptMaster
		c(23, func(i *row) agentx.Value { return script(i.NotifyBackup) }),
		c(24, func(i *row) agentx.Value { return script(i.NotifyFault) }),
		c(25, func(i *row) agentx.Value { return script(i.NotifyStop) }),
		c(26, func(i *row) agentx.Value { return script(i.Notify) }), // vrrpInstanceScript
		c(27, accepts), // vrrpInstanceAccept
		c(28, func(i *row) agentx.Value { return truth(i.PromoteSecondaries) }),      // vrrpInstancePromoteSecondaries
		c(29, func(i *row) agentx.Value { return truth(i.LinkbeatUsePolling) }),      // vrrpInstanceUseLinkbeat
		c(30, func(i *row) agentx.Value { return agentx.Integer(i.Version.Value) }),  // vrrpInstanceVrrpVersion
		c(31, func(i *row) agentx.Value { return script(i.NotifyMasterRxLowerPri) }), // vrrpInstanceScriptMstrRxLowerPri
		c(32, func(i *row) agentx.Value { return script(i.NotifyDeleted.Value) }),    // vrrpInstanceScriptDeleted
		c(33, func(i *row) agentx.Value { return truth(i.NotifyDeleted.Set) }),       // vrrpInstanceNotifyDeleted
		c(34, func(i *row) agentx.Value { return family(multicast(i)) }),             // vrrpInstanceMulticastAddressType
		c(35, func(i *row) agentx.Value { return agentx.Address(multicast(i)) }),     // vrrpInstanceMulticastAddress
	)
}

// initialState is vrrpInstanceInitialState.
func initialState(i *config.Instance) agentx.Value {
	if i.State.Value == config.Master {
		return state(config.Master)
	}
	return state(config.Backup)
}

// wantedState is vrrpInstanceWantedState.
func (s *State) wantedState(i *config.Instance) agentx.Value {
	if now := s.Facts.Instances[i.Name].State; now != config.Init {
		return state(now)
	}
	return initialState(i)
}

// effectivePriority is vrrpInstanceEffectivePriority.
func (s *State) effectivePriority(i *config.Instance) agentx.Value {
	if now, ok := s.Facts.Instances[i.Name]; ok {
		return agentx.Integer(now.Priority)
	}
	return agentx.Integer(i.Priority.Value)
}

// interval is that of adverts, in seconds with version 2 and in hundredths of
// them with version 3.
func interval(i *config.Instance) int {
	if i.Version.Value == 3 {
		return int(i.AdvertInt / (10 * time.Millisecond))
	}
	return int(i.AdvertInt / time.Second)
}

func seconds(d time.Duration) agentx.Value { return agentx.Gauge(int64(d / time.Second)) }

// syncs says that an instance decides which sync daemon runs.
func (s *State) syncs(i *config.Instance) bool {
	d := s.Config.SyncDaemon()
	return d != nil && d.Inst == i.Name
}

func (s *State) syncInterface(i *config.Instance) agentx.Value {
	if !s.syncs(i) {
		return agentx.Value{}
	}
	return text(s.Config.SyncDaemon().Interface)
}

func (s *State) groupName(i *config.Instance) agentx.Value {
	if g := s.groups[i.Name]; g != nil {
		return agentx.Text(g.Name)
	}
	return agentx.Value{}
}

func notifies(i *config.Instance) bool {
	for _, c := range []*config.Command{i.NotifyMaster, i.NotifyBackup, i.NotifyFault, i.NotifyStop, i.NotifyDeleted.Value, i.Notify, i.NotifyMasterRxLowerPri} {
		if !c.IsZero() {
			return true
		}
	}
	return false
}

// accepts is about version 3 alone, and 0 with version 2.
func accepts(i *config.Instance) agentx.Value {
	if i.Version.Value != 3 {
		return agentx.Integer(0)
	}
	return truth(i.Accepts())
}

// multicast is the group of adverts; not valid with unicast.
func multicast(i *config.Instance) netip.Addr {
	if i.Unicast() {
		return netip.Addr{}
	}
	return i.McastDstIP
}

// syncGroups is vrrpSyncGroupTable, and vrrpSyncGroupMemberTable.
func (s *State) syncGroups() view {
	type row = config.SyncGroup
	var t table[*row]
	var members table[string]
	for i := range s.Config.Groups {
		g := &s.Config.Groups[i]
		t.add(g, uint32(i+1))
		for k, name := range g.Members {
			members.add(name, uint32(i+1), uint32(k+1))
		}
	}
	c := func(id uint32, value func(*row) agentx.Value) object[*row] {
		return col(id, func(g **row) agentx.Value { return value(*g) })
	}
	groups := t.view(router.Sub(1, 1),
		c(2, func(g *row) agentx.Value { return agentx.Text(g.Name) }), // vrrpSyncGroupName
		c(3, func(g *row) agentx.Value { return state(s.Facts.Groups[g.Name].State) }),
		c(4, func(g *row) agentx.Value { return truth(g.SMTPAlert.Value) }), // vrrpSyncGroupSmtpAlert
		c(5, func(g *row) agentx.Value { return truth(groupNotifies(g)) }),  // vrrpSyncGroupNotifyExec
		c(6, func(g *row) agentx.Value { return script(&g.NotifyMaster) }),  // vrrpSyncGroupScriptMaster
		c(7, func(g *row) agentx.Value { return script(&g.NotifyBackup) }),
		c(8, func(g *row) agentx.Value { return script(&g.NotifyFault) }),
		c(9, func(g *row) agentx.Value { return script(&g.Notify) }),                 // vrrpSyncGroupScript
		c(10, func(g *row) agentx.Value { return truth(g.SyncGroupTrackingWeight) }), // vrrpSyncGroupTrackingWeight
		c(11, func(g *row) agentx.Value { return script(&g.NotifyStop) }),            // vrrpSyncGroupScriptStop
	)
	return append(groups, members.view(router.Sub(2, 1), col(2, func(name *string) agentx.Value { return agentx.Text(*name) }))...)
}

func groupNotifies(g *config.SyncGroup) bool {
	for _, c := range []*config.Command{&g.NotifyMaster, &g.NotifyBackup, &g.NotifyFault, &g.NotifyStop, &g.Notify} {
		if !c.IsZero() {
			return true
		}
	}
	return false
}
