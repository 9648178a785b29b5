package parser

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestManual: there is help for each keyword in each of its blocks, once, and
// for nothing else.
func TestManual(t *testing.T) {
	var want, got []string
	for _, k := range Keywords() {
		want = append(want, k.Block+" "+k.Name)
	}
	for _, h := range Manual() {
		at := h.Block + " " + h.Name
		got = append(got, at)
		if h.Text == "" || !strings.HasSuffix(h.Text, ".") {
			t.Errorf("%s: %q is no sentence", at, h.Text)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-keywords +help:\n%s", d)
	}
}

// TestManualBlocks: what opens a block says so.
func TestManualBlocks(t *testing.T) {
	opens := map[string]bool{}
	for _, k := range Keywords() {
		opens[k.Block+" "+k.Name] = k.Opens
	}
	for _, h := range Manual() {
		at := h.Block + " " + h.Name
		if got := strings.HasSuffix(h.Args, "{...}"); got != opens[at] {
			t.Errorf("%s: help has a block: %t", at, got)
		}
	}
}
