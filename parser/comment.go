package parser

// stripComment cuts a line at its first # or ! outside double quotes. A
// backslash keeps these two characters and goes; keepalived strips every line
// that it has expanded once more.
func stripComment(text string) string {
	var out []byte
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#', c == '!':
			return trimRight(join2(out, text[from:i]))
		case c == '\\' && i+1 < len(text):
			if next := text[i+1]; next == '#' || next == '!' {
				out = append(out, text[from:i]...)
				from = i + 1
			}
			i++
		}
	}
	return trimRight(join2(out, text[from:]))
}

// join2 is head and tail; no copy is made without a head.
func join2(head []byte, tail string) string {
	if len(head) == 0 {
		return tail
	}
	return string(append(head, tail...))
}

const blanks = " \t\r\v\f"

// The functions of package strings build a set of blanks for every call, which
// is a fifth of the time of a large configuration.

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }

func trimLeft(text string) string {
	for text != "" && blank(text[0]) {
		text = text[1:]
	}
	return text
}

func trimRight(text string) string {
	for text != "" && blank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func trim(text string) string { return trimLeft(trimRight(text)) }

// firstWord is text up to its first blank.
func firstWord(text string) string {
	for i := range len(text) {
		if blank(text[i]) {
			return text[:i]
		}
	}
	return text
}

// mark is a kind of characters that a line holds.
type mark uint8

const (
	// not for the keywords: a comment, a condition, a definition, quotes that
	// may hide these
	markSpecial mark = 1 << iota
	markBrace
	markNUL
)

// marks are the kinds of characters: one look at each tells what a line needs.
var marks = [256]mark{
	'#': markSpecial, '!': markSpecial, '$': markSpecial, '@': markSpecial, '~': markSpecial, '"': markSpecial,
	'{': markBrace, '}': markBrace, 0: markNUL,
}

func marksOf(text string) (all mark) {
	for i := range len(text) {
		all |= marks[text[i]]
	}
	return all
}
