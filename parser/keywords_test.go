package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/internal/golden"
)

// TestKeywords compares the schema with the project's own list of the whole
// language, so that no keyword is lost and none begins to be acted on
// unnoticed: a change of the schema changes the list, too.
func TestKeywords(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "testdata", "keywords.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			t.Fatalf("keywords.txt: %q has not three columns", line)
		}
		want[fields[0]+"\t"+fields[1]] = fields[2]
	}
	acted := 0
	for _, k := range Keywords() {
		key, state := k.Block+"\t"+k.Name, "not-yet"
		if k.ActedOn {
			state = "acted-on"
			acted++
		}
		switch listed, ok := want[key]; {
		case !ok:
			t.Errorf("not in the list, or twice in the schema: %s", strings.ReplaceAll(key, "\t", " "))
		case listed != state:
			t.Errorf("%s is %s in the list and %s in the schema", strings.ReplaceAll(key, "\t", " "), listed, state)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("not in the schema: %s", strings.ReplaceAll(key, "\t", " "))
	}
	t.Logf("%d keywords acted on", acted)
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

// TestNotBuiltYet: docs/compatibility.md names every keyword that is not acted
// on, and no other.
func TestNotBuiltYet(t *testing.T) {
	const file, begin, end = "../docs/compatibility.md", "<!-- not built yet -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the list", file)
	}
	golden.Equal(t, file, before+begin+notBuiltYet()+end+after)
}

func notBuiltYet() string {
	var b strings.Builder
	block := ""
	for _, k := range Keywords() {
		switch {
		case k.ActedOn:
		case k.Block != block:
			block = k.Block
			b.WriteString("\n- " + block + ": `" + k.Name + "`")
		default:
			b.WriteString(", `" + k.Name + "`")
		}
	}
	if block == "" {
		return "- none\n"
	}
	return b.String()[1:] + "\n"
}
