package dump

import "github.com/lvsd/lvsd/config"

// static writes what holds whatever the state of the instances.
func (p *printer) static(s *config.Static) {
	if len(s.IPAddress) > 0 {
		p.title("Static Addresses")
	}
	for i := range s.IPAddress {
		p.line("     %s", addressText(nil, &s.IPAddress[i], true))
	}
	if len(s.Routes) > 0 {
		p.title("Static Routes")
	}
	for i := range s.Routes {
		p.line("     %s", s.Routes[i].String())
	}
	if len(s.Rules) > 0 {
		p.title("Static Rules")
	}
	for i := range s.Rules {
		p.line("     %s", s.Rules[i].String())
	}
	if len(s.TrackGroups) > 0 {
		p.title("Static Track groups")
	}
	for _, g := range s.TrackGroups {
		p.line(" Static Track Group = %s", g.Name)
		p.line("   VRRP member instances :")
		for _, name := range g.Members {
			p.line("     %s", name)
		}
	}
}

// instanceRoutes writes the routes and rules of an instance.
func (p *printer) instanceRoutes(i *config.Instance) {
	if len(i.VirtualRoutes) > 0 {
		p.line("   Virtual Routes :")
	}
	for k := range i.VirtualRoutes {
		p.line("     %s", i.VirtualRoutes[k].String())
	}
	if len(i.VirtualRules) > 0 {
		p.line("   Virtual Rules :")
	}
	for k := range i.VirtualRules {
		p.line("     %s", i.VirtualRules[k].String())
	}
}
