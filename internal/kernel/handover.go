package kernel

import (
	"context"
	"maps"

	"github.com/vishvananda/netlink"
)

// Handover is what there was before this program changed it, for the one that
// takes its place and puts it back one day.
type Handover struct {
	Saved map[string]Setting // by link/name
	Links []LinkSetting
}

// LinkSetting is a value of net.ipv4.conf that is claimed, and the index of the
// link that has it.
type LinkSetting struct {
	Link, Name string
	Index      uint32
}

// Handover is what there was before.
func (h *Host) Handover() (was Handover) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was.Saved = maps.Clone(h.conf.saved)
	for id, index := range h.conf.index {
		was.Links = append(was.Links, LinkSetting{id.link, id.name, index})
	}
	return was
}

// TakeOver says what there was before, before the first [Host.Claim]. The IPv6
// addresses that are there are adopted without a word to the kernel: it would
// refuse them, and report all multicast groups of the link anew.
func (h *Host) TakeOver(ctx context.Context, was Handover) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.conf.saved, was.Saved)
	for _, l := range was.Links {
		h.conf.index[sysctlID{l.Link, l.Name}] = l.Index
	}
	all, err := h.batch(ctx).list(netlink.FAMILY_V6)
	if err != nil {
		return err
	}
	for _, a := range all {
		h.inherited[indexOf(a)] = true
	}
	return nil
}
