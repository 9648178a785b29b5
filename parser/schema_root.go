package parser

import (
	"fmt"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// schema are the tables of the blocks.
type schema struct {
	root     *block[config.Config]
	global   *block[config.Global]
	instance *block[config.Instance]
	group    *block[config.SyncGroup]
	script   *block[config.TrackScript]
	service  *block[config.VirtualServer]
	ssl      *block[config.SSL]
}

func newSchema() *schema {
	s := &schema{
		global: globalBlock(), instance: instanceBlock(), group: groupBlock(), script: scriptBlock(), service: virtualServerBlock(),
		ssl: sslBlock(),
	}
	s.root = &block[config.Config]{rows: merged(daemonRows(), staticRows(), rows[config.Config]{
		"global_defs":     {block: true, apply: s.globalDefs},
		"vrrp_instance":   {block: true, apply: s.vrrpInstance},
		"vrrp_sync_group": {block: true, apply: s.syncGroup},
		"vrrp_script":     {block: true, apply: s.vrrpScript},
		"virtual_server":  {block: true, apply: s.virtualServer},
		"garp_group":      {block: true, apply: garpGroup},

		"track_file":         {block: true, apply: trackFile},
		"vrrp_track_file":    {block: true, apply: trackFile},
		"vrrp_track_process": {block: true, apply: trackProcess},

		"interface_up_down_delays": list(upDownDelay),
		"linkbeat_interfaces":      list(linkbeat),
		"linkbeat_use_polling":     yes(func(c *config.Config) *bool { return &c.Daemon.LinkbeatUsePolling }),

		"net_namespace_ipvs":   optText(func(c *config.Config) *config.Opt[string] { return &c.Daemon.NetNamespaceIPVS }),
		"virtual_server_group": {block: true, apply: virtualServerGroup},
		"bfd_instance":         {block: true, apply: bfdInstance},
		"SSL":                  {block: true, apply: s.sslContext},
	})}
	return s
}

// daemonRows are the keywords of the top level that are no blocks.
func daemonRows() rows[config.Config] {
	type cfg = config.Config
	return rows[cfg]{
		"net_namespace":         {missing: "net_namespace name missing - ignoring", apply: netNamespace},
		"namespace_with_ipsets": yes(func(c *cfg) *bool { return &c.Daemon.NamespaceWithIPSet }),
		"use_pid_dir":           yes(func(c *cfg) *bool { return &c.Daemon.UsePIDDir }),
		"instance":              firstOf("instance", func(c *cfg) *string { return &c.Daemon.Instance }),
		"child_wait_time":       set(wholeSeconds(0, maxInt), func(c *cfg) *time.Duration { return &c.Daemon.ChildWaitTime }).or("Invalid child_wait_time %V"),
	}
}

// firstOf is a name of which the first one counts.
func firstOf(keyword string, field func(*config.Config) *string) row[config.Config] {
	return row[config.Config]{missing: keyword + " name missing - ignoring", apply: func(c *cursor, cfg *config.Config) {
		word, ok := c.need()
		switch {
		case !ok:
		case *field(cfg) != "":
			c.errorf(config.ClassGeneral, "duplicate", "Duplicate %s definition %s - ignoring", keyword, word)
		default:
			*field(cfg) = strings.Clone(word)
		}
	}, write: set(text, field).write}
}

func netNamespace(c *cursor, cfg *config.Config) {
	if cfg.Daemon.NetNamespace == "" {
		cfg.Daemon.NetNamespaceOrigin = c.origin()
	}
	firstOf("net_namespace", func(c *config.Config) *string { return &c.Daemon.NetNamespace }).apply(c, cfg)
}

// staticRows are what is in the kernel whatever the state of the instances.
func staticRows() rows[config.Config] {
	type cfg = config.Config
	return rows[cfg]{
		"track_group": {block: true, apply: trackGroup},
		"static_ipaddress": list(func(c *cursor, cfg *cfg) {
			if a, ok := c.address(); ok {
				cfg.Static.IPAddress = append(cfg.Static.IPAddress, a)
			}
		}),
		"static_routes": list(func(c *cursor, cfg *cfg) {
			if r, ok := c.route(); ok {
				cfg.Static.Routes = append(cfg.Static.Routes, r)
			}
		}),
		"static_rules": list(func(c *cursor, cfg *cfg) {
			if r, ok := c.rule(); ok {
				cfg.Static.Rules = append(cfg.Static.Rules, r)
			}
		}),
	}
}

func (s *schema) globalDefs(c *cursor, cfg *config.Config) {
	cfg.Global.Origin = c.origin()
	c.d.begin("global_defs", "global_defs")
	decode(c.d, s.global, c.st.Body, &cfg.Global)
}

// named reads the name of a block. The block is skipped when it has none, or
// that of one before it.
func named(c *cursor) (string, bool) {
	name, ok := c.next()
	if !ok {
		c.nameless()
		return "", false
	}
	key := c.keyword + " " + name
	if c.d.names[key] {
		c.errorf(config.ClassGeneral, "duplicate", "%s %s already defined", c.listName(), name)
		return "", false
	}
	c.d.names[key] = true
	name = strings.Clone(name)
	c.d.begin(name, "("+name+")")
	return name, true
}

// begin names the block that is decoded next.
func (d *decoder) begin(name, owner string) {
	d.name, d.owner = name, owner
	if len(d.seen) > 64 { // to clear a map takes as long as it once was large
		d.seen = map[mention]bool{}
	}
	clear(d.seen)
}

// soleName is the name of a block that keepalived skips when a second word
// follows it, too.
func soleName(c *cursor) (string, bool) {
	before := *c
	if _, ok := c.only(); !ok {
		c.tail()
		c.nameless()
		return "", false
	}
	*c = before
	return named(c)
}

func (c *cursor) nameless() {
	c.errorf(config.ClassGeneral, "missing-name", "%s must have a name - skipping", c.keyword)
}

func (s *schema) vrrpInstance(c *cursor, cfg *config.Config) {
	name, ok := soleName(c)
	if !ok {
		return
	}
	i := config.DefaultInstance
	i.Name, i.Origin = name, c.origin()
	cfg.Instances = append(roomy(c, cfg.Instances), i)
	decode(c.d, s.instance, c.st.Body, &cfg.Instances[len(cfg.Instances)-1])
	c.instanceEnd(cfg)
}

func (s *schema) syncGroup(c *cursor, cfg *config.Config) {
	name, ok := soleName(c)
	if !ok {
		return
	}
	c.d.owner = "vrrp group " + name + ":"
	cfg.Groups = append(cfg.Groups, config.SyncGroup{Name: name, Origin: c.origin()})
	decode(c.d, s.group, c.st.Body, &cfg.Groups[len(cfg.Groups)-1])
}

// vrrpScript: keepalived accepts a second script of the same name silently and
// never finds it.
func (s *schema) vrrpScript(c *cursor, cfg *config.Config) {
	name, ok := c.need()
	if !ok {
		return
	}
	name = strings.Clone(name)
	c.d.begin(name, "("+name+")")
	t := config.DefaultTrackScript
	t.Name, t.Origin, t.End = name, c.origin(), c.d.src.origin(c.st.Body.Close.Pos)
	decode(c.d, s.script, c.st.Body, &t)
	switch {
	case t.Script.IsZero():
		c.d.problem(c.st.Body.Close.Pos, config.Error, config.ClassGeneral, "missing-script", fmt.Sprintf("No script set for vrrp_script %s - removing", name))
	case c.d.names["vrrp_script "+name]:
		c.problem(config.Warning, config.ClassNone, "duplicate", fmt.Sprintf("vrrp_script %s is defined twice, the first one counts", name))
	default:
		c.d.names["vrrp_script "+name] = true
		cfg.Scripts = append(cfg.Scripts, t)
	}
}
