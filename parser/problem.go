package parser

import (
	"fmt"

	"github.com/lvsd/lvsd/config"
)

// notActedOn is the note about a part of the language that lvsd knows and does
// nothing for yet.
func notActedOn(at config.Origin, keyword string) config.Problem {
	return config.Problem{
		Origin: at, Severity: config.Note, Code: "not-acted-on",
		Message: fmt.Sprintf("keyword %s is known but not acted on yet", keyword),
	}
}

// Unreadable is an error of [Load] as a problem.
func Unreadable(err error) config.Problem {
	return config.Problem{Severity: config.Error, Class: config.ClassNoConfig, Code: "no-configuration", Message: err.Error()}
}
