package parser

// statement is the whole grammar of keepalived.conf: a line, and perhaps a
// block. [tokens] balances the braces, so every input is of this form.
type statement struct {
	Pos  place
	Line string
	Body *body // nil: none
}

// body is a block. What is between its braces stays with [tokens.inner], of
// which it is a part: a large block costs no tree.
type body struct {
	Open, Close lexeme
	tokens      []lexeme
}

// statement is the next one of the top level, valid until the one after it;
// false at the end of all files.
func (t *tokens) statement() (*statement, bool) {
	if !t.more() {
		return nil, false
	}
	first, _ := t.outer()
	t.top.st = statement{Pos: first.Pos, Line: first.Value}
	if open, ok := t.outer(); ok {
		end, _ := t.outer()
		t.top.body = body{Open: open, Close: end, tokens: t.inner}
		t.top.st.Body = &t.top.body
	}
	return &t.top.st, true
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
