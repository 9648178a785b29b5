package parser

import (
	"slices"
	"strings"
)

// split cuts the tokens of a line where they open or close a block whose other
// brace is on another line: what is behind such a '{' and before such a '}' gets
// lines of its own, and so does what follows a block that is complete. It does not when a piece would mean something else at
// the beginning of a line.
func split(tokens []string) [][]string {
	var pieces [][]string
	var piece []string
	end := func() {
		if piece != nil {
			pieces, piece = append(pieces, piece), nil
		}
	}
	depth := 0
	for i, token := range tokens {
		switch {
		case token == "{" && depth == 0 && closes(tokens[i:]) < 0:
			piece = append(piece, token)
			end()
		case token == "{":
			depth++
			piece = append(piece, token)
		case token == "}" && depth == 0:
			end()
			piece = append(piece, token)
			end()
		case token == "}":
			depth--
			piece = append(piece, token)
			if depth == 0 {
				end()
			}
		default:
			piece = append(piece, token)
		}
	}
	end()
	for _, p := range pieces[1:] {
		if directive(p[0]) || strings.HasPrefix(p[0], "@") || strings.HasPrefix(p[0], "~") {
			return [][]string{tokens}
		}
	}
	return pieces
}

// closes is the index of the token that closes the first one; negative when it
// is on another line.
func closes(tokens []string) int {
	depth := 0
	for i, token := range tokens {
		switch token {
		case "{":
			depth++
		case "}":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// directive reports a line that the source reads as a whole.
func directive(code string) bool {
	word := firstWord(code)
	_, includes := includes(word)
	return includes || word == "include_check" || word == "random_seed"
}

// plainTokens are the braces of a line and what is between them, with single
// blanks; false for a line that is more than words and quoted words.
func plainTokens(code string) (tokens []string, plain bool) {
	if directive(code) || strings.HasPrefix(code, "~") {
		return nil, false
	}
	for from, quoted, i := 0, false, 0; ; i++ {
		if i < len(code) {
			switch c := code[i]; {
			case c == '"':
				quoted = !quoted
				continue
			case quoted || c != '{' && c != '}':
				continue
			}
		}
		if part := trim(code[from:i]); part != "" {
			text, rest := squeeze(part)
			if rest != "" {
				return nil, false
			}
			tokens = append(tokens, text)
		}
		if i >= len(code) { // include{ would become a directive, and }include} too
			return tokens, !slices.ContainsFunc(tokens, directive)
		}
		tokens = append(tokens, code[i:i+1])
		from = i + 1
	}
}

// squeezed is a line with single blanks between its words, up to the first
// that may be a part of something larger.
func squeezed(code string) string {
	switch {
	case strings.HasPrefix(code, "~"):
		return code
	case directive(code):
		word := firstWord(code)
		return trimRight(word + " " + trimLeft(code[len(word):]))
	}
	text, rest := squeeze(code)
	if text != "" && rest != "" {
		text += " "
	}
	return text + rest
}

// squeeze is text with single blanks, up to the rest: the first word that holds
// a definition, a backslash, a single quote, or a double quote in its middle.
func squeeze(text string) (done, rest string) {
	if strings.ContainsAny(text, "\v\f") { // blanks, but not within a script or a regex
		return "", text
	}
	var words []string
	for text = trimLeft(text); text != ""; text = trimLeft(text) {
		word := firstWord(text)
		if text[0] == '"' {
			end := strings.IndexByte(text[1:], '"') + 2
			if end < 2 || end < len(text) && !blank(text[end]) {
				break
			}
			if word = text[:end]; strings.ContainsAny(word, `$\`) {
				break
			}
		} else if strings.ContainsAny(word, `$\'"`) {
			break
		}
		words, text = append(words, word), text[len(word):]
	}
	return strings.Join(words, " "), text
}

// braces are the braces of a line outside double quotes, 1 for each that opens
// and -1 for each that closes. Those of include patterns, of ~LST and of ${NAME}
// are none.
func braces(code string) (all []int) {
	if directive(code) {
		return nil
	}
	if strings.HasPrefix(code, "~SEQ") || strings.HasPrefix(code, "~LST") {
		if _, body, closed := strings.Cut(code, ")"); closed {
			code = body
		}
	}
	quoted := false
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '$' && strings.HasPrefix(code[i:], "${"):
			if end := strings.IndexByte(code[i:], '}'); end > 0 {
				i += end
			}
		case c == '{':
			all = append(all, 1)
		case c == '}':
			all = append(all, -1)
		}
	}
	return all
}

func bracesOf(tokens []string) (all []int) {
	for _, token := range tokens {
		switch token {
		case "{":
			all = append(all, 1)
		case "}":
			all = append(all, -1)
		}
	}
	return all
}

// depthOf is how much deeper the next line is.
func depthOf(all []int) (depth int) {
	for _, b := range all {
		depth = max(0, depth+b)
	}
	return depth
}

// leading is the number of '}' that a line begins with.
func leading(code string) (n int) {
	for code != "" && code[0] == '}' {
		n++
		code = trimLeft(code[1:])
	}
	return n
}

// flow follows the depth of blocks. What a condition lets through counts only
// where it holds, so there is a depth for each id that the file names, and one
// for all other ids.
type flow struct {
	ids    []string
	depths []int
}

// maxFlows bounds the ids that are told apart.
const maxFlows = 32

func newFlow(text string) *flow {
	f := &flow{}
	for line := range strings.Lines(text) {
		if line = trimLeft(line); line == "" || line[0] != '@' {
			continue
		}
		for _, condition := range cutLine(strings.TrimSuffix(line, "\n")).conditions {
			id, _ := strings.CutPrefix(condition[1:], "^")
			if len(f.ids) < maxFlows && id != "" && !slices.Contains(f.ids, id) {
				f.ids = append(f.ids, id)
			}
		}
	}
	f.ids = append(f.ids, "")
	f.depths = make([]int, len(f.ids))
	return f
}

// holds reports whether a line is read with an id.
func holds(conditions []string, id string) bool {
	for _, condition := range conditions {
		named, negated := strings.CutPrefix(condition[1:], "^")
		if (named == id && id != "") == negated {
			return false
		}
	}
	return true
}

// depth is that of a line which begins with some closing braces: with the first
// id that it is read with.
func (f *flow) depth(conditions []string, closing int) int {
	for i, id := range f.ids {
		if holds(conditions, id) {
			return max(0, f.depths[i]-closing)
		}
	}
	return max(0, f.depths[0]-closing)
}

// apply goes on behind a line. A '}' too many closes nothing.
func (f *flow) apply(conditions []string, all []int) {
	for i, id := range f.ids {
		if !holds(conditions, id) {
			continue
		}
		for _, b := range all {
			f.depths[i] = max(0, f.depths[i]+b)
		}
	}
}
