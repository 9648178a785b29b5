package parser

import (
	"path"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// macro is a definition: $NAME=value, of several lines when each but the last
// ends in a backslash.
type macro struct {
	lines  []string
	origin config.Origin
}

// define takes a definition; false when the line is none. Its value is kept as
// it is written and expanded where it is used.
func (s *source) define(l line) bool {
	if !strings.HasPrefix(l.text, "$") {
		return false
	}
	n := nameLen(l.text[1:])
	if n == 0 || !strings.HasPrefix(l.text[1+n:], "=") {
		return false
	}
	m := macro{origin: s.origin(l.pos)}
	value := trimLeft(l.text[n+2:])
	for {
		part, more := strings.CutSuffix(value, `\`)
		m.lines = append(m.lines, trimRight(part))
		if !more {
			break
		}
		next, ok := s.physical()
		if !ok {
			break
		}
		value = cutComment(next.text)
	}
	s.macros[l.text[1:1+n]] = m
	return true
}

// nameLen is the length of the name that text begins with.
func nameLen(text string) int {
	i := 0
	for i < len(text) {
		c := text[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			break
		}
		i++
	}
	return i
}

// substitute expands the definitions that a line uses, one deep. The lines
// after the first of a multi-line definition are read next.
func (s *source) substitute(l line) (line, bool) {
	if s.spent || !strings.Contains(l.text, "$") {
		return l, false
	}
	var out strings.Builder
	var done []string // lines that are complete
	at, changed := l.pos.Offset, false
	rest := l.text
	for {
		before, ref, found := strings.Cut(rest, "$")
		out.WriteString(before)
		if !found {
			break
		}
		m, size, ok := s.reference(l, ref)
		if !ok {
			out.WriteByte('$')
			rest = ref
			continue
		}
		rest, changed = ref[size:], true
		for i, text := range m.lines {
			if i > 0 {
				done = append(done, out.String())
				out.Reset()
			}
			out.WriteString(text)
			s.expanded += len(text)
		}
		if at == l.pos.Offset {
			s.chains = append(s.chains, chain{from: m.origin, parent: at, expanded: true})
			at = len(s.chains) - 1
		}
		s.uses += len(m.lines)
		if s.expanded > maxExpansion || s.uses > maxExpansions || out.Len() > maxLine {
			s.spent, s.pending = true, nil
			s.problem(l, config.Error, config.ClassGeneral, "expansion-limit", "the definitions of this line expand to too much - ignoring them from here on")
			l.text = ""
			return l, false
		}
	}
	l.pos.Offset = at
	done = append(done, out.String())
	for i := len(done) - 1; i > 0; i-- {
		s.pending = append(s.pending, line{done[i], l.pos})
	}
	l.text = done[0]
	return l, changed
}

// reference looks up the name after a $ and says how long it is; false leaves
// the text as it is, which is what keepalived does with an unknown name.
func (s *source) reference(l line, ref string) (macro, int, bool) {
	name, size := "", 0
	if strings.HasPrefix(ref, "{") {
		end := strings.IndexByte(ref, '}')
		if end < 0 {
			return macro{}, 0, false
		}
		name, size = trim(ref[1:end]), end+1
	} else {
		size = nameLen(ref)
		name = ref[:size]
	}
	if m, ok := s.macros[name]; ok {
		return m, size, true
	}
	value := ""
	switch word, _, _ := strings.Cut(name, " "); word {
	case "_PWD":
		value = path.Dir(l.pos.Filename)
	case "_HASH":
		value = `\#` // the backslash goes with the comments
	case "_BANG":
		value = `\!`
	case "_INSTANCE", "_RANDOM", "_ENV":
		s.report(notActedOn(s.origin(l.pos), "${"+word+"}"))
		return macro{}, 0, false
	default:
		return macro{}, 0, false
	}
	return macro{lines: []string{value}, origin: s.origin(l.pos)}, size, true
}
