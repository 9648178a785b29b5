package vrrp

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// held is an owner of addresses that has something of everything in the
// kernel. Its lines are what a reload may change.
func heldBy(static, route, rule string) string {
	return `
static_ipaddress {
	` + static + `
}
static_routes {
	10.51.0.0/24 via 10.9.0.7 dev eth0
}
static_rules {
	from 10.50.0.0/24 table 7 preference 50
}
vrrp_instance VI_1 {
	interface eth0
	use_vmac
	virtual_router_id 51
	priority 255
	no_accept
	virtual_ipaddress {
		10.9.0.100/24
	}
	virtual_routes {
		10.20.0.0/16 via 10.9.0.2
		` + route + `
	}
	virtual_rules {
		from 10.20.0.0/16 table 100 preference 100
		` + rule + `
	}
}
`
}

// deletions watches for what is deleted in the router's kernel; the function
// that it returns names the links, addresses, routes and rules so far.
func (r *router) deletions() (deleted func() []string) {
	r.t.Helper()
	var mu sync.Mutex
	var seen bytes.Buffer
	c := r.Command("ip", "monitor", "link", "address", "route", "rule")
	c.Stdout = writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return seen.Write(b)
	})
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	mark := 0
	// ip monitor does not say when it listens: something that is deleted does.
	settle := func() {
		rig.Until(r.t, "ip monitor", patience, func() bool {
			r.Run("ip", "addr", "add", "127.0.0.77/32", "dev", "lo")
			r.Run("ip", "addr", "del", "127.0.0.77/32", "dev", "lo")
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(seen.String()[mark:], "127.0.0.77")
		})
	}
	settle()
	mark = seen.Len()
	return func() (what []string) {
		settle()
		mu.Lock()
		defer mu.Unlock()
		name := regexp.MustCompile(`10\.\d+\.\d+\.\d+(/\d+)?|vrrp\.\d+`)
		for line := range strings.Lines(seen.String()[mark:]) {
			if found := name.FindString(line); strings.HasPrefix(line, "Deleted") && found != "" && !strings.Contains(line, "table local") {
				what = append(what, found)
			}
		}
		mark = seen.Len()
		slices.Sort(what)
		return slices.Compact(what)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestTakeOver: after kill -9 a new lvsd takes over what the configuration
// still names, without a gap, and takes back the rest; a reload touches the
// difference alone.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	r := newSegment(t).router(1)
	before := r.heldObjects()
	r.run(rig.Binary(), heldBy("10.50.0.1/24 dev eth0", "10.21.0.0/16 via 10.9.0.2", "from 10.21.0.0/16 table 101 preference 101"))
	r.becomes(0, "VI_1", "MASTER", patience)
	whole := func() bool { return strings.Contains(r.heldObjects(), "100:") }
	rig.Until(t, "the rules", patience, whole)
	deleted := r.deletions()

	r.Kill()
	r.configure(heldBy("10.50.0.1/24 dev eth0", "10.22.0.0/16 via 10.9.0.2", ""))
	r.Daemon = r.Again("-P")
	r.becomes(0, "VI_1", "MASTER", patience)
	r.Wait(0, "Startup complete", patience)
	rig.Until(t, "the new route", patience, func() bool { return strings.Contains(r.heldObjects(), "10.22.0.0/16") })
	if got, want := deleted(), []string{"10.21.0.0/16"}; !slices.Equal(got, want) {
		t.Errorf("a start after kill -9 deleted %q, want %q", got, want)
	}

	mark := r.Mark()
	r.configure(heldBy("10.53.0.2/24 dev eth0", "10.22.0.0/16 via 10.9.0.3", "from 10.23.0.0/16 table 103 preference 103"))
	r.Reload(mark)
	rig.Until(t, "the new rule", patience, func() bool {
		return strings.Contains(r.heldObjects(), "103:") && strings.Contains(r.heldObjects(), "10.53.0.2")
	})
	if got := deleted(); !slices.Contains(got, "10.22.0.0/16") || !slices.Contains(got, "10.50.0.1/24") || slices.Contains(got, "10.20.0.0/16") || slices.Contains(got, "vrrp.51") || slices.Contains(got, "10.51.0.0/24") || slices.Contains(got, "10.9.0.100/24") {
		t.Errorf("a reload deleted %q", got)
	}
	if states := r.states(mark); len(states) > 0 {
		t.Errorf("a reload changed states: %q", states)
	}
	r.Stop(patience)
	if after := r.heldObjects(); after != before {
		t.Errorf("left:\n%s\nbefore:\n%s", after, before)
	}
}

// heldObjects is what the router has in the kernel, in short.
func (r *router) heldObjects() string {
	r.t.Helper()
	var all strings.Builder
	for _, command := range []string{"-br addr", "route show proto keepalived", "rule"} {
		all.WriteString(r.Run("ip", strings.Fields(command)...))
	}
	all.WriteString(r.Run("nft", "list", "ruleset"))
	return all.String()
}

// Reload sends SIGHUP and waits until it is done.
func (r *router) Reload(mark int) {
	r.t.Helper()
	r.Signal(1)
	r.Wait(mark, "Reload complete", patience)
}
