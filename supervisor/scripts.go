package supervisor

import (
	"sync"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dbus"
	"github.com/lvsd/lvsd/internal/snmp"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// scripts knows which scripts an object has, and takes what happens to it to
// the dispatcher, to the FIFOs and to the mailer. It is the [vrrp.Notifier].
type scripts struct {
	dispatch *notify.Dispatcher
	fifos    *notify.FIFOs
	mail     *notify.Mailer
	bus      *dbus.Bus // nil without VRRP
	agent    *snmp.Agent
	changed  chan struct{} // told of any change
	sync     *syncFollower

	mu        sync.Mutex
	paths     *config.ExternalInterfaces // what objects on the bus are named by
	instances map[string]*config.Instance
	groups    map[string]*config.SyncGroup
}

// learn takes a new configuration. An object that has left it is remembered
// until its last state was told.
func (s *scripts) learn(c *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instances == nil {
		s.instances, s.groups = make(map[string]*config.Instance), make(map[string]*config.SyncGroup)
	}
	s.paths = &c.Global.Interface
	for i := range c.Instances {
		s.instances[c.Instances[i].Name] = &c.Instances[i]
	}
	for i := range c.Groups {
		s.groups[c.Groups[i].Name] = &c.Groups[i]
	}
}

// Notify implements [vrrp.Notifier].
func (s *scripts) Notify(b vrrp.Became) {
	s.sync.became(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Group {
		if g := s.groups[b.Name]; g != nil {
			s.tell(notify.GroupEvent(g, b.State), 0)
			s.agent.Group(g.Name, b.State)
		}
		return
	}
	if i := s.instances[b.Name]; i != nil {
		s.tell(notify.InstanceEvent(i, b.State, b.Priority), b.Priority)
		s.bus.State(i, s.paths, notify.Told(i, b.State))
		s.agent.Instance(i, notify.Told(i, b.State), b.Source, snmp.Reason(b.Reason))
		if b.State == config.Deleted {
			delete(s.instances, b.Name)
		}
	}
}

// ReceivedLowerPriority implements [vrrp.Notifier].
func (s *scripts) ReceivedLowerPriority(l vrrp.ReceivedLowerPriority) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.instances[l.Instance]; i != nil {
		s.tell(notify.LowerPriorityEvent(i), l.Priority)
	}
}

// tell: first the scripts, then the FIFOs, then mail.
func (s *scripts) tell(e notify.Event, priority int) {
	s.dispatch.Notify(e)
	s.fifos.VRRP(e.Object, e.What, priority, e.Repeats)
	s.mail.State(e)
	s.poke()
}

// poke tells that something has changed, if it was not told yet.
func (s *scripts) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Reprioritised implements [vrrp.Notifier].
func (s *scripts) Reprioritised(r vrrp.Reprioritised) {
	what := config.Backup
	if r.Master {
		what = config.Master
	}
	s.fifos.VRRP(notify.Object{Kind: "INSTANCE", Name: r.Instance}, what.String()+"_PRIORITY", r.Priority, true)
}

// restate writes the states that hold to the FIFOs once more:
// fifo_write_vrrp_states_on_reload.
func (s *scripts) restate(c *config.Config, now vrrp.Snapshot) {
	for i := range c.Groups {
		for _, g := range now.Groups {
			if g.Name == c.Groups[i].Name {
				s.fifos.VRRP(notify.Object{Kind: "GROUP", Name: g.Name}, g.State.String(), 0, false)
			}
		}
	}
	for i := range c.Instances {
		for _, v := range now.Instances {
			if v.Name == c.Instances[i].Name && !v.Silent {
				s.fifos.VRRP(notify.Object{Kind: "INSTANCE", Name: v.Name}, v.State.String(), int(v.Priority), false)
			}
		}
	}
}

// service is told of real servers that come up or go down, and of services that
// gain or lose their quorum.
func (s *scripts) service(c ipvs.Change) {
	e := notify.ServiceEvent(c.Service, c.Up)
	if c.Server != nil {
		e = notify.ServerEvent(c.Service.Key, c.Server, c.Up)
	}
	s.dispatch.Notify(e)
	s.fifos.LVS(e)
	switch {
	case c.Reason == ipvs.ShuttingDown: // see leaves
	case c.Server != nil:
		s.agent.Server(c.Service, c.Server, c.Up, c.Alive)
	default:
		s.agent.Quorum(c.Service, snmp.QuorumOf(c.Up), c.Alive)
	}
	if c.Server == nil && c.Service.SMTPAlert {
		s.mail.Quorum(notify.QuorumChange{
			Service: c.Service.Key.String(), Up: c.Up, Starting: c.Starting,
			Quorum: c.Service.Quorum, Hysteresis: c.Service.Hysteresis, Weight: c.Weight,
		})
	}
	s.poke()
}

// leaves is told what ends with lvsd.
func (s *scripts) leaves(service *config.Service, l ipvs.Leaves) {
	if l.Server != nil {
		s.agent.Server(service, l.Server, false, l.Alive)
		return
	}
	s.agent.Quorum(service, snmp.QuorumShutdown, 0)
}

// alert is told what smtp_alert of a real server tells.
func (s *scripts) alert(service config.ServiceKey, a ipvs.Alert) {
	server := a.Server.String(service.Protocol)
	if a.Leaving != "" {
		s.mail.Leaving(server, service.String(), a.Leaving)
		return
	}
	s.mail.Check(notify.CheckChange{
		Service: service.String(), Server: server, Check: a.Check,
		Up: a.Up, Reason: a.Reason, Timeout: a.Timeout, Alive: a.Alive, Changed: a.Changed,
	})
}
