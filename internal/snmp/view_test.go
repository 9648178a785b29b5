package snmp

import (
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/parser"
)

// stateOf is that of a configuration that has just been read, with two links.
func stateOf(t *testing.T, file string) *State {
	t.Helper()
	c, _, err := parser.Load(parser.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return &State{
		Version: "test", Config: c, Parts: Parts{true, true, true, true},
		Facts: &dump.Facts{Links: []dump.Link{{Name: "eth0", Index: 3, MAC: "02:00:00:00:00:01"}, {Name: "eth1", Index: 2}}},
		Began: func(string) time.Duration { return 0 },
	}
}

// walk is all of a view, as a manager walks it.
func walk(t *testing.T, v view) (all []agentx.VarBind) {
	t.Helper()
	at := agentx.Range{}
	for {
		b, ok := v.Next(at)
		if !ok {
			return all
		}
		if len(all) > 0 && b.Name.Compare(all[len(all)-1].Name) <= 0 {
			t.Fatalf("%s comes after %s", b.Name, all[len(all)-1].Name)
		}
		all = append(all, b)
		at.Start = b.Name
	}
}

// TestWalk: what configurations are made to is in order, each instance is what
// a question for it alone answers, and from wherever one begins the next one is
// the next one.
func TestWalk(t *testing.T) {
	files, err := filepath.Glob("../../testdata/conf/*.conf")
	if err != nil || len(files) < 10 {
		t.Fatalf("%v: %v", files, err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, file := range append(files, "../../testdata/model/everything.conf") {
		v := stateOf(t, file).view()
		all := walk(t, v)
		if len(all) < 20 {
			t.Errorf("%s: %d instances", file, len(all))
		}
		for i, b := range all {
			if got := v.Get(b.Name); !cmp.Equal(got, b.Value) {
				t.Errorf("%s: %s is %+v, and %+v in a walk", file, b.Name, got, b.Value)
			}
			if got, ok := v.Next(agentx.Range{Start: b.Name, Include: true}); !ok || got.Name.Compare(b.Name) != 0 {
				t.Errorf("%s: from %s on: %s", file, b.Name, got.Name)
			}
			if _, ok := v.Next(agentx.Range{Start: all[max(i-1, 0)].Name, End: b.Name}); ok {
				t.Errorf("%s: there is something before %s", file, b.Name)
			}
		}
		for range 2000 {
			start := slices.Clone(all[random.IntN(len(all))].Name)
			start = start[:random.IntN(len(start)+1)]
			if len(start) > 0 {
				start[len(start)-1] += uint32(random.IntN(3)) - 1
			}
			want := slices.IndexFunc(all, func(b agentx.VarBind) bool { return b.Name.Compare(start) > 0 })
			got, ok := v.Next(agentx.Range{Start: start})
			if ok != (want >= 0) || ok && got.Name.Compare(all[want].Name) != 0 {
				t.Fatalf("%s: after %s comes %s (%t), not number %d", file, start, got.Name, ok, want)
			}
		}
	}
}

// TestMissing: an object without such an instance is another thing than no
// object.
func TestMissing(t *testing.T) {
	v := stateOf(t, "../../testdata/model/everything.conf").view()
	for _, test := range []struct {
		name agentx.OID
		want agentx.Type
	}{
		{agentx.OID{1}, agentx.TypeNoSuchObject},
		{agentx.OID{1, 1}, agentx.TypeNoSuchInstance},
		{agentx.OID{1, 1, 0}, agentx.TypeOctets},
		{agentx.OID{1, 1, 1}, agentx.TypeNoSuchInstance},
		{agentx.OID{1, 1, 0, 0}, agentx.TypeNoSuchInstance},
		{agentx.OID{2, 3, 1, 1, 1}, agentx.TypeNoSuchObject},
		{agentx.OID{2, 3, 1, 2, 999}, agentx.TypeNoSuchInstance},
		{agentx.OID{2, 3, 1, 99, 1}, agentx.TypeNoSuchObject},
		{agentx.OID{9, 9}, agentx.TypeNoSuchObject},
	} {
		if got := v.Get(enterprise.Sub(test.name...)).Type; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestSameRouter: two routers that would have the same row have one.
func TestSameRouter(t *testing.T) {
	s := stateOf(t, "../../testdata/model/everything.conf")
	s.Config = &config.Config{Instances: []config.Instance{
		{Name: "a", Interface: "eth0", VirtualRouterID: 7, Version: config.Some(uint8(2))}, {Name: "b", Interface: "eth1", VirtualRouterID: 7, Version: config.Some(uint8(2))},
		{Name: "c", Interface: "eth0", VirtualRouterID: 7, Version: config.Some(uint8(2))}, {Name: "d", Interface: "gone", VirtualRouterID: 7, Version: config.Some(uint8(2))},
	}}
	var rows []string
	for _, b := range walk(t, s.view()) {
		if b.Name.Under(vrrp2.Sub(1, 3, 1, 3)) {
			rows = append(rows, b.Name.String())
		}
	}
	if d := cmp.Diff([]string{"1.3.6.1.2.1.68.1.3.1.3.2.7", "1.3.6.1.2.1.68.1.3.1.3.3.7"}, rows); d != "" {
		t.Error(d)
	}
}

// TestVMAC: an instance with a link of its own shows it, and the hardware
// address that it has there, under the number of the link below.
func TestVMAC(t *testing.T) {
	s := stateOf(t, "../../testdata/model/everything.conf")
	s.Facts.Links = []dump.Link{{Name: "eth0", Index: 3, MAC: "02:00:00:00:00:01"}, {Name: "vrrp.7", Index: 9, MAC: "00:00:5e:00:01:07"}}
	c := &config.Config{Instances: []config.Instance{{
		Name: "a", Interface: "eth0", VirtualRouterID: 7, Version: config.Some(uint8(2)), Priority: config.Some(uint8(100)), VMAC: &config.VMAC{Name: "vrrp.7"},
		VirtualIPAddress: []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}},
	}}}
	c.Resolve(nil)
	s.Config = c
	v := s.view()
	for _, test := range []struct {
		name agentx.OID
		want string
	}{
		{router.Sub(3, 1, 10, 1), "vrrp.7"},
		{router.Sub(6, 1, 8, 1, 1), "vrrp.7"},
		{vrrp2.Sub(1, 3, 1, 2, 3, 7), "\x00\x00\x5e\x00\x01\x07"},
		{vrrp3.Sub(1, 1, 1, 1, 5, 3, 7, 1), "\x00\x00\x5e\x00\x01\x07"},
	} {
		if got := v.Get(test.name); got.Octets != test.want {
			t.Errorf("%s: %+v, want %q", test.name, got, test.want)
		}
	}
}
