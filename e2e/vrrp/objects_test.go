package vrrp

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// everything is a configuration with all attributes.
func everything(t *testing.T) string {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	return readFile(t, root, "testdata", "kernel", "everything.conf")
}

// listed is what `ip` shows of a router: the words that two kernels could
// disagree in are left out.
func (r *router) listed() string {
	r.t.Helper()
	var lines []string
	add := func(title string, args ...string) {
		lines = append(lines, "# "+title)
		text := strings.ReplaceAll(r.Run("ip", args...), "\n\t", " ")
		text = regexp.MustCompile(`(preferred_lft|expires) \d+sec`).ReplaceAllString(text, "$1 Nsec")
		found := strings.Split(strings.TrimSpace(text), "\n")
		if title == "routes" {
			slices.Sort(found)
		}
		for _, line := range found {
			line = strings.TrimSpace(line)
			if !stray(line) && !strings.HasPrefix(line, "link/") && !strings.Contains(line, "numtxqueues") && !strings.Contains(line, "qdisc") {
				lines = append(lines, line)
			}
		}
	}
	for _, device := range []string{"eth0", "eth1"} {
		add("addresses of "+device, "-d", "addr", "show", "dev", device)
	}
	add("routes", "-d", "route", "show", "table", "all")
	add("routes", "-6", "-d", "route", "show", "table", "all")
	add("rules", "-d", "rule")
	add("rules", "-6", "-d", "rule")
	return strings.Join(lines, "\n")
}

// stray says that a line is no answer: ip(8) complains about the other ends of
// cables in labs that are being taken down.
func stray(line string) bool { return strings.HasPrefix(line, "Error: Peer netns") }

// TestKernelObjects: addresses, routes and rules are in the kernel as
// keepalived has them with the same configuration, while MASTER and after the
// end.
func TestKernelObjects(t *testing.T) {
	t.Parallel()
	states := make(map[string][]string)
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		s := newSegment(t)
		r := s.router6(1)
		r.Run("ip", "addr", "add", "10.9.0.1/24", "broadcast", "+", "dev", "eth0")
		r.plug("eth1", s.Lab.Switch("two"), "02:00:00:00:01:01", "10.8.0.1/24")
		before := r.listed()
		r.run(binary, everything(t))
		r.becomes(0, "VI_1", "MASTER", patience)
		r.Wait(0, "Startup complete", patience)
		rig.Until(t, "the last rule of "+r.String(), patience, func() bool { return strings.Contains(r.Run("ip", "rule"), "121:") })
		master := r.listed()
		r.Stop(patience)
		// keepalived 2.2.7 forgets the address with a peer.
		if diff := cmp.Diff(before, r.listed()); diff != "" && binary == rig.Binary() {
			t.Errorf("%s left something (-before +after):\n%s", r, diff)
		}
		states[short(binary)] = strings.Split(master, "\n")
	}
	if diff := cmp.Diff(states["keepalived"], states["lvsd"]); diff != "" {
		t.Errorf("(-keepalived +lvsd):\n%s", diff)
	}
}
