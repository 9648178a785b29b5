package config

// alerts fills who is told about what by mail: smtp_alert_vrrp and
// smtp_alert_checker go before smtp_alert. Of all objects only real servers send
// mail by default.
func (c *Config) alerts() {
	g := &c.Global
	first := func(otherwise bool, opts ...Opt[bool]) bool {
		for _, o := range opts {
			if o.Set {
				return o.Value
			}
		}
		return otherwise
	}
	vrrp := first(false, g.SMTPAlertVRRP, g.SMTPAlert)
	for i := range c.Instances {
		c.Instances[i].SMTPAlert.inherit(vrrp)
	}
	for i := range c.Groups {
		c.Groups[i].SMTPAlert.inherit(vrrp)
	}
	service, server := first(false, g.SMTPAlertChecker, g.SMTPAlert), first(true, g.SMTPAlertChecker, g.SMTPAlert)
	for i := range c.Services {
		v := &c.Services[i]
		v.SMTPAlert.inherit(service)
		for k := range v.RealServers {
			v.RealServers[k].SMTPAlert.inherit(server)
		}
	}
}
