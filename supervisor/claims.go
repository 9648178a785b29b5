package supervisor

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// claims is the host as VRRP sees it: what is claimed is noted in the ledger.
type claims struct {
	vrrp.Host
	ledger *ledger
	keep   *atomic.Bool // nothing is taken back any more: --dont-release-vrrp

	mu     sync.Mutex
	owners map[entry]map[string]bool
}

// Claim implements [vrrp.Host].
func (c *claims) Claim(ctx context.Context, owner string, want []config.Address) error {
	if c.keep.Load() && len(want) == 0 {
		return nil
	}
	gone := c.own(owner, want)
	err := c.Host.Claim(ctx, owner, want)
	if err == nil {
		c.ledger.cross(gone...)
	}
	return err
}

// own notes what an owner wants, and returns what nobody wants any more.
func (c *claims) own(owner string, want []config.Address) (gone []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = make(map[entry]map[string]bool)
	}
	wanted := make(map[entry]bool, len(want))
	for _, a := range want {
		e := addressEntry(a)
		wanted[e] = true
		if c.owners[e] == nil {
			c.owners[e] = make(map[string]bool)
		}
		c.owners[e][owner] = true
		c.ledger.enter(e)
	}
	for e, owners := range c.owners {
		if !owners[owner] || wanted[e] {
			continue
		}
		if delete(owners, owner); len(owners) == 0 {
			delete(c.owners, e)
			gone = append(gone, e)
		}
	}
	return gone
}

func addressEntry(a config.Address) entry { return entry{dev: a.Dev, prefix: a.Prefix} }
