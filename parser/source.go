package parser

import (
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lvsd/lvsd/config"
)

// Bounds that keep the cost of a hostile configuration bounded.
const (
	maxIncludeDepth = 32        // files open in one another
	maxFiles        = 1 << 14   // files read in all
	maxBytes        = 256 << 20 // bytes read in all
	maxExpansion    = 8 << 20   // bytes that definitions expand to in all
	maxExpansions   = 1 << 18   // lines that use definitions, and lines that these become
	maxRounds       = 32        // substitutions of one line one after the other
	maxLine         = 64 << 10  // bytes of a line after substitution
)

// line is a logical line: without its comment and the white space around it,
// conditions tested, definitions expanded. Its text is a part of the file's
// own where nothing was expanded. pos.Offset is not an offset: it is the
// number of its chain in [source.chains].
type line struct {
	text string
	pos  lexer.Position
}

// chain is how a line came to be read: the line itself is in an included file
// or from a definition.
type chain struct {
	from     config.Origin // the include line, or the definition
	parent   int
	expanded bool // columns are those of the expanded text, not of the file
}

// source turns files into logical lines.
type source struct {
	files    Files
	id       string // of @id lines
	report   func(config.Problem)
	open     []frame // the innermost last
	pending  []line  // the rest of multi-line definitions, the next last
	macros   map[string]macro
	chains   []chain           // the first is that of the main file
	texts    map[string]string // by file name: what diagnostics quote
	order    []string          // of the files, as they were opened
	expanded int               // bytes of definitions
	uses     int               // lines with definitions
	spent    bool              // a bound is reached: nothing is expanded any more
	bytes    int               // read
}

// frame is a file that is being read.
type frame struct {
	name  string
	rest  string
	line  int // of the line read last
	chain int
}

func newSource(o Options, report func(config.Problem)) *source {
	return &source{
		files: o.Files, id: o.ConfigID, report: report,
		macros: map[string]macro{}, chains: []chain{{}}, texts: map[string]string{},
	}
}

// next is the next logical line that is not empty.
func (s *source) next() (line, bool) {
	for {
		l, ok := s.physical()
		if !ok {
			return line{}, false
		}
		if special(l.text) {
			if l, ok = s.preprocess(l); !ok {
				continue
			}
		}
		if l.text == "" || strings.HasPrefix(l.text, "include") && s.include(l) {
			continue
		}
		return l, true
	}
}

// physical is the next line of the innermost file, or the next line of a
// definition of several lines, trimmed.
func (s *source) physical() (line, bool) {
	if n := len(s.pending); n > 0 {
		l := s.pending[n-1]
		s.pending = s.pending[:n-1]
		return l, true
	}
	for len(s.open) > 0 {
		f := &s.open[len(s.open)-1]
		if f.rest == "" {
			s.open = s.open[:len(s.open)-1]
			continue
		}
		var text string
		text, f.rest, _ = strings.Cut(f.rest, "\n")
		f.line++
		trimmed := trimLeft(text)
		pos := lexer.Position{Filename: f.name, Line: f.line, Column: 1 + len(text) - len(trimmed), Offset: f.chain}
		return line{trimRight(trimmed), pos}, true
	}
	return line{}, false
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

// special reports whether a line holds a character that is not for the
// keywords: a comment, a condition, a definition, quotes that may hide these.
func special(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case '#', '!', '$', '@', '~', '"':
			return true
		}
	}
	return false
}

// preprocess strips the comment, tests conditions and expands definitions;
// false when nothing is left of the line.
func (s *source) preprocess(l line) (line, bool) {
	l.text = cutComment(l.text)
	written := l
	for range maxRounds {
		var keep bool
		if l, keep = s.condition(l); !keep || s.define(l) {
			return l, false
		}
		if strings.HasPrefix(l.text, "~SEQ") || strings.HasPrefix(l.text, "~LST") {
			s.report(notActedOn(s.origin(l.pos), l.text[:4]))
			return l, false
		}
		var changed bool
		if l, changed = s.substitute(l); !changed {
			l.text = trim(unescape(cutComment(l.text)))
			return l, l.text != ""
		}
	}
	s.problem(written, config.Error, config.ClassGeneral, "expansion-loop", "the definitions of this line refer to themselves - ignoring the line")
	return l, false
}

// cutComment cuts a line at the first # or ! outside double quotes without a
// backslash before it.
func cutComment(text string) string {
	for i := range commentSigns(text) {
		if i == 0 || text[i-1] != '\\' {
			return trimRight(text[:i])
		}
	}
	return text
}

// unescape takes the backslashes before # and !, when no comment is cut any
// more.
func unescape(text string) string {
	var out strings.Builder
	from := 0
	for i := range commentSigns(text) {
		out.WriteString(text[from : i-1])
		from = i
	}
	if from == 0 {
		return text
	}
	out.WriteString(text[from:])
	return out.String()
}

// commentSigns are the offsets of # and ! outside double quotes.
func commentSigns(text string) iter.Seq[int] {
	return func(yield func(int) bool) {
		quoted := false
		for i := range len(text) {
			switch c := text[i]; {
			case c == '"':
				quoted = !quoted
			case !quoted && (c == '#' || c == '!') && !yield(i):
				return
			}
		}
	}
}

// condition tests `@id rest` and `@^id rest`.
func (s *source) condition(l line) (line, bool) {
	for strings.HasPrefix(l.text, "@") {
		id, rest := l.text[1:], ""
		id, rest = firstWord(id), trimLeft(id[len(firstWord(id)):])
		id, negated := strings.CutPrefix(id, "^")
		if (id == s.id && s.id != "") == negated {
			return l, false
		}
		l.pos.Column += len(l.text) - len(rest)
		l.text = rest
	}
	return l, true
}

// include reads the files of an include line; false when it is none.
func (s *source) include(l line) bool {
	word := firstWord(l.text)
	switch word {
	case "include", "includer", "includem", "includew", "includeb", "includea":
	default:
		return false
	}
	pattern := strings.Trim(l.text[len(word):], blanks+`"`)
	if pattern == "" {
		return false
	}
	full := pattern
	if !path.IsAbs(full) {
		full = path.Join(path.Dir(l.pos.Filename), full)
	}
	names, err := s.files.Glob(full)
	if err != nil {
		s.problem(l, config.Error, config.ClassNone, "bad-pattern", fmt.Sprintf("include '%s': %v", pattern, err))
		return true
	}
	if len(names) == 0 {
		severity := config.Error
		if strings.ContainsAny(pattern, "*?[{") {
			severity = config.Warning
		}
		s.problem(l, severity, config.ClassNone, "missing-include", fmt.Sprintf("Config files missing '%s'.", pattern))
		return true
	}
	s.chains = append(s.chains, chain{from: s.origin(l.pos), parent: l.pos.Offset})
	at := len(s.chains) - 1
	for i := len(names) - 1; i >= 0; i-- { // the last is pushed first
		if class, err := s.push(names[i], at); err != nil {
			s.problem(l, config.Error, class, "include", err.Error())
		}
	}
	return true
}

// push opens a file; its lines are the next ones. A file that cannot be read
// has no class: keepalived says so and finds nothing wrong with it.
func (s *source) push(name string, chain int) (config.Class, error) {
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
	}
	if s.bytes += len(text); s.bytes > maxBytes {
		return config.ClassGeneral, fmt.Errorf("include '%s': more than %d MiB of configuration - ignoring", name, maxBytes>>20)
	}
	s.open = append(s.open, frame{name: name, rest: text, chain: chain})
	return config.ClassNone, nil
}

func (s *source) depth(at int) (n int) {
	for ; at != 0; at = s.chains[at].parent {
		if !s.chains[at].expanded {
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
	if _, err := io.Copy(&b, io.LimitReader(f, maxBytes+1)); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return b.String(), nil
}

// origin is a position as the configuration keeps it.
func (s *source) origin(p lexer.Position) config.Origin {
	return config.Origin{File: p.Filename, Line: p.Line, Column: p.Column}
}

// via is the chain of a position, innermost first.
func (s *source) via(p lexer.Position) []config.Origin {
	var all []config.Origin
	for at := p.Offset; at != 0; at = s.chains[at].parent {
		all = append(all, s.chains[at].from)
	}
	return all
}

func (s *source) problem(l line, severity config.Severity, class config.Class, code, message string) {
	s.report(config.Problem{
		Origin: s.origin(l.pos), Chain: s.via(l.pos), Severity: severity, Class: class, Code: code, Message: message,
	})
}
