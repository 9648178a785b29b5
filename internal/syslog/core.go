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

// core turns zap's entries into lines.
type core struct {
	out    *Output
	fields []field
}

func (c *core) Enabled(l zapcore.Level) bool { return l >= c.out.level }

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{out: c.out, fields: append(slices.Clip(c.fields), plain(fields)...)}
}

func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.out.say(line{
		time: e.Time, level: e.Level, name: e.LoggerName, suffix: *c.out.suffix.Load(),
		message: strings.TrimRight(e.Message, "\n"), fields: append(slices.Clip(c.fields), plain(fields)...),
	}, nil)
	return nil
}

// Sync does nothing: Run writes all there is when it ends.
func (c *core) Sync() error { return nil }

// plain are zap's fields as keys and values.
func plain(fields []zapcore.Field) (all []field) {
	for _, f := range fields {
		if f.Type == zapcore.StringType { // as most are: without a map for each
			all = append(all, field{f.Key, f.String})
			continue
		}
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
			value := enc.Fields[key]
			if s, ok := value.(fmt.Stringer); ok { // durations above all
				value = s.String()
			}
			all = append(all, field{key, value})
		}
	}
	return all
}

// cut shortens what is longer than any line should be.
func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "..."
	}
	return s
}

// oneLine escapes what could break a line or a terminal: names and errors in
// the log may come from elsewhere.
func oneLine(s string) string {
	s = strings.TrimRight(cut(s), "\n")
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
