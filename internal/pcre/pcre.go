// Package pcre matches the regular expressions of keepalived.conf, which are
// those of PCRE2, pcre2pattern(3).
//
// The work is done by regexp2, which backtracks as PCRE2 does and has nearly
// all of its syntax. What a pattern means without the option utf is kept, too:
// text is octets, a letter or a digit is one of ASCII.
package pcre

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// MaxTime is how long one match may take. A pattern that backtracks without an
// end does not match.
const MaxTime = 500 * time.Millisecond

// Regexp is a pattern that is ready to match. It may be used by several
// goroutines at a time.
type Regexp struct {
	re        *regexp2.Regexp
	utf       bool
	firstLine bool // a match begins in the first line
}

// Check tells what is wrong with a pattern.
func Check(pattern string, options []string) error {
	_, err := Compile(pattern, options)
	return err
}

// Compile reads a pattern. Options are names of PCRE2 in lower case without
// their prefix, pcre2api(3). Those that change the speed only have no effect;
// the others that have none are allow_empty_class, alt_circumflex and
// match_unset_backref.
func Compile(pattern string, options []string) (*Regexp, error) {
	has := func(name string) bool { return slices.Contains(options, name) }
	r := &Regexp{utf: has("utf"), firstLine: has("firstline")}
	flags := regexp2.None
	if !has("ucp") {
		flags = regexp2.RE2 // \w, \d and \s are of ASCII; [[:alpha:]], (?P<name>)
	}
	for name, flag := range map[string]regexp2.RegexOptions{
		"caseless": regexp2.IgnoreCase, "multiline": regexp2.Multiline, "dotall": regexp2.Singleline,
		"extended": regexp2.IgnorePatternWhitespace, "no_auto_capture": regexp2.ExplicitCapture,
	} {
		if has(name) {
			flags |= flag
		}
	}
	dollar := `(?=\n?\z)`
	switch {
	case has("multiline") || inlineMultiline(pattern):
		dollar = ""
	case has("dollar_endonly"):
		dollar = `\z`
	}
	pattern, err := translate(pattern, dollar, r.utf)
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(string(r.runes([]byte(pattern))), flags)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = MaxTime
	r.re = re
	return r, nil
}

// Match reports whether text has a match that begins at offset min or later,
// and not behind max when that is not 0; both count octets. The error says that
// nobody knows: the match took too long or too much memory.
func (r *Regexp) Match(text []byte, minOffset, maxOffset uint64) (bool, error) {
	if minOffset > uint64(len(text)) {
		return false, nil
	}
	start := len(r.runes(text[:minOffset]))
	m, err := r.re.FindRunesMatchStartingAt(r.runes(text), start)
	switch {
	case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
		return false, fmt.Errorf("the regular expression backtracks too deep: %w", err)
	case err != nil:
		return false, fmt.Errorf("the regular expression has found nothing in %v", MaxTime)
	case m == nil:
		return false, nil
	}
	before := text[:m.RuneIndex]
	if r.utf {
		before = []byte(string([]rune(string(text))[:m.RuneIndex]))
	}
	if r.firstLine && slices.Contains(before, '\n') {
		return false, nil
	}
	return maxOffset == 0 || uint64(len(before)) <= maxOffset, nil
}

// runes is text as the matcher reads it: characters of UTF-8, or each octet by
// itself.
func (r *Regexp) runes(text []byte) []rune {
	if r.utf {
		return []rune(string(text))
	}
	all := make([]rune, len(text))
	for i, b := range text {
		all[i] = rune(b)
	}
	return all
}

// inlineMultiline reports whether a pattern turns multiline on itself, as in
// (?im) or (?m:.
func inlineMultiline(pattern string) bool {
	for rest, ok := pattern, true; ok; {
		if _, rest, ok = strings.Cut(rest, "(?"); !ok {
			return false
		}
		flags := rest[:len(rest)-len(strings.TrimLeft(rest, "imnsxJU"))]
		if strings.Contains(flags, "m") {
			return true
		}
	}
	return false
}
