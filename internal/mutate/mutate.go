// Package mutate breaks configurations as a slip, a broken disk or a program
// does. Only tests import it.
package mutate

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// edits make one mistake each, in a text that is not empty.
var edits = []struct {
	name string
	edit func(r *rand.Rand, text string) string
}{
	{"a byte is another", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + string([]byte{byte(r.IntN(256))}) + s[i+1:]
	}},
	{"bytes are missing", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + s[min(len(s), i+1+r.IntN(40)):]
	}},
	{"bytes are from elsewhere", func(r *rand.Rand, s string) string {
		i, foreign := r.IntN(len(s)), make([]byte, 1+r.IntN(200))
		for k := range foreign {
			foreign[k] = byte(r.IntN(256))
		}
		return s[:i] + string(foreign) + s[min(len(s), i+len(foreign)):]
	}},
	{"zeros from here on", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + strings.Repeat("\x00", len(s)-i)
	}},
	{"cut off", func(r *rand.Rand, s string) string { return s[:r.IntN(len(s))] }},
	{"a brace too many", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + string("{}"[r.IntN(2)]) + s[i:]
	}},
	{"a brace is missing", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		if k := strings.IndexAny(s[i:], "{}"); k >= 0 {
			return s[:i+k] + s[i+k+1:]
		}
		return s[:i]
	}},
	{"a line is missing", func(r *rand.Rand, s string) string {
		l, i := lines(r, s)
		return strings.Join(append(l[:i:i], l[i+1:]...), "")
	}},
	{"a line comes twice", func(r *rand.Rand, s string) string {
		l, i := lines(r, s)
		return strings.Join(append(l[:i+1:i+1], l[i:]...), "")
	}},
	{"two lines change places", func(r *rand.Rand, s string) string {
		l, i := lines(r, s)
		k := r.IntN(len(l))
		l[i], l[k] = l[k], l[i]
		return strings.Join(l, "")
	}},
	{"a part comes twice", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		k := i + r.IntN(len(s)-i)
		return s[:k] + s[i:]
	}},
	{"a number is another", func(r *rand.Rand, s string) string {
		from := r.IntN(len(s))
		i := from + strings.IndexAny(s[from:]+"0", "0123456789")
		return s[:i] + fmt.Sprint(r.Int64()-1<<62) + s[min(len(s), i+1):]
	}},
	{"a number is slightly another", func(r *rand.Rand, s string) string {
		from := r.IntN(len(s))
		i := from + strings.IndexAny(s[from:]+"0", "0123456789")
		return s[:i] + fmt.Sprint(r.IntN(300)) + s[min(len(s), i+1):]
	}},
}

func lines(r *rand.Rand, s string) ([]string, int) {
	l := strings.SplitAfter(s, "\n")
	return l, r.IntN(len(l))
}

// Text is a text with one to three mistakes, and what they are.
func Text(r *rand.Rand, text string) (mutant string, mistakes []string) {
	for range 1 + r.IntN(3) {
		e := &edits[r.IntN(len(edits))]
		text = e.edit(r, text+"\n")
		mistakes = append(mistakes, e.name)
	}
	return text, mistakes
}
