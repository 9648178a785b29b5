package parser

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// Token types.
const (
	tokenLine lexer.TokenType = iota + 1 // a logical line, or its part between braces
	tokenLBrace
	tokenRBrace
	tokenWord // of the grammars of single lines
)

// definition is the lexer as participle wants it: names of token types. The
// tokens themselves come from [tokens] by ParseFromLexer.
type definition struct{}

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Line": tokenLine, "LBrace": tokenLBrace, "RBrace": tokenRBrace, "Word": tokenWord,
	}
}

func (definition) Lex(string, io.Reader) (lexer.Lexer, error) {
	return nil, errors.New("lex keepalived.conf: tokens come from a source")
}

// tokens splits logical lines at their braces and balances these: a stray one
// is reported and dropped, a missing one reported and added. Its end of file
// is the end of a top-level statement; [tokens.more] begins the next.
type tokens struct {
	src    *source
	queue  []lexer.Token  // of the line read last
	head   int            // the first of the queue that is not returned yet
	end    lexer.Position // of the token read last
	blocks []openBlock
	last   lexer.TokenType // of the token taken last in this statement; 0 at its beginning
	inner  []lexer.Token   // what is between the braces of the statement, see [body]
}

// openBlock is a brace that is not closed yet.
type openBlock struct {
	pos     lexer.Position
	ignored bool // a stray one: its closing brace is dropped too
}

// rootOnly are blocks that exist at the top level and nowhere else. In a block
// they say that a closing brace is missing.
var rootOnly = [...]string{"vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "virtual_server_group", "global_defs"}

// more begins the next top-level statement; false at the end of all files.
func (t *tokens) more() bool {
	t.last, t.inner = 0, t.inner[:0]
	for {
		tok, ok := t.peek()
		if !ok {
			return false
		}
		if tok.Type == tokenLine {
			return true
		}
		t.head++
		t.stray(tok)
	}
}

// Next implements [lexer.Lexer] for what participle sees of a statement: its
// line and its outer braces. It never fails.
func (t *tokens) Next() (lexer.Token, error) {
	for {
		tok, ok := t.peek()
		switch depth := t.depth(); {
		case !ok && depth == 0, t.last == tokenRBrace && depth == 0, t.last == tokenLine && depth == 0 && tok.Type != tokenLBrace:
			return lexer.EOFToken(tok.Pos), nil
		case !ok:
			open := t.blocks[0]
			t.src.report(config.Problem{
				Origin: t.src.origin(open.pos), Chain: t.src.via(open.pos), Severity: config.Error, Class: config.ClassMissingBrace, Late: true,
				Code: "missing-brace", Message: fmt.Sprintf("There are %d missing '}'s or extra '{'s", depth),
			})
			t.close()
			continue
		case tok.Type == tokenLine && depth > 0 && t.beginsRoot(tok):
			t.problem(tok.Pos, config.ClassMissingBrace, "missing-brace",
				fmt.Sprintf("Missing '}' before %s, for the block of line %d", tok.Value, t.blocks[len(t.blocks)-1].pos.Line))
			t.close()
			continue
		}
		t.head++
		if tok.Type == tokenLBrace && t.last != tokenLine || tok.Type == tokenRBrace && !t.closes() {
			t.stray(tok)
			continue
		}
		t.end = tok.Pos
		inside := t.depth() > 0
		switch t.last = tok.Type; tok.Type {
		case tokenLBrace:
			t.blocks = append(t.blocks, openBlock{pos: tok.Pos})
		case tokenRBrace:
			t.blocks = t.blocks[:len(t.blocks)-1]
			inside = t.depth() > 0
		}
		if !inside {
			return tok, nil
		}
		t.inner = append(t.inner, tok)
	}
}

// depth is the number of blocks that a statement has open.
func (t *tokens) depth() (n int) {
	for _, b := range t.blocks {
		if !b.ignored {
			n++
		}
	}
	return n
}

// closes reports whether a closing brace ends a block of the statement.
func (t *tokens) closes() bool {
	return len(t.blocks) > 0 && !t.blocks[len(t.blocks)-1].ignored
}

// stray reports a brace that has no meaning and drops it with its partner.
func (t *tokens) stray(tok lexer.Token) {
	switch n := len(t.blocks); {
	case tok.Type == tokenLBrace:
		t.blocks = append(t.blocks, openBlock{pos: tok.Pos, ignored: true})
		t.problem(tok.Pos, config.ClassUnexpectedBrace, "unexpected-brace", "Unexpected '{' - ignoring")
	case n > 0 && t.blocks[n-1].ignored:
		t.blocks = t.blocks[:n-1]
	default:
		t.problem(tok.Pos, config.ClassUnexpectedBrace, "extra-brace", "Extra '}' found")
	}
}

// close queues the closing braces of every open block.
func (t *tokens) close() {
	depth := t.depth()
	t.blocks = slices.DeleteFunc(t.blocks, func(b openBlock) bool { return b.ignored })
	rest := slices.Clone(t.queue[t.head:])
	t.queue, t.head = t.queue[:0], 0
	for range depth {
		t.queue = append(t.queue, lexer.Token{Type: tokenRBrace, Value: "}", Pos: t.end})
	}
	t.queue = append(t.queue, rest...)
}

// beginsRoot reports whether a line begins a block of the top level.
func (t *tokens) beginsRoot(tok lexer.Token) bool {
	word, _, _ := strings.Cut(tok.Value, " ")
	if !slices.Contains(rootOnly[:], word) {
		return false
	}
	return len(t.queue) > t.head+1 && t.queue[t.head+1].Type == tokenLBrace
}

// peek is the next token as it stands in the file.
func (t *tokens) peek() (lexer.Token, bool) {
	for t.head == len(t.queue) {
		l, ok := t.src.next()
		if !ok {
			return lexer.Token{}, false
		}
		t.split(l)
	}
	return t.queue[t.head], true
}

// split queues the tokens of a line. Braces in double quotes are text.
func (t *tokens) split(l line) {
	t.queue, t.head = t.queue[:0], 0
	for from, quoted, i := 0, false, 0; ; i++ {
		if i < len(l.text) {
			switch c := l.text[i]; {
			case c == '"':
				quoted = !quoted
				continue
			case quoted || c != '{' && c != '}':
				continue
			}
		}
		t.push(l, from, i)
		if i >= len(l.text) {
			return
		}
		kind := tokenLBrace
		if l.text[i] == '}' {
			kind = tokenRBrace
		}
		t.queue = append(t.queue, lexer.Token{Type: kind, Value: l.text[i : i+1], Pos: t.at(l, i)})
		from = i + 1
	}
}

// push queues the part of a line between braces unless it is blank.
func (t *tokens) push(l line, from, to int) {
	part := trimLeft(l.text[from:to])
	if part == "" {
		return
	}
	pos := t.at(l, to-len(part))
	t.queue = append(t.queue, lexer.Token{Type: tokenLine, Value: trimRight(part), Pos: pos})
}

// at is the position of byte i of a line. Columns of expanded text are not
// those of the file: its line has one position.
func (t *tokens) at(l line, i int) lexer.Position {
	pos := l.pos
	if !t.src.chains[pos.Offset].expanded {
		pos.Column += i
	}
	return pos
}

func (t *tokens) problem(at lexer.Position, class config.Class, code, message string) {
	t.src.problem(line{pos: at}, config.Error, class, code, message)
}
