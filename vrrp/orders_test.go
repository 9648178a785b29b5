package vrrp

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
)

// hasty is a waiter that has followed each order a moment ago.
type hasty struct{ waiter }

func (hasty) withdraw(*order)                         {}
func (hasty) deliver(*order, time.Time) (bool, error) { return true, nil }

// A farewell leaves, whatever has left just before it.
func TestFarewellAfterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written tape
		r := New(Options{Host: &kerneltest.Host{}, Notifier: &written, Opener: &written})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		if err := r.Link(LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}); err != nil {
			t.Fatal(err)
		}
		instance := config.DefaultInstance
		instance.Name, instance.Interface, instance.VirtualRouterID = "VI_1", "eth0", 1
		instance.VirtualIPAddress = []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.101/24")}}
		cfg := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{instance}}
		cfg.Resolve(nil)
		if err := r.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		_ = r.do(func() {
			m := r.members["VI_1"]
			r.waiter, m.orders = hasty{r.waiter}, []*order{{member: m, made: &m.advert[0]}}
		})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if want := []string{"resigned 1"}; !slices.Equal(written.read(), want) {
			t.Errorf("got %q, want %q", written.read(), want)
		}
	})
}
