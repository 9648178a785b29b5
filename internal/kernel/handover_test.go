//go:build linux

package kernel

import (
	"context"
	"strings"
	"testing"
)

// An IPv6 address that a predecessor has left is adopted, once, and the kernel is
// not asked for it: here it has gone meanwhile, and is not put there.
func TestInheritedAddress(t *testing.T) {
	host, ns, _ := newHost(t)
	ns.Run(t, "ip addr add 2001:db8::9/64 dev eth0 nodad")
	if err := host.TakeOver(context.Background(), Handover{}); err != nil {
		t.Fatal(err)
	}
	ns.Run(t, "ip addr del 2001:db8::9/64 dev eth0")
	there := func() bool { return strings.Contains(ns.Run(t, "ip addr show dev eth0"), "2001:db8::9/64") }
	mustClaim(t, host, "VI_1", addr("2001:db8::9/64", "eth0"))
	if there() {
		t.Error("the kernel was asked for an address that was there")
	}
	mustClaim(t, host, "VI_1")
	mustClaim(t, host, "VI_1", addr("2001:db8::9/64", "eth0"))
	if !there() {
		t.Error("an address is adopted twice")
	}
}
