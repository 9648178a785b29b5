package parser

import "github.com/lvsd/lvsd/config"

// static writes what holds whatever the state of the instances.
func (d dumper) static(s *config.Static) {
	if len(s.IPAddress) > 0 {
		d.line("------< Static Addresses >------")
	}
	for i := range s.IPAddress {
		d.line("     %s", addressText(&s.IPAddress[i]))
	}
	if len(s.Routes) > 0 {
		d.line("------< Static Routes >------")
	}
	for i := range s.Routes {
		d.line("     %s", &s.Routes[i])
	}
	if len(s.Rules) > 0 {
		d.line("------< Static Rules >------")
	}
	for i := range s.Rules {
		d.line("     %s", &s.Rules[i])
	}
	if len(s.TrackGroups) > 0 {
		d.line("------< Static Track groups >------")
	}
	for _, g := range s.TrackGroups {
		d.line(" Static Track Group = %s", g.Name)
		d.line("   VRRP member instances :")
		for _, name := range g.Members {
			d.line("     %s", name)
		}
	}
}
