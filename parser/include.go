package parser

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// includeCheck are the failures of an include line that keepalived does not
// start with (include_check in keepalived.conf(5)). In the configuration all but the first imply it.
type includeCheck uint8

const (
	checkRead     includeCheck = 1 << iota // a file that cannot be read
	checkMatch                             // no file of that name
	checkWildcard                          // no file that a wildcard matches
	checkBrace                             // not every alternative of {a,b} is there
	checkAll      = checkRead | checkMatch | checkWildcard | checkBrace
)

// includes are the keywords that include files, with what each checks itself.
func includes(word string) (includeCheck, bool) {
	switch word {
	case "include":
		return 0, true
	case "includer":
		return checkRead, true
	case "includem":
		return checkMatch | checkRead, true
	case "includew":
		return checkWildcard | checkMatch | checkRead, true
	case "includeb":
		return checkBrace | checkRead, true
	case "includea":
		return checkAll, true
	}
	return 0, false
}

// includeLine is an include line that is being read.
type includeLine struct {
	line
	pattern string
	check   includeCheck
}

// include reads the files of an include line; false when it is none.
func (s *source) include(l line) bool {
	word := firstWord(l.text)
	check, ok := includes(word)
	pattern := strings.Trim(l.text[len(word):], blanks+`"`)
	if !ok || pattern == "" {
		return false
	}
	in := includeLine{line: l, pattern: pattern, check: check | s.check}
	full := pattern
	if !path.IsAbs(full) {
		full = path.Join(path.Dir(s.file(l.pos)), full)
	}
	names := s.matches(&in, full)
	why := chain{from: s.origin(l.pos), parent: l.pos.chain}
	for _, name := range slices.Backward(names) { // the last is pushed first
		if class, err := s.push(name, why); err != nil {
			s.problem(l.pos, config.Error, in.class(class, checkRead), "include", err.Error())
		}
	}
	return true
}

// class is that of a failure: of the given one, or fatal when it is checked.
func (in *includeLine) class(otherwise config.Class, checked includeCheck) config.Class {
	if in.check&checked != 0 {
		return config.ClassNoConfig
	}
	return otherwise
}

// matches are the files of a pattern: its alternatives in their order, and
// what each matches sorted.
func (s *source) matches(in *includeLine, full string) []string {
	alternatives := expandBraces(full)
	var names []string
	absent, unmatched := 0, 0
	for _, a := range alternatives {
		found, err := s.files.Glob(a)
		switch {
		case err != nil:
			s.problem(in.pos, config.Error, config.ClassNone, "bad-pattern", fmt.Sprintf("include '%s': %v", in.pattern, err))
		case len(found) > 0:
			names = append(names, found...)
		case wild(a) && s.files.IsDir(literalDir(a)):
			unmatched++
		default:
			absent++
		}
	}
	switch missing := fmt.Sprintf("Config files missing '%s'.", in.pattern); {
	case absent == len(alternatives):
		class := in.class(config.ClassNone, checkMatch)
		if absent > 1 {
			class = max(class, in.class(config.ClassNone, checkBrace))
		}
		s.problem(in.pos, config.Error, class, "missing-include", missing)
	case absent > 0:
		s.problem(in.pos, config.Error, in.class(config.ClassNone, checkBrace), "missing-include",
			fmt.Sprintf("Some config files missing: \"%s\".", in.pattern))
	case unmatched == len(alternatives) && in.check&checkWildcard != 0:
		s.problem(in.pos, config.Error, config.ClassNoConfig, "missing-include", fmt.Sprintf("No config files matched '%s'.", in.pattern))
	case unmatched == len(alternatives):
		s.problem(in.pos, config.Warning, config.ClassNone, "missing-include", fmt.Sprintf("No config files matched '%s'.", in.pattern))
	}
	return names
}

// setCheck takes an include_check line, which holds for what the file includes
// after it.
func (s *source) setCheck(l line) {
	words := strings.Fields(l.text)[1:]
	if len(words) == 0 {
		s.check = checkAll
		return
	}
	if !strings.ContainsAny(words[0][:1], "+-") {
		s.check = 0
	}
	for _, word := range words {
		switch check, ok := checkNamed(strings.TrimLeft(word, "+-")); {
		case !ok:
			s.problem(l.pos, config.Error, config.ClassGeneral, "invalid-value", fmt.Sprintf("Unknown include_check type '%s' - ignoring", strings.TrimLeft(word, "+-")))
		case word[0] == '-':
			s.check &^= check
		default:
			s.check |= check
		}
	}
}

func checkNamed(name string) (includeCheck, bool) {
	switch name {
	case "read":
		return checkRead, true
	case "match":
		return checkMatch | checkRead, true
	case "wildcard_match":
		return checkWildcard | checkRead, true
	case "brace_match":
		return checkBrace | checkRead, true
	}
	return 0, false
}

// wild reports whether a pattern has a wildcard.
func wild(pattern string) bool { return strings.ContainsAny(pattern, "*?[") }

// literalDir is the folder of a pattern up to its first wildcard.
func literalDir(pattern string) string {
	i := strings.IndexAny(pattern, "*?[")
	return path.Dir(pattern[:i] + "x")
}

// maxAlternatives bounds what the braces of one pattern expand to.
const maxAlternatives = 1 << 10

// expandBraces are the alternatives of {a,b{c,d}} in their order, as glob(3)
// with GLOB_BRACE expands them. Braces that do not match are text.
func expandBraces(pattern string) []string {
	var done []string
	for todo := []string{pattern}; len(todo) > 0 && len(done)+len(todo) <= maxAlternatives; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		open, parts, end := firstBraces(p)
		if end == 0 {
			done = append(done, p)
			continue
		}
		for _, part := range slices.Backward(parts) {
			todo = append(todo, p[:open]+part+p[end:])
		}
	}
	return done
}

// firstBraces are the parts between the first braces, and where these begin
// and end; the end is 0 when there are none.
func firstBraces(p string) (open int, parts []string, end int) {
	open = strings.IndexByte(p, '{')
	if open < 0 {
		return 0, nil, 0
	}
	depth, from := 0, open+1
	for i := open; i < len(p); i++ {
		switch c := p[i]; {
		case c == '{':
			depth++
		case c == ',' && depth == 1:
			parts, from = append(parts, p[from:i]), i+1
		case c == '}':
			if depth--; depth == 0 {
				return open, append(parts, p[from:i]), i + 1
			}
		}
	}
	return 0, nil, 0
}
