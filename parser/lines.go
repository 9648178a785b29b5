package parser

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// The grammars of lines that are small languages of their own. Each is total
// on lines of one word or more: what it does not know is an Other.

// definition is the lexer of these grammars as participle wants it: names of
// token types. The tokens themselves come from a [cursor] by ParseFromLexer.
type definition struct{}

const tokenWord = 1

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{"EOF": lexer.EOF, "Word": tokenWord}
}

func (definition) Lex(string, io.Reader) (lexer.Lexer, error) {
	return nil, errors.New("lex keepalived.conf: tokens come from a line")
}

// word is a word and where it stands.
type word struct {
	Pos  lexer.Position
	Text string `parser:"@Word"`
}

// trackLine is a line of track_interface, track_script and their like.
type trackLine struct {
	Name    word          `parser:"@@"`
	Options []trackOption `parser:"@@*"`
}

type trackOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @'weight'"`
	Value *word  `parser:"  @@?"`
	Flag  string `parser:"| @('reverse' | 'noreverse')"`
	Other string `parser:"| @Word )"`
}

// peerLine is a line of unicast_peer.
type peerLine struct {
	Address word         `parser:"@@"`
	Options []peerOption `parser:"@@*"`
}

type peerOption struct {
	Pos   lexer.Position
	Key   string `parser:"( @('min_ttl' | 'max_ttl')"`
	Value *word  `parser:"  @@?"`
	Other string `parser:"| @Word )"`
}

// lineGrammars are the parsers of these lines. Each is built when its first
// line is read: most configurations need few of them.
type lineGrammars struct {
	route  func() *participle.Parser[routeLine]
	rule   func() *participle.Parser[ruleLine]
	track  func() *participle.Parser[trackLine]
	peer   func() *participle.Parser[peerLine]
	tunnel func() *participle.Parser[tunnelLine]
}

func newLineGrammars() lineGrammars {
	return lineGrammars{
		route:  lineGrammar[routeLine](participle.UseLookahead(2)),
		rule:   lineGrammar[ruleLine](),
		track:  lineGrammar[trackLine](),
		peer:   lineGrammar[peerLine](),
		tunnel: lineGrammar[tunnelLine](),
	}
}

func lineGrammar[G any](options ...participle.Option) func() *participle.Parser[G] {
	return sync.OnceValue(func() *participle.Parser[G] {
		return participle.MustBuild[G](append(options, participle.Lexer(definition{}))...)
	})
}

// Next makes the words of a line the tokens of its grammar.
func (c *cursor) Next() (lexer.Token, error) {
	text, ok := c.next()
	if !ok {
		return lexer.EOFToken(c.d.src.position(c.pos())), nil
	}
	return lexer.Token{Type: tokenWord, Value: text, Pos: c.d.src.position(c.pos())}, nil
}

// parseLine reads the line by its grammar.
func parseLine[G any](c *cursor, p func() *participle.Parser[G]) (*G, bool) {
	words, _ := lexer.Upgrade(c)
	g, err := p().ParseFromLexer(words)
	if err != nil {
		c.errorf(config.ClassGeneral, "syntax", "%s: %v", c.keyword, err)
		return nil, false
	}
	return g, true
}

// only is the word of a line that has no other, as most lines of lists. They
// need no grammar, which takes 3 kB and twenty times as long.
func (c *cursor) only() (word, bool) {
	before := *c
	text, ok := c.next()
	if ok && trimLeft(c.rest) == "" {
		return c.wordHere(text), true
	}
	*c = before
	return word{}, false
}

// trackKind is what the lists of tracked things differ in.
type trackKind struct {
	bound int    // of weights
	what  string // as keepalived's sentences name it
	// edge: a weight one beyond the bound is set to it
	edge bool
	// unknown and missing are keepalived's sentences for an unknown option and
	// a weight without value; the default ones when empty
	unknown, missing string
	nameless         string // the sentence for an empty name, where a search does not end in one
}

// track reads a line of a list of tracked things.
func (c *cursor) track(kind *trackKind) (t config.Track, ok bool) {
	l := new(trackLine)
	if l.Name, ok = c.only(); !ok {
		if l, ok = parseLine(c, c.d.lines.track); !ok {
			return t, false
		}
	}
	t.Origin, t.Name = c.d.src.origin(placeOf(l.Name.Pos)), strings.Clone(l.Name.Text)
	for i := range l.Options {
		switch o := &l.Options[i]; {
		case o.Other != "" || o.Flag != "" && !t.Weight.Set:
			c.wrongHint(o.Pos, config.DidYouMean(o.Other, []string{"weight", "reverse", "noreverse"}), cmp.Or(kind.unknown, "(%s) unknown "+kind.what+" %s option %s - ignoring"), c.d.name, l.Name.Text, o.Other+o.Flag)
		case o.Flag != "":
			t.Reverse = config.Some(o.Flag == "reverse")
		case o.Value == nil:
			c.wrong(o.Pos, cmp.Or(kind.missing, "(%s) weight without value specified for "+kind.what+" %s - ignoring"), c.d.name, l.Name.Text)
		default:
			c.trackWeight(kind, &t, o)
		}
	}
	return t, true
}

func (c *cursor) trackWeight(kind *trackKind, t *config.Track, o *trackOption) {
	most := kind.bound
	if kind.edge {
		most++
	}
	n, f := num[int](-int64(most), int64(most))(o.Value.Text)
	switch {
	case f != nil && !kind.edge:
		c.wrong(o.Value.Pos, "(%s) weight for %s %s must be in [-%d..%d] inclusive. Ignoring...", c.d.name, kind.what, t.Name, kind.bound, kind.bound)
		return
	case f != nil:
		c.wrong(o.Value.Pos, "(%s) %s %s: weight must be between [-%d..%d] inclusive, ignoring...", c.d.name, c.listName(), t.Name, kind.bound, kind.bound)
		return
	}
	t.Weight = config.Some(max(-kind.bound, min(kind.bound, n)))
	if t.Weight.Value != n {
		c.wrong(o.Value.Pos, "(%s) weight for %s cannot be +/-%d. Setting to +/-%d", c.d.name, t.Name, kind.bound+1, kind.bound)
	}
}

// listName is the keyword of a list as keepalived's sentences spell it.
func (c *cursor) listName() string { return strings.ReplaceAll(c.keyword, "_", " ") }

// peer reads a line of unicast_peer.
func (c *cursor) peer() (p config.Peer, ok bool) {
	l := new(peerLine)
	if l.Address, ok = c.only(); !ok {
		if l, ok = parseLine(c, c.d.lines.peer); !ok {
			return p, false
		}
	}
	p.Origin = c.d.src.origin(placeOf(l.Address.Pos))
	a, f := address(l.Address.Text)
	if f != nil {
		c.wrong(l.Address.Pos, "Configuration error: VRRP instance[%s] malformed unicast peer address[%s]. Skipping...", c.d.name, l.Address.Text)
		return p, false
	}
	p.Addr = a
	for i := range l.Options {
		switch o := &l.Options[i]; {
		case o.Other != "":
			c.wrongHint(o.Pos, config.DidYouMean(o.Other, []string{"min_ttl", "max_ttl"}), "(%s) unknown unicast_peer option %s", c.d.name, o.Other)
		case o.Value == nil:
			c.wrong(o.Pos, "(%s) %s is missing a value", c.d.name, o.Key)
		default:
			n, f := num[uint8](0, 255)(o.Value.Text)
			switch {
			case f != nil:
				c.wrong(o.Value.Pos, "%s", f.text)
				continue
			case o.Key == "min_ttl":
				p.MinTTL = config.Some(n)
			default:
				p.MaxTTL = config.Some(n)
			}
		}
	}
	if p.MinTTL.Set && p.MaxTTL.Set && p.MinTTL.Value > p.MaxTTL.Value {
		c.wrong(l.Address.Pos, "(%s) min_ttl %d > max_ttl %d - all packets will be discarded", c.d.name, p.MinTTL.Value, p.MaxTTL.Value)
	}
	return p, true
}

// wrongHint is wrong with what would be right.
func (c *cursor) wrongHint(at lexer.Position, hint, format string, args ...any) {
	c.d.report(config.Problem{
		Origin: c.d.src.origin(placeOf(at)), Chain: c.d.src.via(placeOf(at)), Severity: config.Error, Class: config.ClassGeneral, Code: "invalid-value",
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// wrong reports an error at a word of the line.
func (c *cursor) wrong(at lexer.Position, format string, args ...any) {
	c.d.problem(placeOf(at), config.Error, config.ClassGeneral, "invalid-value", fmt.Sprintf(format, args...))
}
