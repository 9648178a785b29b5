package vrrp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
)

// However often it is asked for, no address waits more often than one request
// wants; another place in the file makes it no other address.
func TestAnnouncementsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host kerneltest.Host
		p := newPacer(&host, zap.NewNop())
		cfg := config.Config{Global: config.DefaultGlobal}
		cfg.Global.VRRPGarpInterval = time.Second
		p.configure(&cfg)
		addr := config.Address{Prefix: netip.MustParsePrefix("10.0.0.5/24"), Dev: "eth0"}
		for n := range int32(100) {
			addr.Origin.Line = n
			if err := p.announce(Announce{Instance: "VI_1", Addresses: []config.Address{addr}, Rounds: 3}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if sent := len(host.Operations()); sent < 3 || sent > 4 { // one may have gone before the last request
			t.Errorf("%d announcements, want the 3 that wait", sent)
		}
		// What is held on goes on, what is given up does not.
		other := config.Address{Prefix: netip.MustParsePrefix("10.0.0.6/24"), Dev: "eth0"}
		_ = p.announce(Announce{Instance: "VI_1", Addresses: []config.Address{addr, other}, Rounds: 3})
		time.Sleep(1500 * time.Millisecond)
		addr.Origin.Line = 1
		p.keep("VI_1", []config.Address{addr})
		p.keep("VI_2", nil)
		host.Operations()
		time.Sleep(time.Minute)
		for _, op := range host.Operations() {
			if op != "announce 10.0.0.5/24 dev eth0" {
				t.Errorf("%q", op)
			}
		}
		p.stop()
	})
}
