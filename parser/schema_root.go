package parser

import (
	"fmt"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// schema are the tables of the blocks that are acted on.
type schema struct {
	root     *block[config.Config]
	global   *block[config.Global]
	instance *block[config.Instance]
	group    *block[config.SyncGroup]
	script   *block[config.TrackScript]
	service  *block[config.VirtualServer]
}

func newSchema() *schema {
	s := &schema{
		global: globalBlock(), instance: instanceBlock(), group: groupBlock(), script: scriptBlock(), service: virtualServerBlock(),
	}
	s.root = &block[config.Config]{rows: rows[config.Config]{
		"global_defs":     {block: true, apply: s.globalDefs},
		"vrrp_instance":   {block: true, apply: s.vrrpInstance},
		"vrrp_sync_group": {block: true, apply: s.syncGroup},
		"vrrp_script":     {block: true, apply: s.vrrpScript},
		"virtual_server":  {block: true, apply: s.virtualServer},
	}}
	return s
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
		c.errorf(config.ClassGeneral, "missing-name", "%s must have a name - skipping", c.keyword)
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
	d.name, d.owner, d.seen = name, owner, map[string]bool{}
}

func (s *schema) vrrpInstance(c *cursor, cfg *config.Config) {
	name, ok := named(c)
	if !ok {
		return
	}
	i := config.DefaultInstance
	i.Name, i.Origin = name, c.origin()
	cfg.Instances = append(cfg.Instances, i)
	decode(c.d, s.instance, c.st.Body, &cfg.Instances[len(cfg.Instances)-1])
}

func (s *schema) syncGroup(c *cursor, cfg *config.Config) {
	name, ok := named(c)
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
	t.Name, t.Origin = name, c.origin()
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

// virtualServer reads virtual_server IPADDR [PORT] | fwmark INT | group NAME.
func (s *schema) virtualServer(c *cursor, cfg *config.Config) {
	v := config.DefaultVirtualServer
	v.Origin = c.origin()
	before := *c
	switch kind, _ := c.next(); kind {
	case "group":
		c.d.noteOnce("virtual_server group", c.origin())
		c.complete = true
		return
	case "fwmark":
		word, ok := c.need()
		if !ok {
			return
		}
		mark, f := num[uint32](1, 1<<32-1)(word)
		if f != nil {
			c.errorf(config.ClassGeneral, "invalid-value", "Invalid virtual server fwmark %s - skipping", word)
			return
		}
		v.FWMark = mark
	default:
		*c = before
		addr, ok := c.endpoint("virtual server")
		if !ok {
			return
		}
		v.Addr = addr
	}
	c.d.begin(c.keyword, c.keyword)
	c.d.realServers = c.st.Body.blocks()
	decode(c.d, s.service, c.st.Body, &v)
	cfg.Services = append(cfg.Services, v)
}
