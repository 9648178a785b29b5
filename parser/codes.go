package parser

import (
	"maps"
	"slices"
	"strings"
)

// explanation is what a code of a problem means.
type explanation struct {
	text      string
	example   string // a configuration that has the problem
	elsewhere bool   // the example alone does not show it
}

// Codes are the codes of all problems, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(explanations)) }

// Explain is what a code means, why it matters and what would be right, with
// an example; false when no problem has the code.
func Explain(code string) (string, bool) {
	e, ok := explanations[code]
	if !ok {
		return "", false
	}
	return code + "\n\n" + e.text + "\n\nExample:\n\n    " + strings.ReplaceAll(e.example, "\n", "\n    ") + "\n", true
}
