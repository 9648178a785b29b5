package vrrp

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/e2e/rig"
)

// endurance is what `make endure` sets.
var endurance = rig.EnduranceFlags()

// some is a random part of a list, in its order.
func some(r *rand.Rand, list []string) (chosen []string) {
	for _, entry := range list {
		if r.IntN(2) == 0 {
			chosen = append(chosen, entry)
		}
	}
	return chosen
}

// block is a block of keepalived.conf, or nothing when it would be empty.
func block(name string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return fmt.Sprintf("%s {\n\t%s\n}\n", name, strings.Join(lines, "\n\t"))
}

// kernelState is everything that a router can have left in the kernel: links,
// addresses, routes, rules, sysctls, each on a line, and nftables. Numbers of
// links, counts, and what depends on the order of addresses, are left out.
// Pairs of what it says and what stands there instead may be given.
func (r *router) kernelState(instead ...string) string {
	r.t.Helper()
	const script = `ip -o -d link; ip -o addr; ip -d route show table all; ip -6 -d route show table all; ip rule; ip -6 rule
cd /proc/sys/net/ipv4/conf
grep -s . */arp_ignore */arp_filter */rp_filter */accept_local */promote_secondaries; :`
	text := strings.NewReplacer(instead...).Replace(noise.ReplaceAllString(r.Run("sh", "-c", script), " "))
	lines := slices.DeleteFunc(strings.Split(text, "\n"), stray)
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n" + strings.NewReplacer(instead...).Replace(r.ruleset())
}

var noise = regexp.MustCompile(`(?m)^\d+: | secondary\b| tentative\b|@if\d+|link-netns \S+| src \S+`)
