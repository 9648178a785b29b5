package parser

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
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
// call that reports, Code of a Problem, and the second value of a fault.
func usedCodes(t *testing.T) map[string]string {
	reports := []string{"problem", "errorf", "add", "fixed", "fatal", "deprecated"}
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
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
				note(n.Value)
			}
		case *ast.CompositeLit:
			if name, ok := n.Type.(*ast.Ident); ok && name.Name == "fault" && len(n.Elts) == 3 {
				note(n.Elts[1])
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
