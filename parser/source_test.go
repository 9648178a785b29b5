package parser

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// logical are the lines of a source as FILE:LINE:COLUMN text, and its problems.
func logical(t *testing.T, files Memory, id string) (lines, problems []string) {
	t.Helper()
	s := newSource(Options{Files: files, ConfigID: id}, func(p config.Problem) { problems = append(problems, p.String()) })
	if err := s.start("main"); err != nil {
		t.Fatal(err)
	}
	for {
		l, ok := s.next()
		if !ok {
			return lines, problems
		}
		at := fmt.Sprintf("%s:%d:%d", l.pos.Filename, l.pos.Line, l.pos.Column)
		for _, o := range s.via(l.pos) {
			at += fmt.Sprintf(" from %s:%d", o.File, o.Line)
		}
		lines = append(lines, at+" "+l.text)
	}
}

func TestSource(t *testing.T) {
	for _, tc := range []struct {
		name     string
		files    Memory
		want     []string
		problems []string
	}{
		{"empty", Memory{"main": ""}, nil, nil},
		{"no newline at the end", Memory{"main": "a\n b"}, []string{"main:1:1 a", "main:2:2 b"}, nil},
		{"CRLF", Memory{"main": "a \r\n\r\n\tb # c\r\n"}, []string{"main:1:1 a", "main:3:2 b"}, nil},
		{"comments", Memory{"main": "# a\n! b\nc # d\ne ! f\ng \"#!\" h # i\n"}, []string{"main:3:1 c", "main:4:1 e", `main:5:1 g "#!" h`}, nil},
		{"escapes", Memory{"main": `a\#b\!c # d`}, []string{"main:1:1 a#b!c"}, nil},
		{"only a comment sign", Memory{"main": "#\n!\n \n"}, nil, nil},
		{"conditions", Memory{"main": "@one a\n@two b\n@^one c\n@^two  d\n@one\n@\n@one @^two e"},
			[]string{"main:1:6 a", "main:4:8 d", "main:7:12 e"}, nil},
		{"definition", Memory{"main": "$A=x y # no\n$A\n z $A.${A}z$Az $$A \\$A"},
			[]string{"main:2:1 from main:1 x y", "main:3:2 from main:1 z x y.x yz$Az $x y \\x y"}, nil},
		{"several lines", Memory{"main": "$A=one \\\n  two $B \\\n three\n$B=2\nx $A y"},
			[]string{"main:5:1 from main:1 x one", "main:5:1 from main:4 from main:1 two 2", "main:5:1 from main:1 three y"}, nil},
		{"definition of a definition", Memory{"main": "$A=$B=c\n$A\n$B"}, []string{"main:3:1 from main:2 c"}, nil},
		{"condition of a definition", Memory{"main": "$A=@one\n$B=@two\n$A a\n$B b"}, []string{"main:3:6 from main:1 a"}, nil},
		{"hash and bang", Memory{"main": "a${_HASH}b${_BANG} # c"}, []string{"main:1:1 from main:1 a#b!"}, nil},
		{"not a definition", Memory{"main": "$A =b\n$=c\n$1=d\n${A}=e"}, []string{"main:1:1 $A =b", "main:2:1 $=c", "main:3:1 $1=d", "main:4:1 ${A}=e"}, nil},
		{"not acted on", Memory{"main": "~SEQ(A, 1, 3) a $A\nb ${_ENV HOME}"}, []string{"main:2:1 b ${_ENV HOME}"}, []string{
			"main:1:1: note: keyword ~SEQ is known but not acted on yet [not-acted-on]",
			"main:2:1: note: keyword ${_ENV} is known but not acted on yet [not-acted-on]",
		}},
		{"itself", Memory{"main": "$A=$A\na $A\nb"}, []string{"main:3:1 b"}, []string{
			"main:2:1: error: the definitions of this line refer to themselves - ignoring the line [expansion-loop]",
		}},
		{"doubling", Memory{"main": "$A=$B$B$B$B$B$B$B$B\n$B=$C$C$C$C$C$C$C$C\n$C=$D$D$D$D$D$D$D$D\n$D=$A$A$A$A$A$A$A$A\n$A\nb"}, []string{"main:6:1 b"}, []string{
			"main:5:1: error: the definitions of this line expand to too much - ignoring them from here on [expansion-limit]",
		}},
		{"include", Memory{"main": "a\n include sub/*.c\nb", "sub/2.c": "two", "sub/1.c": "one\ninclude ../x", "x": "ex", "sub/3.d": "no"},
			[]string{"main:1:1 a", "sub/1.c:1:1 from main:2 one", "x:1:1 from sub/1.c:2 from main:2 ex", "sub/2.c:1:1 from main:2 two", "main:3:1 b"}, nil},
		{"braces of a glob", Memory{"main": "include {b,a}.c", "a.c": "a", "b.c": "b"}, []string{"a.c:1:1 from main:1 a", "b.c:1:1 from main:1 b"}, nil},
		{"missing include", Memory{"main": "include nothing\ninclude no*\nincluded\ninclude"}, []string{"main:3:1 included", "main:4:1 include"}, []string{
			"main:1:1: error: Config files missing 'nothing'. [missing-include]",
			"main:2:1: warning: Config files missing 'no*'. [missing-include]",
		}},
		{"include of itself", Memory{"main": "a\ninclude main\nb", "other": ""}, []string{"main:1:1 a", "main:3:1 b"}, []string{
			"main:2:1: error: include 'main': the file includes itself - ignoring [include]",
		}},
		{"include of one another", Memory{"main": "include x\nb", "x": "include main\nc"}, []string{"x:2:1 from main:1 c", "main:2:1 b"}, []string{
			"x:1:1: error: include 'main': the file includes itself - ignoring [include]",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, problems := logical(t, tc.files, "one")
			if diff := cmp.Diff(tc.want, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
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

func TestLoadNothing(t *testing.T) {
	for _, o := range []Options{
		{File: "none", Files: Memory{}}, {File: "n*", Files: Memory{"main": ""}}, {File: "/nowhere/at/all.conf"}, {File: t.TempDir()},
	} {
		c, _, err := Load(o)
		if c != nil || !errors.Is(err, ErrNoConfig) {
			t.Errorf("Load(%s) = %v, %v", o.File, c, err)
		}
	}
}

// TestLoadGlob reads several files as one: a block may span them.
func TestLoadGlob(t *testing.T) {
	c, problems, err := Load(Options{File: "*.conf", Files: Memory{
		"1.conf": "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1", "2.conf": "virtual_ipaddress { 10.0.0.1 }\n}", "3.txt": "no",
	}})
	if err != nil || len(problems) > 0 || len(c.Instances) != 1 || len(c.Instances[0].VirtualIPAddress) != 1 {
		t.Errorf("%+v, %v, %v", c, problems, err)
	}
}
