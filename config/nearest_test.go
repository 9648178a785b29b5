package config

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"eth1", "priority", "virtual_ipaddress", "interface", "state", "lb_algo"}
	for word, want := range map[string]string{
		"prioritty": "priority", "Priority": "priority", "piroirty": "priority", "vitual_ipaddres": "virtual_ipaddress",
		"STATE": "state", "'lb_algo'": "lb_algo", "stat": "state", "lb_alog": "lb_algo", "foo": "", "MASTER": "", "state2": "state", "eth7": "", "ehh1": "eth1", "": "", "x": "", strings.Repeat("priority", 9): "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
