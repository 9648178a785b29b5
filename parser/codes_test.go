package parser

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// TestCodes: every code in the sources of parser and config is explained, and
// every explanation is of a code.
func TestCodes(t *testing.T) {
	used := usedCodes(t)
	for code, at := range used {
		if _, ok := Explain(code); !ok {
			t.Errorf("%s: %s is not in the table of codes", at, code)
		}
	}
	for _, code := range Codes() {
		if _, ok := used[code]; !ok {
			t.Errorf("no problem has the code %s", code)
		}
	}
	if len(used) < 40 {
		t.Errorf("only %d codes found: has a function another name?", len(used))
	}
}

// usedCodes are the codes in the sources, with a place: the first string in a
// call that reports, and what is given to the code of a Problem or a fault.
func usedCodes(t *testing.T) map[string]string {
	reports := []string{"problem", "errorf", "hinted", "add", "fixed", "fatal", "deprecated", "warn"}
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)*$`)
	used, set := map[string]string{}, token.NewFileSet()
	note := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if code, err := strconv.Unquote(lit.Value); err == nil && kebab.MatchString(code) {
			used[code] = set.Position(lit.Pos()).String()
		}
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(reports, f.Sel.Name) {
				if i := slices.IndexFunc(n.Args, func(e ast.Expr) bool { _, ok := e.(*ast.BasicLit); return ok }); i >= 0 {
					note(n.Args[i])
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "code") {
				note(n.Value)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if f, ok := left.(*ast.SelectorExpr); ok && strings.EqualFold(f.Sel.Name, "code") && len(n.Rhs) == len(n.Lhs) {
					note(n.Rhs[i])
				}
			}
		}
		return true
	}
	for _, dir := range []string{".", "../config"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, visit)
		}
	}
	return used
}

func TestExplainNothing(t *testing.T) {
	for _, code := range []string{"", "no-such-code", "Unknown-Keyword"} {
		if text, ok := Explain(code); ok || text != "" {
			t.Errorf("%q is explained: %s", code, text)
		}
	}
}

// TestExamples: an example that is a configuration shows its own code.
func TestExamples(t *testing.T) {
	for code, e := range explanations {
		if e.elsewhere {
			continue
		}
		files := Memory{"main": e.example}
		_, problems, err := Load(Options{File: "main", Files: files, Environment: bench{}})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Code == code }) {
			t.Errorf("%s: its example does not show it: %v", code, problems)
		}
	}
}

// TestDocumented: docs/diagnostics.md lists every code with the first sentence
// of its explanation.
func TestDocumented(t *testing.T) {
	const file, from, to = "../docs/diagnostics.md", "-update -->\n", "<!-- /codes -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	_, after, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("%s has no list of codes between its marks", file)
	}
	var want strings.Builder
	for _, code := range Codes() {
		first, _, _ := strings.Cut(explanations[code].text, ". ")
		want.WriteString("- `" + code + "`: " + strings.TrimSuffix(first, ".") + ".\n")
	}
	golden.Equal(t, file, before+from+want.String()+to+after)
}
