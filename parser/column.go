package parser

import "strings"

// wordAt is where a word of a line that was expanded stands in the file: the
// word itself when it is written there, else the reference to the definition
// that it came from. nth counts the same word before it in the line.
func (s *source) wordAt(at place, word string, nth int) place {
	at.column += int32(s.offset(at, word, nth))
	return at
}

func (s *source) offset(at place, word string, nth int) int {
	written := s.written(at)
	if i := findWord(written, word, nth); i >= 0 {
		return i
	}
	refs := references(written)
	budget := maxLookup
	for _, r := range refs {
		if len(refs) > 1 && s.mentions(r.name, word, &budget) {
			return r.at
		}
	}
	if len(refs) > 0 {
		return refs[0].at
	}
	return 0
}

// reference is the use of a definition in a text.
type reference struct {
	at   int // of its $
	name string
}

func references(text string) (all []reference) {
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		name := text[i+1:]
		if strings.HasPrefix(name, "{") {
			name, _, _ = strings.Cut(name[1:], "}")
		} else {
			name = name[:nameLen(name)]
		}
		if name != "" {
			all = append(all, reference{i, name})
		}
	}
	return all
}

// maxLookup bounds the lines of definitions that are searched for one word.
const maxLookup = 256

// mentions reports whether a definition, or one that it uses, has the word.
func (s *source) mentions(name, word string, budget *int) bool {
	for _, text := range s.macros[name].lines {
		if *budget--; *budget < 0 {
			return false
		}
		if strings.Contains(text, word) {
			return true
		}
		for _, r := range references(text) {
			if s.mentions(r.name, word, budget) {
				return true
			}
		}
	}
	return false
}

// written is the line of the file from a place on.
func (s *source) written(at place) string {
	text := s.texts[s.file(at)]
	starts, ok := s.starts[s.file(at)]
	if !ok {
		starts = lineStarts(text)
		if s.starts == nil {
			s.starts = map[string][]int{}
		}
		s.starts[s.file(at)] = starts
	}
	if at.line < 1 || int(at.line) > len(starts) {
		return ""
	}
	text, _, _ = strings.Cut(text[starts[at.line-1]:], "\n")
	return text[min(max(int(at.column)-1, 0), len(text)):]
}

func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// findWord is the offset of a word in a text, after nth others like it; that
// of the last one when there are fewer, and -1 when there is none.
func findWord(text, word string, nth int) int {
	last := -1
	for from := 0; word != "" && nth >= 0; nth-- {
		i := nextWord(text, word, from)
		if i < 0 {
			break
		}
		last, from = i, i+len(word)
	}
	return last
}

// countWord is how often a word stands in a text.
func countWord(text, word string) (n int) {
	for from := 0; word != ""; n++ {
		i := nextWord(text, word, from)
		if i < 0 {
			break
		}
		from = i + len(word)
	}
	return n
}

func nextWord(text, word string, from int) int {
	for {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return -1
		}
		i += from
		end := i + len(word)
		if (i == 0 || bounds(text[i-1])) && (end == len(text) || bounds(text[end])) {
			return i
		}
		from = i + 1
	}
}

// bounds reports whether a byte may stand beside a word.
func bounds(c byte) bool { return blank(c) || strings.IndexByte(`{}"'#!)`, c) >= 0 }
