package pcre

import (
	"strings"
	"testing"
	"time"
)

// TestMatch: what PCRE2 answers, asked of libpcre2 10.42.
func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, options, text string
		min, max               uint64
		want                   bool
	}{
		{pattern: "hel+o", text: "say hello", want: true},
		{pattern: "hel+o", text: "say help"},
		{pattern: "HELLO", text: "hello"},
		{pattern: "HELLO", options: "caseless", text: "hello", want: true},
		{pattern: "^OK$", text: "OK", want: true},
		{pattern: "^OK$", text: "OK\n", want: true},
		{pattern: "^OK$", text: "OK\n\n"},
		{pattern: "^OK$", options: "dollar_endonly", text: "OK\n"},
		{pattern: "^OK$", text: "a\nOK\nb"},
		{pattern: "^OK$", options: "multiline", text: "a\nOK\nb", want: true},
		{pattern: "(?m)^OK$", text: "a\nOK\nb", want: true},
		{pattern: `[$]\$\Q$\E`, text: "$$$", want: true},
		{pattern: `[]$]x`, text: "$x", want: true},
		{pattern: `[[:digit:]$]x$`, text: "$x\n", want: true},
		{pattern: "a.b", text: "a\nb"},
		{pattern: "a.b", options: "dotall", text: "a\nb", want: true},
		{pattern: "a b # c", options: "extended", text: "ab", want: true},
		{pattern: `(a)\1`, text: "aa", want: true},
		{pattern: `(?<=x)a(?!b)`, text: "xac", want: true},
		{pattern: `a++b`, text: "aaab", want: true},
		{pattern: `(?>a+)ab`, text: "aaab"},
		{pattern: `(?P<n>a)b`, text: "ab", want: true},
		{pattern: `^\w$`, text: "é"}, // two octets, neither of them a letter of ASCII
		{pattern: `^..$`, text: "é", want: true},
		{pattern: `^.$`, options: "utf", text: "é", want: true},
		{pattern: `^\w$`, options: "utf ucp", text: "é", want: true},
		{pattern: `é`, text: "é", want: true},
		{pattern: `^a\hb$`, text: "a\tb", want: true},
		{pattern: `^a\hb$`, text: "ahb"},
		{pattern: `^a[\h,]+b$`, text: "a , b", want: true},
		{pattern: `^\H\V\v$`, text: "ab\x0b", want: true},
		{pattern: `^\h$`, options: "utf", text: "\u3000", want: true},
		{pattern: `^a\Rb\Rc$`, text: "a\r\nb\nc", want: true},
		{pattern: `^a\R\nb$`, text: "a\r\nb"},
		{pattern: `^\N+$`, text: "a\nb"},
		{pattern: `^\N\C\N$`, text: "a\nb", want: true},
		{pattern: `ab\Kc`, text: "abc", want: true},
		{pattern: `^\X$`, options: "utf", text: "e\u0301", want: true},
		{pattern: `^\o{141}\x{62}\e$`, text: "ab\x1b", want: true},
		{pattern: `^(a)\g1\g{1}$`, text: "aaa", want: true},
		{pattern: `^(?<n>a)\g{n}1$`, text: "aa1", want: true},
		{pattern: `^\Qa.[b$\E+$`, text: "a.[b$$", want: true},
		{pattern: `^\Qa.b\E$`, text: "axb"},
		{pattern: `^\Qa.b`, options: "ucp", text: "a.b", want: true},
		{pattern: `^[\Q]a\E]+$`, text: "a]", want: true},
		{pattern: "b", options: "firstline", text: "ab\nb", want: true},
		{pattern: "b", options: "firstline", text: "a\nb"},
		{pattern: "OK", text: "abcOK", min: 3, max: 3, want: true},
		{pattern: "OK", text: "abcOK", max: 2},
		{pattern: "OK", text: "abcOK", min: 4},
		{pattern: "OK", text: "abcOK", min: 99},
		{pattern: "^bc", text: "abc", min: 1},
		{pattern: "(?<=a)bc", text: "abc", min: 1, want: true},
		{pattern: "b", options: "utf", text: "éb", min: 2, max: 2, want: true},
	} {
		r, err := Compile(tc.pattern, strings.Fields(tc.options))
		if err != nil {
			t.Errorf("%q: %v", tc.pattern, err)
			continue
		}
		got, err := r.Match([]byte(tc.text), tc.min, tc.max)
		if err != nil || got != tc.want {
			t.Errorf("%q (%s) in %q from %d to %d: %v, %v", tc.pattern, tc.options, tc.text, tc.min, tc.max, got, err)
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, pattern := range []string{"a(b", "a{2,1}", "[b-a]", "*a", `(?<n`, `a\yb`, `[\i]`, `\g{-1}(a)`, `\o{9}`, `\Ga\Lb`} {
		if Check(pattern, nil) == nil {
			t.Errorf("%q is accepted", pattern)
		}
	}
}

// A pattern that would backtrack for years costs no more than MaxTime.
func TestCatastrophe(t *testing.T) {
	r, err := Compile("^(a+)+$", nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ok, err := r.Match([]byte(strings.Repeat("a", 64)+"b"), 0, 0)
	if ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}
}
