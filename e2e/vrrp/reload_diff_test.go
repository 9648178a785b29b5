package vrrp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestReloadDiff: what a reload moves from one master to another is never
// absent, and what it adds or removes beside a master does not disturb it.
func TestReloadDiff(t *testing.T) {
	t.Parallel()
	one := notifying(instance{name: "VI_1", vrid: 51, priority: 100, vips: []string{"10.9.0.100/24", "10.9.0.101/24"}})
	two := notifying(instance{name: "VI_2", vrid: 52, priority: 100, vips: []string{"10.9.0.102/24"}})
	other := notifying(instance{name: "VI_3", vrid: 53, priority: 100, device: "eth1", vips: []string{"10.9.1.100/24"}})
	of := func(i instance, change func(*instance)) instance {
		change(&i)
		return i
	}
	group := func(more string, members ...string) string {
		return "vrrp_sync_group G {\n\tgroup {\n\t\t" + strings.Join(members, "\n\t\t") + "\n\t}\n" + more + "\n}\n"
	}
	tests := []struct {
		name          string
		before, after []any
	}{
		{
			"an address moves", []any{one, two}, []any{
				of(one, func(i *instance) { i.vips = i.vips[:1] }),
				of(two, func(i *instance) { i.vips = []string{"10.9.0.102/24", "10.9.0.101/24"} }),
			},
		},
		{
			"addresses swapped", []any{one, two}, []any{
				of(one, func(i *instance) { i.vips = two.vips }), of(two, func(i *instance) { i.vips = one.vips }),
			},
		},
		{
			"virtual_router_ids swapped", []any{one, two}, []any{
				of(one, func(i *instance) { i.vrid = two.vrid }), of(two, func(i *instance) { i.vrid = one.vrid }),
			},
		},
		{"an instance added", []any{one, two}, []any{other, one, two}},
		{"an instance removed", []any{other, one, two}, []any{one, two}},
		{"an instance added to a sync group", []any{group("", "VI_1", "VI_2"), one, two}, []any{group("", "VI_1", "VI_3", "VI_2"), one, other, two}},
		{"an interface added to a sync group", []any{group("", "VI_1", "VI_2"), one, two}, []any{group("\ttrack_interface {\n\t\teth1\n\t}", "VI_1", "VI_2"), one, two}},
		{
			"a VMAC has another name", []any{of(one, func(i *instance) { i.more += "\nuse_vmac mac51" }), two},
			[]any{of(one, func(i *instance) { i.more += "\nuse_vmac mac52" }), two},
		},
		{"a sync group added", []any{one, two}, []any{group("", "VI_1", "VI_2"), one, two}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reloadUnseen(t, test.before, test.after)
		})
	}
}

// reloadUnseen reloads a master of VRIDs 51 and 52 that goes on being that, with the
// addresses of both.
func reloadUnseen(t *testing.T, before, after []any) {
	s := newSegment(t)
	r := s.router(1)
	r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
	r.File("notify.sh", notifyScript)
	addresses := r.watchAddresses()
	r.run(rig.Binary(), before...)
	for _, name := range []string{"VI_1", "VI_2"} {
		r.becomes(0, name, "MASTER", patience)
	}
	held := []string{"10.9.0.1", "10.9.0.100", "10.9.0.101", "10.9.0.102"}
	holds := func() bool {
		return slices.Equal(slices.Sorted(slices.Values(r.held("eth0", "mac51", "mac52"))), held)
	}
	rig.Until(t, "the addresses", patience, holds)
	r.listens(addresses, "Deleted 1: lo inet 192.0.2.78", "ip addr add 192.0.2.78/32 dev lo; ip addr del 192.0.2.78/32 dev lo") // to those, too
	began, log, events := time.Now(), r.Mark(), addresses.mark()
	notified := r.ReadFile("notify.log")
	r.configure(after...)
	r.reload(t, reloaded)
	if added := fmt.Sprint(after...); strings.Contains(added, "vrrp_instance VI_3") {
		r.becomes(log, "VI_3", "MASTER", patience)
	}
	time.Sleep(settle)
	for _, line := range slices.Concat(r.states(log), strings.Split(strings.TrimPrefix(r.ReadFile("notify.log"), notified), "\n")) {
		if line != "" && !strings.Contains(line, "VI_3") && !strings.HasPrefix(line, "GROUP G MASTER") {
			t.Errorf("said or notified: %s", line)
		}
	}
	for _, line := range addresses.since(events) {
		named := strings.Contains(line, "mac52") && !strings.HasPrefix(line, "Deleted") // the kernel tells of the name
		if !strings.Contains(line, "eth1") && !named {
			t.Errorf("of addresses: %s", line)
		}
	}
	if !holds() {
		t.Errorf("holds %q, want %q", r.held("eth0"), held)
	}
	last := map[uint8]time.Time{}
	for _, a := range r.sent(began.Add(-time.Second)) {
		if gap := a.At.Sub(last[a.VRID]); !last[a.VRID].IsZero() && gap > time.Second+busy {
			t.Errorf("VRID %d was silent for %s", a.VRID, gap)
		}
		if last[a.VRID] = a.At; a.Priority != 100 {
			t.Errorf("an advert of VRID %d has priority %d", a.VRID, a.Priority)
		}
	}
	for _, vrid := range []uint8{51, 52} {
		if silent := time.Since(last[vrid]); silent > time.Second+busy {
			t.Errorf("VRID %d is silent for %s", vrid, silent)
		}
	}
}
