package parser

import (
	"fmt"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// cursor reads the words of one line. How a word ends depends on who asks.
type cursor struct {
	d        *decoder
	st       *statement
	rest     string
	at       int // of the word read last, in st.Line
	words    int // read so far
	keyword  string
	says     string // keepalived's sentence for a wrong value of this keyword
	missing  string // and for a missing one
	complete bool   // unread words were reported, or are of no interest
}

func (d *decoder) cursor(st *statement) cursor {
	return cursor{d: d, st: st, rest: st.Line}
}

// next is the next word; double quotes hold one together and go.
func (c *cursor) next() (string, bool) {
	c.rest = trimLeft(c.rest)
	if c.rest == "" {
		return "", false
	}
	c.at = len(c.st.Line) - len(c.rest)
	c.words++
	if c.rest[0] == '"' {
		word, rest, closed := strings.Cut(c.rest[1:], `"`)
		if !closed {
			c.errorf(config.ClassUnmatchedQuote, "unmatched-quote", "Unterminated quote '%s'", Conceal(c.st.Line))
		}
		c.rest = rest
		return word, true
	}
	word := firstWord(c.rest)
	c.rest = c.rest[len(word):]
	return word, true
}

// need is the next word, which keepalived does not run without.
func (c *cursor) need() (string, bool) {
	word, ok := c.next()
	switch {
	case ok:
	case c.missing != "":
		c.errorf(config.ClassGeneral, "missing-parameter", "%s", c.missing)
	default:
		c.at = len(c.st.Line)
		c.errorf(config.ClassMissingParameter, "missing-parameter",
			"*** Configuration line starting `%s` is missing a parameter after keyword `%s` at word position %d", c.keyword, c.keyword, c.words+1)
	}
	return word, ok
}

// script is the next word as a script line is read: both quotes hold it
// together, and a backslash takes a quote its meaning. Only the outer quotes
// go; the rest is [config.NewCommand]'s.
func (c *cursor) script() (string, bool) {
	c.rest = trimLeft(c.rest)
	if c.rest == "" || c.rest[0] != '"' && c.rest[0] != '\'' {
		return c.next()
	}
	c.at = len(c.st.Line) - len(c.rest)
	c.words++
	quote := c.rest[0]
	for i := 1; i < len(c.rest); i++ {
		switch c.rest[i] {
		case '\\':
			i++
		case quote:
			word := c.rest[1:i]
			c.rest = c.rest[i+1:]
			return word, true
		}
	}
	c.errorf(config.ClassUnmatchedQuote, "unmatched-quote", "String '%s': missing terminating %c", Conceal(c.st.Line), quote)
	word := c.rest[1:]
	c.rest = ""
	return word, true
}

// tail is everything that is left of the line.
func (c *cursor) tail() string {
	word := trim(c.rest)
	c.rest = ""
	return word
}

// finish reports the words that nobody read.
func (c *cursor) finish() {
	if extra := c.tail(); extra != "" && !c.complete {
		c.at = len(c.st.Line) - len(extra)
		extra = Conceal(c.st.Line)[c.at:]
		c.problem(config.Warning, config.ClassNone, "extra-words", fmt.Sprintf("%s takes no more words, ignoring '%s'", c.keyword, extra))
	}
}

// pos is the place of the word read last.
func (c *cursor) pos() place {
	p := c.st.Pos
	if !c.d.src.chains[p.chain].expanded {
		p.column += int32(c.at)
		return p
	}
	before, word := c.st.Line[:c.at], strings.Trim(firstWord(c.st.Line[c.at:]), `"`)
	return c.d.src.wordAt(p, word, countWord(before, word))
}

// origin is the beginning of the line.
func (c *cursor) origin() config.Origin { return c.d.src.origin(c.st.Pos) }

// following is the place of the next word.
func (c *cursor) following() config.Origin {
	ahead := *c
	ahead.at = len(c.st.Line) - len(trimLeft(c.rest))
	return c.d.src.origin(ahead.pos())
}

func (c *cursor) problem(severity config.Severity, class config.Class, code, message string) {
	c.d.problem(c.pos(), severity, class, code, message)
}

func (c *cursor) errorf(class config.Class, code, format string, args ...any) {
	c.problem(config.Error, class, code, fmt.Sprintf(format, args...))
}

// takes reports what is wrong with a value, and whether it counts all the same.
func (c *cursor) takes(f *fault, value string) bool {
	if f != nil {
		c.invalid(f, value)
	}
	return f.counts()
}

// invalid reports a wrong value: in keepalived's sentence for the keyword when
// there is one. There %[1]s is the name of the block and %[2]s the value.
func (c *cursor) invalid(f *fault, value string) {
	message := c.keyword + ": " + f.text
	if c.says != "" && !f.rounded {
		message = strings.NewReplacer("%N", c.d.name, "%V", value).Replace(c.says)
	}
	c.hinted(f.class, f.code, f.hint, "%s", message)
}

// hinted is errorf with what would be right.
func (c *cursor) hinted(class config.Class, code, hint, format string, args ...any) {
	at := c.pos()
	c.d.report(config.Problem{
		Origin: c.d.src.origin(at), Chain: c.d.src.via(at), Severity: config.Error, Class: class, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}
