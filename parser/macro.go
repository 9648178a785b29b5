package parser

import (
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
		value = stripComment(next.text)
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
	if s.spent || strings.IndexByte(l.text, '$') < 0 {
		return l, false
	}
	var out strings.Builder
	var done []string // lines that are complete
	at, changed := l.pos.chain, false
	for rest := l.text; ; {
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
		if s.nested(l.pos.chain) > maxRounds {
			s.exhausted(l)
			return line{pos: l.pos}, false
		}
		bytes := 0
		for i, text := range m.lines {
			if i > 0 {
				done = append(done, out.String())
				out.Reset()
			}
			out.WriteString(text)
			bytes += len(text)
		}
		at = s.expansion(at, l, m)
		if !s.use(len(m.lines), bytes) || out.Len() > maxLine {
			s.exhausted(l)
			return line{pos: l.pos}, false
		}
	}
	done = append(done, out.String())
	l.pos.chain = at
	for i := len(done) - 1; i > 0; i-- {
		s.queue(queued{line: line{text: done[i], pos: l.pos}})
	}
	l.text = done[0]
	return l, changed
}

// expansion is the chain of a line that uses a definition. Values of the
// line's own loop, and predefined ones, lead nowhere else.
func (s *source) expansion(at int32, l line, m macro) int32 {
	switch {
	case at != l.pos.chain && s.chains[at].from.Line > 0:
		return at // the first definition of the line is named
	case m.origin.File == s.file(l.pos) && m.origin.Line == l.pos.line:
		m.origin = config.Origin{}
	}
	return s.chain(chain{file: s.file(l.pos), from: m.origin, parent: l.pos.chain, expanded: true})
}

// nested is how many definitions, one in another, led to a line. Those that
// refer to themselves in a line of several have no end; counting all that they
// become takes seconds.
func (s *source) nested(at int32) (n int) {
	for ; at != 0 && s.chains[at].expanded; at = s.chains[at].parent {
		n++
	}
	return n
}

// use counts lines and bytes of definitions; false when it is enough.
func (s *source) use(lines, bytes int) bool {
	s.uses += lines
	s.expanded += bytes
	return s.uses <= s.bound && s.expanded <= maxExpansion
}

// exhausted ends all expansion.
func (s *source) exhausted(l line) {
	if !s.spent {
		s.spent = true
		for i := range s.open {
			s.open[i].pending = nil
		}
		s.problem(l.pos, config.Error, config.ClassGeneral, "expansion-limit", "the definitions of this line expand to too much - ignoring them from here on")
	}
}

// flat expands the definitions in the parameters of a ~SEQ, all of one line.
func (s *source) flat(l line, text string) string {
	for range maxRounds {
		before, ref, found := strings.Cut(text, "$")
		if !found {
			break
		}
		m, size, ok := s.reference(l, ref)
		if !ok || len(text) > maxLine {
			break
		}
		text = before + m.lines[0] + ref[size:]
	}
	return text
}

// reference looks up the name after a $ and says how long it is; false leaves
// the text as it is, which is what keepalived does with an unknown name.
func (s *source) reference(l line, ref string) (macro, int, bool) {
	name, size, args := "", 0, ""
	if strings.HasPrefix(ref, "{") {
		end := strings.IndexByte(ref, '}')
		if end < 0 {
			return macro{}, 0, false
		}
		name, args, _ = strings.Cut(ref[1:end], " ")
		size = end + 1
	} else {
		size = nameLen(ref)
		name = ref[:size]
	}
	if m, ok := s.macros[name]; ok && args == "" {
		return m, size, true
	}
	value, ok := s.predefined(l, name, strings.Fields(args))
	return macro{lines: []string{value}}, size, ok
}
