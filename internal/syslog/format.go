package syslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// Format is how lines look on the console and in log files.
type Format string

// Formats.
const (
	Keepalived Format = ""     // Sat Jan  1 00:00:00 2000: (VI_1) Entering MASTER STATE
	Text       Format = "text" // 2000-01-01T00:00:00.000Z info vrrp: (VI_1) Entering MASTER STATE
	JSON       Format = "json" // {"time":...,"level":...,"logger":...,"message":...} and the fields
)

// ParseFormat reads the argument of --log-format: keepalived, text or json;
// an empty one is keepalived.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Text, JSON, Keepalived:
		return f, nil
	case "keepalived":
		return Keepalived, nil
	}
	return Keepalived, fmt.Errorf("unknown log format '%s': keepalived, text or json", s)
}

// stamp is the time of the formats for programs: RFC 3339 with milliseconds.
const stamp = "2006-01-02T15:04:05.000Z07:00"

// form is a line with its end.
func (f Format) form(l line) string {
	switch f {
	case Text:
		return l.time.Format(stamp) + " " + max(l.level, zapcore.DebugLevel).String() + " " + process(l.name) + ": " + l.text() + "\n"
	case JSON:
		return l.json() + "\n"
	}
	return l.time.Format(time.ANSIC) + ": " + l.text() + "\n"
}

// field is what a line tells beside its sentence. One whose key is in capitals,
// such as VRRP_INSTANCE, is for programs: the sentence says it already.
type field struct {
	key   string
	value any
}

func (f field) said() bool { return f.key == "" || strings.ToUpper(f.key) != f.key }

// text is the sentence, and ` key=value` for each field that it does not
// contain.
func (l *line) text() string {
	var b strings.Builder
	b.WriteString(l.message)
	for _, f := range l.fields {
		if !f.said() {
			continue
		}
		value := fmt.Sprint(f.value)
		if value == "" || strings.ContainsAny(value, " \"=") {
			value = strconv.Quote(value)
		}
		b.WriteString(" " + f.key + "=" + value)
	}
	return oneLine(b.String())
}

// json is the line as an object: first what every line has, then its fields.
func (l *line) json() string {
	var b bytes.Buffer
	add := func(key string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text, _ = json.Marshal(fmt.Sprint(value)) // a string can be written
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(key) + ":")
		b.Write(text)
	}
	add("time", l.time.Format(stamp))
	add("level", max(l.level, zapcore.DebugLevel).String())
	add("logger", process(l.name))
	add("message", cut(l.message))
	for _, f := range l.fields {
		add(strings.ToLower(f.key), f.value)
	}
	return "{" + b.String() + "}"
}

// process is the part of keepalived that would have written the line: vrrp,
// healthcheckers, bfd, or keepalived itself.
func process(logger string) string {
	part, _, _ := strings.Cut(logger, ".")
	switch part {
	case "vrrp", "bfd", "healthcheckers":
		return part
	case "checker":
		return "healthcheckers"
	}
	return "keepalived"
}

// severity is the syslog severity, RFC 5424 section 6.2.1. Details (-D) are of
// severity info, as keepalived's.
func severity(l zapcore.Level) int {
	switch {
	case l <= zapcore.InfoLevel:
		return 6
	case l == zapcore.WarnLevel:
		return 4
	case l == zapcore.ErrorLevel:
		return 3
	}
	return 2
}
