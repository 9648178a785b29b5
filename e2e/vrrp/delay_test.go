package vrrp

import (
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestStartupDelay: with vrrp_startup_delay nobody speaks before it is over, an
// owner of the addresses then at once, another router after its timer.
func TestStartupDelay(t *testing.T) {
	t.Parallel()
	const delay = 3 * time.Second
	for _, binary := range []string{rig.Binary(), rig.Keepalived} {
		for name, i := range map[string]instance{
			"owner": {priority: 255, state: "MASTER"},
			"other": {priority: 200, version: 3, advert: "0.2"},
		} {
			t.Run(short(binary)+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newSegment(t).router(1)
				began := time.Now()
				r.run(binary, "global_defs {\n\tvrrp_startup_delay 3\n}\n", i)
				wait := delay
				if i.priority != 255 {
					wait += i.down()
				}
				first := r.nextAdvert(began, i.priority, wait+patience).At
				if name == "owner" {
					// The clock of the delay starts after that of the test.
					within(t, "from the start to the first advert", first.Sub(began), wait, wait+3*busy)
					return
				}
				backup := r.becomes(0, "VI_1", "BACKUP", patience)
				within(t, "from the log's BACKUP to the first advert", first.Sub(backup), wait, wait+busy)
			})
		}
	}
}
