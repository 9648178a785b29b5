package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
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
	holds  int
	gone   []entry // unwanted, but there until the last hold is released
}

// Claim implements [vrrp.Host].
func (c *claims) Claim(ctx context.Context, owner string, want config.Claims) error {
	if c.keep.Load() && want.Empty() {
		return nil
	}
	gone := c.own(owner, want)
	err := c.Host.Claim(ctx, owner, want)
	if err == nil {
		c.settle(gone)
	}
	return err
}

// Hold implements [vrrp.Host].
func (c *claims) Hold() (release func()) {
	c.mu.Lock()
	c.holds++
	c.mu.Unlock()
	releaseHost := c.Host.Hold()
	return sync.OnceFunc(func() {
		releaseHost()
		c.mu.Lock()
		gone := c.gone
		if c.holds--; c.holds > 0 {
			gone = nil
		} else {
			c.gone = nil
		}
		c.mu.Unlock()
		c.settle(gone)
	})
}

// own notes what an owner wants, and returns what nobody wants any more.
func (c *claims) own(owner string, want config.Claims) (gone []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = make(map[entry]map[string]bool)
	}
	entries := claimEntries(want)
	wanted := make(map[entry]bool, len(entries))
	for _, e := range entries {
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

// settle crosses out what is not in the kernel any more: what an owner has let
// go of, and what a predecessor left, which instances remove when they begin.
// What somebody has claimed meanwhile stays.
func (c *claims) settle(gone []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds > 0 {
		c.gone = append(c.gone, gone...)
		return
	}
	for _, e := range gone {
		if len(c.owners[e]) == 0 {
			c.ledger.cross(e)
		}
	}
}

// claimEntries are claims as the ledger has them.
func claimEntries(c config.Claims) (entries []entry) {
	for _, l := range c.Links {
		entries = append(entries, entry{link: written(l)})
	}
	for _, a := range c.Closed {
		entries = append(entries, entry{closed: written(a)})
	}
	for _, a := range c.Addresses {
		entries = append(entries, entry{dev: a.Dev, prefix: a.Prefix, peer: a.Peer})
	}
	for _, r := range c.Routes {
		r.Origin = config.Origin{}
		entries = append(entries, entry{route: written(r)})
	}
	for _, r := range c.Rules {
		r.Origin = config.Origin{}
		entries = append(entries, entry{rule: written(r)})
	}
	return entries
}

// written is a value of the configuration on one line.
func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}" // plain data always can be
	}
	return string(text)
}

// claim is the reverse of claimEntries; an entry that is none adds nothing.
func (e entry) claim(to *config.Claims) {
	switch {
	case e.link != "":
		var l config.VirtualLink
		if json.Unmarshal([]byte(e.link), &l) == nil && l.Name != "" {
			to.Links = append(to.Links, l)
		}
	case e.closed != "":
		var a config.ClosedAddress
		if json.Unmarshal([]byte(e.closed), &a) == nil {
			to.Closed = append(to.Closed, a)
		}
	case e.dev != "":
		to.Addresses = append(to.Addresses, config.Address{Dev: e.dev, Prefix: e.prefix, Peer: e.peer})
	case e.route != "":
		var r config.Route
		if json.Unmarshal([]byte(e.route), &r) == nil && r.Destination.IsValid() {
			to.Routes = append(to.Routes, r)
		}
	case e.rule != "":
		var r config.Rule
		if json.Unmarshal([]byte(e.rule), &r) == nil && r.Action != "" {
			to.Rules = append(to.Rules, r)
		}
	}
}

// said is an entry as the log has it.
func (e entry) said() string {
	var c config.Claims
	switch e.claim(&c); {
	case len(c.Links) > 0:
		return "link " + c.Links[0].Name
	case len(c.Closed) > 0:
		return fmt.Sprintf("closed address %s", c.Closed[0].Addr)
	case len(c.Routes) > 0:
		return "route " + c.Routes[0].String()
	case len(c.Rules) > 0:
		return "rule " + c.Rules[0].String()
	}
	return e.String()
}
