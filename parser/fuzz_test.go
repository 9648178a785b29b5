package parser

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
)

func seed(f *testing.F) {
	f.Helper()
	files, err := os.ReadDir(confDir)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".conf") {
			text, err := os.ReadFile(confDir + "/" + file.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	for _, text := range []string{
		"", "{", "}", "{}}{", "a{b{c", "\"", "'", "\\", "$", "$A=\\", "$A=$A\n$A", "@", "@^", "~SEQ", "include", "include main", "include \"", "include [",
		"~SEQ(A,1,3) ~LST({B,C},{1,2},{,$A}) x$A$B$C {", "~SEQx(A,9,-3,1)\n$A=$B$C\\\n~SEQ(A,$A)\n$A", "~LST(A,", "~SEQ(,1) ~SEQ(", "global_defs\nx\n}", "real_server",
		"${_RANDOM 1 2}${_RANDOM 9 1}${_ENV}${_PWD", "include_check -x +\nincludea {a,b{c,}}*", "virtual_server 1.2.3.4 80\nreal_server\n{\n}}\nvrrp_instance",
		"vrrp_script x { script \"\\\" }", "virtual_server { }", "virtual_server 1.2.3.4-5/6 0 { real_server 1 2 { } }", "vrrp_instance a { virtual_ipaddress { 1.2.3.4 dev\n- \n\"\" } }",
		"$A=a \\\nb \\\n\n$A", "\x00\xff\n\r\r\n", "vrrp_sync_group a { group { a { b } } }",
	} {
		f.Add(text)
	}
}

// inside sees that every problem has a place in the file it names.
func inside(t *testing.T, text string, problems []config.Problem) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, p := range problems {
		o := p.Origin
		if o.Line == 0 {
			continue
		}
		if o.File != "main" || o.Line < 1 || int(o.Line) > len(lines) || o.Column < 1 || int(o.Column) > len(lines[o.Line-1])+1 {
			t.Errorf("no such place: %s", p)
		}
	}
}

func FuzzSource(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		var problems []config.Problem
		s := newSource(Options{Files: Memory{"main": text}, ConfigID: "here", bound: 1 << 10}, func(p config.Problem) { problems = append(problems, p) })
		if err := s.start("main"); err != nil {
			t.Fatal(err)
		}
		tokens := &tokens{src: s, opens: new(decoder).opens}
		for tokens.more() {
			for depth := 0; ; {
				tok, ok := tokens.outer()
				if !ok {
					break
				}
				switch tok.Type {
				case tokenLBrace:
					depth++
				case tokenRBrace:
					depth--
				}
				if depth < 0 || depth > 1 {
					t.Fatal("the outer braces are not balanced")
				}
			}
		}
		inside(t, text, problems)
	})
}

func FuzzLoad(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		c, problems, err := Load(Options{File: "main", Files: Memory{"main": text}, ConfigID: "here", Environment: bench{}, Peers: true, bound: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		inside(t, text, problems)
		if err := Print(io.Discard, problems, Full); err != nil {
			t.Fatal(err)
		}
		report := Report{Problems: problems}
		if err := errors.Join(report.WriteJSON(io.Discard), report.WriteSARIF(io.Discard)); err != nil {
			t.Fatal(err)
		}
		if err := dump.All(io.Discard, c, nil); err != nil {
			t.Fatal(err)
		}
	})
}
