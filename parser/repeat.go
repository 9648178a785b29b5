package parser

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// loop is a ~SEQ or ~LST that is not at its end: the line after it is read
// once for each value.
type loop struct {
	names  []string
	next   func() ([]string, bool)
	origin config.Origin
	body   line
}

// advance defines the next values; false at the end.
func (s *source) advance(p *loop) bool {
	values, ok := p.next()
	if !ok {
		return false
	}
	if !s.use(1, 0) {
		s.exhausted(p.body)
		return false
	}
	for i, name := range p.names {
		value := ""
		if i < len(values) {
			value = values[i]
		}
		s.macros[name] = macro{lines: []string{value}, origin: p.origin}
	}
	return true
}

// repeats takes a line that begins with ~SEQ or ~LST; false when it does not.
func (s *source) repeats(l line) bool {
	if !strings.HasPrefix(l.text, "~SEQ") && !strings.HasPrefix(l.text, "~LST") {
		return false
	}
	what, rest := l.text[:4], l.text[4:]
	hex := what == "~SEQ" && strings.HasPrefix(rest, "x")
	if hex {
		rest = rest[1:]
	}
	inside, body, closed := strings.Cut(trimLeft(rest), ")")
	inside, opened := strings.CutPrefix(inside, "(")
	p := &loop{origin: s.origin(l.pos), body: l}
	p.body.text, p.body.repeated = trimLeft(body), true
	var err error
	switch {
	case !opened || !closed:
		err = errors.New("its parameters must be in parentheses")
	case what == "~SEQ":
		err = p.sequence(s.flat(l, inside), hex)
	default:
		err = p.list(inside)
	}
	if err != nil {
		s.report(config.Problem{
			Origin: s.origin(l.pos), Chain: s.via(l.pos), Severity: config.Error, Class: config.ClassGeneral, Code: "invalid-sequence",
			Message: fmt.Sprintf("Invalid %s specification '%s'", what, l.text), Hint: err.Error(),
		})
		return true
	}
	s.queue(queued{loop: p})
	return true
}

// nestedLoop reports a loop that comes out of a definition in a line that is
// repeated itself. keepalived does not know it there.
func (s *source) nestedLoop(l line) {
	word := firstWord(l.text)
	s.report(config.Problem{
		Origin: s.origin(l.pos), Chain: s.via(l.pos), Severity: config.Error, Class: config.ClassUnknownKeyword, Code: "nested-sequence",
		Message: fmt.Sprintf("Unknown keyword '%s'", word),
		Hint:    "a ~SEQ or ~LST from a definition is not expanded in a line that is repeated itself: write both on that line",
	})
}

// sequence reads VAR, [START, [STEP,]] END.
func (p *loop) sequence(inside string, hex bool) error {
	words := strings.Split(inside, ",")
	if len(words) < 2 || len(words) > 4 || trim(words[0]) == "" {
		return errors.New("~SEQ is (VAR, [START, [STEP,]] END)")
	}
	p.names = []string{trim(words[0])}
	var n []int64
	for _, word := range words[1:] {
		v, err := number(trim(word))
		if err != nil {
			return err
		}
		n = append(n, v)
	}
	start, step, end := int64(1), int64(0), n[len(n)-1]
	if end < 0 {
		start = -1
	}
	if len(n) > 1 {
		start = n[0]
	}
	if step = 1; start > end {
		step = -1
	}
	if len(n) > 2 {
		step = n[1]
	}
	if step == 0 || step > 0 && start > end || step < 0 && start < end {
		return fmt.Errorf("steps of %d do not lead from %d to %d", step, start, end)
	}
	if hex && min(start, end) < 0 {
		return errors.New("~SEQx is only valid for positive numbers")
	}
	base := 10
	if hex {
		base = 16
	}
	p.next = func() ([]string, bool) {
		if step > 0 && start > end || step < 0 && start < end {
			return nil, false
		}
		value := strconv.FormatInt(start, base)
		start += step
		return []string{value}, true
	}
	return nil
}

// number is a number as strtol(3) reads it, of 32 bits; none is 0.
func number(word string) (int64, error) {
	if word == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(word, 0, 64)
	if err != nil || strings.Contains(word, "_") || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("'%s' is not a number of 32 bits", word)
	}
	return n, nil
}

// list reads VAR, VALUE... or {VAR, VAR}, {VALUE, VALUE}...
func (p *loop) list(inside string) error {
	names, rest, err := group(inside)
	if err != nil {
		return err
	}
	p.names = names
	var values [][]string
	for rest != "" {
		var v []string
		if v, rest, err = group(rest[1:]); err != nil {
			return err
		}
		if len(v) > len(names) {
			return fmt.Errorf("too many values for %s", strings.Join(names, ", "))
		}
		values = append(values, v)
	}
	if len(values) == 0 || names[0] == "" {
		return errors.New("~LST is (VAR, VALUE, ...) or ({VAR, VAR}, {VALUE, VALUE}, ...)")
	}
	p.next = func() (v []string, ok bool) {
		if len(values) == 0 {
			return nil, false
		}
		v, values = values[0], values[1:]
		return v, true
	}
	return nil
}

// group cuts one word or {word, word} from a list; what is left is empty or
// begins with a comma.
func group(text string) (words []string, rest string, err error) {
	text = trimLeft(text)
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		if inner, rest, ok = strings.Cut(inner, "}"); !ok {
			return nil, "", errors.New("a '}' is missing")
		}
		words, rest = strings.Split(inner, ","), trimLeft(rest)
		if rest != "" && rest[0] != ',' {
			return nil, "", errors.New("a ',' is missing after '}'")
		}
	} else {
		i := strings.IndexByte(text, ',')
		if i < 0 {
			i = len(text)
		}
		words, rest = []string{text[:i]}, text[i:]
	}
	for i := range words {
		if words[i] = trim(words[i]); words[i] != firstWord(words[i]) {
			return nil, "", fmt.Errorf("'%s' is more than one word", words[i])
		}
	}
	return words, rest, nil
}
