package supervisor

import (
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// TestReport: called as keepalived, lvsd keeps its own advice to itself, and
// says the rest as keepalived does.
func TestReport(t *testing.T) {
	problems := []config.Problem{
		{Code: "a", Severity: config.Note, Message: "a note"},
		{Code: "b", Severity: config.Warning, Message: "advice"},
		{Code: "c", Severity: config.Warning, Class: config.ClassGeneral, Message: "a fix"},
		{Code: "d", Severity: config.Error, Message: "an error without a class"},
		{Code: "e", Severity: config.Error, Class: config.ClassUnknownKeyword, Origin: config.Origin{File: "main", Line: 3, Column: 5}, Message: "of a line"},
		{Code: "unknown-user", Severity: config.Warning, Message: "left out"},
	}
	for terse, want := range map[bool][]string{
		false: {"note: a note [a]", "warning: advice [b]", "warning: a fix [c]", "error: an error without a class [d]", "main:3:5: error: of a line [e]", "warning: left out [unknown-user]"},
		true:  {"a fix", "an error without a class", "(main: Line 3) of a line", "left out"},
	} {
		core, logs := observer.New(zap.InfoLevel)
		New(Options{Log: zap.New(core), Terse: terse}).report(problems)
		var got []string
		for _, e := range logs.All() {
			got = append(got, e.Message)
		}
		if !slices.Equal(got, want) {
			t.Errorf("terse %v: %q, want %q", terse, got, want)
		}
	}
}
