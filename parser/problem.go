package parser

import "github.com/lvsd/lvsd/config"

// Unreadable is an error of [Load] as a problem.
func Unreadable(err error) config.Problem {
	return config.Problem{Severity: config.Error, Class: config.ClassNoConfig, Code: "no-configuration", Message: err.Error()}
}
