package parser

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/lvsd/lvsd/config"
)

// Style is the form in which [Print] writes problems.
type Style uint8

// Styles of diagnostics.
const (
	Full  Style = iota // file:line:column: severity: message [code], the line with a caret, a summary
	Plain              // keepalived's one-line form: (Line N) message
)

// Print writes problems in the given style. Plain leaves out what keepalived
// would not say: notes, and warnings of lvsd's own.
func Print(w io.Writer, problems []config.Problem, style Style) error {
	out := bufio.NewWriter(w)
	if style == Plain {
		printPlain(out, problems)
	} else {
		printFull(out, problems)
	}
	return out.Flush()
}

// spoken are the problems that keepalived speaks of: no notes, no warnings of
// lvsd's own, and nothing after the line that it stops at.
func spoken(problems []config.Problem) []config.Problem {
	var all []config.Problem
	for _, p := range problems {
		if !p.Own() {
			all = append(all, p)
		}
		if p.Class == config.ClassMissingParameter {
			break
		}
	}
	return all
}

func printPlain(out *bufio.Writer, problems []config.Problem) {
	sentence := Sentences(problems)
	for _, p := range spoken(problems) {
		fmt.Fprintln(out, sentence(p))
	}
}

// Sentences makes of each of these problems what keepalived says of it.
func Sentences(problems []config.Problem) func(config.Problem) string {
	several := false
	for _, p := range problems {
		several = several || len(p.Chain) > 0 || p.Origin.File != "" && p.Origin.File != problems[0].Origin.File
	}
	return func(p config.Problem) string {
		switch message := printable(p.Message); {
		case p.Origin.Line == 0 || p.Late:
			return message
		case several || p.Child:
			return fmt.Sprintf("(%s: Line %d) %s", printable(p.Origin.File), p.Origin.Line, message)
		default:
			return fmt.Sprintf("(Line %d) %s", p.Origin.Line, message)
		}
	}
}

func printFull(out *bufio.Writer, problems []config.Problem) {
	var counts [3]int
	for _, p := range problems {
		counts[p.Severity]++
		fmt.Fprintln(out, printable(p.String()))
		if p.Source != "" {
			fmt.Fprintf(out, "    %s\n    %s^\n", printable(p.Source), padding(p.Source, int(p.Origin.Column)))
		}
		if p.Hint != "" {
			fmt.Fprintf(out, "    %s\n", printable(p.Hint))
		}
		for _, o := range p.Chain {
			fmt.Fprintf(out, "    from %s:%d\n", printable(o.File), o.Line)
		}
	}
	if len(problems) > 0 {
		fmt.Fprintln(out, summary(counts))
	}
}

// summary is one line about all problems: 2 errors, 1 warning.
func summary(counts [3]int) string {
	var parts []string
	for s := config.Error; ; s-- {
		switch n := counts[s]; {
		case n == 1:
			parts = append(parts, "1 "+s.String())
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
		if s == config.Note {
			return strings.Join(parts, ", ")
		}
	}
}

// padding is as wide as the text before a column, from 1.
func padding(text string, column int) string {
	before := text[:min(max(column-1, 0), len(text))]
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
}

// printable keeps what a file says from talking to the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
