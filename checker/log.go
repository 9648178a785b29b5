package checker

import (
	"strconv"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// fields say for programs what a line is about, in capitals, as journald has
// them.
func fields(a attempt) []zap.Field {
	return []zap.Field{zap.String("VIRTUAL_SERVER", a.service), zap.String("REAL_SERVER", a.server)}
}

// fill puts the words of an outcome into a sentence with verbs, see [phrases].
func (o *outcome) fill(sentence string) string {
	text := make([]byte, 0, 128)
	for {
		at := strings.IndexByte(sentence, '%')
		if at < 0 || at+1 == len(sentence) {
			return string(append(text, sentence...))
		}
		text = append(text, sentence[:at]...)
		switch sentence[at+1] {
		case 's':
			text = append(text, o.server...)
		case 'v':
			text = append(text, o.service...)
		case 'r':
			text = append(text, o.result.Reason...)
		case 'n':
			text = strconv.AppendInt(text, int64(o.verdict.Retries), 10)
		case 'p':
			text = append(text, o.result.Path...)
		default:
			text = append(text, sentence[at:at+2]...)
		}
		sentence = sentence[at+2:]
	}
}

// log says what a probe has come to, in the words of its kind of check. A
// failed attempt is told with log_all_failures, until the check is down; a
// success that has words of its own, while it is.
func (s *Scheduler) log(o outcome) {
	says, r, v := o.how.says, o.result, o.verdict
	say := func(level zapcore.Level, sentence string) {
		if sentence == "" {
			return
		}
		why := fields(o.attempt)
		if r.Reason != "" && !strings.Contains(sentence, "%r") {
			why = append(why, zap.String("reason", r.Reason))
		}
		s.opts.Log.Log(level, o.fill(sentence), why...)
	}
	last := says.failed
	if v.Retries > 0 || says.counts && !v.First {
		last = says.retried
	}
	if r.Remark != "" {
		say(zapcore.InfoLevel, r.Remark)
	}
	if r.Up && o.wasDown && r.Said != "" {
		say(zapcore.InfoLevel, r.Said)
	}
	switch {
	case r.Local != "":
		say(zapcore.WarnLevel, r.Local)
		return
	case r.Up && v.Turned:
		say(zapcore.InfoLevel, says.success)
		return
	case r.Up || !o.tells || v.Turned && says.failed == says.failure:
	case r.Said != "":
		say(zapcore.InfoLevel, r.Said)
	case r.Timeout:
		say(zapcore.InfoLevel, says.timeout)
	default:
		say(zapcore.InfoLevel, says.failure)
	}
	if v.Turned && !r.Up {
		say(zapcore.InfoLevel, last)
	}
}
