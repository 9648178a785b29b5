package supervisor

import (
	"slices"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// present are links of a machine of which nothing else is asked.
type present struct{ config.Environment }

func (present) Links() []config.PresentLink {
	return []config.PresentLink{{Name: "eth0"}, {Name: "vrrp.51"}, {Name: "mac52"}}
}

// The links of the running configuration are told from others, and those with a
// name of its own from those that found one.
func TestOwnLinks(t *testing.T) {
	c := &config.Config{Instances: []config.Instance{
		{VMAC: &config.VMAC{}, Links: []config.VirtualLink{{Name: "vrrp.51"}}},
		{VMAC: &config.VMAC{Name: "mac52"}, Links: []config.VirtualLink{{Name: "mac52"}}},
	}}
	want := []config.PresentLink{{Name: "eth0"}, {Name: "vrrp.51", Ours: true}, {Name: "mac52", Ours: true, Named: true}}
	if got := (running{present{}, c}).Links(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (running{present{}, nil}).Links(); !slices.Equal(got, present{}.Links()) {
		t.Errorf("with nothing running: %+v", got)
	}
}
