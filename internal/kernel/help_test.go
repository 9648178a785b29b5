//go:build linux

package kernel

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/internal/netns"
)

// repaired is how long lvsd may take to put right what others did.
const repaired = time.Second

// eventually waits for what must hold within a second.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const busy = 20 // a test machine with others on it
	began := time.Now()
	for !holds() {
		if time.Since(began) > busy*repaired {
			t.Fatalf("after %q: not put right", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("after %q: right in %s", what, time.Since(began).Round(time.Millisecond))
}

// drain takes reports that the test is not interested in.
func drain(seen <-chan string) {
	for range seen {
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// monitor watches for deletions; the function that it returns ends that and
// names what was deleted, of addresses, routes and rules that a test made, in
// that order.
func monitor(t *testing.T, ns *netns.NS) (deleted func() []string) {
	t.Helper()
	command := ns.Command(t.Context(), "ip", "monitor", "address", "route", "rule")
	var seen strings.Builder
	command.Stdout = &seen
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ns.Run(t, "sleep 0.3") // ip monitor has no way to say that it listens
	return func() (what []string) {
		ns.Run(t, "sleep 0.3")
		_ = command.Process.Kill()
		_ = command.Wait()
		prefix := regexp.MustCompile(`10\.[0-9.]+(/16|/24|)`)
		for line := range strings.Lines(seen.String()) {
			if strings.HasPrefix(line, "Deleted") && !strings.Contains(line, "table local") {
				what = append(what, prefix.FindString(line))
			}
		}
		return what
	}
}
