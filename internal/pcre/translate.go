package pcre

import (
	"fmt"
	"strconv"
	"strings"
)

// translation is a pattern on its way from PCRE2's syntax to that of regexp2,
// which takes what it does not know for the letter itself.
type translation struct {
	pattern string
	dollar  string // stands for a $; empty: it means the same
	utf     bool
	at      int
	out     strings.Builder
}

// translate writes what regexp2 reads in another way: escapes that it does not
// have, quoted text, and $, which it takes for the very end of the text where
// PCRE2 has it before a last newline, too.
func translate(pattern, dollar string, utf bool) (string, error) {
	t := &translation{pattern: pattern, dollar: dollar, utf: utf}
	class := 0 // where a character class began, plus 1
	for t.at < len(pattern) {
		c := pattern[t.at]
		switch {
		case c == '\\' && t.at+1 < len(pattern):
			if err := t.escape(class != 0); err != nil {
				return "", err
			}
			continue
		case c == '[' && class == 0:
			class = t.at + 1
		case c == '[' && strings.HasPrefix(pattern[t.at:], "[:"): // [[:alpha:]]
			if name, _, ok := strings.Cut(pattern[t.at:], ":]"); ok {
				t.put(len(name)+2, name+":]")
				continue
			}
		case c == ']' && class != 0 && strings.TrimPrefix(pattern[class:t.at], "^") != "":
			class = 0
		case c == '$' && class == 0 && dollar != "":
			t.put(1, dollar)
			continue
		}
		t.put(1, pattern[t.at:t.at+1])
	}
	return t.out.String(), nil
}

// put writes text in the place of the next n octets.
func (t *translation) put(n int, text string) {
	t.at += n
	t.out.WriteString(text)
}

// What is horizontal and vertical space, and the end of a line, pcre2pattern(3).
const (
	horizontal     = `\t \xa0`
	vertical       = `\n\x0b\f\r\x85`
	horizontalWide = horizontal + `\u1680\u180e\u2000-\u200a\u202f\u205f\u3000`
	verticalWide   = vertical + `\u2028\u2029`
)

func (t *translation) spaces() (h, v string) {
	if t.utf {
		return horizontalWide, verticalWide
	}
	return horizontal, vertical
}

// escape writes a backslash and what follows.
func (t *translation) escape(inClass bool) error {
	h, v := t.spaces()
	c := t.pattern[t.at+1]
	if inClass {
		switch c {
		case 'h':
			t.put(2, h)
			return nil
		case 'v':
			t.put(2, v)
			return nil
		}
	} else if text, ok := map[byte]string{
		'h': "[" + h + "]", 'H': "[^" + h + "]", 'v': "[" + v + "]", 'V': "[^" + v + "]", 'N': `[^\n]`, 'C': `[\s\S]`,
		'R': `(?>\r\n|[` + v + `])`,
		'X': `(?>\r\n|\P{M}\p{M}*|\p{M}+)`,
		'K': `(?:)`, // where the match is said to begin does not matter
	}[c]; ok {
		t.put(2, text)
		return nil
	}
	rest := t.pattern[t.at:]
	switch {
	case c == 'Q':
		quoted, _, closed := strings.Cut(rest[2:], `\E`)
		t.put(2+len(quoted), literally(quoted))
		if closed {
			t.at += 2
		}
	case c == 'E':
		t.at += 2
	case c == 'o' && strings.HasPrefix(rest, `\o{`):
		digits, _, _ := strings.Cut(rest[3:], "}")
		n, err := strconv.ParseUint(digits, 8, 32)
		if err != nil {
			return fmt.Errorf(`\o is no octal number in %q`, rest)
		}
		t.put(4+len(digits), fmt.Sprintf(`\x{%x}`, n))
	case c == 'g' && !inClass:
		name, length := reference(rest)
		if length == 0 {
			return fmt.Errorf(`\g is no reference in %q`, rest)
		}
		t.put(length, `(?:\k<`+name+`>)`)
	case isLetter(c) && !strings.ContainsRune("abBdDefnrsStwWAzZGcxpPku", rune(c)):
		return fmt.Errorf("unrecognized escape sequence \\%c in %q", c, t.pattern)
	default:
		t.put(2, rest[:2])
	}
	return nil
}

// reference is the group that \gN, \g{N} or \g{NAME} stands for, and how long
// that is; 0: it is none of them.
func reference(text string) (name string, length int) {
	if braced, ok := strings.CutPrefix(text, `\g{`); ok {
		name, _, ok = strings.Cut(braced, "}")
		if !ok || name == "" || name[0] == '-' || name[0] == '+' {
			return "", 0
		}
		return name, len(`\g{}`) + len(name)
	}
	digits := text[2:]
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
	if digits == "" {
		return "", 0
	}
	return digits, 2 + len(digits)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// literally is text that stands for itself, in a character class and elsewhere.
func literally(text string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c < 0x80 && !isLetter(c) && (c < '0' || c > '9') {
			fmt.Fprintf(&out, `\x%02x`, c)
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
