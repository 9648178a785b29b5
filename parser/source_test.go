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
	s := newSource(Options{Files: files, ConfigID: id, Getenv: environment}, func(p config.Problem) { problems = append(problems, p.String()) })
	if err := s.start("main"); err != nil {
		t.Fatal(err)
	}
	for {
		l, ok := s.next()
		if !ok {
			return lines, problems
		}
		at := fmt.Sprintf("%s:%d:%d", s.file(l.pos), l.pos.line, l.pos.column)
		for _, o := range s.via(l.pos) {
			at += fmt.Sprintf(" from %s:%d", o.File, o.Line)
		}
		lines = append(lines, at+" "+l.text)
	}
}

func environment(name string) string { return map[string]string{"LVSD": "set"}[name] }

// sourceTest is what a source makes of files, for the id one.
type sourceTest struct {
	name     string
	files    Memory
	want     []string
	problems []string
}

func (tc sourceTest) run(t *testing.T) {
	lines, problems := logical(t, tc.files, "one")
	if diff := cmp.Diff(tc.want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tc.problems, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestSource(t *testing.T) {
	for _, tc := range []sourceTest{
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
		{"condition of a definition", Memory{"main": "$A=@one\n$B=@two\n$A a\n$B b"}, []string{"main:3:1 from main:1 a"}, nil},
		{"hash and bang", Memory{"main": "a \"${_HASH}b${_BANG}\" # c\na${_HASH}b\n$NO=${_BANG}\n$NO d\na\\${_HASH}b"},
			[]string{`main:1:1 a "#b!"`, "main:2:1 a", "main:5:1 a#b"}, nil},
		{"a comment in a definition ends it", Memory{"main": "$A=one \\\n# two \\\nthree\n$A"}, []string{"main:3:1 three", "main:4:1 from main:1 one"}, nil},
		{"names are greedy", Memory{"main": "$A=one\n$A_2 ${A}_2 $A-2 ${A ${ A} ${A x}"}, []string{"main:2:1 from main:1 $A_2 one_2 one-2 ${A ${ A} ${A x}"}, nil},
		{"predefined", Memory{"main": "a $_PWD ${_PWD} ${_INSTANCE} ${_ENV LVSD} ${_ENV} ${_ENV NONE}.\ninclude /sub/x\n$_PWD=own\n$_PWD", "/sub/x": "${_PWD}"},
			[]string{"main:1:1 a . . one set ${_ENV} .", "/sub/x:1:1 from main:2 /sub", "main:4:1 from main:3 own"}, nil},
		{"random", Memory{"main": "random_seed 4\n${_RANDOM 5 5} ${_RANDOM 9 9}\n${_RANDOM x} ${_RANDOM 1 2 3} ${_RANDOM -1}"},
			[]string{"main:1:1 random_seed 4", "main:2:1 5 9", "main:3:1 ${_RANDOM x} ${_RANDOM 1 2 3} ${_RANDOM -1}"}, nil},
		{"NUL", Memory{"main": "a\nb\x00c\nd"}, []string{"main:1:1 a", "main:3:1 d"}, []string{"main:2:1: error: line contains a NUL byte - ignoring [nul-byte]"}},
		{"long lines", Memory{"main": strings.Repeat("x", 1023) + "\n" + strings.Repeat("y", 2046) + " z\nend"},
			[]string{"main:1:1 " + strings.Repeat("x", 1023), "main:2:2048 z", "main:3:1 end"}, []string{
				"main:2:1: error: line too long - ignoring its first 1023 bytes, and reading the rest as a line [long-line]",
				"main:2:1024: error: line too long - ignoring its first 1023 bytes, and reading the rest as a line [long-line]",
			}},
		{"not a definition", Memory{"main": "$A =b\n$=c\n$1=d\n${A}=e"}, []string{"main:1:1 $A =b", "main:2:1 $=c", "main:3:1 $1=d", "main:4:1 ${A}=e"}, nil},
		{"itself", Memory{"main": "$A=$A\na $A\nb"}, []string{"main:3:1 b"}, []string{
			"main:2:1: error: the definitions of this line refer to themselves - ignoring the line [expansion-loop]",
		}},
		{"itself, in several lines", Memory{"main": "$A=x\\\n$A\n$A\nb"}, append(selfMade(maxRounds+1), "main:4:1 b"), []string{
			"main:3:1: error: the definitions of this line expand to too much - ignoring them from here on [expansion-limit]",
		}},
		{"doubling", Memory{"main": "$A=$B$B$B$B$B$B$B$B\n$B=$C$C$C$C$C$C$C$C\n$C=$D$D$D$D$D$D$D$D\n$D=$A$A$A$A$A$A$A$A\n$A\nb"}, []string{"main:6:1 b"}, []string{
			"main:5:1: error: the definitions of this line expand to too much - ignoring them from here on [expansion-limit]",
		}},
	} {
		t.Run(tc.name, tc.run)
	}
}

// selfMade are the lines that a definition of two lines makes when the second
// is itself.
func selfMade(deep int) (lines []string) {
	for n := range deep {
		lines = append(lines, "main:3:1 "+strings.Repeat("from main:1 ", n+1)+"x")
	}
	return lines
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
