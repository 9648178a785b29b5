package vrrp

import (
	"context"

	"github.com/lvsd/lvsd/config"
)

// Host is what the protocol needs of the machine that it runs on. It is
// implemented by internal/kernel and, for tests, by internal/kernel/kerneltest.
type Host interface {
	// Claim replaces the addresses, routes and rules that owner wants:
	// additions first, then deletions. Claims are reference counted, so that
	// an address which moves between owners in a reload is never absent. What
	// is already there is adopted; what nobody claimed is never touched. What
	// could not be done is reported and tried again at the next Claim or
	// resync.
	Claim(ctx context.Context, owner string, want config.Claims) error

	// Sweep removes what a predecessor left behind, of the given; it is called
	// once for an instance before it starts. Under Hold that waits, and what
	// is claimed meanwhile stays.
	Sweep(ctx context.Context, left config.Claims) error

	// Hold postpones deletions until release is called: a reload is made of
	// several claims.
	Hold() (release func())

	// Announce sends one gratuitous ARP request (an unsolicited neighbour
	// advertisement for IPv6) for each address, from the link that holds it.
	Announce(ctx context.Context, addrs []config.Address) error
}

// Notifier takes state changes to the scripts. It never blocks.
type Notifier interface {
	// Notify is called for each [Became] that is not silent, in order.
	Notify(Became)
	// ReceivedLowerPriority is called for notify_master_rx_lower_pri.
	ReceivedLowerPriority(ReceivedLowerPriority)
	// Reprioritised is called for instances with notify_priority_changes.
	Reprioritised(Reprioritised)
}
