package ipvs

import (
	"errors"
	"net/netip"

	"github.com/mdlayher/netlink"
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
		err = nested(attributes, attrDest, func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case destActive:
				now.Active = ad.Uint32()
			case destInactive:
				now.Inactive = ad.Uint32()
			case destPersistent:
				now.Persistent = ad.Uint32()
			case destStats64:
				ad.Nested(now.decode)
			}
		})
		t.Dests[d.Addr] = now
		return err
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
		failed = nested(a.attributes(), attrService, func(ad *netlink.AttributeDecoder) {
			if ad.Type() == svcStats64 {
				ad.Nested(c.decode)
			}
		})
		return false
	})
	return found, errors.Join(err, failed)
}

// decode reads the nested attributes with the numbers.
func (c *Counters) decode(ad *netlink.AttributeDecoder) error {
	all := [...]*uint64{
		1: &c.Connections, 2: &c.PacketsIn, 3: &c.PacketsOut, 4: &c.BytesIn, 5: &c.BytesOut,
		6: &c.ConnectionRate, 7: &c.PacketRateIn, 8: &c.PacketRateOut, 9: &c.RateIn, 10: &c.RateOut,
	}
	for ad.Next() {
		if kind := int(ad.Type()); kind > 0 && kind < len(all) {
			*all[kind] = ad.Uint64()
		}
	}
	return nil
}
