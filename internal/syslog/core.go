package syslog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.uber.org/zap/zapcore"
)

// maxText bounds a line, in bytes: what fits into a datagram of any syslog.
const maxText = 8000

// core turns zap's entries into lines of text: the message, and ` key=value`
// for each field.
type core struct {
	out    *Output
	fields string
}

func (c *core) Enabled(l zapcore.Level) bool { return l >= c.out.level }

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{out: c.out, fields: c.fields + text(fields)}
}

func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	l := line{time: e.Time, level: e.Level, name: e.LoggerName, text: oneLine(e.Message + c.fields + text(fields))}
	for _, t := range c.out.targets {
		t.push(l)
	}
	return nil
}

// Sync does nothing: Run writes all there is when it ends.
func (c *core) Sync() error { return nil }

func text(fields []zapcore.Field) string {
	var b strings.Builder
	for _, f := range fields {
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		keys := make([]string, 0, 1)
		for key := range enc.Fields {
			if !strings.HasSuffix(key, "Verbose") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			value := fmt.Sprint(enc.Fields[key])
			if value == "" || strings.ContainsAny(value, " \"=") {
				value = strconv.Quote(value)
			}
			b.WriteString(" " + key + "=" + value)
		}
	}
	return b.String()
}

// oneLine escapes what could break a line or a terminal: names and errors in
// the log may come from elsewhere.
func oneLine(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	s = strings.TrimRight(s, "\n")
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsControl(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
