package parser

import (
	"strings"

	"github.com/lvsd/lvsd/config"
)

// lvsSyncDaemon reads IFNAME [inst NAME] [id N] [maxlen N] [port N] [ttl N]
// [group ADDR], or the older IFNAME NAME [N].
func lvsSyncDaemon(c *cursor, g *config.Global) {
	word, ok := c.need()
	if !ok {
		return
	}
	if s := g.LVSSyncDaemon; s != nil {
		c.errorf(config.ClassGeneral, "duplicate", "lvs_sync_daemon has already been specified as %s %s - ignoring", s.Interface, s.Inst)
		c.complete = true
		return
	}
	s := &config.SyncDaemon{Origin: c.origin(), Interface: strings.Clone(word)}
	g.LVSSyncDaemon = s
	for key, ok := c.next(); ok; key, ok = c.next() {
		switch key {
		case "inst", "id", "maxlen", "port", "ttl", "group":
			if !c.syncOption(s, key) {
				return
			}
		default:
			c.syncLegacy(s, key)
		}
	}
}

// syncOption reads the value of one option.
func (c *cursor) syncOption(s *config.SyncDaemon, key string) bool {
	v, ok := c.next()
	if !ok {
		otherwise := map[string]string{"id": ", defaulting to vrid"}[key]
		c.errorf(config.ClassGeneral, "missing-parameter", "No value specified for lvs_sync_daemon %s%s", key, otherwise)
		return false
	}
	var f *fault
	switch key {
	case "inst":
		s.Inst = strings.Clone(v)
	case "id":
		n, f := num[uint8](0, 255)(v)
		if f != nil {
			c.errorf(f.class, f.code, "Invalid syncid (%s) - defaulting to vrid", v)
		} else {
			s.ID = config.Some(n)
		}
	case "maxlen":
		s.MaxLen, f = num[uint16](1, 65507)(v)
	case "port":
		s.Port, f = num[uint16](1, 65535)(v)
	case "ttl":
		s.TTL, f = num[uint8](1, 255)(v)
	default:
		a, f := address(v)
		switch {
		case f != nil:
			c.errorf(f.class, f.code, "Invalid lvs_sync_daemon group (%s) - ignoring", v)
		case !a.IsMulticast():
			c.errorf(config.ClassGeneral, "invalid-value", "lvs_sync_daemon group address %s is not multicast - ignoring", v)
		default:
			s.Group = a
		}
	}
	if f != nil {
		c.errorf(f.class, f.code, "Invalid lvs_sync_daemon %s (%s) - ignoring", key, v)
	}
	return true
}

// syncLegacy reads the instance and the number without their keywords.
func (c *cursor) syncLegacy(s *config.SyncDaemon, word string) {
	n, f := num[uint8](0, 255)(word)
	switch {
	case s.Inst == "" && f != nil:
		s.Inst = strings.Clone(word) // keepalived says nothing here
	case f == nil:
		s.ID = config.Some(n)
		c.errorf(config.ClassGeneral, "deprecated", `Please use keyword "id" before lvs_sync_daemon SYNCID`)
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Unknown option %s specified for lvs_sync_daemon", word)
	}
}
