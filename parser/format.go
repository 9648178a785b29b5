package parser

import (
	"slices"
	"strings"
)

// Format lays out the text of a configuration file, or of a part of one that
// is included. It works on the lines as they are written, before anything is
// expanded, and changes blanks, empty lines and line ends only: a line that it
// cannot be sure of (definitions, quotes inside words, backslashes) is indented
// and left alone otherwise. Format(Format(text)) is Format(text), and text and
// Format(text) load as the same configuration with the same problems.
func Format(text string) string {
	f := &layout{flow: newFlow(text), defined: -1}
	for rest := text; rest != ""; {
		var raw string
		raw, rest, _ = strings.Cut(rest, "\n")
		f.add(raw)
	}
	return f.render()
}

// maxRestructured is the length of lines that may be split or joined: with
// their indentation they stay below keepalived's buffer.
const maxRestructured = 800

// layout is a file that is being laid out.
type layout struct {
	flow  *flow
	lines []laidLine
	blank bool // an empty line stands before the next one
	// held: the line read last may go on in the next one, which is left alone
	held bool
	// defined is the depth of braces in the value of the definition that goes
	// on in the next line; -1: there is none
	defined int
}

// laidLine is a line of the result.
type laidLine struct {
	raw      string // of the file, for a line that must stay as it is
	verbatim bool   // print raw
	depth    int
	code     string
	comment  string
	aligned  bool // its comment may be moved
	open     bool // a '{' of the next line may come behind it
}

// written is a line of the file in its parts.
type written struct {
	raw        string
	conditions []string // @id, @^id
	code       string   // after these
	comment    string
}

func cutLine(raw string) written {
	w := written{raw: raw}
	text := trim(raw)
	at := commentAt(text)
	w.code, w.comment = trimRight(text[:at]), text[at:]
	for strings.HasPrefix(w.code, "@") {
		condition := firstWord(w.code)
		w.conditions = append(w.conditions, condition)
		w.code = trimLeft(w.code[len(condition):])
	}
	return w
}

// commentAt is where [stripComment] cuts a line.
func commentAt(text string) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#', c == '!':
			return i
		case c == '\\':
			i++
		}
	}
	return len(text)
}

// add lays out the next line of the file.
func (f *layout) add(raw string) {
	w := cutLine(raw)
	switch held := f.held; {
	case len(raw) >= maxPhysical, strings.IndexByte(raw, 0) >= 0: // read in pieces, or not at all
		f.held, f.defined = true, -1
		f.put(&w, laidLine{verbatim: true}, braces(w.code))
	case held:
		f.continuation(w)
	case conflictMark(raw): // where it stands is a part of it
		f.put(&w, laidLine{verbatim: true}, braces(w.code))
	case w.isBlank():
		f.blank = true
	case w.definition():
		f.held, f.defined = strings.HasSuffix(w.code, `\`), depthOf(braces(w.code))
		f.put(&w, laidLine{code: trim(raw)}, nil)
	default:
		f.held = w.mayContinue()
		f.statement(w)
	}
}

func (w *written) isBlank() bool { return w.code == "" && w.comment == "" && w.conditions == nil }

// definition reports a $NAME= line.
func (w *written) definition() bool {
	if !strings.HasPrefix(w.code, "$") {
		return false
	}
	n := nameLen(w.code[1:])
	return n > 0 && strings.HasPrefix(w.code[1+n:], "=")
}

// mayContinue reports a line that definitions may turn into one that takes the
// next line with it.
func (w *written) mayContinue() bool {
	return strings.ContainsAny(w.code, "$~") && strings.Contains(w.code, `\`)
}

// continuation lays out a line that belongs to the one before, or may.
func (f *layout) continuation(w written) {
	all := braces(w.code)
	text := trim(w.raw)
	f.held = strings.HasSuffix(trimRight(text[:commentAt(text)]), `\`)
	if f.defined < 0 {
		f.held = f.held || w.mayContinue()
		f.put(&w, laidLine{code: text}, all)
		return
	}
	depth := f.flow.depth(nil, 0) + 1 + max(0, f.defined-leading(w.code))
	f.lines = append(f.lines, laidLine{raw: w.raw, code: text, depth: depth})
	f.defined += depthOf(all)
	if !f.held {
		f.defined = -1
	}
}

// statement lays out a line that is complete.
func (f *layout) statement(w written) {
	tokens, plain := plainTokens(w.code)
	whole := !plain || w.code == "" || w.conditions != nil || len(w.raw) > maxRestructured
	if whole {
		code := squeezed(w.code)
		if plain {
			code = strings.Join(tokens, " ")
		}
		f.put(&w, laidLine{code: w.join(code), comment: w.comment, aligned: w.code != ""}, braces(w.code))
		return
	}
	pieces := split(tokens)
	last := len(pieces) - 1
	for i, piece := range pieces {
		l := laidLine{code: strings.Join(piece, " "), aligned: piece[0] != "{"}
		if i == last {
			l.comment = w.comment
		}
		if i == 0 && f.joins(&w, piece, l.comment) {
			continue
		}
		l.open = len(piece) == 1 && piece[0] != "{" && piece[0] != "}"
		f.put(&w, l, bracesOf(piece))
		if last > 0 {
			f.lines[len(f.lines)-1].raw = ""
		}
	}
}

// join is the code with its conditions.
func (w *written) join(code string) string {
	return trimRight(strings.Join(append(slices.Clone(w.conditions), code), " "))
}

// joins puts a '{', and what is between it and its '}' on the same line, behind
// the keyword of the line before.
func (f *layout) joins(w *written, piece []string, comment string) bool {
	if piece[0] != "{" || len(f.lines) == 0 {
		return false
	}
	last := &f.lines[len(f.lines)-1]
	if !last.open || comment != "" && last.comment != "" || len(last.code)+len(last.comment)+len(w.raw) > maxRestructured {
		return false
	}
	last.code += " " + strings.Join(piece, " ")
	last.comment += comment
	last.open, last.raw, f.blank = false, "", false
	f.flow.apply(nil, bracesOf(piece))
	return true
}

// put appends a line. Empty lines are squeezed to one, and dropped at the
// beginning and the end of blocks and of the file.
func (f *layout) put(w *written, l laidLine, all []int) {
	closing := 0
	if !l.verbatim {
		closing = leading(trimLeft(strings.TrimPrefix(l.code, w.join(""))))
	}
	if n := len(f.lines); f.blank && n > 0 && closing == 0 && !strings.HasSuffix(f.lines[n-1].code, "{") {
		f.lines = append(f.lines, laidLine{})
	}
	f.blank = false
	l.raw, l.depth = w.raw, f.flow.depth(w.conditions, closing)
	f.flow.apply(w.conditions, all)
	f.lines = append(f.lines, l)
}
