package vrrp

import (
	"bufio"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// An addressLog is what the kernel says about addresses, or other things, of a
// host that come and go, one line of ip(8) or nft(8) each.
type addressLog struct {
	mu    sync.Mutex
	lines []string
}

// watchAddresses starts to listen, and returns when it does.
func (r *router) watchAddresses() *addressLog {
	r.t.Helper()
	a := r.monitor("ip", "-o", "monitor", "address")
	r.listens(a, "192.0.2.77", "ip addr add 192.0.2.77/32 dev lo; ip addr del 192.0.2.77/32 dev lo")
	return a
}

// monitor starts a program that tells what changes.
func (r *router) monitor(name string, args ...string) *addressLog {
	r.t.Helper()
	a := &addressLog{}
	monitor := r.Command(name, args...)
	out, err := monitor.StdoutPipe()
	if err == nil {
		err = monitor.Start()
	}
	if err != nil {
		r.t.Fatalf("%s: start %s: %v", r.Name, name, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			a.mu.Lock()
			a.lines = append(a.lines, strings.Join(strings.Fields(lines.Text()), " "))
			a.mu.Unlock()
		}
	})
	r.t.Cleanup(func() {
		_ = monitor.Process.Kill()
		reading.Wait()
		_ = monitor.Wait()
	})
	return a
}

// listens waits until a monitor tells about something that a script does.
func (r *router) listens(a *addressLog, word, script string) {
	r.t.Helper()
	rig.Until(r.t, "a monitor to listen", patience, func() bool {
		r.Run("sh", "-ec", script)
		return slices.ContainsFunc(a.since(0), func(line string) bool { return strings.Contains(line, word) })
	})
	time.Sleep(100 * time.Millisecond) // its last words about that
}

func (a *addressLog) mark() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.lines)
}

func (a *addressLog) since(mark int) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.lines[mark:])
}

// A calm is a stretch of time in which a router must show nothing but its
// regular adverts.
type calm struct {
	r         *router
	addresses *addressLog
	began     time.Time
	log       int
	address   int
	notified  string
}

// calm begins such a stretch.
func (r *router) calm(addresses *addressLog) *calm {
	return &calm{r, addresses, time.Now(), r.Mark(), addresses.mark(), r.ReadFile("notify.log")}
}

// check fails the test for an address that came or went, a state that changed,
// a script that ran, a frame other than an advert, and adverts that did not
// keep to the interval. A backup is one that has no interval to keep: 0.
func (c *calm) check(t *testing.T, interval time.Duration) {
	t.Helper()
	if events := c.addresses.since(c.address); len(events) > 0 {
		t.Errorf("%s: address events: %q", c.r, events)
	}
	if states := c.r.states(c.log); len(states) > 0 {
		t.Errorf("%s: changes of state: %q", c.r, states)
	}
	if notified := strings.TrimPrefix(c.r.ReadFile("notify.log"), c.notified); notified != "" {
		t.Errorf("%s: notify scripts ran: %q", c.r, notified)
	}
	for _, f := range c.r.wire.Frames() {
		if f.Sent && f.At.After(c.began) && !isAdvert(f.Data) {
			t.Errorf("%s: sent %x", c.r, f.Data)
		}
	}
	c.cadence(t, interval)
}

// cadence checks the adverts alone.
func (c *calm) cadence(t *testing.T, interval time.Duration) {
	t.Helper()
	sent := c.r.sent(c.began.Add(-interval - busy))
	if interval == 0 {
		if sent = c.r.sent(c.began); len(sent) > 0 {
			t.Errorf("%s: a backup advertised: %v", c.r, sent[:min(len(sent), 5)])
		}
		return
	}
	if len(sent) == 0 {
		t.Errorf("%s: no advert", c.r)
		return
	}
	for i, a := range sent[1:] {
		if gap := a.At.Sub(sent[i].At); gap < interval/2 || gap > interval+busy {
			t.Errorf("%s: %s between two adverts, want %s: %v", c.r, gap, interval, sent[max(0, i-3):min(len(sent), i+5)])
			return
		}
	}
	if silent := time.Since(sent[len(sent)-1].At); silent > interval+busy {
		t.Errorf("%s: silent for %s", c.r, silent)
	}
}
