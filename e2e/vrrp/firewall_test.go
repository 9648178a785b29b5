package vrrp

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// ruleset is what `nft` shows, with tables and the elements of sets in order
// and without counts.
func (r *router) ruleset() string {
	r.t.Helper()
	text := regexp.MustCompile(`packets \d+ bytes \d+`).ReplaceAllString(r.Run("nft", "list", "ruleset"), "packets N bytes N")
	tables := strings.SplitAfter(text, "\n}\n")
	slices.Sort(tables)
	text = strings.Join(tables, "")
	return regexp.MustCompile(`elements = \{([^}]*)\}`).ReplaceAllStringFunc(text, func(list string) string {
		list = strings.Trim(strings.TrimPrefix(list, "elements ="), "{} ")
		words := strings.Split(list, ",")
		for i := range words {
			words[i] = r.named(strings.TrimSpace(words[i]))
		}
		slices.Sort(words)
		return "elements = { " + strings.Join(words, ", ") + " }"
	})
}

// named says "vrrp.51" : "eth0" where nft has only a number: it does not know
// the byte order of what a map leads to.
func (r *router) named(element string) string {
	key, value, _ := strings.Cut(element, " : ")
	number, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return element
	}
	index := bits.ReverseBytes32(uint32(number))
	for _, line := range strings.Split(r.Run("ip", "-o", "link"), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == fmt.Sprintf("%d:", index) {
			name, _, _ := strings.Cut(strings.TrimSuffix(words[1], ":"), "@")
			return key + fmt.Sprintf(" : %q", name)
		}
	}
	return element
}

// TestFirewall: the tables are those that keepalived makes, from the start for
// VMACs and while MASTER for closed addresses.
func TestFirewall(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string][]any{
		"no_accept": {"global_defs {\n\tnftables foo\n\tnftables_priority 5\n\tnftables_counters\n}", instance{
			priority: 200, vips: []string{"10.9.0.100/24", "10.8.0.100/24 dev eth1"}, excluded: []string{"2001:db8::1/64", "fe80::77/64 dev eth1"}, more: "no_accept",
		}},
		"dont_track_primary": {instance{
			priority: 200, vips: []string{"fe80::100/64", "2001:db8::100/64", "fe80::101/64 dev eth1"}, more: "no_accept\ndont_track_primary",
		}},
		"ifindex": {"global_defs {\n\tnftables_ifindex\n}", instance{
			priority: 200, vips: []string{"fe80::100/64", "2001:db8::100/64"}, more: "no_accept\ndont_track_primary",
		}},
		"global addresses": {instance{priority: 200, vips: []string{"10.9.0.100/24"}, excluded: []string{"2001:db8::100/64"}, more: "no_accept"}},
		"strict":           {instance{priority: 200, version: 3, vips: []string{"10.9.0.100/24"}, more: "strict_mode yes"}},
		"owner":            {instance{priority: 255, vips: []string{"10.9.0.100/24"}, more: "no_accept"}},
		"vmac": {"global_defs {\n\tnftables_counters\n}",
			instance{priority: 200, vips: []string{"10.9.0.100/24"}, more: "use_vmac"},
			instance{name: "VI_2", vrid: 52, priority: 200, vips: []string{"fe80::100/64"}, more: "use_vmac"}},
		"vmac no_accept": {
			instance{priority: 200, vips: []string{"10.9.0.100/24", "10.8.0.100/24 dev eth1 use_vmac"}, excluded: []string{"2001:db8::1/64"}, more: "use_vmac\nno_accept"},
			instance{name: "VI_2", vrid: 52, priority: 200, vips: []string{"fe80::100/64", "2001:db8::100/64"}, more: "use_vmac\nno_accept"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			states := make(map[string][3][]string)
			for _, binary := range []string{rig.Keepalived, rig.Binary()} {
				r := vmacRouter(newSegment(t), 1)
				r.run(binary, configuration...)
				if name != "owner" {
					r.Wait(0, "Entering BACKUP STATE", patience)
					r.Wait(0, "Startup complete", patience)
				}
				backup := r.ruleset()
				for _, c := range configuration {
					if i, ok := c.(instance); ok {
						r.becomes(0, i.named(), "MASTER", patience)
						address, _, _ := strings.Cut(i.addresses()[0], "/")
						rig.Until(t, "address "+address, patience, func() bool { return strings.Contains(r.Run("ip", "-o", "addr"), address) })
					}
				}
				if len(configuration) > 1 && strings.HasPrefix(name, "vmac") {
					rig.Until(t, "fe80::100", patience, func() bool { return strings.Contains(r.Run("ip", "-o", "addr"), "fe80::100") })
				}
				master := r.ruleset()
				r.Stop(patience)
				after := r.ruleset()
				states[short(binary)] = [3][]string{strings.Split(backup, "\n"), strings.Split(master, "\n"), strings.Split(after, "\n")}
			}
			if name == "owner" { // it is MASTER before anybody can look
				for binary, s := range states {
					s[0] = nil
					states[binary] = s
				}
			}
			if diff := cmp.Diff(states["keepalived"], states["lvsd"]); diff != "" {
				t.Errorf("(-keepalived +lvsd):\n%s", diff)
			}
		})
	}
}
