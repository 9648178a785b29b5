package parser

import (
	_ "embed"
	"strings"
)

// Help is what a keyword takes, what holds without it, and what it does.
type Help struct {
	Block   string // path of the block it stands in, / for the top level
	Name    string
	Args    string // as for a reader: ADDR [PORT]; {...} is a block
	Default string // empty: there is nothing to say
	Text    string // a sentence
}

//go:embed help.txt
var helpText string

// Manual is the help for every keyword, in an order for reading; each has one
// in each block that it may stand in.
func Manual() []Help {
	var all []Help
	var blocks []string
	for line := range strings.Lines(helpText) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "= "):
			blocks = nil
			for _, path := range strings.Fields(line[2:]) {
				blocks = append(blocks, alternatives(path)...)
			}
		default:
			row := strings.SplitN(line, " |", 3) // an empty default has no blank behind it
			name, args, _ := strings.Cut(row[0], " ")
			for _, block := range blocks {
				all = append(all, Help{block, name, args, strings.TrimSpace(row[1]), strings.TrimSpace(row[2])})
			}
		}
	}
	return all
}

// alternatives are the paths that A{B,C}D stands for.
func alternatives(path string) []string {
	head, rest, braced := strings.Cut(path, "{")
	if !braced {
		return []string{path}
	}
	list, tail, _ := strings.Cut(rest, "}")
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		all = append(all, head+one+tail)
	}
	return all
}

// HelpFor is the help for a keyword, once for each block where it means
// something else.
func HelpFor(name string) []Help {
	var found []Help
	for _, h := range Manual() {
		if h.Name == name {
			found = append(found, h)
		}
	}
	return found
}
