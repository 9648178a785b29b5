package parser

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// topLevel is the whole grammar of keepalived.conf: a line, and perhaps a
// block. [tokens] balances the braces, so every input is of this form.
type topLevel struct {
	Pos  lexer.Position
	Line string `parser:"@Line"`
	Body *body  `parser:"@@?"`
}

// statement is a line and its block, at any depth.
type statement struct {
	Pos  place
	Line string
	Body *body // nil: none
}

// body is a block. What is between its braces stays with [tokens.inner], of
// which it is a part: a large block costs no tree, and participle's reflection
// sees three tokens of a statement, which is a tenth of the time and memory.
type body struct {
	Open, Close lexeme
	tokens      []lexeme
}

// Parse implements [participle.Parseable].
func (b *body) Parse(braces *lexer.PeekingLexer) error {
	if braces.Peek().Type != tokenLBrace {
		return participle.NextMatch
	}
	b.Open = lexeme{Type: tokenLBrace, Pos: placeOf(braces.Next().Pos)}
	b.Close = lexeme{Type: tokenRBrace, Pos: placeOf(braces.Next().Pos)}
	return nil
}

// grammar parses one top-level statement after the other.
type grammar struct {
	parser *participle.Parser[topLevel]
	st     statement
}

func newGrammar() *grammar {
	return &grammar{parser: participle.MustBuild[topLevel](participle.Lexer(definition{}))}
}

// next is the statement that [tokens.more] has begun. It is valid until the
// next one.
func (g *grammar) next(t *tokens) (*statement, error) {
	three, err := lexer.Upgrade(t)
	if err != nil {
		return nil, err
	}
	st, err := g.parser.ParseFromLexer(three)
	if err != nil {
		return nil, err
	}
	g.st = statement{Pos: placeOf(st.Pos), Line: st.Line, Body: st.Body}
	if st.Body != nil {
		st.Body.tokens = t.inner
	}
	return &g.st, nil
}

// level is the statement that is being decoded at one depth of nesting. Levels
// are used again: statements are many, and live until the next one.
type level struct {
	st     statement
	body   body
	cursor cursor
}

// each visits the statements of a block itself.
func (d *decoder) each(b *body, visit func(*cursor)) {
	if d.depth == len(d.levels) {
		d.levels = append(d.levels, new(level))
	}
	l := d.levels[d.depth]
	d.depth++
	for i := 0; i < len(b.tokens); i++ {
		l.st = statement{Pos: b.tokens[i].Pos, Line: b.tokens[i].Value}
		if i+1 < len(b.tokens) && b.tokens[i+1].Type == tokenLBrace {
			end := closing(b.tokens, i+1)
			l.body = body{Open: b.tokens[i+1], Close: b.tokens[end], tokens: b.tokens[i+2 : end]}
			l.st.Body, i = &l.body, end
		}
		l.cursor = d.cursor(&l.st)
		visit(&l.cursor)
	}
	d.depth--
}

// blocks is the number of blocks directly in this one.
func (b *body) blocks() (n int) {
	depth := 0
	for i := range b.tokens {
		switch b.tokens[i].Type {
		case tokenLBrace:
			if depth++; depth == 1 {
				n++
			}
		case tokenRBrace:
			depth--
		}
	}
	return n
}

// closing is the index of the brace that closes the one at open.
func closing(tokens []lexeme, open int) int {
	depth := 0
	for i := open; ; i++ {
		switch tokens[i].Type {
		case tokenLBrace:
			depth++
		case tokenRBrace:
			if depth--; depth == 0 {
				return i
			}
		}
	}
}
