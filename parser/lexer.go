package parser

import (
	"errors"
	"fmt"
	"io"
	"slices"

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
	opens  func(path string) (values, ok bool)
	queue  []lexer.Token  // of the line read last
	head   int            // the first of the queue that is not returned yet
	end    lexer.Position // of the token read last
	blocks []openBlock
	last   lexer.TokenType // of the token taken last in this statement; 0 at its beginning
	line   string          // of the Line token taken last
	braces int             // of the file that are open: those that were added do not count
	inner  []lexer.Token   // what is between the braces of the statement, see [body]
}

// openBlock is a brace that is not closed yet.
type openBlock struct {
	pos     lexer.Position
	keyword string
	ignored bool // a stray one: its closing brace is dropped too
}

// rootOnly are blocks that exist at the top level and nowhere else. In a block
// they say that a closing brace is missing.
var rootOnly = [...]string{"vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "virtual_server_group", "global_defs"}

// blockNames are the keywords that have a block somewhere in the language.
var blockNames = map[string]bool{
	"BFD_CHECK": true, "DNS_CHECK": true, "FILE_CHECK": true, "HTTP_GET": true,
	"MISC_CHECK": true, "PING_CHECK": true, "SMTP_CHECK": true, "SSL": true,
	"SSL_GET": true, "TCP_CHECK": true, "UDP_CHECK": true, "auth_hmac": true,
	"authentication": true, "bfd_instance": true, "garp_group": true, "global_defs": true,
	"group": true, "host": true, "interface_up_down_delays": true, "interfaces": true,
	"linkbeat_interfaces": true, "notification_email": true, "real_server": true, "static_ipaddress": true,
	"static_routes": true, "static_rules": true, "track_bfd": true, "track_file": true,
	"track_group": true, "track_interface": true, "track_process": true, "track_script": true,
	"unicast_peer": true, "url": true, "virtual_ipaddress": true, "virtual_ipaddress_excluded": true,
	"virtual_routes": true, "virtual_rules": true, "virtual_server": true, "virtual_server_group": true,
	"vrrp_instance": true, "vrrp_script": true, "vrrp_sync_group": true, "vrrp_track_file": true,
	"vrrp_track_process": true,
}

// added is the Value of a brace that is not in the file.
const added = ""

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
		if t.last == tokenLine && (!ok || tok.Type != tokenLBrace) && t.openMissing(tok, ok) {
			continue
		}
		switch depth := t.depth(); {
		case !ok && depth == 0, t.last == tokenRBrace && depth == 0, t.last == tokenLine && depth == 0 && tok.Type != tokenLBrace:
			return lexer.EOFToken(tok.Pos), nil
		case !ok:
			t.unclosed()
			continue
		case tok.Type == tokenLine && depth > 0 && t.beginsRoot(tok):
			if t.braces > 0 {
				t.problem(tok.Pos, config.ClassMissingBrace, "missing-brace",
					fmt.Sprintf("Missing '}' before %s, for the block of line %d", tok.Value, t.blocks[len(t.blocks)-1].pos.Line))
			}
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
		case tokenLine:
			t.line = tok.Value
		case tokenLBrace:
			t.blocks = append(t.blocks, openBlock{pos: tok.Pos, keyword: firstWord(t.line)})
			if tok.Value != added {
				t.braces++
			}
		case tokenRBrace:
			t.blocks = t.blocks[:len(t.blocks)-1]
			inside = t.depth() > 0
			t.closed(tok)
		}
		if !inside {
			return tok, nil
		}
		t.inner = append(t.inner, tok)
	}
}

// openMissing adds the '{' of a line that needs a block and has none: the lines
// up to the next '}' are its content. Of lists keepalived says nothing.
func (t *tokens) openMissing(next lexer.Token, ok bool) bool {
	keyword := firstWord(t.line)
	if !blockNames[keyword] {
		return false
	}
	path := ""
	for _, b := range t.blocks {
		if !b.ignored {
			path = join(path, b.keyword)
		}
	}
	values, known := t.opens(join(path, keyword))
	if !known {
		return false
	}
	if !ok {
		next.Pos = t.end
	}
	if values {
		t.src.problem(line{pos: t.end}, config.Warning, config.ClassNone, "missing-brace", fmt.Sprintf("Missing '{' after %s - the lines up to the next '}' are its content", keyword))
	} else {
		t.problem(next.Pos, config.ClassMissingBrace, "missing-brace", "Missing '{' at beginning of configuration block")
	}
	t.insert(lexer.Token{Type: tokenLBrace, Value: added, Pos: next.Pos})
	return true
}

// insert queues tokens before the next one.
func (t *tokens) insert(all ...lexer.Token) {
	t.queue = slices.Concat(all, t.queue[t.head:])
	t.head = 0
}

// closed counts a closing brace. One that closes a block whose '{' is missing
// is one too many, for keepalived.
func (t *tokens) closed(tok lexer.Token) {
	switch {
	case tok.Value == added:
	case t.braces > 0:
		t.braces--
	default:
		t.problem(tok.Pos, config.ClassUnexpectedBrace, "extra-brace", "Extra '}' found")
	}
}

// unclosed ends the blocks that are open at the end of all files.
func (t *tokens) unclosed() {
	if open := t.blocks[0]; t.braces > 0 {
		t.src.report(config.Problem{
			Origin: t.src.origin(open.pos), Chain: t.src.via(open.pos), Severity: config.Error, Class: config.ClassMissingBrace, Late: true,
			Code: "missing-brace", Message: fmt.Sprintf("There are %d missing '}'s or extra '{'s", t.braces),
		})
	}
	t.close()
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
	braces := make([]lexer.Token, depth)
	for i := range braces {
		braces[i] = lexer.Token{Type: tokenRBrace, Value: added, Pos: t.end}
	}
	t.insert(braces...)
	t.braces = 0
}

// beginsRoot reports whether a line begins a block of the top level.
func (t *tokens) beginsRoot(tok lexer.Token) bool {
	if len(t.queue) <= t.head+1 || t.queue[t.head+1].Type != tokenLBrace {
		return false
	}
	return slices.Contains(rootOnly[:], firstWord(tok.Value))
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
	t.withNext()
	return t.queue[t.head], true
}

// withNext queues the line after the next token when that one may begin a block
// of the top level: the '{' may be there.
func (t *tokens) withNext() {
	if len(t.queue) > t.head+1 {
		return
	}
	tok := t.queue[t.head]
	if tok.Value == added {
		return
	}
	if c := tok.Value[0]; c != 'v' && c != 'g' || !slices.Contains(rootOnly[:], firstWord(tok.Value)) {
		return
	}
	if l, ok := t.src.next(); ok {
		t.split(l)
		t.insert(tok)
	}
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
