package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/parser"
)

func man(t *testing.T, page string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run([]string{"lvsd", "man", page}, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	if strings.Contains(out.String(), "@") && strings.Contains(out.String(), "S@") {
		t.Error("a place was not filled")
	}
	return out.String()
}

// TestManLvsd: the page has every option and every command.
func TestManLvsd(t *testing.T) {
	page := man(t, "lvsd")
	for _, o := range optionsFor(false) {
		if !strings.Contains(page, roff("--"+o.long)) {
			t.Errorf("--%s is not on the page", o.long)
		}
	}
	for _, command := range []string{"check", "explain", "fmt", "config", "man", "migrate"} {
		if !strings.Contains(page, ".B lvsd "+command) {
			t.Errorf("lvsd %s is not on the page", command)
		}
	}
}

// TestManConf: the page has every keyword, and every word of addresses, routes
// and rules.
func TestManConf(t *testing.T) {
	page := man(t, "keepalived.conf")
	for _, k := range parser.Keywords() {
		if !strings.Contains(page, "\n.B "+roff(k.Name)) {
			t.Errorf("%s is not on the page", k.Name)
		}
	}
	_, lines, found := strings.Cut(page, ".SH ADDRESSES")
	if !found {
		t.Fatal("no section about addresses")
	}
	tokens, err := os.ReadFile("../../testdata/tokens.txt")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(tokens)) {
		fields := strings.Split(row, "\t")
		switch fields[0] {
		case "static_ipaddress", "static_routes", "static_rules":
		default:
			continue
		}
		for word := range strings.SplitSeq(fields[1], "|") {
			if !strings.HasPrefix(word, "<") && !strings.Contains(lines, " "+roff(word)+" ") {
				t.Errorf("%s: %s is not on the page", fields[0], word)
			}
		}
	}
}
