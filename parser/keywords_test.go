package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeywords compares the schema with the project's own list of the whole
// language, so that no keyword is lost.
func TestKeywords(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "testdata", "keywords.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		if !strings.HasPrefix(line, "#") {
			want[strings.TrimSpace(line)] = true
		}
	}
	for _, k := range Keywords() {
		key := k.Block + "\t" + k.Name
		if !want[key] {
			t.Errorf("not in the list, or twice in the schema: %s", strings.ReplaceAll(key, "\t", " "))
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("not in the schema: %s", strings.ReplaceAll(key, "\t", " "))
	}
}

// TestBlockNames: the lexer knows the name of every block.
func TestBlockNames(t *testing.T) {
	want := map[string]bool{}
	for _, k := range Keywords() {
		if k.Opens {
			want[k.Name] = true
		}
	}
	for _, k := range Keywords() {
		if hasBlock(k.Name) != want[k.Name] {
			t.Errorf("hasBlock(%q) = %t", k.Name, !want[k.Name])
		}
	}
}
