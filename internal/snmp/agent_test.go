package snmp

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// fake is a daemon that takes a while to answer.
type fake struct {
	config *config.Config
	takes  time.Duration
	asked  int
	err    error
}

func (f *fake) Snapshot(context.Context) (*config.Config, *dump.Facts, error) {
	f.asked++
	time.Sleep(f.takes)
	return f.config, new(dump.Facts), f.err
}

func (f *fake) Change(_ context.Context, change func(*config.Config) error) error {
	next := *f.config
	next.Instances = append([]config.Instance(nil), next.Instances...)
	next.Services = append([]config.VirtualServer(nil), next.Services...)
	if err := change(&next); err != nil {
		return err
	}
	f.config = &next
	return nil
}

func newFake() *fake {
	server := func(a string) config.RealServer { return config.RealServer{Addr: netip.MustParseAddrPort(a)} }
	return &fake{config: &config.Config{
		Instances: []config.Instance{{Name: "a", Priority: config.Some(uint8(100))}, {Name: "b", Priority: config.Some(uint8(90)), NoPreempt: true}},
		Services: []config.VirtualServer{
			{FWMark: 1, Weight: 4, RealServers: []config.RealServer{server("10.0.0.1:80")}},
			{FWMark: 2, Weight: 5, SorryServer: &config.SorryServer{Addr: netip.MustParseAddrPort("10.0.0.9:80")}, RealServers: []config.RealServer{server("10.0.0.1:80"), server("10.0.0.2:80")}},
		},
	}}
}

func newAgent(f *fake) *Agent {
	a := New(Options{Log: zap.NewNop(), Daemon: f})
	a.Apply(f.config, Parts{true, true, true, true})
	return a
}

// TestViewAge: however often a manager asks, a view is made once a second, and
// where that takes long, so seldom that it takes a small part of the time.
func TestViewAge(t *testing.T) {
	for takes, most := range map[time.Duration]int{time.Millisecond: 100, 500 * time.Millisecond: 10} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.takes = takes
			a := newAgent(f)
			for began := time.Now(); time.Since(began) < 100*time.Second; time.Sleep(10 * time.Millisecond) {
				if _, err := a.View(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if f.asked < most/2 || f.asked > most {
				t.Errorf("asked %d times in 100 s, each of which took %v", f.asked, takes)
			}
		})
	}
	f := newFake()
	f.err = errors.New("stopping")
	if _, err := newAgent(f).View(t.Context()); err == nil {
		t.Error("a view of nothing")
	}
}

func TestSet(t *testing.T) {
	type vb = agentx.VarBind
	set := func(name agentx.OID, value agentx.Value) vb { return vb{Name: name, Value: value} }
	priority, preempt, weight := router.Sub(3, 1, 7), router.Sub(3, 1, 13), check.Sub(4, 1, 7)
	for _, test := range []struct {
		set   []vb
		code  agentx.Error
		index int
	}{
		{[]vb{set(priority.Sub(1), agentx.Integer(255)), set(priority.Sub(2), agentx.Integer(1)), set(preempt.Sub(2), agentx.Integer(1)), set(weight.Sub(1, 1), agentx.Integer(0)), set(weight.Sub(2, 3), agentx.Integer(65535))}, agentx.NoError, 0},
		{[]vb{set(priority.Sub(1), agentx.Integer(1)), set(priority.Sub(1), agentx.Integer(256))}, agentx.WrongValue, 2},
		{[]vb{set(priority.Sub(1), agentx.Integer(0))}, agentx.WrongValue, 1},
		{[]vb{set(priority.Sub(1), agentx.Integer(-1))}, agentx.WrongValue, 1},
		{[]vb{set(priority.Sub(1), agentx.Text("x"))}, agentx.WrongType, 1},
		{[]vb{set(priority.Sub(3), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(priority.Sub(0), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(priority, agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(priority.Sub(1, 1), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(router.Sub(3, 1, 2, 1), agentx.Text("x"))}, agentx.NotWritable, 1},
		{[]vb{set(preempt.Sub(1), agentx.Integer(3))}, agentx.WrongValue, 1},
		{[]vb{set(weight.Sub(2, 1), agentx.Integer(1))}, agentx.NotWritable, 1}, // the sorry server
		{[]vb{set(weight.Sub(2, 0), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(weight.Sub(1, 2), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(weight.Sub(3, 1), agentx.Integer(1))}, agentx.NotWritable, 1},
		{[]vb{set(weight.Sub(1, 1), agentx.Integer(65536))}, agentx.WrongValue, 1},
		{[]vb{set(agentx.OID{1}, agentx.Integer(1))}, agentx.NotWritable, 1},
	} {
		f := newFake()
		a := newAgent(f)
		before := f.config
		if code, index := a.Test(t.Context(), test.set); code != test.code || index != test.index {
			t.Errorf("%v: %d at %d, want %d at %d", test.set, code, index, test.code, test.index)
		}
		undo, err := a.Commit(t.Context(), test.set)
		if (err == nil) != (test.code == agentx.NoError) {
			t.Errorf("%v: %v", test.set, err)
		}
		if err != nil {
			continue
		}
		c := f.config
		if got := []int{int(c.Instances[0].Priority.Value), int(c.Instances[1].Priority.Value), c.Services[0].RealServers[0].Weight.Value, c.Services[1].RealServers[1].Weight.Value}; [4]int(got) != [4]int{255, 1, 0, 65535} || c.Instances[1].NoPreempt {
			t.Errorf("%v, %+v", got, c.Instances)
		}
		if before.Instances[0].Priority.Value != 100 || before.Services[1].RealServers[1].Weight.Set {
			t.Error("the configuration that ran before has changed")
		}
		if err := undo(t.Context()); err != nil {
			t.Error(err)
		}
		c = f.config
		if c.Instances[0].Priority.Value != 100 || c.Instances[1].Priority.Value != 90 || !c.Instances[1].NoPreempt || c.Services[0].RealServers[0].Weight.Set || c.Services[1].RealServers[1].Weight.Set {
			t.Errorf("not undone: %+v", c)
		}
	}
}
