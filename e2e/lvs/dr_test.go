package lvs

import (
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// Direct routing with two directors: the same table as keepalived's, even
// balance, a dead real server out and back in, failover when the master dies
// without a word.
func TestDR(t *testing.T) { cluster(t, "dr.conf") }

// One service in two blocks, one of direct routing, one of tunnelling: the
// same, with traffic to both kinds.
func TestMixed(t *testing.T) { cluster(t, "mixed.conf") }

func cluster(t *testing.T, name string) {
	configuration := files(t, name)
	c := rig.NewCluster(t, configuration)
	sameTable(t, c, configuration)
	master, _ := elect(t, c)
	evenly(t, c)
	// Every block of a service has real servers of its own.
	first := c.Plan.Services[0].VIP
	for _, s := range c.Plan.Services {
		if s.VIP == first {
			dieAndReturn(t, c, s.VIP, s.Real[0])
		}
	}
	killMaster(t, c, master)
}
