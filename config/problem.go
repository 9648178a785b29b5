package config

import (
	"fmt"
	"slices"
)

// Severity grades a [Problem].
type Severity uint8

// Severities. A Note never changes a verdict.
const (
	Note Severity = iota
	Warning
	Error
)

// String is the severity as diagnostics print it.
func (s Severity) String() string { return [...]string{"note", "warning", "error"}[s] }

// Class is keepalived's class of a configuration error. The highest class of a
// run decides the exit status of -t.
type Class uint8

// The classes in keepalived's order.
const (
	ClassNone Class = iota // does not count
	ClassFileNotFound
	ClassBadInterface
	ClassFatal
	ClassUnknownKeyword
	ClassUnexpectedBrace
	ClassMissingBrace
	ClassUnmatchedQuote
	ClassMissingParameter
	ClassInvalidNumber
	ClassGeneral
	ClassWarning
	ClassDeprecated
	ClassSecurity
	ClassNoConfig    // an include line that include_check does not let pass
	ClassNoNamespace // a network namespace that does not exist: keepalived tests no further
)

// Problem is one complaint about a configuration.
type Problem struct {
	Origin   Origin   // where; zero Line: the configuration as a whole
	Chain    []Origin // the include lines or macro uses that led there, innermost first
	Severity Severity
	Class    Class
	Code     string // stable and short: unknown-keyword
	Message  string
	Hint     string // what would be right, when that can be guessed
	Late     bool   // found when everything was read: keepalived names no line
	Fatal    bool   // keepalived's VRRP process exits 2 at this: [ExitConfig]
	Child    bool   // keepalived's parent process does not find it, its children do
	Source   string // the line as it is in the file, for diagnostics; empty when unknown
}

// Own reports a note or a warning of lvsd's own, of which keepalived says
// nothing.
func (p Problem) Own() bool {
	return (p.Class == ClassNone || p.Class == ClassNoNamespace) && p.Severity != Error
}

// Fatal reports whether keepalived would not run with these problems.
func Fatal(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Fatal })
}

// MissingParameter reports whether a keyword stands without its value, at which
// keepalived stops to read.
func MissingParameter(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Class == ClassMissingParameter })
}

// NoConfig reports whether a file is missing that include_check asks for:
// keepalived then ends with [ExitNoConfig].
func NoConfig(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Class == ClassNoConfig })
}

// String is file:line:column: severity: message [code].
func (p Problem) String() string {
	if p.Origin.Line == 0 {
		return fmt.Sprintf("%s: %s [%s]", p.Severity, p.Message, p.Code)
	}
	o := p.Origin
	return fmt.Sprintf("%s:%d:%d: %s: %s [%s]", o.File, o.Line, o.Column, p.Severity, p.Message, p.Code)
}

// Exit statuses of keepalived, for -t and for the daemon.
const (
	ExitOK           = 0
	ExitFatal        = 1
	ExitConfig       = 2
	ExitPermission   = 4 // and -t: the worst is a missing file, interface or a fatal error
	ExitTestFailed   = 5 // -t: anything else
	ExitNoConfig     = 6
	ExitTestSecurity = 6 // -t: scripts without enable_script_security
)

// TestStatus is the exit status of -t for these problems. keepalived stops at
// a keyword without its parameter, at once, and does not start to test what a
// network namespace would hold that is not there.
func TestStatus(problems []Problem) int {
	worst := ClassNone
	for _, p := range problems {
		worst = max(worst, p.Class)
	}
	switch {
	case worst == ClassNoConfig:
		return ExitNoConfig
	case MissingParameter(problems):
		return ExitConfig
	case worst == ClassNone, worst == ClassNoNamespace:
		return ExitOK
	case worst <= ClassFatal:
		return ExitPermission
	case worst == ClassSecurity:
		return ExitTestSecurity
	}
	return ExitTestFailed
}

// StrictStatus is [TestStatus], but a warning of lvsd's own fails the test,
// too. Notes never do.
func StrictStatus(problems []Problem) int {
	status := TestStatus(problems)
	if status == ExitOK && slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity > Note }) {
		return ExitTestFailed
	}
	return status
}
