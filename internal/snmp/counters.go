package snmp

import (
	"net/netip"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// Counters are what the kernel counts of a service or a real server, in all and
// a second.
type Counters struct {
	Connections, PacketsIn, PacketsOut, BytesIn, BytesOut        uint64
	ConnectionRate, PacketRateIn, PacketRateOut, RateIn, RateOut uint64
}

// ServerTraffic is what passes through a real server.
type ServerTraffic struct {
	Counters
	Active, Inactive, Persistent uint32 // connections there are
}

// Traffic is what passes through a service of the kernel.
type Traffic struct {
	Counters
	Servers map[netip.AddrPort]ServerTraffic
}

func (c *Counters) add(d *Counters) {
	c.Connections, c.PacketsIn, c.PacketsOut = c.Connections+d.Connections, c.PacketsIn+d.PacketsIn, c.PacketsOut+d.PacketsOut
	c.BytesIn, c.BytesOut, c.ConnectionRate = c.BytesIn+d.BytesIn, c.BytesOut+d.BytesOut, c.ConnectionRate+d.ConnectionRate
	c.PacketRateIn, c.PacketRateOut, c.RateIn, c.RateOut = c.PacketRateIn+d.PacketRateIn, c.PacketRateOut+d.PacketRateOut, c.RateIn+d.RateIn, c.RateOut+d.RateOut
}

// counted is the traffic of a service, and when it was read.
type counted struct {
	Traffic
	at time.Time
}

// counting reads the traffic of services and keeps it for a while.
type counting struct {
	read func(config.ServiceKey) (*Traffic, error) // nil without an error: there is none
	age  time.Duration                             // what is older is read again
	kept map[config.ServiceKey]*counted
}

// of is the traffic of a service: that of all addresses and marks of its group.
func (c *counting) of(service *config.Service) *counted {
	if kept := c.kept[service.Key]; kept != nil && time.Since(kept.at) < c.age {
		return kept
	}
	sum := &counted{Traffic: Traffic{Servers: make(map[netip.AddrPort]ServerTraffic)}, at: time.Now()}
	for key := range service.KernelKeys() {
		t, err := c.read(key)
		if err != nil || t == nil {
			continue // it counts nothing yet, or no more
		}
		sum.add(&t.Counters)
		for i := range service.Servers {
			s := &service.Servers[i]
			now, there := t.Servers[s.AddrIn(key)]
			if !there {
				continue
			}
			all := sum.Servers[s.Addr]
			all.add(&now.Counters)
			all.Active, all.Inactive, all.Persistent = all.Active+now.Active, all.Inactive+now.Inactive, all.Persistent+now.Persistent
			sum.Servers[s.Addr] = all
		}
	}
	c.kept[service.Key] = sum
	return sum
}

// traffic is that of a service that runs.
func (s *State) traffic(key config.ServiceKey) *counted {
	service := s.running[key]
	if service == nil || s.Traffic == nil {
		return new(counted)
	}
	return s.Traffic.of(service)
}

// ofServer is the traffic of a real server.
func (s *State) ofServer(b *balanced) ServerTraffic {
	service := s.running[b.of.Key()]
	if service == nil || s.ServerTraffic == nil {
		return ServerTraffic{}
	}
	return s.ServerTraffic.of(service).Servers[b.Addr]
}

// counts are the columns of the numbers: connections, then packets, bytes and
// rates, then the first three with 64 bits, then the rates as two halves.
func counts[T any](connections, packets, wide, halves uint32, of func(*T) *Counters) (all []object[T]) {
	add := func(id uint32, value func(*Counters) agentx.Value) {
		all = append(all, col(id, func(row *T) agentx.Value { return value(of(row)) }))
	}
	add(connections, func(c *Counters) agentx.Value { return agentx.Gauge(c.Connections) })
	add(packets, func(c *Counters) agentx.Value { return agentx.Counter32(c.PacketsIn) })
	add(packets+1, func(c *Counters) agentx.Value { return agentx.Counter32(c.PacketsOut) })
	add(packets+2, func(c *Counters) agentx.Value { return agentx.Counter64(c.BytesIn) })
	add(packets+3, func(c *Counters) agentx.Value { return agentx.Counter64(c.BytesOut) })
	for i, n := range []func(*Counters) uint64{
		func(c *Counters) uint64 { return c.Connections },
		func(c *Counters) uint64 { return c.PacketsIn },
		func(c *Counters) uint64 { return c.PacketsOut },
	} {
		add(wide+uint32(i), func(c *Counters) agentx.Value { return agentx.Counter64(n(c)) })
	}
	for i, n := range []func(*Counters) uint64{
		func(c *Counters) uint64 { return c.ConnectionRate },
		func(c *Counters) uint64 { return c.PacketRateIn },
		func(c *Counters) uint64 { return c.PacketRateOut },
		func(c *Counters) uint64 { return c.RateIn },
		func(c *Counters) uint64 { return c.RateOut },
	} {
		add(packets+4+uint32(i), func(c *Counters) agentx.Value { return agentx.Gauge(n(c)) })
		add(halves+2*uint32(i), func(c *Counters) agentx.Value { return agentx.Gauge(n(c) & 0xffffffff) })
		add(halves+2*uint32(i)+1, func(c *Counters) agentx.Value { return agentx.Gauge(n(c) >> 32) })
	}
	return all
}
