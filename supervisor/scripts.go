package supervisor

import (
	"sync"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// scripts knows which scripts an object has, and takes what happens to it to
// the dispatcher. It is the [vrrp.Notifier].
type scripts struct {
	dispatch *notify.Dispatcher

	mu        sync.Mutex
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
	for i := range c.Instances {
		s.instances[c.Instances[i].Name] = &c.Instances[i]
	}
	for i := range c.Groups {
		s.groups[c.Groups[i].Name] = &c.Groups[i]
	}
}

// Notify implements [vrrp.Notifier].
func (s *scripts) Notify(b vrrp.Became) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Group {
		if g := s.groups[b.Name]; g != nil {
			s.dispatch.Notify(notify.GroupEvent(g, b.State))
		}
		return
	}
	if i := s.instances[b.Name]; i != nil {
		s.dispatch.Notify(notify.InstanceEvent(i, b.State, b.Priority))
		if b.State == config.Deleted {
			delete(s.instances, b.Name)
		}
	}
}

// ReceivedLowerPriority implements [vrrp.Notifier].
func (s *scripts) ReceivedLowerPriority(instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.instances[instance]; i != nil {
		s.dispatch.Notify(notify.LowerPriorityEvent(i))
	}
}

// Reprioritised implements [vrrp.Notifier].
func (s *scripts) Reprioritised(vrrp.Reprioritised) {}

// server is told of real servers that come up or go down.
func (s *scripts) server(service config.ServiceKey, server config.Server, up bool) {
	s.dispatch.Notify(notify.ServerEvent(service, &server, up))
}
