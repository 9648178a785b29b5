package snmp

import (
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// State is what views are made of.
type State struct {
	Version string // of the program
	Parts   Parts
	Config  *config.Config
	Facts   *dump.Facts
	Up      time.Duration                       // since the agent began, at the moment of Facts
	Began   func(instance string) time.Duration // when an instance left INIT, since the agent began

	Traffic, ServerTraffic *counting // nil: nobody counts

	links   map[string]*dump.Link
	groups  map[string]*config.SyncGroup // by their members
	running map[config.ServiceKey]*config.Service
}

// prepare makes what is looked up often.
func (s *State) prepare() {
	s.links = make(map[string]*dump.Link, len(s.Facts.Links))
	for i := range s.Facts.Links {
		s.links[s.Facts.Links[i].Name] = &s.Facts.Links[i]
	}
	s.groups = make(map[string]*config.SyncGroup)
	for i := range s.Config.Groups {
		for _, member := range s.Config.Groups[i].Members {
			s.groups[member] = &s.Config.Groups[i]
		}
	}
}

// index is the ifIndex of a link; 0: there is none.
func (s *State) index(link string) int {
	if l := s.links[link]; l != nil {
		return l.Index
	}
	return 0
}

// ifIndex is the same as a value; none when there is none.
func (s *State) ifIndex(link string) agentx.Value {
	if n := s.index(link); n != 0 {
		return agentx.Integer(n)
	}
	return agentx.Value{}
}

// master says that an instance holds what it has.
func (s *State) master(name string) bool { return s.Facts.Instances[name].State == config.Master }

// The roots of the parts.
var (
	enterprise = agentx.OID{1, 3, 6, 1, 4, 1, 9586, 100, 5} // KEEPALIVED-MIB
	global     = enterprise.Sub(1)
	router     = enterprise.Sub(2)
	check      = enterprise.Sub(3)
	vrrp2      = agentx.OID{1, 3, 6, 1, 2, 1, 68}  // VRRP-MIB
	vrrp3      = agentx.OID{1, 3, 6, 1, 2, 1, 207} // VRRPV3-MIB
)

// view is the whole tree.
func (s *State) view() view {
	s.prepare()
	parts := []view{s.global()}
	if s.Parts.VRRP {
		parts = append(parts, s.instances(), s.syncGroups(), s.addresses(), s.routes(), s.rules(), s.trackers(), s.tracked())
	}
	if s.Parts.Checker {
		s.running = make(map[config.ServiceKey]*config.Service)
		for _, service := range s.Config.KernelServices() {
			service.Mark = s.Facts.Marks[service.Key]
			s.running[service.Key] = &service
		}
		parts = append(parts, s.checkers())
	}
	if s.Parts.RFC2787 {
		parts = append(parts, s.rfc2787())
	}
	if s.Parts.RFC6527 {
		parts = append(parts, s.rfc6527())
	}
	return joined(parts...)
}
