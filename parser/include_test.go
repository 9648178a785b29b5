package parser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

func TestInclude(t *testing.T) {
	for _, tc := range []sourceTest{
		{"include", Memory{"main": "a\n include sub/*.c\nb", "sub/2.c": "two", "sub/1.c": "one\ninclude ../x", "x": "ex", "sub/3.d": "no"},
			[]string{"main:1:1 a", "sub/1.c:1:1 from main:2 one", "x:1:1 from sub/1.c:2 from main:2 ex", "sub/2.c:1:1 from main:2 two", "main:3:1 b"}, nil},
		{"braces of a glob", Memory{"main": "include {b,a}.c", "a.c": "a", "b.c": "b"}, []string{"b.c:1:1 from main:1 b", "a.c:1:1 from main:1 a"}, nil},
		{"missing include", Memory{"main": "include nothing\ninclude no*\nincluded\ninclude"}, []string{"main:3:1 included", "main:4:1 include"}, []string{
			"main:1:1: error: Config files missing 'nothing'. [missing-include]",
			"main:2:1: warning: No config files matched 'no*'. [missing-include]",
		}},
		{"include of itself", Memory{"main": "a\ninclude main\nb", "other": ""}, []string{"main:1:1 a", "main:3:1 b"}, []string{
			"main:2:1: error: include 'main': the file includes itself - ignoring [include]",
		}},
		{"include of one another", Memory{"main": "include x\nb", "x": "include main\nc"}, []string{"x:2:1 from main:1 c", "main:2:1 b"}, []string{
			"x:1:1: error: include 'main': the file includes itself - ignoring [include]",
		}},
		{"unknown check", Memory{"main": "include_check +match readable"}, []string{"main:1:1 include_check +match readable"}, []string{
			"main:1:1: error: Unknown include_check type 'readable' - ignoring [invalid-value]",
		}},
		{"from a definition, under a condition, in a loop", Memory{"main": "$I=include x\n$I\n@one include x\n~SEQ(A,1,2) include x$A", "x": "x", "x1": "$A", "x2": "$A"},
			[]string{"x:1:1 from main:2 from main:1 x", "x:1:1 from main:3 x", "x1:1:1 from main:4 from main:4 1", "x2:1:1 from main:4 from main:4 2"}, nil},
	} {
		t.Run(tc.name, tc.run)
	}
}

// TestIncludeCheck: what keepalived 2.2.7 was seen to do with each keyword and
// each kind of failure. r, m, w, b, a are the keywords that it stops at.
func TestIncludeCheck(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"ok.inc": 0o644, "exec.inc": 0o755} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.inc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for pattern, stops := range map[string]string{
		"ok.inc": "", "exec.inc": "rmwba", "dir.inc": "rmwba", "none.inc": "mwa", "no*.inc": "wa", "{ok,none}.inc": "ba", "*.inc": "rmwba",
		"{ok,no}*.inc": "", "none/ok.inc": "mwa", "none*/ok.inc": "wa", "none/*.inc": "mwa",
	} {
		for _, variant := range []string{"", "r", "m", "w", "b", "a"} {
			main := filepath.Join(dir, "main")
			if err := os.WriteFile(main, []byte("include"+variant+" "+pattern), 0o644); err != nil {
				t.Fatal(err)
			}
			_, problems, err := Load(Options{File: main})
			if err != nil {
				t.Fatal(err)
			}
			want := config.ExitOK
			if variant != "" && strings.Contains(stops, variant) {
				want = config.ExitNoConfig
			}
			if got := config.TestStatus(problems); got != want {
				t.Errorf("include%s %s: status %d, want %d: %v", variant, pattern, got, want, problems)
			}
		}
	}
}

// TestIncludeCheckLines: the setting of a file is that of the files it
// includes, and not the other way round.
func TestIncludeCheckLines(t *testing.T) {
	for text, want := range map[string]int{
		"include none": 0, "include_check\ninclude none": 6, "include_check match\ninclude no*": 0, "include_check wildcard_match\ninclude no*": 6,
		"include_check wildcard_match\ninclude none": 0, "include_check\ninclude_check -match -wildcard_match\ninclude none": 0,
		"include_check +match -wildcard_match\ninclude none": 6, "include_check\ninclude sub": 6, "include sub2\ninclude none": 0,
	} {
		files := Memory{"main": "global_defs {\n" + text + "\n}", "sub": "include none", "sub2": "include_check"}
		_, problems, err := Load(Options{File: "main", Files: files})
		if err != nil {
			t.Fatal(err)
		}
		if got := config.TestStatus(problems); got != want {
			t.Errorf("%q: status %d, want %d: %v", text, got, want, problems)
		}
	}
	_, problems, err := Load(Options{File: "main", Files: Memory{"main": "include none"}, AllConfig: true})
	if err != nil || config.TestStatus(problems) != config.ExitNoConfig {
		t.Errorf("with -e: %v, %v", problems, err)
	}
}

func TestExpandBraces(t *testing.T) {
	for pattern, want := range map[string][]string{
		"a": {"a"}, "{b,a}c": {"bc", "ac"}, "x{,cat,d{o,i}g}y": {"xy", "xcaty", "xdogy", "xdigy"}, "a{b": {"a{b"}, "a}b": {"a}b"}, "{}": {""},
		"{a,b}{c,d}": {"ac", "ad", "bc", "bd"},
	} {
		if diff := cmp.Diff(want, expandBraces(pattern)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
	if n := len(expandBraces(strings.Repeat("{a,b}", 40))); n > maxAlternatives {
		t.Errorf("%d alternatives", n)
	}
}

// TestIncludeDepth sees that files in one another end somewhere.
func TestIncludeDepth(t *testing.T) {
	files := Memory{}
	for i := range 100 {
		files[fmt.Sprint("f", i)] = fmt.Sprintf("include f%d\n", i+1)
	}
	files["main"] = "include f0\nend"
	lines, problems := logical(t, files, "")
	if len(lines) != 1 || len(problems) != 1 || !strings.Contains(problems[0], "more than 32 files in one another") {
		t.Errorf("lines %q, problems %q", lines, problems)
	}
}
