//go:build linux

package kernel

import (
	"context"
	"fmt"
	"testing"
)

// TestSightings: every address that is there, then each that comes and goes,
// claimed ones too, with the one of two ends that is this host's.
func TestSightings(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add 10.0.0.1/24 dev eth0")
	seen := make(chan string)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- ns.Do(func() error {
			links := NewLinks(host.log, host, func(Link) {})
			links.OnSighting(func(s Sighting) {
				select {
				case seen <- fmt.Sprintf("%s %s gone=%t", s.Addr, s.Link, s.Gone):
				case <-ctx.Done():
				}
			})
			return links.Run(ctx)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	expect(t, seen, "127.0.0.1 lo gone=false")
	expect(t, seen, "10.0.0.1 eth0 gone=false")
	ns.Run(t, "ip addr add 10.0.1.1/24 peer 10.0.2.1 dev eth0")
	expect(t, seen, "10.0.1.1 eth0 gone=false")
	ns.Run(t, "ip addr add fd00::1/64 dev eth0 nodad")
	ns.Run(t, "ip addr del fd00::1/64 dev eth0") // at once: no look has seen it
	expect(t, seen, "fd00::1 eth0 gone=false")
	expect(t, seen, "fd00::1 eth0 gone=true")
	mustClaim(t, host, "VI_1", addr("10.0.0.100/24", "eth0"))
	expect(t, seen, "10.0.0.100 eth0 gone=false")
	ns.Run(t, "ip link add br0 type bridge")
	ns.Run(t, "ip addr add 10.0.3.1/24 dev br0")
	expect(t, seen, "10.0.3.1 br0 gone=false")
	ns.Run(t, "ip link del br0")
	expect(t, seen, "10.0.3.1 br0 gone=true")
}
