package config

import (
	"math"
	"testing"
	"time"
)

func TestFileJudge(t *testing.T) {
	for _, tc := range []struct {
		weight  int
		reverse bool
		number  int
		up      bool
		by      int
	}{
		{weight: 1, number: 5, up: true, by: 5},
		{weight: 2, number: -5, up: true, by: -10},
		{weight: 2, reverse: true, number: 5, up: true, by: -10},
		{weight: 1, number: -65535, up: true, by: -65535},
		{weight: 1, number: -65536},
		{weight: -1, number: 65536},
		{weight: 1, reverse: true, number: 65536},
		{weight: 65535, number: math.MaxInt32, up: true, by: 65535},
		{weight: -65535, number: -math.MaxInt32, up: true, by: 65535},
		{weight: 65535, number: -math.MaxInt32},
		{weight: 0, number: 0, up: true},
		{weight: 0, number: 1},
		{weight: 0, number: -1},
		{weight: 0, reverse: true, number: 0},
		{weight: 0, reverse: true, number: 7, up: true},
	} {
		p := FileParams{Weight: Some(tc.weight), Reverse: tc.reverse}
		if up, w := p.Judge(tc.number); up != tc.up || w != (WeightChange{By: tc.by}) {
			t.Errorf("weight %d, reverse %t, number %d: %t %+v, want %t %+d", tc.weight, tc.reverse, tc.number, up, w, tc.up, tc.by)
		}
	}
}

// What a check takes from elsewhere: the weight from its file, the timeout of a
// script from the virtual server.
func TestResolvedParams(t *testing.T) {
	own := &FileParams{TrackFile: "f", Weight: Some(0)}
	open := &FileParams{TrackFile: "f"}
	script := &MiscParams{}
	limited := &MiscParams{MiscTimeout: Some(3 * time.Second)}
	timing := &Timing{DelayLoop: Some(7 * time.Second)}
	c := &Config{
		Trackers: Trackers{Files: []TrackFile{{Name: "f", File: "/run/f", Weight: Some(-3), Reverse: true}, {Name: "unused", File: "/run/u"}}},
		Services: []VirtualServer{{
			FWMark: 1, HASuspend: true, Timing: Timing{DelayLoop: Some(20 * time.Second)},
			RealServers: []RealServer{{Timing: &Timing{ConnectTimeout: Some(time.Second)}, Checks: []Check{
				{Kind: FileCheck, Params: own}, {Kind: FileCheck, Params: open},
				{Kind: MiscCheck, Params: script, Timing: timing}, {Kind: MiscCheck, Params: limited, Timing: timing},
				{Kind: BFDCheck, Params: &BFDParams{Name: "b"}},
			}}},
		}},
	}
	service := c.KernelServices()[0]
	checks := service.Servers[0].Checks
	if len(checks) != 5 || !service.HASuspend {
		t.Fatalf("%+v", service)
	}
	if p := checks[0].Params.(*FileParams); p.Weight.Value != 0 || p.Reverse {
		t.Errorf("a weight of its own: %+v", p)
	}
	if p := checks[1].Params.(*FileParams); p.Weight.Value != -3 || !p.Reverse {
		t.Errorf("the weight of the file: %+v", p)
	}
	if open.Weight.Value != 0 || open.Reverse {
		t.Errorf("the configuration as written has changed: %+v", open)
	}
	if d := checks[2].Timing; d.ConnectTimeout.Value != 20*time.Second || d.DelayLoop.Value != 7*time.Second {
		t.Errorf("the script's time: %+v", d)
	}
	if d := checks[3].Timing.ConnectTimeout.Value; d != 3*time.Second {
		t.Errorf("misc_timeout: %v", d)
	}
	if checks[0].ID() == checks[1].ID() || checks[2].ID() != checks[3].ID() {
		t.Errorf("the timeout is not what is tested, the weight is: %+v", checks)
	}
	if files := c.CheckedFiles(); len(files) != 1 || files["f"].File != "/run/f" {
		t.Errorf("files that are followed: %v", files)
	}
}
