package parser

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// Bounds that keep the cost of a hostile configuration bounded.
const (
	maxIncludeDepth = 32        // files open in one another
	maxFiles        = 1 << 14   // files read in all
	maxBytes        = 256 << 20 // bytes read in all
	maxExpansion    = 64 << 20  // bytes that definitions expand to in all
	maxExpansions   = 1 << 21   // lines that use definitions, and lines that these become
	maxRounds       = 32        // substitutions of one line one after the other
	maxLine         = 64 << 10  // bytes of a line after substitution
	maxPhysical     = 1023      // bytes of a line of a file: keepalived's buffer
)

// line is a logical line: without its comment and the white space around it,
// conditions tested, definitions expanded. Its text is a part of the file's
// own where nothing was expanded.
type line struct {
	text     string
	pos      place
	marks    mark // of the text
	repeated bool // it follows a ~SEQ or ~LST, once for each value
}

// place is where something stands. There is one for each token of a large
// file, so it is small.
type place struct {
	line, column int32 // from 1
	chain        int32 // the number in [source.chains]: the file, and how it came to be read
}

// placeOf is a place that participle kept; the number of the chain travels as
// its offset.
func placeOf(p lexer.Position) place { return place{int32(p.Line), int32(p.Column), int32(p.Offset)} }

// position is a place as participle keeps it.
func (s *source) position(p place) lexer.Position {
	return lexer.Position{Filename: s.file(p), Line: int(p.line), Column: int(p.column), Offset: int(p.chain)}
}

func (s *source) file(p place) string { return s.chains[p.chain].file }

// queued is what is read next: a line, or the line of a loop.
type queued struct {
	line line
	loop *loop
}

// chain is the file of a line, and how it came to be read: because of an
// include line, or because of a line that uses a definition.
type chain struct {
	file     string
	from     config.Origin // the include line, or the definition
	parent   int32
	expanded bool // from a definition: columns are those of the expanded text, not of the file
}

// source turns files into logical lines.
type source struct {
	files    Files
	id       string // of @id lines
	getenv   func(string) string
	random   *rand.Rand // of ${_RANDOM}
	report   func(config.Problem)
	open     []frame // the innermost last
	check    includeCheck
	macros   map[string]macro
	chains   []chain           // the first is no file's: nothing led to the main file
	known    map[chain]int32   // the others by what they are
	texts    map[string]string // by file name: what diagnostics quote
	order    []string          // of the files, as they were opened
	brought  map[string]int32  // the chain by which a file was read first
	ids      map[string]bool   // of @id lines
	starts   map[string][]int  // of the lines of a file, see written
	expanded int               // bytes of definitions
	uses     int               // lines with definitions
	bound    int               // of them
	spent    bool              // a bound is reached: nothing is expanded any more
	bytes    int               // read
	buffer   []byte            // of all files: there may be thousands of small ones
}

// frame is a file that is being read.
type frame struct {
	name  string
	rest  string
	line  int32 // of the line read last
	chain int32
	cut   int          // bytes of a line that is too long, read already
	check includeCheck // of the file that includes it
	// the rest of multi-line definitions, and loops, to be read before the
	// rest of the file; the next last
	pending []queued
}

func newSource(o Options, report func(config.Problem)) *source {
	s := &source{
		files: o.Files, id: o.ConfigID, getenv: o.Getenv, report: report, random: newRandom(0), bound: cmp.Or(o.bound, maxExpansions),
		macros: map[string]macro{}, chains: []chain{{}}, known: map[chain]int32{}, texts: map[string]string{}, brought: map[string]int32{}, ids: map[string]bool{},
	}
	if s.getenv == nil {
		s.getenv = os.Getenv
	}
	if o.AllConfig {
		s.check = checkAll
	}
	return s
}

// next is the next logical line that is not empty.
func (s *source) next() (line, bool) {
	for {
		l, ok := s.physical()
		if !ok {
			return line{}, false
		}
		if l.marks&markSpecial != 0 {
			if l, ok = s.preprocess(l); !ok {
				continue
			}
			l.marks = marksOf(l.text)
		}
		if l.text == "" || s.directive(l) {
			continue
		}
		return l, true
	}
}

// directive acts on lines that matter to the reading itself; true when nobody
// else needs them.
func (s *source) directive(l line) bool {
	switch c := l.text[0]; {
	case c == 'i' && strings.HasPrefix(l.text, "include"):
		if firstWord(l.text) == "include_check" {
			s.setCheck(l)
			return false
		}
		return s.include(l)
	case c == 'r' && firstWord(l.text) == "random_seed":
		seed, err := strconv.ParseUint(trim(l.text[len("random_seed"):]), 10, 32)
		if err == nil {
			s.random = newRandom(seed)
		}
	}
	return false
}

// physical is the next line of the innermost file, or the next line of a
// definition of several lines or of a loop, trimmed.
func (s *source) physical() (line, bool) {
	for len(s.open) > 0 {
		f := &s.open[len(s.open)-1]
		switch n := len(f.pending) - 1; {
		case n >= 0 && f.pending[n].loop == nil:
			l := f.pending[n].line
			l.marks = marksOf(l.text)
			f.pending = f.pending[:n]
			return l, true
		case n >= 0 && s.advance(f.pending[n].loop):
			l := f.pending[n].loop.body
			l.marks = marksOf(l.text)
			return l, true
		case n >= 0:
			f.pending = f.pending[:min(n, len(f.pending))]
			continue
		case f.rest == "":
			s.check = f.check
			s.open = s.open[:len(s.open)-1]
			continue
		}
		text, cut := f.next()
		trimmed := trimLeft(text)
		l := line{text: trimRight(trimmed), pos: place{f.line, int32(1 + cut + len(text) - len(trimmed)), f.chain}}
		l.marks = marksOf(l.text)
		switch {
		case f.cut > cut:
			s.problem(l.pos, config.Error, config.ClassGeneral, "long-line",
				fmt.Sprintf("line too long - ignoring its first %d bytes, and reading the rest as a line", maxPhysical))
			continue
		case l.marks&markNUL != 0:
			s.problem(l.pos, config.Error, config.ClassGeneral, "nul-byte", "line contains a NUL byte - ignoring")
			continue
		}
		return l, true
	}
	return line{}, false
}

// queue sets what is read before the rest of the innermost file.
func (s *source) queue(q queued) {
	f := &s.open[len(s.open)-1]
	f.pending = append(f.pending, q)
}

// next is the next line of a file, and how many bytes of it went before: of a
// line that is too long keepalived's buffer is filled several times.
func (f *frame) next() (text string, cut int) {
	cut = f.cut
	end := strings.IndexByte(f.rest, '\n')
	if cut == 0 {
		f.line++
	}
	if end > maxPhysical || end < 0 && len(f.rest) > maxPhysical {
		text, f.rest = f.rest[:maxPhysical], f.rest[maxPhysical:]
		f.cut += maxPhysical
		return text, cut
	}
	f.cut = 0
	if end < 0 {
		text, f.rest = f.rest, ""
		return text, cut
	}
	text, f.rest = f.rest[:end], f.rest[end+1:]
	return text, cut
}

// preprocess strips the comment, tests conditions and expands definitions;
// false when nothing is left of the line.
func (s *source) preprocess(l line) (line, bool) {
	l.text = stripComment(l.text)
	written := l
	for round := range maxRounds {
		var keep bool
		if l, keep = s.condition(l); !keep || s.define(l) {
			return l, false
		}
		switch {
		case round > 0 && l.repeated && strings.HasPrefix(l.text, "~"):
			s.nestedLoop(l)
			return l, false
		case s.repeats(l):
			return l, false
		}
		var changed bool
		if l, changed = s.substitute(l); changed {
			l.text = trim(stripComment(l.text))
		}
		if !changed || l.text == "" || l.text[0] != '@' && strings.IndexByte(l.text, '$') < 0 {
			return l, l.text != ""
		}
	}
	s.problem(written.pos, config.Error, config.ClassGeneral, "expansion-loop", "the definitions of this line refer to themselves - ignoring the line")
	return l, false
}

// readsAgain reports what behind a brace is a line of its own for the source:
// a condition, a loop, a definition or an include.
func (s *source) readsAgain(text string) bool {
	if text == "" {
		return false
	}
	switch text[0] {
	case '@':
		return true
	case '~':
		return strings.HasPrefix(text, "~SEQ") || strings.HasPrefix(text, "~LST")
	case '$':
		n := nameLen(text[1:])
		return n > 0 && strings.HasPrefix(text[1+n:], "=")
	case 'i':
		_, ok := includes(firstWord(text))
		return ok
	}
	return false
}

// condition tests `@id rest` and `@^id rest`.
func (s *source) condition(l line) (line, bool) {
	for strings.HasPrefix(l.text, "@") {
		id, rest := l.text[1:], ""
		id, rest = firstWord(id), trimLeft(id[len(firstWord(id)):])
		id, negated := strings.CutPrefix(id, "^")
		s.ids[id] = true
		if (id == s.id && s.id != "") == negated {
			return l, false
		}
		l.pos = s.column(l.pos, len(l.text)-len(rest))
		l.text = rest
	}
	return l, true
}

// push opens a file, with what led to it; its lines are the next ones. A file
// that cannot be read has no class: keepalived says so and finds nothing wrong
// with it.
func (s *source) push(name string, why chain) (config.Class, error) {
	why.file = name
	chain := s.chain(why)
	for i := range s.open {
		if s.open[i].name == name && s.open[i].chain != chain {
			return config.ClassGeneral, fmt.Errorf("include '%s': the file includes itself - ignoring", name)
		}
	}
	switch depth := s.depth(chain); {
	case depth > maxIncludeDepth:
		return config.ClassGeneral, fmt.Errorf("include '%s': more than %d files in one another - ignoring", name, maxIncludeDepth)
	case len(s.chains) > maxFiles:
		return config.ClassGeneral, fmt.Errorf("include '%s': more than %d includes - ignoring", name, maxFiles)
	}
	text, seen := s.texts[name]
	if !seen {
		var err error
		if text, err = s.read(name); err != nil {
			return config.ClassNone, err
		}
		s.texts[name] = text
		s.order = append(s.order, name)
		s.brought[name] = chain
	}
	if s.bytes += len(text); s.bytes > maxBytes {
		return config.ClassGeneral, fmt.Errorf("include '%s': more than %d MiB of configuration - ignoring", name, maxBytes>>20)
	}
	s.open = append(s.open, frame{name: name, rest: text, chain: chain, check: s.check})
	return config.ClassNone, nil
}

// depth is the number of include lines that led to a file.
func (s *source) depth(at int32) (n int) {
	for ; at != 0; at = s.chains[at].parent {
		if c := &s.chains[at]; !c.expanded && c.from.Line > 0 {
			n++
		}
	}
	return n
}

func (s *source) read(name string) (string, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return "", fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	var b strings.Builder
	if st, ok := f.(fs.File); ok {
		if info, err := st.Stat(); err == nil {
			b.Grow(int(min(info.Size(), maxBytes)) + 1)
		}
	}
	if s.buffer == nil {
		s.buffer = make([]byte, 32<<10)
	}
	if _, err := io.CopyBuffer(&b, io.LimitReader(f, maxBytes+1), s.buffer); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return b.String(), nil
}

// chain is the number of a chain; of equal ones there is one.
func (s *source) chain(c chain) int32 {
	at, ok := s.known[c]
	if !ok {
		at = int32(len(s.chains))
		s.chains, s.known[c] = append(s.chains, c), at
	}
	return at
}

// origin is a place as the configuration keeps it.
func (s *source) origin(p place) config.Origin {
	return config.Origin{File: s.file(p), Line: p.line, Column: p.column}
}

// via is the chain of a place, innermost first.
func (s *source) via(p place) []config.Origin {
	var all []config.Origin
	for at := p.chain; at != 0; at = s.chains[at].parent {
		if s.chains[at].from.Line > 0 {
			all = append(all, s.chains[at].from)
		}
	}
	return all
}

// column is a place i bytes behind another one in its line. Columns of expanded
// text are not those of the file: its line has one place.
func (s *source) column(p place, i int) place {
	if !s.chains[p.chain].expanded {
		p.column += int32(i)
	}
	return p
}

func (s *source) problem(at place, severity config.Severity, class config.Class, code, message string) {
	s.report(config.Problem{
		Origin: s.origin(at), Chain: s.via(at), Severity: severity, Class: class, Code: code, Message: message,
	})
}
