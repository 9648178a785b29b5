package config

// SyncDaemon is what the sync daemons are to do, lvs_sync_daemon; nil when there
// is none. The id is the VRID of its instance unless one is given.
func (c *Config) SyncDaemon() *SyncDaemon {
	if c.Global.LVSSyncDaemon == nil {
		return nil
	}
	d := *c.Global.LVSSyncDaemon
	for k := range c.Instances {
		if i := &c.Instances[k]; i.Name == d.Inst {
			d.ID.inherit(i.VirtualRouterID)
		}
	}
	return &d
}
