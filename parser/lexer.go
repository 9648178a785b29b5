package parser

import (
	"fmt"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// lexeme is a token of a statement. It is small: those of a block are kept
// until it is decoded, and a block may have a hundred thousand.
type lexeme struct {
	Value string
	Pos   place
	Type  uint8
}

// Types of tokens.
const (
	tokenLine = iota + 1 // a logical line, or its part between braces
	tokenLBrace
	tokenRBrace
)

// tokens splits logical lines at their braces and balances these: a stray one
// is reported and dropped, a missing one reported and added.
type tokens struct {
	src    *source
	opens  func(path string) (values, ok bool)
	queue  []lexeme // of the line read last
	head   int      // the first of the queue that is not returned yet
	end    place    // of the token read last
	blocks []openBlock
	depth  int      // blocks of the statement that are open: those that are not ignored
	last   uint8    // type of the token taken last in this statement; 0 at its beginning
	line   string   // of the Line token taken last
	braces int      // of the file that are open: those that were added do not count
	inner  []lexeme // what is between the braces of the statement, see [body]
	top    level    // the statement
}

// openBlock is a brace that is not closed yet.
type openBlock struct {
	pos     place
	keyword string
	ignored bool // a stray one: its closing brace is dropped too
	added   bool // it is not in the file, which has been said
}

func (b openBlock) written() bool { return !b.added }

// rootOnly are blocks that exist at the top level and nowhere else. In a block
// they say that a closing brace is missing.
var rootOnly = [...]string{"vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "virtual_server_group", "global_defs"}

// hasBlock reports whether a keyword has a block somewhere in the language. It
// is asked for every line, and a switch takes a third of a map's time.
func hasBlock(keyword string) bool {
	switch keyword {
	case "BFD_CHECK", "DNS_CHECK", "FILE_CHECK", "HTTP_GET", "MISC_CHECK",
		"PING_CHECK", "SMTP_CHECK", "SSL", "SSL_GET", "TCP_CHECK",
		"UDP_CHECK", "auth_hmac", "authentication", "bfd_instance", "garp_group",
		"global_defs", "group", "host", "interface_up_down_delays", "interfaces",
		"linkbeat_interfaces", "notification_email", "real_server", "static_ipaddress", "static_routes",
		"static_rules", "track_bfd", "track_file", "track_group", "track_interface",
		"track_process", "track_script", "unicast_peer", "url", "virtual_ipaddress",
		"virtual_ipaddress_excluded", "virtual_routes", "virtual_rules", "virtual_server", "virtual_server_group",
		"vrrp_instance", "vrrp_script", "vrrp_sync_group", "vrrp_track_file", "vrrp_track_process":
		return true
	}
	return false
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

// outer is the next token of the statement that is not between its braces: its
// line or one of the braces. False at its end.
func (t *tokens) outer() (lexeme, bool) {
	for {
		tok, ok := t.peek()
		if t.last == tokenLine && (!ok || tok.Type != tokenLBrace) && t.openMissing(tok, ok) {
			continue
		}
		switch {
		case t.depth == 0 && (!ok || t.last == tokenRBrace || t.last == tokenLine && tok.Type != tokenLBrace):
			return tok, false
		case !ok:
			t.unclosed()
			continue
		case tok.Type == tokenLine && t.depth > 0 && t.beginsRoot(tok):
			if slices.ContainsFunc(t.blocks, openBlock.written) {
				t.problem(tok.Pos, config.ClassMissingBrace, "missing-brace",
					fmt.Sprintf("Missing '}' before %s, for the block of line %d", tok.Value, t.blocks[len(t.blocks)-1].pos.line))
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
		inside := t.depth > 0
		switch t.last = tok.Type; tok.Type {
		case tokenLine:
			t.line = tok.Value
		case tokenLBrace:
			t.blocks = append(t.blocks, openBlock{pos: tok.Pos, keyword: firstWord(t.line), added: tok.Value == added})
			t.depth++
			if tok.Value != added {
				t.braces++
			}
		case tokenRBrace:
			t.blocks = t.blocks[:len(t.blocks)-1]
			t.depth--
			inside = t.depth > 0
			t.closed(tok)
		}
		if !inside {
			return tok, true
		}
		t.inner = append(doubled(t.inner), tok)
	}
}

// openMissing adds the '{' of a line that needs a block and has none: the lines
// up to the next '}' are its content. Of lists keepalived says nothing, but for
// those of the top level: there all of its processes but one read the content as
// keywords.
func (t *tokens) openMissing(next lexeme, ok bool) bool {
	keyword := firstWord(t.line)
	if !hasBlock(keyword) {
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
	if values && (path != "" || !ok) {
		t.src.problem(t.end, config.Warning, config.ClassNone, "missing-brace", fmt.Sprintf("Missing '{' after %s - the lines up to the next '}' are its content", keyword))
	} else {
		t.problem(next.Pos, config.ClassMissingBrace, "missing-brace", "Missing '{' at beginning of configuration block")
	}
	t.insert(lexeme{Type: tokenLBrace, Value: added, Pos: next.Pos})
	return true
}

// insert queues tokens before the next one.
func (t *tokens) insert(all ...lexeme) {
	t.queue = slices.Concat(all, t.queue[t.head:])
	t.head = 0
}

// closed counts a closing brace. One that closes a block whose '{' is missing
// is one too many, for keepalived.
func (t *tokens) closed(tok lexeme) {
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

// closes reports whether a closing brace ends a block of the statement.
func (t *tokens) closes() bool {
	return len(t.blocks) > 0 && !t.blocks[len(t.blocks)-1].ignored
}

// stray reports a brace that has no meaning and drops it with its partner.
func (t *tokens) stray(tok lexeme) {
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
	t.blocks = slices.DeleteFunc(t.blocks, func(b openBlock) bool { return b.ignored })
	braces := make([]lexeme, t.depth)
	for i := range braces {
		braces[i] = lexeme{Type: tokenRBrace, Value: added, Pos: t.end}
	}
	t.insert(braces...)
	t.braces = 0
}

// beginsRoot reports whether a line begins a block of the top level. One that
// lacks its name is none: there keepalived would not start.
func (t *tokens) beginsRoot(tok lexeme) bool {
	if len(t.queue) <= t.head+1 || t.queue[t.head+1].Type != tokenLBrace {
		return false
	}
	keyword := firstWord(tok.Value)
	return slices.Contains(rootOnly[:], keyword) && (keyword == "global_defs" || keyword != tok.Value)
}

// peek is the next token as it stands in the file.
func (t *tokens) peek() (lexeme, bool) {
	for t.head == len(t.queue) {
		l, ok := t.src.next()
		if !ok {
			return lexeme{}, false
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
	if l.marks&markBrace == 0 {
		t.queue = append(t.queue, lexeme{Type: tokenLine, Value: l.text, Pos: l.pos})
		return
	}
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
		kind := uint8(tokenLBrace)
		if l.text[i] == '}' {
			kind = tokenRBrace
		}
		t.queue = append(t.queue, lexeme{Type: kind, Value: l.text[i : i+1], Pos: t.at(l, i)})
		from = i + 1
		if rest := trimLeft(l.text[from:]); t.src.readsAgain(rest) {
			t.src.queue(queued{line: line{text: rest, pos: t.at(l, len(l.text)-len(rest)), repeated: l.repeated}})
			return
		}
	}
}

// push queues the part of a line between braces unless it is blank.
func (t *tokens) push(l line, from, to int) {
	part := trimLeft(l.text[from:to])
	if part == "" {
		return
	}
	pos := t.at(l, to-len(part))
	t.queue = append(t.queue, lexeme{Type: tokenLine, Value: trimRight(part), Pos: pos})
}

// at is the place of byte i of a line.
func (t *tokens) at(l line, i int) place { return t.src.column(l.pos, i) }

func (t *tokens) problem(at place, class config.Class, code, message string) {
	t.src.problem(at, config.Error, class, code, message)
}
