package config

// alerts fills who is told about what by mail, and of changes of priority:
// smtp_alert_vrrp and smtp_alert_checker go before smtp_alert. Of all objects
// only real servers send mail by default.
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
		v := &c.Instances[i]
		v.SMTPAlert.inherit(vrrp)
		v.NotifyPriorityChanges.inherit(g.FIFO.VRRPNotifyPriorityChanges)
	}
	for i := range c.Groups {
		group := &c.Groups[i]
		group.SMTPAlert.inherit(vrrp)
		group.NotifyPriorityChanges.inherit(g.FIFO.VRRPNotifyPriorityChanges)
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
