package vrrp

import (
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestLinkbeat: a link that linkbeat_interfaces polls is told of as keepalived
// tells, with each way to ask its driver, and its loss is a fault.
func TestLinkbeat(t *testing.T) {
	t.Parallel()
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		for _, way := range []string{"", "ETHTOOL", "IOCTL"} {
			t.Run(short(binary)+"/"+way, func(t *testing.T) {
				t.Parallel()
				i := instance{priority: 100, version: 3, advert: "0.2"}
				r := newSegment(t).router(1)
				r.run(binary, "linkbeat_interfaces {\n\teth0 "+way+"\n}\n", i)
				r.becomes(0, "VI_1", "MASTER", i.down()+patience)
				mark := r.Mark()
				r.Cable("eth0", false)
				r.Wait(mark, "Linkbeat reports eth0 down", patience)
				r.becomes(mark, "VI_1", "FAULT", patience)
				r.owns(false, patience)
				mark = r.Mark()
				r.Cable("eth0", true)
				r.Wait(mark, "Linkbeat reports eth0 up", patience)
				r.becomes(mark, "VI_1", "MASTER", i.down()+patience)
				r.owns(true, patience)
			})
		}
	}
}
