package ipvs

import (
	"cmp"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Counters are what the kernel counts of a service or of a destination: in all,
// and a second. IP_VS_STATS_ATTR_* of linux/ip_vs.h.
type Counters struct {
	Connections, PacketsIn, PacketsOut, BytesIn, BytesOut        uint64
	ConnectionRate, PacketRateIn, PacketRateOut, RateIn, RateOut uint64
}

// DestTraffic is what passes through a destination.
type DestTraffic struct {
	Counters
	Active, Inactive, Persistent uint32 // connections there are
}

// Traffic is what passes through a service of the kernel.
type Traffic struct {
	Counters
	Dests map[netip.AddrPort]DestTraffic
}

// Attributes with the numbers of a service and of a destination.
const (
	svcStats64     = 12
	destActive     = 7
	destInactive   = 8
	destPersistent = 9
	destStats64    = 12
)

// Traffic is what passes through a service; nil when there is none.
func (n *Netlink) Traffic(key config.ServiceKey) (t *Traffic, err error) {
	err = n.with(func(s *sockets) error {
		t, err = s.genl.traffic(key)
		return err
	})
	return t, err
}

func (g *genl) traffic(key config.ServiceKey) (*Traffic, error) {
	t := &Traffic{Dests: make(map[netip.AddrPort]DestTraffic)}
	if found, err := g.serviceCounters(key, &t.Counters); err != nil || !found {
		return nil, err
	}
	err := g.dump(cmdGetDest, &key, func(attributes []byte) error {
		d, err := decodeDest(attributes, IPv6(key))
		if err != nil {
			return err
		}
		var now DestTraffic
		var failed error
		err = nested(attributes, attrDest, func(a attribute) {
			switch a.kind {
			case destActive:
				now.Active = a.uint32()
			case destInactive:
				now.Inactive = a.uint32()
			case destPersistent:
				now.Persistent = a.uint32()
			case destStats64:
				failed = each(a.value, now.decode)
			}
		})
		t.Dests[d.Addr] = now
		return cmp.Or(err, failed)
	})
	return t, err
}

// serviceCounters reads those of a service; false: there is none.
func (g *genl) serviceCounters(key config.ServiceKey, c *Counters) (found bool, err error) {
	g.out.reset()
	g.request(cmdGetService, 0, &key)
	if err := g.send(); err != nil {
		return false, err
	}
	var failed error
	err = g.answers(func(a answer) (more bool) {
		switch {
		case a.sequence != g.out.sequence:
			return true
		case a.kind == unix.NLMSG_ERROR:
			if errno := a.errno(); errno != unix.ESRCH && errno != unix.ENOENT {
				failed = errno
			}
			return false
		}
		found = true
		var inner error
		failed = nested(a.attributes(), attrService, func(a attribute) {
			if a.kind == svcStats64 {
				inner = each(a.value, c.decode)
			}
		})
		failed = cmp.Or(failed, inner)
		return false
	})
	return found, errors.Join(err, failed)
}

// decode reads one of the numbers.
func (c *Counters) decode(a attribute) {
	all := [...]*uint64{
		1: &c.Connections, 2: &c.PacketsIn, 3: &c.PacketsOut, 4: &c.BytesIn, 5: &c.BytesOut,
		6: &c.ConnectionRate, 7: &c.PacketRateIn, 8: &c.PacketRateOut, 9: &c.RateIn, 10: &c.RateOut,
	}
	if a.kind > 0 && int(a.kind) < len(all) {
		*all[a.kind] = a.uint64()
	}
}
