package vrrp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// Sockets that take long to open, for an instance that a reload adds, on a link
// that comes later, or after a failure, delay no advert of the others.
func TestSlowSockets(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		link := func(name string) {
			if err := a.runner.Link(vrrp.LinkChanged{Link: name, Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}); err != nil {
				t.Error(err)
			}
		}
		link("eth1")
		on := func(link string, vrid uint8) config.Instance {
			i := virtual("VI_"+link, vrid, 100, "10.1.0.100/24")
			i.Interface = link
			return i
		}
		first := virtual("VI_1", 51, 100, vip)
		apply(t, a, resolved(first))
		l.until(4 * time.Second)
		a.mu.Lock()
		a.slow = 10 * time.Second
		a.mu.Unlock()
		apply(t, a, resolved(first, on("eth1", 52), on("eth2", 53))) // until 14 s
		a.fail(errNoSocket)
		link("eth2") // until 24 s, and in vain; again from 25 s on
		a.fail(nil)
		l.until(40 * time.Second)
		states := a.noted()
		slices.Sort(states) // of instances that have nothing to do with each other
		want(t, "states", states, []string{
			"0s VI_1 BACKUP 100", "14s VI_eth1 BACKUP 100", "14s VI_eth2 FAULT 100", "17.609375s VI_eth1 MASTER 100",
			"3.609375s VI_1 MASTER 100", "35s VI_eth2 BACKUP 100", "38.609375s VI_eth2 MASTER 100",
		})
		var adverts []string
		for _, frame := range l.sent() {
			var at, rest string
			if _, err := fmt.Sscanf(frame, "%s 10.0.0.1 > 224.0.0.18 ttl 255 id %s vrid 51 prio 100", &at, &rest); err == nil {
				adverts = append(adverts, at)
			}
		}
		var due []string
		for at := 3609375 * time.Microsecond; at < 40*time.Second; at += time.Second {
			due = append(due, at.String())
		}
		want(t, "adverts", adverts, due)
		a.stop(t)
	})
}

// The sockets of instances that a reload gives another authentication or another
// link to send on are prepared, too, and those on a link with delays.
func TestSlowSocketsOfOldInstances(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		link := func(name string) {
			if err := a.runner.Link(vrrp.LinkChanged{Link: name, Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.1.0.1")}}); err != nil {
				t.Error(err)
			}
		}
		link("vrrp.51")
		own := virtual("VI_1", 51, 100, vip)
		own.VMAC = &config.VMAC{Name: "vrrp.51"}
		own.VMACXmitBase = true
		ah := virtual("VI_2", 52, 100, "10.0.0.101/24")
		late := virtual("VI_3", 53, 100, "10.1.0.101/24")
		late.Interface = "eth1"
		cfg := func() *config.Config {
			c := resolved(own, ah, late)
			c.Links.Delays = []config.UpDownDelay{{Link: config.Link{Name: "eth1"}, Down: time.Second, Up: time.Second}}
			return c
		}
		apply(t, a, cfg())
		a.mu.Lock()
		a.slow = 10 * time.Second
		a.mu.Unlock()
		apply(t, a, cfg()) // nothing to prepare
		own.VMACXmitBase = false
		apply(t, a, cfg()) // until 10 s
		ah.Authentication = config.Authentication{Type: config.AuthAH, Pass: "s3cret"}
		apply(t, a, cfg()) // until 20 s
		link("eth1")       // until 30 s
		want(t, "prepared", a.prepared, []string{"10s {vrrp.51 224.0.0.18 invalid IP false}", "20s {eth0 224.0.0.18 invalid IP true}", "30s {eth1 224.0.0.18 invalid IP false}"})
		a.stop(t)
	})
}
