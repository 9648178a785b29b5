package snmp

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// kernelTable is the kernel's: a connection, two packets in, three out for each key,
// and four active connections of each destination.
type kernelTable struct {
	dests map[config.ServiceKey]netip.AddrPort
	asked int
}

func (k *kernelTable) read(key config.ServiceKey) (*Traffic, error) {
	k.asked++
	dest, there := k.dests[key]
	switch {
	case !there:
		return nil, nil
	case dest.Port() == 1:
		return nil, errors.New("the kernel does not answer")
	}
	c := Counters{Connections: 1, PacketsIn: 2, PacketsOut: 3, RateOut: 5<<32 | 6}
	return &Traffic{c, map[netip.AddrPort]ServerTraffic{dest: {Counters: c, Active: 4}}}, nil
}

// TestCounters: a group counts what passes through all that it is in the
// kernel, and its servers what they have there under the port of each.
func TestCounters(t *testing.T) {
	addr := netip.MustParseAddrPort
	key := func(a string) config.ServiceKey { return config.ServiceKey{Addr: addr(a), Protocol: config.TCP} }
	c := &config.Config{
		ServiceGroups: []config.VirtualServerGroup{{Name: "g", Entries: []config.GroupEntry{
			{First: addr("10.0.0.1:80").Addr(), Last: addr("10.0.0.2:80").Addr(), Port: 80}, {First: addr("10.0.0.9:90").Addr(), Last: addr("10.0.0.9:90").Addr(), Port: 90},
		}}},
		Services: []config.VirtualServer{{
			Group: "g", Protocol: config.Some(config.TCP), LBKind: config.Some(config.DR),
			RealServers: []config.RealServer{{Addr: addr("10.1.0.1:0")}},
		}},
	}
	group := config.ServiceKey{Group: "g", Protocol: config.TCP}
	for _, test := range []struct {
		name  string
		mark  uint32
		dests map[config.ServiceKey]netip.AddrPort
		want  []int // connections, packets in, active connections of the server, and the halves of a rate
	}{
		{"none", 0, nil, []int{0, 0, 0, 0, 0}},
		{"all", 0, map[config.ServiceKey]netip.AddrPort{key("10.0.0.1:80"): addr("10.1.0.1:80"), key("10.0.0.2:80"): addr("10.1.0.1:80"), key("10.0.0.9:90"): addr("10.1.0.1:90")}, []int{3, 6, 12, 18, 15}},
		{"one fails", 0, map[config.ServiceKey]netip.AddrPort{key("10.0.0.1:80"): addr("10.1.0.1:80"), key("10.0.0.2:80"): addr("10.1.0.1:1")}, []int{1, 2, 4, 6, 5}},
		{"a mark", 1000, map[config.ServiceKey]netip.AddrPort{{FWMark: 1000}: addr("10.1.0.1:0")}, []int{1, 2, 4, 6, 5}},
	} {
		k := &kernelTable{dests: test.dests}
		once := &counting{k.read, time.Hour, make(map[config.ServiceKey]*counted)}
		v := (&State{
			Config: c, Parts: Parts{Checker: true}, Traffic: once, ServerTraffic: once,
			Facts: &dump.Facts{Marks: map[config.ServiceKey]uint32{group: test.mark}},
		}).view()
		var got []int
		for _, id := range [][]uint32{{3, 1, 27, 1}, {3, 1, 28, 1}, {4, 1, 15, 1, 1}, {3, 1, 49, 1}, {3, 1, 50, 1}} {
			got = append(got, int(v.Get(check.Sub(id...)).Number))
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", test.name, d)
		}
	}
}

// TestCountersAge: the kernel is asked again when what it said is too old.
func TestCountersAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(kernelTable)
		c := &counting{k.read, 5 * time.Second, make(map[config.ServiceKey]*counted)}
		service := &config.Service{Key: config.ServiceKey{FWMark: 1}}
		for began := time.Now(); time.Since(began) < 12*time.Second; time.Sleep(100 * time.Millisecond) {
			c.of(service)
		}
		if k.asked != 3 {
			t.Errorf("asked %d times in 12 s", k.asked)
		}
	})
}

// TestIntervals: snmp_vs_stats_update_interval and its like.
func TestIntervals(t *testing.T) {
	f := newFake()
	a := newAgent(f)
	a.o.Traffic = new(kernelTable).read
	for _, test := range []struct {
		vs      time.Duration
		rs      config.Opt[time.Duration]
		servers time.Duration
	}{
		{5 * time.Second, config.Opt[time.Duration]{}, 5 * time.Second},
		{time.Second, config.Some(2 * time.Second), 2 * time.Second},
	} {
		next := *f.config
		next.Global.Interface.SNMPVSStatsUpdateInterval, next.Global.Interface.SNMPRSStatsUpdateInterval = test.vs, test.rs
		f.config = &next
		a.forget()
		if _, err := a.View(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a.services.age != test.vs || a.servers.age != test.servers {
			t.Errorf("%v and %v, want %v and %v", a.services.age, a.servers.age, test.vs, test.servers)
		}
	}
	if _, ok := a.view.Next(agentx.Range{}); !ok {
		t.Error("there is nothing to see")
	}
}
