package vrrp_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConformanceList: each line of docs/conformance.md has its test here, or
// says where it is or that there is none; and each test has its line.
func TestConformanceList(t *testing.T) {
	doc, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("conformance*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`t\.Run\("([A-Z]{2}-\d\d) `).FindAllStringSubmatch(string(text), -1) {
			tested[m[1]] = true
		}
	}
	id := regexp.MustCompile(`[A-Z]{2}-\d\d`)
	listed := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !id.MatchString(cells[1]) {
			continue
		}
		ids := id.FindAllString(cells[1], -1)
		if strings.Contains(cells[1], "..") { // SM-01 .. SM-14
			for name := range tested {
				if name > ids[0] && name < ids[1] {
					ids = append(ids, name)
				}
			}
		}
		for _, name := range ids {
			listed[name] = true
			if !tested[name] && !strings.Contains(line, "no test") && !strings.Contains(line, ".Test") {
				t.Errorf("%s has no test", name)
			}
		}
	}
	for name := range tested {
		if !listed[name] {
			t.Errorf("%s is not in the list", name)
		}
	}
	if len(listed) < 60 {
		t.Errorf("%d lines", len(listed))
	}
}
