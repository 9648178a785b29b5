package vrrp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// STOP is told when all addresses are released: of all instances and then of all
// sync groups, in the order of the configuration.
func TestOrderOfFarewells(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		var instances []config.Instance
		for i, name := range []string{"A", "B", "C", "D", "E", "F"} {
			instances = append(instances, virtual(name, uint8(51+i), 100, fmt.Sprintf("10.0.0.%d/24", 100+i)))
		}
		cfg := resolved(instances...)
		cfg.Groups = []config.SyncGroup{{Name: "two", Members: []string{"E", "C"}}, {Name: "one", Members: []string{"D", "A"}}}
		apply(t, a, cfg)
		l.until(5 * time.Second)
		a.noted()
		a.stop(t)
		want(t, "states", a.noted(), []string{
			"5s A STOP 100", "5s B STOP 100", "5s C STOP 100", "5s D STOP 100", "5s E STOP 100", "5s F STOP 100", "5s two STOP 0", "5s one STOP 0",
		})
	})
}
