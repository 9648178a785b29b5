package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRepeat: each line as keepalived 2.2.7 was seen to expand it, and 2.4.3
// where that differs: a name goes on as long as it can.
func TestRepeat(t *testing.T) {
	for line, want := range map[string]string{
		"~SEQ(A,1,3) x$A": "x1 x2 x3", "~SEQ(A,3,1) x$A": "x3 x2 x1", "~SEQ(A,3) x$A": "x1 x2 x3", "~SEQ(A,-3) x$A": "x-1 x-2 x-3",
		"~SEQ(A,0) x$A": "x1 x0", "~SEQ(A,1,2,6) x$A": "x1 x3 x5", "~SEQ(A,3,-1,1) x$A": "x3 x2 x1", "~SEQ(A,,3) x$A": "x0 x1 x2 x3",
		"~SEQ(A, 1 , 2 ) x$A": "x1 x2", "~SEQ(A,0x10,0x12) x$A": "x16 x17 x18", "~SEQx(A,10,0x11) x$A": "xa xb xc xd xe xf x10 x11",
		"~SEQx(A,0x12,-1,0xf) x$A": "x12 x11 x10 xf", "~SEQ(A,1,2)x$A": "x1 x2", "~SEQ (A,+1,2) x$A": "x1 x2", "~SEQ(A,010,011) x$A": "x8 x9",
		"~SEQ(A,1,2) x$A\ny$A": "x1 x2 y2", "~SEQ(A,1,2)": "", "a ~SEQ(A,1,2) b": "a ~SEQ(A,1,2) b", "$E=2\n~SEQ(A,1,$E) x$A": "x1 x2",
		"~SEQ(A,1,2) ~SEQ(B,3,4) x$A.$B": "x1.3 x1.4 x2.3 x2.4", "~SEQ(A,1,2) ~SEQ(B,1,$A) x$A.$B": "x1.1 x2.1 x2.2",
		"~SEQ ( A , 1 , 2 ) ~SEQ ( B , 1  , 2 \t) x$A-$B": "x1-1 x1-2 x2-1 x2-2", "~SEQ(A,1,2) @one x$A": "x1 x2", "~SEQ(A,1,2) @^one x$A": "",
		"@one ~SEQ(A,1,2) x$A": "x1 x2", "~SEQ(A,1,2) $D=$A\nx$D": "x2", "$B=~SEQ(A,1,2) x$A\n$B": "x1 x2", "$B=~SEQ(A,1,2) x\n$B": "~SEQ(A,1,2) x",
		"$M=x$A \\\ny$A\n~SEQ(A,1,2) $M": "x1 y1 x2 y2", "$M=\\\n~SEQ(B,1,2) x$A.$B \\\nz\n~SEQ(A,1,2) $M": "x1.1 x1.2 z x2.1 x2.2 z",
		"~LST(A,a,b) x$A": "xa xb", "~LST(A,a) x$A": "xa", "~LST(A,) x${A}y": "xy", "~LST(A,,b) x${A}y": "xy xby",
		"~LST({A,B},{a,b},{c,d}) x${A}y$B": "xayb xcyd", "~LST({A,B},{a},{c,d}) x${A}y$B": "xay xcyd", "~LST({A,B},a,b) x${A}y$B": "xay xby",
		"~LST(A,{a},{b}) x$A": "xa xb", "~LST({A},{a},{b}) x$A": "xa xb", "~LST({A,B},{,b},{c,}) x${A}y$B": "xyb xcy",
		"$L=p,q\n~LST(A,$L) x$A": "xp,q", "~LST(A,1,2) ~LST(B,$A,z) x$A.$B": "x1.1 x1.z x2.2 x2.z", "~LST (A,a,b,) x${A}y": "xay xby xy",
		"~LST({ A , B },{ a , b } , { c , d }) x${A}y$B": "xayb xcyd", "~LST({A,B},{a,b},{c,d}) ~SEQ(C,1,2) x$A$B$C": "xab1 xab2 xcd1 xcd2",
		"~LST(A,a(1),b) x$A": ",b) xa(1", "~SEQ(A,1,2) x { y$A }": "x { y1 } x { y2 }",
	} {
		lines, problems := logical(t, Memory{"main": line}, "one")
		for i := range lines {
			_, lines[i], _ = strings.Cut(strings.ReplaceAll(lines[i], " from main:1", ""), " ")
			lines[i] = strings.TrimPrefix(lines[i], "from main:2 ")
		}
		if diff := cmp.Diff(want, strings.Join(lines, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		if len(problems) > 0 {
			t.Errorf("%s: %q", line, problems)
		}
	}
}

func TestRepeatWrong(t *testing.T) {
	for _, text := range strings.Split(`~SEQ(A,1,0,6) x
~SEQ(A,1,-1,6) x
~SEQ(A,5,2,1) x
~SEQ(A,1,a) x
~SEQ(A,1,2,3,4) x
~SEQ(A,1,2147483648) x
~SEQ(A,1,2 x
~SEQz(A,1,2) x
~SEQ() x
~SEQ(A) x
~SEQ x
~SEQx(A,-3,-1) x
~LST(A) x
~LST() x
~LST({A,B}) x
~LST(A,a,b x
~LST(A, a , b c ) x
~LST({A,B},{a,b,e},{c,d}) x
~LST({A,B},{a,b}{c,d}) x
~LST({A,B},{a,b) x`, "\n") {
		lines, problems := logical(t, Memory{"main": text}, "")
		want := fmt.Sprintf("main:1:1: error: Invalid %s specification '%s' [invalid-sequence]", text[:4], text)
		if diff := cmp.Diff([]string{want}, problems); diff != "" || len(lines) > 0 {
			t.Errorf("%s: lines %q, problems (-want +got):\n%s", text, lines, diff)
		}
	}
}

// TestRepeatNested: keepalived 2.4.3 does not know a loop that a repeated line
// expands to.
func TestRepeatNested(t *testing.T) {
	lines, problems := logical(t, Memory{"main": "$B=~SEQ(A,1,2) x$A\n~SEQ(C,5,6) $B\nend"}, "")
	want := "main:2:1: error: Unknown keyword '~SEQ(A,1,2)' [nested-sequence]"
	if diff := cmp.Diff([]string{want, want}, problems); diff != "" || len(lines) != 1 {
		t.Errorf("lines %q, problems (-want +got):\n%s", lines, diff)
	}
}

// TestRepeatBounds: loops end somewhere, and take no memory before they do.
func TestRepeatBounds(t *testing.T) {
	for _, text := range []string{"~SEQ(A,1,2147483647)", "~SEQ(A,1,99999) ~SEQ(B,1,99999) @no x", "~SEQ(A,2147483646,2147483647) x", "~SEQ(A,-2147483647,-2147483648) x"} {
		_, problems := logical(t, Memory{"main": text}, "")
		limited := len(problems) == 1 && strings.Contains(problems[0], "[expansion-limit]")
		if limited != strings.Contains(text, "(A,1,") {
			t.Errorf("%s: %q", text, problems)
		}
	}
}
