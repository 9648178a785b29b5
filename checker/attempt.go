package checker

import "fmt"

// attempt is a probe with what it meant, for kinds of checks that tell it in
// sentences of their own.
type attempt struct {
	server, service string // in the log
	result          Result
	before          string // the last [Result.Unsure]
	verdict         Verdict
	failed          int // attempts of this round that have failed and are followed by another
	limit           int // how many of those there may be
}

// retries is what keepalived adds to the word of a failure.
func (a attempt) retries() string {
	switch v := a.verdict; {
	case v.Turned && v.Retries > 0:
		return " after " + tries(v.Retries)
	case v.Turned && a.limit == 0:
		return " with retry disabled"
	case v.Turned, a.failed == 0:
		return ""
	case a.failed == 1:
		return ", will do " + tries(a.limit)
	}
	return fmt.Sprintf(" on retry %d/%d", a.failed-1, a.limit)
}

func tries(n int) string {
	if n == 1 {
		return "1 retry"
	}
	return fmt.Sprintf("%d retries", n)
}

// narrate logs an attempt: that the check came up or went down, each failure
// when they are all to be logged, and that nobody knows.
func (s *Scheduler) narrate(sentence func(attempt) string, a attempt, logFailure bool) {
	unsure := a.result.Unsure
	switch {
	case unsure != "" && unsure != a.before:
		s.opts.Log.Error(sentence(a), fields(a)...)
	case a.verdict.Turned, !a.result.Up && logFailure:
		s.opts.Log.Info(sentence(a), fields(a)...)
	case unsure == "" && a.before != "":
		s.opts.Log.Info(sentence(a)+" It can be run again.", fields(a)...)
	}
}
