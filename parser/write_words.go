package parser

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// spell is the word that a reader reads as v: it is found by reading. false
// when there is none.
func spell[V comparable](read value[V], v V) (string, bool) {
	for _, word := range spellings(v) {
		if got, f := read(word); f == nil && got == v {
			return word, true
		}
	}
	return fmt.Sprint(v), false
}

// spellings are the words that may stand for a value, whatever the keyword.
func spellings(v any) []string {
	switch v := v.(type) {
	case time.Duration:
		return []string{decimalOf(v, time.Second), decimalOf(v, time.Millisecond), decimalOf(v, time.Microsecond)}
	case netip.Addr, config.State, config.Protocol, config.Family, config.HTTPProtocol, config.TLSVersion, config.MailTLS:
		return []string{fmt.Sprint(v)}
	case config.AuthType:
		return []string{"PASS", "AH"}
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return []string{r.String()}
	case reflect.Int, reflect.Int64:
		return []string{fmt.Sprint(r.Int())}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return []string{fmt.Sprint(r.Uint())}
	}
	return nil
}

// decimalOf is a time as a decimal number of units.
func decimalOf(d, unit time.Duration) string {
	whole, fraction := d/unit, d%unit
	if fraction == 0 {
		return fmt.Sprint(int64(whole))
	}
	digits := len(fmt.Sprint(int64(unit))) - 1
	return fmt.Sprintf("%d.%s", whole, strings.TrimRight(fmt.Sprintf("%0*d", digits, fraction), "0"))
}

func seconds6(d time.Duration) string { return decimalOf(d, time.Second) }

// word is a word of a line.
func (w *confWriter) word(keyword, text string) string {
	for _, written := range []string{text, `"` + text + `"`, escaped(text)} {
		if got, ok := readWord(written, (*cursor).next); ok && got == text {
			return written
		}
	}
	w.fails(keyword, text)
	return ""
}

// first is a word at the beginning of a line.
func (w *confWriter) first(keyword, text string) string {
	if directive(text) || text != "" && strings.ContainsAny(text[:1], "@~$") {
		return `"` + text + `"`
	}
	return w.word(keyword, text)
}

// script is a word of a line that is read as a script.
func (w *confWriter) script(keyword, text string) string {
	for _, written := range []string{text, `"` + text + `"`, `'` + text + `'`, escaped(text), `'` + escaped(text) + `'`} {
		if got, ok := readWord(written, (*cursor).script); ok && got == text {
			return written
		}
	}
	w.fails(keyword, text)
	return ""
}

// escaped is text with backslashes before what would begin a comment.
func escaped(text string) string { return strings.NewReplacer("#", `\#`, "!", `\!`).Replace(text) }

// readWord is what a line of one word comes to.
func readWord(written string, read func(*cursor) (string, bool)) (string, bool) {
	const keyword = "x "
	text := stripComment(keyword + written)
	quoted := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n':
			return "", false
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '}'):
			return "", false
		}
	}
	if trimRight(text) == trimRight(keyword) {
		return "", false
	}
	// an unclosed quote is reported, and not read
	d := &decoder{said: map[complaint]bool{}, classes: map[config.Class]bool{}}
	d.src = newSource(Options{}, d.report)
	c := d.cursor(&statement{Line: text})
	c.next()
	word, ok := read(&c)
	return word, ok && trim(c.rest) == "" && d.reported == 0
}

// writeValue writes a keyword with one value.
func writeValue[V comparable](w *confWriter, keyword string, read value[V], v V) {
	text, ok := spell(read, v)
	if !ok {
		w.fails(keyword, text)
		return
	}
	if text = w.word(keyword, text); text != "" {
		w.line(keyword, text)
	}
}

// writeFlag writes a keyword without a value.
func writeFlag[T any](field func(*T) *bool) writer[T] {
	return func(w *confWriter, keyword string, t, def *T) {
		if *field(t) && !*field(def) {
			w.line(keyword)
		}
	}
}

// writeBool writes BOOL?.
func writeBool[T any](field func(*T) *bool) writer[T] {
	return func(w *confWriter, keyword string, t, def *T) {
		if v := *field(t); v != *field(def) {
			w.line(keyword, noWord(v))
		}
	}
}

func noWord(v bool) string {
	if v {
		return ""
	}
	return "no"
}

// command writes CMD [USER [GROUP]] of a script that runs as script_user
// otherwise.
func (w *confWriter) command(keyword string, cmd *config.Command) {
	if !cmd.IsZero() {
		w.line(keyword, w.script(keyword, cmd.Line), w.scriptUser(keyword, cmd))
	}
}

// daemonCommand writes CMD [USER [GROUP]] of global_defs.
func (w *confWriter) daemonCommand(keyword string, cmd *config.Command) {
	if !cmd.IsZero() {
		w.line(keyword, w.script(keyword, cmd.Line), w.user(keyword, cmd.User))
	}
}

// onceCommand writes a startup or shutdown script: early, before the lines that
// say whom it runs as otherwise, when it has no user.
func (w *confWriter) onceCommand(keyword string, cmd *config.Command, early bool) {
	if early == (cmd.User == config.User{}) {
		w.daemonCommand(keyword, cmd)
	}
}

// scriptUser is the account of a script unless it is that of script_user.
func (w *confWriter) scriptUser(keyword string, cmd *config.Command) string {
	if cmd.User == w.cfg.Global.ScriptUser {
		return ""
	}
	return w.user(keyword, cmd.User)
}

func (w *confWriter) user(keyword string, u config.User) string {
	if u == (config.User{}) {
		return ""
	}
	text := w.word(keyword, u.Name)
	if u.Group != "" {
		text += " " + w.word(keyword, u.Group)
	}
	return text
}

func (w *confWriter) words(keyword string, all []string) (written []string) {
	for _, word := range all {
		written = append(written, w.word(keyword, word))
	}
	return written
}

// members writes a block of names, one on each line.
func (w *confWriter) members(keyword string, all []string) {
	w.block(keyword, all != nil, func() {
		for _, name := range all {
			w.line(w.first(keyword, name))
		}
	})
}

// option is a keyword of a line with its value; nothing without one.
func (w *confWriter) option(keyword, text string) string {
	if text == "" {
		return ""
	}
	return keyword + " " + w.word(keyword, text)
}

// when is the word when it is meant.
func when(meant bool, word string) string {
	if meant {
		return word
	}
	return ""
}

// optNumber is a keyword of a line with a number that was given.
func optNumber[N integer](keyword string, o config.Opt[N]) string {
	return when(o.Set, fmt.Sprintf("%s %d", keyword, o.Value))
}

// nonZero is a keyword of a line with a number that is not zero.
func nonZero[N integer](keyword string, n N) string {
	return when(n != 0, fmt.Sprintf("%s %d", keyword, n))
}

// writeWords writes a keyword with a list of words, which may be empty.
func writeWords[T any](field func(*T) []string) writer[T] {
	return func(w *confWriter, keyword string, t, _ *T) {
		if all := field(t); all != nil {
			w.line(append([]string{keyword}, w.words(keyword, all)...)...)
		}
	}
}
