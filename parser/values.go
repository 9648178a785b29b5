package parser

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// fault is why a word is not a value.
type fault struct {
	class   config.Class
	code    string
	text    string
	hint    string // what would be right
	rounded bool   // it is one, but not quite the one that is written
}

// counts says that there is a value.
func (f *fault) counts() bool { return f == nil || f.rounded }

func badNumber(format string, args ...any) *fault {
	return &fault{class: config.ClassInvalidNumber, code: "invalid-number", text: fmt.Sprintf(format, args...)}
}

func badValue(format string, args ...any) *fault {
	return &fault{class: config.ClassGeneral, code: "invalid-value", text: fmt.Sprintf(format, args...)}
}

// badName is a word that is none of those that the keyword takes.
func badName(code, word string, names []string) *fault {
	return &fault{class: config.ClassGeneral, code: code, text: fmt.Sprintf("unknown value '%s'", word), hint: oneOfThese(word, names)}
}

// oneOfThese is the hint for a word that is none of a few names.
func oneOfThese(word string, names []string) string {
	if hint := config.DidYouMean(word, names); hint != "" || len(names) > 16 {
		return hint
	}
	return "known are " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// value reads a V from a word.
type value[V any] func(word string) (V, *fault)

// set is a keyword with one value.
func set[T any, V comparable](read value[V], field func(*T) *V) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		if word, ok := c.need(); ok {
			if v, f := read(word); c.takes(f, word) {
				*field(t) = v
			}
		}
	}, write: func(w *confWriter, keyword string, t, def *T) {
		if v := *field(t); v != *field(def) {
			writeValue(w, keyword, read, v)
		}
	}}
}

// opt is a keyword with one value that a parent may give instead.
func opt[T any, V comparable](read value[V], field func(*T) *config.Opt[V]) row[T] {
	r := set(func(word string) (config.Opt[V], *fault) {
		v, f := read(word)
		return config.Some(v), f
	}, field)
	r.write = func(w *confWriter, keyword string, t, _ *T) {
		if o := field(t); o.Set {
			writeValue(w, keyword, read, o.Value)
		}
	}
	return r
}

// on is a keyword without a value.
func on[T any](apply func(*T)) row[T] {
	return row[T]{apply: func(_ *cursor, t *T) { apply(t) }}
}

// yes is a keyword without a value that sets a bool.
func yes[T any](field func(*T) *bool) row[T] {
	r := on(func(t *T) { *field(t) = true })
	r.write = writeFlag(field)
	return r
}

// setBool is BOOL? that sets a bool.
func setBool[T any](field func(*T) *bool) row[T] {
	r := boolean(func(t *T, v bool) { *field(t) = v })
	r.write = writeBool(field)
	return r
}

// boolean is BOOL?: no value means true.
func boolean[T any](apply func(*T, bool)) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, ok := c.next()
		switch {
		case !ok, slices.Contains([]string{"true", "on", "yes"}, word):
			apply(t, true)
		case slices.Contains([]string{"false", "off", "no"}, word):
			apply(t, false)
		default:
			f := badValue("'%s' is neither true, on, yes nor false, off, no", word)
			f.hint = config.DidYouMean(word, []string{"true", "false", "on", "off", "yes", "no"})
			c.invalid(f, word)
		}
	}}
}

// optBool is BOOL? of which a parent may say otherwise.
func optBool[T any](field func(*T) *config.Opt[bool]) row[T] {
	r := boolean(func(t *T, v bool) { *field(t) = config.Some(v) })
	r.write = func(w *confWriter, keyword string, t, _ *T) {
		if o := field(t); o.Set {
			w.line(keyword, noWord(o.Value))
		}
	}
	return r
}

// text is any word.
func text(word string) (string, *fault) { return strings.Clone(word), nil }

// integer is a type of the configuration that a number is stored in.
type integer interface {
	~int | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// num is a decimal number between two bounds.
func num[N integer](lo, hi int64) value[N] {
	return func(word string) (N, *fault) {
		word = trimLeft(word) // as strtoul(3) does; blanks are in quotes
		digits := word
		if lo < 0 {
			digits = strings.TrimPrefix(word, "-")
		} else if strings.HasPrefix(word, "-") {
			return 0, badNumber("negative number '%s'", word)
		}
		if !decimal(digits) {
			return 0, badNumber("invalid number '%s'", word)
		}
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < lo || n > hi {
			return 0, badNumber("number '%s' outside range [%d, %d]", word, lo, hi)
		}
		return N(n), nil
	}
}

// decimal reports whether text is made of digits.
func decimal(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// count is a number that the configuration holds as an int.
var count = num[int]

// longTime is for ever, as far as anybody waits: longer delays are cut to it.
const longTime = 100 * 365 * 24 * time.Hour

// seconds is a time: a decimal number of seconds, to the microsecond.
func seconds(lo, hi time.Duration) value[time.Duration] { return secondsTo(6, lo, hi) }

// secondsTo is a time of which that many decimal places count.
func secondsTo(places int, lo, hi time.Duration) value[time.Duration] {
	return func(word string) (time.Duration, *fault) {
		d, tooLong, f := fixedPoint(word, places, time.Second)
		switch {
		case tooLong && hi == longTime, f.counts() && d > hi && hi == longTime:
			return longTime, nil
		case tooLong, f.counts() && (d < lo || d > hi):
			return 0, badNumber("number '%s' outside range [%f, %f]", word, lo.Seconds(), hi.Seconds())
		}
		return d, f
	}
}

// fixedPoint is a decimal number of a unit. Of more places than count
// keepalived rounds the last one, and complains; it does not look at the rest.
func fixedPoint(word string, places int, unit time.Duration) (d time.Duration, tooLong bool, f *fault) {
	whole, fraction, _ := strings.Cut(trimLeft(word), ".")
	if whole == "" && fraction != "" {
		whole = "0"
	}
	up := false
	if len(fraction) > places && decimal(fraction[:places+1]) {
		f = badNumber("number '%s' has too many decimal places", word)
		f.rounded = true
		fraction, up = fraction[:places], fraction[places] >= '5'
	}
	if !decimal(whole) || fraction != "" && !decimal(fraction) {
		return 0, false, badNumber("invalid number '%s'", word)
	}
	n, err := strconv.ParseUint(whole, 10, 33) // what a Duration of seconds holds
	d = time.Duration(n) * unit
	for i := range places {
		unit /= 10
		if i < len(fraction) {
			d += time.Duration(fraction[i]-'0') * unit
		}
	}
	if up {
		d += unit
	}
	return d, err != nil, f
}

// wholeSeconds is a time without a fraction.
func wholeSeconds(lo, hi int64) value[time.Duration] {
	read := num[int](lo, hi)
	return func(word string) (time.Duration, *fault) {
		n, f := read(word)
		return time.Duration(n) * time.Second, f
	}
}

// micros is a whole number of microseconds.
func micros(lo, hi int64) value[time.Duration] {
	read := num[uint32](lo, hi)
	return func(word string) (time.Duration, *fault) {
		n, f := read(word)
		return time.Duration(n) * time.Microsecond, f
	}
}

// millis is a decimal number of milliseconds, to the microsecond.
func millis(lo, hi int64) value[time.Duration] {
	return func(word string) (time.Duration, *fault) {
		d, tooLong, f := fixedPoint(word, 3, time.Millisecond)
		least, most := time.Duration(lo)*time.Millisecond, time.Duration(hi)*time.Millisecond
		if tooLong || f.counts() && (d < least || d > most) {
			return 0, badNumber("number '%s' outside range [%d.000, %d.000]", word, lo, hi)
		}
		return d, f
	}
}

// address is an IP address; keepalived cuts a prefix length from those that
// name an endpoint.
func address(word string) (netip.Addr, *fault) {
	host, _, _ := strings.Cut(word, "/")
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, badValue("'%s' is not an IP address", word)
	}
	return a, nil
}

// ifname is the name of a network interface: IFNAMSIZ less its NUL.
func ifname(word string) (string, *fault) {
	if len(word) > 15 {
		return "", badValue("interface name '%s' is longer than 15 characters", word)
	}
	return linkName(word)
}

// linkName is the name of a link that is looked up, so that how long it is
// does not matter; no link is without name.
func linkName(word string) (string, *fault) {
	if word == "" {
		return "", badValue("no interface is named ''")
	}
	return strings.Clone(word), nil
}

// oneOf is a name with a meaning.
func oneOf[V any](meaning map[string]V) value[V] {
	return func(word string) (V, *fault) {
		v, ok := meaning[word]
		if !ok {
			return v, badName("invalid-value", word, slices.Collect(maps.Keys(meaning)))
		}
		return v, nil
	}
}

// upper is oneOf without regard to case.
func upper[V any](meaning map[string]V) value[V] {
	read := oneOf(meaning)
	return func(word string) (V, *fault) { return read(strings.ToUpper(word)) }
}

// script is CMD [USER [GROUP]]. Of two the first counts.
func script[T any](field func(*T) *config.Command) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		if cmd, ok := c.command(); ok {
			c.assign(field(t), cmd)
		}
	}, write: func(w *confWriter, keyword string, t, _ *T) { w.command(keyword, field(t)) }}
}

// made is the command behind a pointer, which there is from now on.
func made(c **config.Command) *config.Command {
	if *c == nil {
		*c = new(config.Command)
	}
	return *c
}

// command reads CMD [USER [GROUP]].
func (c *cursor) command() (config.Command, bool) {
	if c.rest = trimLeft(c.rest); c.rest == "" {
		c.need()
		return config.Command{}, false
	}
	problems := c.d.reported
	text, _ := c.script()
	text = strings.Clone(trim(text))
	at := c.pos()
	cmd := config.NewCommand(text, c.user(), c.d.src.origin(at))
	switch quote, _, unclosed := config.UnclosedQuote(text); {
	case c.d.reported > problems:
		return cmd, false
	case unclosed:
		c.errorf(config.ClassUnmatchedQuote, "unmatched-quote", "String '%s': missing terminating %c", text, quote)
		return cmd, false
	case cmd.Shell:
		op, _, _ := config.Operator(text)
		c.d.problem(at, config.Warning, config.ClassNone, "shell-operators",
			fmt.Sprintf("'%s' in a script: lvsd runs this line under /bin/sh -c; keepalived passes '%s' to the command as a word", op, op))
	}
	return cmd, text != ""
}

// user is USER [GROUP].
func user[T any](field func(*T) *config.User) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		before := *c
		if _, ok := c.need(); ok {
			*c = before
			*field(t) = c.user()
		}
	}, write: func(w *confWriter, keyword string, t, def *T) {
		if u := *field(t); u != *field(def) {
			w.line(keyword, w.user(keyword, u))
		}
	}}
}

// user reads [USER [GROUP]].
func (c *cursor) user() (u config.User) {
	if name, ok := c.next(); ok {
		u.Name = strings.Clone(name)
	}
	if group, ok := c.next(); ok {
		u.Group = strings.Clone(group)
	}
	return u
}

// assign keeps the first of several scripts.
func (c *cursor) assign(to *config.Command, cmd config.Command) {
	if !to.IsZero() {
		c.at = 0
		c.errorf(config.ClassGeneral, "duplicate", "%s %s script already specified - ignoring %s", c.d.owner, c.keyword, cmd.Line)
		return
	}
	*to = cmd
}
